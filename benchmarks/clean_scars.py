"""What does cleaning leave behind in the text: empty parentheses, values gone, markup?

What the author wrote so is no scar: it stands in the page's source too, as `strpos ()` or `(;)`.

    python benchmarks/clean_scars.py DUMP … [--examples 3] [--cleaner mwparserfromhell]

Counted over all articles of each dump, formulas and code aside (they may hold any character).
"""

from __future__ import annotations

import argparse
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from template_values import pages

from raywiki.dumps import read_siteinfo
from raywiki.wikitext.table import CLEANERS

# A set of sets, `{{}, {1}}`, is no template.
SCARS = {
    "empty parentheses": re.compile(r"(?<!\w)\(\s*[,;]?\s*\)|\(\s*;\s*\)|\( ?, ?\)"),
    "value gone": re.compile(
        r"(?<!,), ,|\b(?:the|The) +of\b|(?<=\w) ,(?!,)"
        r"|\b(?:At|In|Of|By|From|at|in|of|by|from) ,|\bis an? {2,}|\(\s*[,;] |[^\S\n]{2,}(?=\S)"
    ),
    "markup": re.compile(
        r"\[\[|\]\]|\{\{(?!\})|\}\}(?<!\d\}\})|<ref\b|</ref>|thumb\||'''|^\|-|^\{\||^\|\}|\b(?:File|Image):\S"
        r"|</?(?:li|ul|ol|span|div|p|br|center|small|sub|sup|font|table|t[rdh]|ruby|r[tp]|gallery)\b[^<>\n]*>",
        re.MULTILINE,
    ),
}
ASIDE = re.compile(r"```.*?```|\$[^$\n]*\$|`[^`\n]*`", re.DOTALL)


def written_so(match: re.Match[str], wikitext: str) -> bool:
    """Whether the source has the same marks, behind the same character."""
    return match.string[max(match.start() - 1, 0) : match.end()] in wikitext.replace("''", "")


def cleaned_articles(dumps: Sequence[str], cleaner: str) -> Iterator[tuple[str, str, str, str]]:
    """Language, title, source and text of each article of some dumps."""
    for path in dumps:
        site = read_siteinfo(path)
        for title, wikitext in pages(path):
            clean = CLEANERS[cleaner](wikitext, language=site.language, namespaces=site.namespaces, title=title)
            yield site.language, title, wikitext, clean.text


def around(match: re.Match[str]) -> str:
    """What a detector has found, with what stands beside it, on one line."""
    return match.string[max(0, match.start() - 40) : match.end() + 30].replace("\n", "⏎")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dumps", nargs="+")
    parser.add_argument("--examples", type=int, default=3)
    parser.add_argument("--cleaner", choices=CLEANERS, default="raywiki")
    args = parser.parse_args()
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    articles: dict[str, int] = defaultdict(int)
    for language, title, wikitext, text in cleaned_articles(args.dumps, args.cleaner):
        articles[language] += 1
        text = ASIDE.sub("$", text)
        for scar, pattern in SCARS.items():
            for match in pattern.finditer(text):
                if scar != "markup" and written_so(match, wikitext):
                    continue
                found[language][scar].append(f"{title}: {around(match)}")
    print(f"{'language':10}{'articles':>10}" + "".join(f"{scar:>20}" for scar in SCARS))
    for language, number in articles.items():
        print(f"{language:10}{number:10,}" + "".join(f"{len(found[language][scar]):20,}" for scar in SCARS))
    for language, scars in found.items():
        for scar, examples in scars.items():
            for example in examples[: args.examples]:
                print(f"{language}  {scar:18} {example}")


if __name__ == "__main__":
    main()
