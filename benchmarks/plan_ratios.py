"""What does a byte of a dump become? `python benchmarks/plan_ratios.py CORPUS…`: the table that `raywiki/ratios.py` bundles.

Each corpus is of one wiki, extracted, curated and tokenized with gpt2's vocabulary: `raywiki extract`, `curate` and `tokenize
--encoding gpt2`. Counts and bytes come from its manifests. Seconds come from there too with `--seconds`; of parts of a few MB
those are mostly the start of Ray's workers, so without it they are the rates of the pages beside this one, times the bytes of
text.
"""

from __future__ import annotations

import argparse
import json

import pyarrow.compute as pc

from raywiki.corpus import Corpus
from raywiki.ratios import measured_ratios

# Core-seconds of two cores, for parts large enough that starting does not count: extract.md (two workers of 81 s for 391 MB of
# bzip2), dedup.md (3.8 s for 50 MB of text), tokenize_speed.md (19.0 s for 499 MB, tiktoken alone).
EXTRACT = 2 * 81 / 391e6  # a byte of dump
CURATE, TOKENIZE = 2 * 3.8 / 50e6, 2 * 19.0 / 499e6  # a byte of text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", nargs="+", metavar="CORPUS")
    parser.add_argument("--seconds", action="store_true", help="take the seconds of the manifests")
    given = parser.parse_args()
    for url in given.corpora:
        tables = Corpus(url).require().tables()
        articles = list(tables["articles"].values())
        wiki = articles[0].notes["wiki"]
        found = {name: ratio.value for name, ratio in measured_ratios(tables, wiki, "gpt2").items()}
        dump = sum(manifest.source["bytes"] for manifest in articles)
        text = text_bytes(tables.corpus) / dump
        if not given.seconds:
            found |= {"extract_seconds": EXTRACT, "curate_seconds": CURATE * text, "tokenize_seconds": TOKENIZE * text}
        rounded = {name: float(f"{value:.3g}") for name, value in found.items()}
        print(f"{wiki}: {dump:,} bytes of dump, {text:.3f} bytes of text a byte\n    {json.dumps(rounded)}")


def text_bytes(corpus: Corpus) -> int:
    """UTF-8 bytes of the text of all articles."""
    total = 0
    for manifest in corpus.manifests("articles").values():
        for shard in manifest.shards:
            for rows in corpus.iter_shard(manifest, shard, columns=["text"]):
                total += pc.sum(pc.binary_length(rows["text"])).as_py() or 0
    return total


if __name__ == "__main__":
    main()
