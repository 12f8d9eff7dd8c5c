"""Token shards: what is in them, who reads them, and the title line."""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).resolve().parents[1]))
from text_corpus import make_text_corpus
from verbs_here import without_ray

import raywiki as rw
from raywiki.corpus import Corpus
from raywiki.schema import tokens_schema
from raywiki.tokens import Encoding, load_encoding, splits, train_bpe

TEXTS = {page_id: f"The {page_id}th document, ένα δύο τρία." * page_id for page_id in range(1, 41)}
VOCABULARY = train_bpe(TEXTS.values(), 300)


@pytest.fixture
def corpus(tmp_path, monkeypatch) -> Corpus:
    without_ray(monkeypatch, tmp_path)
    (tmp_path / "own.json").write_bytes(VOCABULARY)
    return make_text_corpus(tmp_path / "corpus", {"p1": TEXTS}, shard_rows=25)


def shards(corpus: Corpus) -> list[str]:
    manifest = corpus.manifests("tokens/encoding=own")["p1"]
    return [corpus.shard_path(manifest, shard) for shard in manifest.shards]


def decoded(corpus: Corpus) -> dict[int, str]:
    encoding: Encoding = load_encoding("own", VOCABULARY)
    rows = rw.scan_tokens(corpus).collect().iter_rows(named=True)
    return {row["page_id"]: encoding.decode(row["tokens"][:-1]) for row in rows}


def test_polars_pyarrow_and_duckdb_read_a_shard(corpus, tmp_path):
    rw.tokenize(corpus, str(tmp_path / "own.json"))
    first, _ = shards(corpus)
    table = pq.read_table(first)
    assert table.schema.remove_metadata() == tokens_schema(300)
    encodings = pq.ParquetFile(first).metadata.row_group(0).column(3).encodings
    assert "BYTE_STREAM_SPLIT" in encodings
    frame = pl.scan_parquet(first).collect()
    assert frame["tokens"].to_list() == table["tokens"].to_pylist()
    assert frame.schema["tokens"] == pl.List(pl.UInt16)
    duckdb = pytest.importorskip("duckdb")
    found = duckdb.sql(f"select page_id, tokens from read_parquet('{first}') order by page_id").fetchall()
    assert found == list(zip(table["page_id"].to_pylist(), table["tokens"].to_pylist(), strict=True))


def test_a_document_larger_than_any_page_is_one_row(tmp_path, monkeypatch):
    """Parquet cuts a column into pages between rows, so a long document is a long page, which all three read."""
    without_ray(monkeypatch, tmp_path)
    (tmp_path / "own.json").write_bytes(VOCABULARY)
    texts = {1: "short", 2: "".join(map(chr, range(33, 123))) * 50_000, 3: "short again"}
    corpus = make_text_corpus(tmp_path / "corpus", {"p1": texts})
    rw.tokenize(corpus, str(tmp_path / "own.json"))
    [path] = shards(corpus)
    assert pq.read_table(path)["n_tokens"].to_pylist()[1] > 4_000_000
    assert decoded(corpus) == texts


def test_the_title_line_is_a_setting(corpus, tmp_path):
    own = str(tmp_path / "own.json")
    rw.tokenize(corpus, own)
    plain = corpus.manifests("tokens/encoding=own")["p1"]
    assert "title" not in plain.settings  # as before there was such a setting
    assert rw.tokenize(corpus, title=False).committed == ()
    with pytest.raises(ValueError, match=r"committed with title=False, not title=True.*--overwrite"):
        rw.tokenize(corpus, title=True)
    assert rw.tokenize(corpus, title=True, overwrite=True).committed == ("p1",)
    assert decoded(corpus) == {page_id: f"Title {page_id}\n\n{text}" for page_id, text in TEXTS.items()}
    assert rw.tokenize(corpus).committed == ()  # what is committed is kept
    with pytest.raises(ValueError, match="committed with title=True, not title=False"):
        rw.tokenize(corpus, title=False)
    rw.tokenize(corpus, title=False, overwrite=True)
    assert corpus.manifests("tokens/encoding=own")["p1"].digest == plain.digest


@given(
    parts=st.lists(st.lists(st.integers(1, 2**40), min_size=1, max_size=30), min_size=1, max_size=6),
    order=st.randoms(use_true_random=False),
    share=st.floats(0, 1),
)
def test_a_page_stays_on_its_side_in_whatever_order_parts_are_added(parts, order, share):
    """Alone, with others of its part, and with its part first, last or between: the same split."""
    alone = {page: splits([page], share)[0] for part in parts for page in part}
    for _ in range(3):
        order.shuffle(parts)
        for part in parts:
            order.shuffle(part)
        grown: dict[int, str] = {}
        for part in parts:
            grown |= dict(zip(part, splits(part, share), strict=True))
        assert grown == alone
