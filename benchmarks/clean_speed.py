"""How many MB of wikitext are cleaned a second on one core, beside mwparserfromhell's strip_code?

    python benchmarks/clean_speed.py DUMP … [--runs 5] [--every 15]
    python benchmarks/clean_speed.py DUMP … --truncations [--articles 50 --cut-every 1]

Articles only, no redirects; MB are 10^6 bytes of UTF-8; CPU seconds of this process, the median of the runs. mwparserfromhell
cleans every 15th article in the same rounds, as it takes ten times as long. With `--truncations` articles are cut instead, at
some 40 places each or at every Nth character (`--cut-every 1` for all), and each cut must be cleaned without an error, at less
than a second a MB.
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


def truncations(texts: list[str], language: str, articles: int, every: int | None) -> str:
    """Cuts of so many articles, from the shortest to the median; a cut each `every` characters, or some 40 an article.

    Seconds a MB are of at least 50 kB: below that a millisecond of noise would be 0.1 s a MB and more.
    """
    by_length = sorted(texts, key=len)[: max(len(texts) // 2, articles)] if every else texts[:articles]
    chosen = by_length[:: max(len(by_length) // articles, 1)][:articles]
    clean_wikitext("{{convert|1|mi}}", language=language)  # the first template loads the renderers
    slowest, number, errors = 0.0, 0, 0
    for text in chosen:
        for end in range(0, len(text), every or max(len(text) // 40, 1)):
            started = time.process_time()
            errors += clean_wikitext(text[:end], language=language).error is not None
            slowest = max(slowest, (time.process_time() - started) / max(end / 1e6, 0.05))
            number += 1
    return (
        f"{language}: {number:,} truncations of {len(chosen)} articles with {min(map(len, chosen)):,} to "
        f"{max(map(len, chosen)):,} characters, {errors} errors, the slowest at {slowest:.2f} s a MB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dumps", nargs="+")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--every", type=int, default=15)
    parser.add_argument("--truncations", action="store_true")
    parser.add_argument("--articles", type=int, default=200, help="articles of each wiki to cut")
    parser.add_argument("--cut-every", type=int, help="characters between two cuts; by default a fortieth of the article")
    args = parser.parse_args()
    texts: dict[str, list[str]] = defaultdict(list)
    for path in args.dumps:
        texts[read_siteinfo(path).language] += [wikitext for _, wikitext in pages(path)]
    if args.truncations:
        for language, group in texts.items():
            print(truncations(group, language, args.articles, args.cut_every), flush=True)
        return
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


if __name__ == "__main__":
    main()
