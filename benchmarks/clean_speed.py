"""How many MB of wikitext are cleaned a second on one core, beside mwparserfromhell's strip_code?

    python benchmarks/clean_speed.py DUMP … [--runs 5] [--every 15]

Articles only, no redirects; MB are 10^6 bytes of UTF-8; CPU seconds of this process, the median of the runs. mwparserfromhell
cleans every 15th article in the same rounds, as it takes ten times as long. Truncations of 200 articles can be timed too
(`--truncations`): each must be cleaned without an error, at less than a second a MB.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Callable

import mwparserfromhell
from template_values import pages

from raywiki.dumps import read_siteinfo
from raywiki.wikitext import clean_wikitext


def megabytes_per_second(clean: Callable[[str], object], texts: list[str]) -> float:
    started = time.process_time()
    for text in texts:
        clean(text)
    return sum(len(text.encode()) for text in texts) / 1e6 / (time.process_time() - started)


def truncations(texts: list[str], language: str) -> tuple[int, float]:
    """Cuts of up to 200 articles, some 40 each: how many, and the slowest in seconds a MB (of at least 50 kB)."""
    slowest, number = 0.0, 0
    for text in texts[:200]:
        for end in range(0, len(text), max(len(text) // 40, 1)):
            started = time.process_time()
            cleaned = clean_wikitext(text[:end], language=language)
            assert cleaned.error is None, cleaned.error
            slowest = max(slowest, (time.process_time() - started) / max(end / 1e6, 0.05))
            number += 1
    return number, slowest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dumps", nargs="+")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--every", type=int, default=15)
    parser.add_argument("--truncations", action="store_true")
    args = parser.parse_args()
    texts: dict[str, list[str]] = defaultdict(list)
    for path in args.dumps:
        texts[read_siteinfo(path).language] += [wikitext for _, wikitext in pages(path)]
    print(f"{'language':10}{'articles':>10}{'MB':>8}{'raywiki MB/s':>14}{'mwparserfromhell MB/s':>23}{'ratio':>8}")
    everything: list[float] = []
    total = sum(len(text.encode()) for group in texts.values() for text in group) / 1e6
    for language, group in texts.items():
        ours, theirs = [], []
        for _ in range(args.runs):
            ours.append(megabytes_per_second(lambda text, language=language: clean_wikitext(text, language=language), group))
            theirs.append(megabytes_per_second(lambda text: mwparserfromhell.parse(text).strip_code(), group[:: args.every]))
        size = sum(len(text.encode()) for text in group) / 1e6
        us, them = statistics.median(ours), statistics.median(theirs)
        everything.append(size / us)
        print(f"{language:10}{len(group):10,}{size:8.1f}{us:14.1f}{them:23.2f}{us / them:8.1f}")
    print(f"{'all':10}{sum(map(len, texts.values())):10,}{total:8.1f}{total / sum(everything):14.1f}")
    if args.truncations:
        for language, group in texts.items():
            number, slowest = truncations(group, language)
            print(f"{language}: {number:,} truncations, the slowest at {slowest:.2f} s a MB")


if __name__ == "__main__":
    main()
