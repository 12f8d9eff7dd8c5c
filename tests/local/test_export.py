"""Every format read back is the corpus, nothing is written where something else lies, and what is done is left alone."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.sax.saxutils import unescape

import fsspec
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from exported_corpus import ENCODING, PARTS, add_part, make_exportable

import raywiki as rw
from raywiki.corpus import Corpus
from raywiki.local import export_documents
from raywiki.tokens import load_encoding, vocabulary_path

FORMATS = ("nanogpt", "llmc", "hf", "jsonl", "parquet", "text")
DOCUMENT = re.compile(r'<doc id="(\d+)" url="(.*?)" title="(.*?)">\n(.*?)\n\n(.*?)\n\n</doc>\n', re.S)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    return make_exportable(tmp_path_factory.mktemp("exported") / "corpus")


@pytest.fixture(scope="module")
def documents(corpus) -> pl.DataFrame:
    return rw.scan_documents(corpus).collect()


def ids_of(corpus: Corpus, split: str, leading: bool = False) -> list[int]:
    rows = rw.scan_tokens(corpus, ENCODING).filter(pl.col("split") == split).collect()["tokens"].to_list()
    return [each for row in rows for each in ([row[-1], *row[:-1]] if leading else row)]


def as_on_the_hub(documents: pl.DataFrame, *more: str) -> pl.DataFrame:
    return documents.select(pl.col("page_id").cast(pl.String).alias("id"), "url", "title", "text", *more)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_nanogpt(corpus, tmp_path):
    done = rw.export(corpus, tmp_path, format="nanogpt")
    for split in ("train", "val"):
        assert np.fromfile(tmp_path / f"{split}.bin", "<u2").tolist() == ids_of(corpus, split)
    meta = pickle.loads((tmp_path / "meta.pkl").read_bytes())
    encoding = load_encoding(ENCODING, corpus.fs.cat_file(vocabulary_path(corpus, ENCODING)))
    assert meta["vocab_size"] == encoding.vocab_size == len(meta["itos"])
    assert all(meta["itos"][index] == character for character, index in meta["stoi"].items())
    assert "\n" in meta["stoi"]  # what sample.py starts with when nobody says
    tokens = corpus.manifests(f"tokens/encoding={ENCODING}")
    assert {row["part"]: row["train_tokens"] for row in done.parts} == {p: m.counts["train_tokens"] for p, m in tokens.items()}
    assert done.files == 3


@pytest.mark.parametrize("shard_tokens", [97, 2489, 10**8])
def test_llmc(corpus, tmp_path, shard_tokens):
    rw.export(corpus, tmp_path, format="llmc", shard_tokens=shard_tokens)
    for split, first in (("train", 1), ("val", 0)):
        files, found = sorted(tmp_path.glob(f"wiki_{split}_*.bin")), []
        assert files[0].name == f"wiki_{split}_{first:06d}.bin"
        for path in files:
            header = np.fromfile(path, "<i4", 256)
            ids = np.fromfile(path, "<u2", offset=1024)
            assert header[:4].tolist() == [20240520, 1, len(ids), 0]
            assert len(ids) == shard_tokens or path == files[-1]
            found += ids.tolist()
        assert found == ids_of(corpus, split, leading=True)


def test_a_large_vocabulary(corpus, tmp_path, monkeypatch):
    from raywiki.local import export

    real = export.load_encoding
    monkeypatch.setattr(export, "load_encoding", lambda *given: large(real(*given)))
    done = rw.export(corpus, tmp_path / "nanogpt", format="nanogpt")
    assert np.fromfile(tmp_path / "nanogpt/val.bin", "<u4").tolist() == ids_of(corpus, "val")
    assert "reads uint16 only" in str(done.notes)
    rw.export(corpus, tmp_path / "llmc", format="llmc")
    assert np.fromfile(tmp_path / "llmc/wiki_val_000000.bin", "<i4", 2).tolist() == [20240801, 7]


def large(encoding):
    return replace(encoding, vocab_size=70_000, decode=lambda ids: str(ids[0]))


@pytest.mark.parametrize("compression", [None, "gz", "zst"])
def test_jsonl(corpus, documents, tmp_path, compression):
    extra = ["revision_id", "timestamp", "categories", "dropped_templates"]
    rw.export(corpus, tmp_path, format="jsonl", compression=compression, columns=extra)
    ending = {None: ".jsonl", "gz": ".jsonl.gz", "zst": ".jsonl.zst"}[compression]
    read = {None: bytes, "gz": gzip.decompress, "zst": lambda data: pa.input_stream(pa.py_buffer(data), "zstd").read()}
    for part in PARTS:
        lines = read[compression]((tmp_path / f"{part}{ending}").read_bytes()).decode().split("\n")[:-1]
        rows = [json.loads(line) for line in lines]
        expected = as_on_the_hub(documents.filter(part=part)).to_dicts()
        assert [{name: row[name] for name in ("id", "url", "title", "text")} for row in rows] == expected
        assert rows[0]["timestamp"] == "2026-01-01T00:00:00Z"
        assert list(rows[0]) == ["id", "url", "title", "text", *extra, "part"]
        assert {row["part"] for row in rows} == {part}


def test_parquet(corpus, documents, tmp_path):
    rw.export(corpus, tmp_path, format="parquet")
    read = pl.concat([pl.read_parquet(tmp_path / f"{part}.parquet") for part in PARTS])
    assert read.equals(documents.select(read.columns))
    assert set(read.columns) == set(documents.columns)


def test_text(corpus, documents, tmp_path):
    rw.export(corpus, tmp_path, format="text")
    for part in PARTS:
        written = (tmp_path / f"{part}.txt").read_bytes().decode()
        found = DOCUMENT.findall(written)
        assert "".join(match[0] for match in re.finditer(DOCUMENT, written)) == written
        expected = documents.filter(part=part)
        assert [int(page_id) for page_id, *_ in found] == expected["page_id"].to_list()
        for (_, url, title, first, text), row in zip(found, expected.iter_rows(named=True), strict=True):
            assert unescape(url) == row["url"]
            assert unescape(title, {"&quot;": '"'}) == first == row["title"]
            assert text.replace("&lt;", "<") == row["text"]


def test_text_with_blank_lines(corpus, documents, tmp_path):
    rw.export(corpus, tmp_path, format="text", separator="blank", compression="gz")
    for part in PARTS:
        blocks = gzip.decompress((tmp_path / f"{part}.txt.gz").read_bytes()).decode().split("\n\n")
        assert blocks.pop() == ""
        rows = documents.filter(part=part).iter_rows(named=True)
        expected = [[row["title"], *filter(str.strip, row["text"].split("\n"))] for row in rows]
        assert [[line for line in block.split("\n") if line] for block in blocks] == expected


def test_hf(corpus, documents, tmp_path, monkeypatch):
    monkeypatch.setattr(export_documents, "SHARD_BYTES", 1)  # a file for each shard of articles
    rw.export(corpus, tmp_path, format="hf", columns=["revision_id"])
    files = sorted((tmp_path / "20260101.vi").glob("*"))
    assert [path.name for path in files] == [f"train-{number:05d}-of-00004.parquet" for number in range(4)]
    schema = pa.schema([(name, pa.string()) for name in ("id", "url", "title", "text")] + [("revision_id", pa.int64())])
    assert all(pq.read_schema(path).equals(schema) for path in files)
    read = pl.concat([pl.read_parquet(path) for path in files])
    assert read.equals(as_on_the_hub(documents, "revision_id"))
    card = (tmp_path / "README.md").read_text()
    for needed in (
        "- vi\n",
        "- cc-by-sa-4.0\n- gfdl\n",
        'path: "20260101.vi/train-*"',
        "| 40 | 27 | 13 | 0 |",
        "min_chars = 1",
    ):
        assert needed in card
    assert all(f"viwiki, part {part}" in card for part in PARTS)


def test_datasets_opens_it(corpus, documents, tmp_path):
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    rw.export(corpus, tmp_path / "hf", format="hf")
    datasets.disable_progress_bars()
    for names in ((), ("20260101.vi",)):
        loaded = datasets.load_dataset(str(tmp_path / "hf"), *names, cache_dir=str(tmp_path / "cache"))
        assert list(loaded) == ["train"]
        assert loaded["train"].column_names == ["id", "url", "title", "text"]
        assert loaded["train"]["text"][:] == documents["text"].to_list()
        assert loaded["train"]["id"][:] == documents["page_id"].cast(pl.String).to_list()


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_that_was_lost_is_made_again_and_the_export_is_complete_again(format, tmp_path):
    corpus = make_exportable(tmp_path / "corpus", 1)
    rw.export(corpus, tmp_path / "to", format=format)
    whole = content(tmp_path / "to")
    lost = next(name for name in whole if name != "_export.json")
    (tmp_path / "to" / lost).unlink()
    assert rw.export(corpus, tmp_path / "to", format=format).written == (lost,)
    assert content(tmp_path / "to") == whole


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_done_is_left_alone_and_growing_ends_in_the_same_bytes(format, tmp_path):
    corpus = make_exportable(tmp_path / "corpus", 1)
    options = {"shard_tokens": 700} if format == "llmc" else {}
    first = rw.export(corpus, tmp_path / "to", format=format, **options)
    assert len(first.written) == first.files
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "to").rglob("*")}
    again = rw.export(corpus, tmp_path / "to", format=format, **options)
    assert again.written == ()
    assert "nothing to do" in str(again)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "to").rglob("*")} == times
    add_part(corpus, 1, PARTS[1], corpus.fs.cat_file(vocabulary_path(corpus, ENCODING)))
    grown = rw.export(corpus, tmp_path / "to", format=format, **options)
    rw.export(corpus, tmp_path / "fresh", format=format, **options)
    assert content(tmp_path / "to") == content(tmp_path / "fresh")
    if format in ("jsonl", "parquet", "text"):
        assert [PARTS[1] in name for name in grown.written] == [True]
    if format == "llmc":
        assert "wiki_train_000003.bin" not in grown.written


def test_a_memory_url(corpus, tmp_path):
    rw.export(corpus, "memory://exported/here", format="jsonl", compression="gz")
    rw.export(corpus, tmp_path, format="jsonl", compression="gz")
    fs = fsspec.filesystem("memory")
    found = {path.rpartition("/")[2]: fs.cat_file(path) for path in fs.find("/exported/here")}
    assert found == content(tmp_path)
    assert rw.export(corpus, "memory://exported/here", format="jsonl", compression="gz").written == ()


def test_other_settings_and_fewer_parts_need_overwrite(corpus, tmp_path):
    rw.export(corpus, tmp_path, format="jsonl")
    before = content(tmp_path)
    for given, said in [
        ({"format": "text"}, "holds an export with format='jsonl', not format='text'"),
        ({"format": "jsonl", "columns": ["n_chars"]}, r"columns=\[\], not columns=\['n_chars'\]"),
        ({"format": "jsonl", "parts": [PARTS[0]]}, f"holds part {PARTS[1]}, which this export would take away"),
    ]:
        with pytest.raises(ValueError, match=said):
            rw.export(corpus, tmp_path, **given)
    assert content(tmp_path) == before
    done = rw.export(corpus, tmp_path, format="jsonl", parts=[PARTS[0]], overwrite=True)
    assert done.written == ()
    assert set(content(tmp_path)) == {f"{PARTS[0]}.jsonl", "_export.json"}
    rw.export(corpus, tmp_path, format="text", overwrite=True)
    assert set(content(tmp_path)) == {*(f"{part}.txt" for part in PARTS), "_export.json"}


def test_what_is_not_an_export_is_refused(corpus, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("a")
    for to, said in [
        (tmp_path / "mine", "holds thesis.txt, which is of no export"),
        (tmp_path / "mine/thesis.txt", "is a file"),
    ]:
        for overwrite in (False, True):
            with pytest.raises(ValueError, match=said):
                rw.export(corpus, to, format="text", overwrite=overwrite)
    with pytest.raises(ValueError, match="of no export"):
        rw.export(corpus, corpus.url, format="text")
    rw.export(corpus, tmp_path / "to", format="jsonl", parts=PARTS[:1])
    (tmp_path / "to" / f"{PARTS[1]}.jsonl").write_text("mine")
    with pytest.raises(ValueError, match=rf"holds {PARTS[1]}.jsonl"):
        rw.export(corpus, tmp_path / "to", format="jsonl")
    (tmp_path / "to" / "_export.json").write_text("{}")
    with pytest.raises(ValueError, match="no record of this raywiki's export"):
        rw.export(corpus, tmp_path / "to", format="jsonl")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"format": "csv"}, "format 'csv' is unknown: take one of nanogpt, llmc, hf, jsonl, parquet, text"),
        ({"format": "text", "encoding": "gpt2"}, "encoding is an option of nanogpt and llmc, not of text"),
        ({"format": "jsonl", "compression": "bz2"}, "compression is 'bz2', it must be one of none, gz, zst"),
        ({"format": "hf", "columns": ["size"]}, "column 'size' cannot be added: take some of page_id"),
        ({"format": "llmc", "shard_tokens": 0}, "shard_tokens is 0"),
        ({"format": "jsonl", "parts": ["p9"]}, "has no curated part p9: take some of viwiki"),
        ({"format": "llmc", "encoding": "gpt2"}, "no tokens of encoding 'gpt2', only of small"),
    ],
)
def test_wrong_values_are_named_before_any_work(corpus, tmp_path, given, said):
    with pytest.raises(ValueError, match=said):
        rw.export(corpus, tmp_path / "to", **given)
    assert not (tmp_path / "to").exists()


def test_what_is_missing_or_stale_is_named(tmp_path):
    corpus = make_exportable(tmp_path / "corpus")
    decisions, tokens = corpus.path("decisions", f"part={PARTS[0]}"), corpus.path("tokens", f"encoding={ENCODING}")
    shutil.copytree(decisions, tmp_path / "kept")
    manifest = corpus.manifests("decisions")[PARTS[0]]
    corpus.commit(replace(manifest, settings={"min_chars": 2}))
    with pytest.raises(ValueError, match=f"tokens of part {PARTS[0]} are stale: run `raywiki tokenize"):
        rw.export(corpus, tmp_path / "to", format="nanogpt")
    corpus.commit(replace(manifest, upstream={f"articles/part={PARTS[0]}": "0" * 64}))
    for format in ("jsonl", "nanogpt"):
        with pytest.raises(ValueError, match=f"decisions of part {PARTS[0]} are stale: run `raywiki curate"):
            rw.export(corpus, tmp_path / "to", format=format)
    shutil.rmtree(decisions)
    with pytest.raises(ValueError, match=f"part {PARTS[0]} is not curated yet"):
        rw.export(corpus, tmp_path / "to", format="text", parts=[PARTS[0]])
    assert f"part {PARTS[0]} is not curated yet" in str(rw.export(corpus, tmp_path / "rest", format="text").warnings)
    shutil.rmtree(tokens)
    with pytest.raises(ValueError, match="has no tokens yet: run `raywiki tokenize"):
        rw.export(corpus, tmp_path / "to", format="llmc")


def test_counts_that_do_not_add_up_are_no_export(tmp_path):
    corpus = make_exportable(tmp_path / "corpus", 1)
    manifest = corpus.manifests("decisions")[PARTS[0]]
    corpus.commit(replace(manifest, counts={**manifest.counts, "kept": 28, "filtered": 12}))
    with pytest.raises(ValueError, match="it holds 27 documents, the manifest says 28"):
        rw.export(corpus, tmp_path / "to", format="jsonl")
    assert not (tmp_path / "to" / "_export.json").exists()


def test_the_command(corpus, tmp_path, capsys):
    from raywiki.cli import main

    with pytest.raises(SystemExit) as left:
        main(["export", corpus.url, "--format", "jsonl", "--to", str(tmp_path / "to"), "--columns", "n_chars", "--json"])
    assert left.value.code == 0
    printed = json.loads(capsys.readouterr().out)
    assert [row["documents"] for row in printed["parts"]] == [27, 27]
    with pytest.raises(SystemExit) as left:
        main(["export", corpus.url, "--format", "csv", "--to", str(tmp_path / "to")])
    assert left.value.code == 1
    assert "take one of nanogpt" in capsys.readouterr().err


@pytest.mark.parametrize("format", FORMATS)
def test_killed_at_any_moment_nothing_is_half_and_the_rerun_completes(format, tmp_path):
    script, root = Path(__file__).with_name("killed_exports.py"), Path(rw.__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(root), str(script.parent)))}
    command = [sys.executable, script, format, tmp_path, str(FORMATS.index(format) % 3)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20
