"""What stands in the text that no reader of the page would see, by detectors that know nothing of the cleaner?

    python benchmarks/clean_remains.py DUMP … [--examples 3] [--cleaner mwparserfromhell]

They look at the text alone: raw unit codes, `name=value`, doubled or dangling marks in every script, words between double
underscores, empty brackets, debris of tables, templates, links and images, HTML tags. Formulas and code are left out. A hit
that the author wrote so, character for character in the source of the page and outside any template, counts apart.

Then, for each language, how many of the cases in tests/fixtures/wikitext are right.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path

from clean_scars import around, cleaned_articles

from raywiki.wikitext import clean_wikitext
from raywiki.wikitext.table import CLEANERS

ROOT = Path(__file__).resolve().parents[1]
OPEN, CLOSE = r"(\[（［「『【〈《«“„", r")\]）］」』】〉》»”"
JOINTS = r",;:،؛、，；："
DETECTORS = {
    "raw unit code": re.compile(r"\b\d[\d,.]* ?(?:e\d{1,2}[a-zA-Z]+\d?|sq(?:mi|km|ft)|cu(?:mi|km|ft)|[km]?m[23]\b(?=[^/]))"),
    "name=value": re.compile(r"(?<![\w?&/#$])[|]?\s?[A-Za-z_-]{2,20}=\s?(?:[\w#\"'%.-]{1,30})(?=[\s|,.)]|$)"),
    "doubled mark": re.compile(rf"[{JOINTS}] ?[،؛、，；]|[،؛、，；] ?[{JOINTS}]|,,|, ,|;;|; [,;]|(?<![.])\.\.(?![.])|。。|۔۔"),
    "dangling mark": re.compile(r"[(（［「『【〈《] ?[,;،؛、，；]|(?<!\w\))[,;،؛、，；] ?[)）］」』】〉》]"),
    "local magic word": re.compile(r"__[^\W\d_]{3,}(?:_[^\W\d_]+)*__"),
    "empty bracket": re.compile(
        r"(?<![\w.])(?:\([\s,;:،؛–—-]*\)|\[[\s,;:]*\])|（[\s、，；：;,・–—-]*）"
        r"|「\s*」|『\s*』|《\s*》|【\s*】|«\s*»|„\s*“"
    ),
    "bar": re.compile(r"(?m)^\s*[|!][-|+}\s]|\|\||\|[-}]|\{\||[^\s|]\|[^\s|]"),
    "braces": re.compile(r"\{\{|\}\}"),
    "link": re.compile(r"\[\[|\]\]|\[(?:https?:)?//"),
    "HTML tag": re.compile(
        r"</?(?:ref|references|br|p|div|span|small|big|sub|sup|center|font|table|t[rdh]|ul|ol|li|b|i|u|s|blockquote|gallery|math|nowiki|"
        r"noinclude|includeonly|onlyinclude|poem|code|ruby|rt|rp|rb|section|cite|abbr|tt|hr|del|ins)\b[^<>\n]{0,200}>",
        re.IGNORECASE,
    ),
    "image option": re.compile(
        r"(?<![\w.])\d{2,4}px\b|\b(?:thumb|thumbnail|upright|frameless)\b\s*(?:\||$)|\.(?:jpe?g|svg|png|gif|ogg|tiff?)\s*\|",
        re.IGNORECASE,
    ),
    "quote marks": re.compile(r"(?<!')'{2,}(?!')"),
}  # fmt: skip
ASIDE = re.compile(r"```.*?```|\$[^$\n]*\$|`[^`\n]*`", re.DOTALL)
TEMPLATE = re.compile(r"\{\{[^{}]*\}\}")


def written_so(found: re.Match[str], source: str) -> bool:
    """Whether the author wrote the hit, with the character before it, outside templates."""
    around = found.string[max(found.start() - 2, 0) : found.end()]
    return around in source or (len(found[0].strip()) > 3 and found[0].strip() in source)


def author_text(wikitext: str) -> str:
    """The source without templates, references, and the marks of links and quotes."""
    text = re.sub(r"<!--.*?-->|<ref[^<>]*/>|<ref.*?</ref>", "\x00", wikitext, flags=re.DOTALL | re.IGNORECASE)
    for _ in range(6):
        text, changed = TEMPLATE.subn("\x00", text)
        if not changed:
            break
    text = re.sub(r"\[\[(?:[^\[\]|]*\|)?([^\[\]|]*)\]\]", r"\1", text)
    return re.sub(r"'{2,}", "", text.replace("&nbsp;", " ").replace("\xa0", " "))


def fixtures() -> dict[str, tuple[int, int]]:
    """Cases right and all, by language."""
    sys.path.insert(0, str(ROOT / "tests" / "wikitext"))
    from test_cases import EDITED, cases

    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for _, language, wikitext, text in cases():
        total[language] += 1
        right[language] += clean_wikitext(wikitext, language=language, title="Title", timestamp=EDITED).text == text
    return {language: (right[language], number) for language, number in total.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dumps", nargs="*")
    parser.add_argument("--examples", type=int, default=3)
    parser.add_argument("--cleaner", choices=CLEANERS, default="raywiki")
    args = parser.parse_args()
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    authors: dict[str, Counter[str]] = defaultdict(Counter)
    articles: Counter[str] = Counter()
    for language, title, wikitext, text in cleaned_articles(args.dumps, args.cleaner):
        text, source = ASIDE.sub("$", text), author_text(wikitext)
        articles[language] += 1
        for name, detector in DETECTORS.items():
            for match in detector.finditer(text):
                if written_so(match, source):
                    authors[language][name] += 1
                    continue
                found[language][name].append(f"{title}: {around(match)}")
    languages = list(articles)
    print(f"{'':18}" + "".join(f"{language:>12}" for language in languages))
    print(f"{'articles':18}" + "".join(f"{articles[language]:12,}" for language in languages))
    for name in DETECTORS:
        cells = (f"{len(found[language][name])} ({authors[language][name]})" for language in languages)
        print(f"{name:18}" + "".join(f"{cell:>12}" for cell in cells))
    for language in languages:
        for name, examples in found[language].items():
            for example in examples[: args.examples]:
                print(f"{language}  {name:18} {example}")
    print("fixtures: " + ", ".join(f"{language} {right}/{total}" for language, (right, total) in sorted(fixtures().items())))


if __name__ == "__main__":
    main()
