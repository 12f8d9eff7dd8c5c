"""Two questions of size to `raywiki.curate`, on Ray.

`python benchmarks/dedup.py index`: one more part for a corpus of 9, 18 and 27, which is the English Wikipedia.
The parts that are there have 259,000 random signatures each, so that no text of the size of the English Wikipedia is needed;
all else of them (bands, pairs, decisions) is the verb's own work. The part that is added has texts of 200 words. One in twenty
of them is, but for two words, a text whose signature is in one of the earlier parts. Printed are the seconds of the verb, Ray's
start aside and with it, and peak memory; at last the same for other decisions about all 28 parts (`min_chars`).

`python benchmarks/dedup.py memory`: one part with `--megabytes` of text in two shards, with rules that read it all.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from made_articles import write_articles
from peak_memory import memory, run_watched

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

WORDS = 200  # of a text
SCRIPT = str(Path(__file__).with_name("dedup.py"))


def run_index(folder: Path, parts: int, articles: int) -> None:
    whole = folder / "earlier"
    if not (folder / "new").exists():
        make_parts(folder, parts, articles)
        made = curate(whole)
        print(f"{parts} parts at once, signatures given: {seconds(made)}", flush=True)
    for earlier in sorted({parts // 3, 2 * parts // 3, parts}):
        corpus = folder / f"after{earlier}"
        shutil.rmtree(corpus, ignore_errors=True)
        for part in (f"*/part={part_name(number)}" for number in range(earlier)):
            for path in whole.glob(part):  # links: the verb replaces files and never writes into one
                shutil.copytree(path, corpus / path.relative_to(whole), copy_function=os.link)
        shutil.copytree(folder / "new", corpus, dirs_exist_ok=True)
        print(f"one part added to {earlier}: {seconds(curate(corpus))}", flush=True)
    print(f"another min_chars: {seconds(curate(corpus, '--min-chars', '600'))}")


def run_memory(folder: Path, megabytes: int) -> None:
    rng = random.Random(0)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=6)) for _ in range(50_000)]
    lines = ["the " + " ".join(rng.choices(words, k=98)) + " and." for _ in range(20_000)]
    articles = megabytes * 1_000_000 // 2100
    texts = ("\n".join(rng.choices(lines, k=3)) for _ in range(articles))
    write_articles(folder, part_name(0), range(1, articles + 1), texts, shards=2)
    made = curate(folder, "--rules", "gopher_quality")
    print(f"{articles} articles, {megabytes} MB of text in two shards: {seconds(made)}", flush=True)
    print(f"another rule: {seconds(curate(folder, '--rules', 'gopher_quality', 'fineweb'))}")


def part_name(number: int) -> str:
    return f"wiki-20260101-p{number}"


def curate(corpus: Path, *options: str) -> dict[str, Any]:
    return run_watched([sys.executable, SCRIPT, "curate", str(corpus), *options])


def seconds(result: dict[str, Any]) -> str:
    return (
        f"{result['verb']:.1f} s, with the start of Ray {result['wall']:.1f} s; {memory(result)}; "
        f"{result['committed']} parts decided, the last: {result['last']}"
    )


def make_parts(folder: Path, parts: int, articles: int) -> None:
    """Articles and signatures of all parts that are there, in `earlier`, and the articles of the new one, in `new`."""
    import numpy as np
    import pyarrow as pa

    from raywiki import curation

    rng = np.random.default_rng(0)
    words = ["".join(letters) for letters in rng.choice(list("abcdefghijklmnopqrstuvwxyz"), (50_000, 6))]
    texts = [[words[chosen] for chosen in rng.integers(0, len(words), WORDS)] for _ in range(articles)]
    repeated = np.array_split(np.arange(articles // 20), parts)
    for number in range(parts):
        page_ids = np.sort(rng.choice(10_000_000, articles, replace=False)) + number * 10_000_000
        write_articles(folder / "earlier", part_name(number), page_ids.tolist(), [""] * articles, n_chars=1000)
        planted = [" ".join(texts[index]) for index in repeated[number]]
        real = curation.articles_to_signatures(pa.table({"page_id": page_ids[: len(planted)], "text": planted}))
        commit_signatures(folder / "earlier", part_name(number), random_signatures(page_ids[len(planted) :], rng), real)
    for index in range(articles // 20):
        for place in rng.choice(WORDS, 2, replace=False):
            texts[index][place] = "changed"
    page_ids = np.sort(rng.choice(10_000_000, articles, replace=False)) + parts * 10_000_000
    write_articles(folder / "new", part_name(parts), page_ids.tolist(), [" ".join(text) for text in texts])


def random_signatures(page_ids: np.ndarray, rng: np.random.Generator) -> pa.Table:
    import pyarrow as pa

    from raywiki.schema import SIGNATURES

    size = len(page_ids)
    columns: list[pa.Array] = [
        pa.array(page_ids),
        fixed(rng.bytes(16 * size), 16),
        pa.array(rng.integers(100, 3000, size), pa.uint32()),
        fixed(rng.bytes(56 * size), 56).cast(pa.binary()),
        fixed(rng.bytes(512 * size), 512),
    ]
    return pa.Table.from_arrays(columns, schema=SIGNATURES)


def fixed(data: bytes, width: int) -> pa.Array:
    import pyarrow as pa

    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), len(data) // width, [None, pa.py_buffer(data)])


def commit_signatures(folder: Path, part: str, made: pa.Table, real: pa.Table) -> None:
    """Commit the signatures of a part as the verb does."""
    from raywiki import curation
    from raywiki.corpus import Corpus, Manifest, part_folder
    from raywiki.engine.index import PLAIN, SIGNATURES_DEFAULTS
    from raywiki.schema import SIGNATURES

    def tables() -> Iterator[pa.Table]:
        for table in (real, made):
            yield from (table.slice(start, 1024) for start in range(0, table.num_rows, 1024))

    corpus = Corpus(folder)
    articles = corpus.manifests("articles")[part]
    shard = corpus.write_shard(part_folder("signatures", part), "00000-made.parquet", tables(), SIGNATURES, **PLAIN)
    assert shard is not None
    settings = {"format": curation.SIGNATURE_FORMAT, **SIGNATURES_DEFAULTS}
    upstream = {articles.folder: articles.digest}
    corpus.commit(Manifest("signatures", part, settings, (shard,), {"articles": shard.rows}, upstream=upstream))
