"""Runs a table of cases, `language <tab> wikitext <tab> text`, and prints which are right, by kind.

    python benchmarks/text_cases.py CASES.tsv [--quiet]

A line `# 3. Prose lost` begins a kind, other lines with `#` are remarks; `\\n` in a cell is a line break. Runs of blanks
count as one, as an author of cases need not know where the cleaner puts its paragraphs.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

from raywiki.wikitext import clean_wikitext

_KIND = re.compile(r"# (\d+\..*)")


def cases(path: Path) -> Iterator[tuple[str, str, str, str]]:
    """Kind, language, wikitext and expected text of each case."""
    kind = "(no kind)"
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            match = _KIND.fullmatch(line)
            kind = match[1] if match else kind
        elif line.strip():
            language, wikitext, text = line.split("\t")
            yield kind, language, wikitext.replace("\\n", "\n"), text.replace("\\n", "\n")


def same(text: str, expected: str) -> bool:
    return " ".join(text.split()) == " ".join(expected.split())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=Path)
    parser.add_argument("--quiet", action="store_true", help="only the counts")
    options = parser.parse_args()
    counts: dict[str, list[int]] = {}
    for kind, language, wikitext, expected in cases(options.cases):
        cleaned = clean_wikitext(wikitext, language=language)
        right = cleaned.error is None and same(cleaned.text, expected)
        count = counts.setdefault(kind, [0, 0])
        count[0] += right
        count[1] += 1
        if not right and not options.quiet:
            print(f"{kind}\n  {language} {wikitext!r}\n  expected {expected!r}")
            print(f"  shown    {cleaned.text!r} {cleaned.error or ''}")
    for kind, (right, total) in counts.items():
        print(f"{right:4} of {total:3}  {kind}")
    print(f"{sum(c[0] for c in counts.values()):4} of {sum(c[1] for c in counts.values()):3}  in all")


if __name__ == "__main__":
    main()
