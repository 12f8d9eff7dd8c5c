"""Articles committed without a dump, for the benchmarks beside this file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


def write_articles(
    corpus: Path, part: str, page_ids: Sequence[int], texts: Iterable[str], n_chars: int = 0, shards: int = 8
) -> None:
    """Commit a part of articles as `extract` does. `n_chars` says how long they are said to be; 0: as they are."""
    import pyarrow as pa

    from raywiki.corpus import Corpus, Manifest, part_folder
    from raywiki.schema import ARTICLES

    remaining = iter(texts)

    def tables(start: int, stop: int) -> Iterator[pa.Table]:
        for first in range(start, stop, 256):
            ids = page_ids[first : min(first + 256, stop)]
            given: dict[str, Any] = {"page_id": ids, "text": list(islice(remaining, len(ids)))}
            given |= {"n_chars": [n_chars or len(text) for text in given["text"]]}
            given |= {"title": ["Title"] * len(ids), "url": [""] * len(ids), "is_disambiguation": [False] * len(ids)}
            columns = [pa.array(given.get(name, [None] * len(ids)), ARTICLES.field(name).type) for name in ARTICLES.names]
            yield pa.Table.from_arrays(columns, schema=ARTICLES)

    opened, folder, size = Corpus(corpus), part_folder("articles", part), len(page_ids)
    spans = enumerate(pairwise(size * shard // shards for shard in range(shards + 1)))
    written = [opened.write_shard(folder, f"{index:05d}-made.parquet", tables(*span), ARTICLES) for index, span in spans]
    counts = dict.fromkeys(("redirects", "other_namespaces", "other_models", "deleted", "errors"), 0)
    counts |= {"pages": size, "articles": size}
    opened.commit(Manifest("articles", part, {"language": "en"}, tuple(shard for shard in written if shard), counts))
