"""The documents of a corpus: the articles that curation keeps, read shard by shard in memory that does not grow with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from raywiki.corpus import Corpus, Tables
from raywiki.manifest import Manifest, Shard

ROWS = 1000  # of a table, at most


@dataclass(frozen=True)
class Documents:
    """The kept articles of a part, or of some of its shards."""

    corpus: Corpus
    articles: Manifest
    decisions: Manifest
    shards: tuple[Shard, ...]

    @property
    def part(self) -> str:
        return self.articles.part

    @property
    def made_from(self) -> list[Any]:
        return [self.articles.digest, self.decisions.digest, [shard.name for shard in self.shards]]

    def tables(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """The rows in order, in tables of at most a thousand, with these columns of the articles table."""
        for shard in self.shards:
            for table in self.corpus.iter_shard(self.articles, shard, list(dict.fromkeys(["page_id", *columns])), ROWS):
                rows = kept_rows(table, self._kept)
                if rows.num_rows:
                    yield rows

    @cached_property
    def _kept(self) -> np.ndarray:
        return kept_pages(self.corpus, self.decisions)


def documents_of(corpus: Corpus, articles: Mapping[str, Manifest], decisions: Mapping[str, Manifest]) -> list[Documents]:
    return [Documents(corpus, articles[part], each, articles[part].shards) for part, each in decisions.items()]


def kept_pages(corpus: Corpus, decisions: Manifest) -> np.ndarray:
    """The page ids that the decisions of a part keep, sorted: int64 of shape (kept,)."""
    kept = [np.empty(0, np.int64)]
    for shard in decisions.shards:
        for table in corpus.iter_shard(decisions, shard, ["page_id", "keep"], batch_size=1 << 16):
            kept.append(table.filter(table["keep"])["page_id"].to_numpy())
    return np.sort(np.concatenate(kept))


def kept_rows(articles: pa.Table, kept: np.ndarray) -> pa.Table:
    """The rows of a batch of articles whose `page_id` is among these sorted ones.

    Arrow's `is_in` would hash all kept ids again for each batch.
    """
    if not len(kept):
        return articles.slice(0, 0)
    ids = articles["page_id"].to_numpy()
    places = np.minimum(np.searchsorted(kept, ids), len(kept) - 1)
    return articles.filter(pa.array(kept[places] == ids))


def require_curated(tables: Tables, purpose: str, parts: Sequence[str] | None = None) -> dict[str, Manifest]:
    """The decisions of these parts, of all that are curated when None; `purpose` is what they are wanted for, as a verb.

    Raises:
        ValueError: there are none, or they stand on what is no longer there.
    """
    url, curated = tables.corpus.url, tables["decisions"]
    unknown = [part for part in parts or () if part not in curated]
    if unknown and unknown[0] in tables["articles"]:
        raise ValueError(f"part {unknown[0]} is not curated yet: run `raywiki curate {url}` first")
    if unknown:
        raise ValueError(f"{url} has no curated part {unknown[0]}: take some of {', '.join(curated) or 'none'}")
    tables.require_articles()
    chosen = {part: each for part, each in curated.items() if parts is None or part in parts}
    if not chosen:
        raise ValueError(f"{url} has no curated part to {purpose}: run `raywiki curate {url}` first")
    for part, decisions in chosen.items():
        if tables.is_stale(decisions):
            raise ValueError(f"the decisions of part {part} are stale: run `raywiki curate {url}` first")
    return chosen
