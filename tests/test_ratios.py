from __future__ import annotations

import pytest

from raywiki.manifest import Manifest, Shard
from raywiki.ratios import BUNDLED, CURATION, DATES, SMALL, bundled_ratios, find_ratios, measured_ratios

EVERY = set(BUNDLED["en"])


class Made(dict):
    """Tables of manifests, by name; those that nobody made are empty."""

    def __missing__(self, table: str) -> dict[str, Manifest]:
        return {}

    def add(self, table: str, part: str, n_bytes: int, seconds: float, **counts: int) -> None:
        source = {"bytes": counts.pop("dump")} if "dump" in counts else {}
        shard = Shard("00000.parquet", 1, n_bytes, "")
        found = Manifest(table, part, {}, (shard,), counts, source=source, seconds=seconds)
        self.setdefault(table, {})[part] = found


def made(dump: int) -> Made:
    """Two parts of a wiki that are extracted, the first of them curated and tokenized; and one of another wiki."""
    tables = Made()
    for part in ("xwiki-20260101-p1p9", "xwiki-20260101-p10p19"):
        tables.add("articles", part, dump, dump * 1e-6, dump=dump, articles=dump // 1000)
    tables.add("articles", "ywiki-20260101-p1p9", 9 * dump, 99.0, dump=dump, articles=dump)
    for name in CURATION:
        tables.add(name, "xwiki-20260101-p1p9", dump // 100, dump * 1e-7)
    tables.add("tokens/encoding=made", "xwiki-20260101-p1p9", dump // 2, dump * 3e-7, tokens=dump // 4, train_tokens=dump // 5)
    return tables


def test_what_the_parts_of_a_wiki_tell():
    found = {name: ratio.value for name, ratio in measured_ratios(made(10**9), "xwiki", "made").items()}
    assert found == pytest.approx(
        {
            "articles": 1e-3, "articles_bytes": 1.0, "extract_seconds": 1e-6, "curation_bytes": 0.04, "curate_seconds": 4e-7,
            "tokens": 0.25, "train_tokens": 0.2, "tokens_bytes": 0.5, "tokenize_seconds": 3e-7,
        }
    )  # fmt: skip
    assert {"2 parts of 2.0 GB" in ratio.source for ratio in measured_ratios(made(10**9), "ywiki", "made").values()} == {False}


def test_what_no_part_tells_is_bundled():
    found = find_ratios(made(10**9), "xwiki", "other")
    assert found.keys() == EVERY
    assert {name for name, ratio in found.items() if not ratio.here} == {
        "tokens",
        "train_tokens",
        "tokens_bytes",
        "tokenize_seconds",
    }
    assert find_ratios(None, "viwiki", "gpt2") == bundled_ratios("viwiki")


def test_of_little_dump_the_start_of_workers_is_no_ratio():
    dump = 10**6
    assert 2 * dump < SMALL
    found, whole = (find_ratios(made(size), "xwiki", "made")["extract_seconds"] for size in (dump, 10**9))
    a_byte = BUNDLED["en"]["extract_seconds"]
    assert found.of(dump) == pytest.approx(dump * 1e-6)  # as it was
    assert found.of(1000 * dump) < 1.1 * 1000 * dump * a_byte
    assert whole.of(1000 * dump) == pytest.approx(1000 * dump * 1e-6)
    assert "bundled" in found.source
    assert "bundled" not in whole.source


def test_every_language_has_every_ratio():
    assert BUNDLED.keys() == DATES.keys()
    for language, ratios in BUNDLED.items():
        assert ratios.keys() == EVERY, language
        assert 0 < ratios["train_tokens"] < ratios["tokens"] < 3
