"""eval: what it tells of a checkpoint is what training told, and it changes nothing."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import polars as pl
import pytest
from little_corpus import TINY, TRAIN
from verbs_here import without_ray

import raywiki as rw
from raywiki.cli import main
from raywiki.corpus import Corpus
from raywiki.training import config, read_metrics


@pytest.fixture
def folder(little, tmp_path, monkeypatch) -> Path:
    """A copy of the little corpus, with the run r1 of six steps over two parts."""
    without_ray(monkeypatch, little / "cache")
    shutil.copytree(little / "corpus", tmp_path / "corpus")
    return tmp_path / "corpus"


def last_line(corpus: Path) -> dict:
    return read_metrics(corpus / "runs" / "r1" / "metrics.jsonl")[-1]


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_it_tells_what_training_told(folder):
    before = contents(folder)
    found, line = rw.evaluate(folder, "r1", device="cpu"), last_line(folder)
    assert (found.step, len(found.parts)) == (6, 2)
    for row in found.parts:
        assert row["loss"] == pytest.approx(line["val_loss"][row["part"]], rel=1e-5)
        assert row["bits_per_byte"] == pytest.approx(line["val_bpb"][row["part"]], rel=1e-5)
        assert row["perplexity"] == pytest.approx(math.exp(row["loss"]))
        assert row["windows"] == row["of"] == math.ceil(row["tokens"] / TINY.seq_len)
    manifests = rw.Corpus(folder).manifests("tokens/encoding=small")
    assert [row["tokens"] for row in found.parts] == [each.counts["val_tokens"] - 1 for each in manifests.values()]
    assert found.total["tokens"] == sum(row["tokens"] for row in found.parts)
    nats = sum(row["loss"] * row["tokens"] for row in found.parts)
    assert found.total["loss"] == pytest.approx(nats / found.total["tokens"])
    assert found.total["bits_per_byte"] == pytest.approx(nats / math.log(2) / found.total["bytes"])
    assert contents(folder) == before


def test_bytes_are_those_of_the_validation_documents(folder):
    """All of them but what the first token of a part stands for, which is no target."""
    documents = rw.scan_tokens(folder).filter(pl.col("split") == "val").join(rw.scan_documents(folder), on=["part", "page_id"])
    texts = documents.select("part", pl.col("text").str.len_bytes(), pl.col("tokens").list.first().alias("first")).collect()
    from raywiki.tokens import byte_lengths

    lengths = byte_lengths((folder / "tokens/encoding=small/vocabulary.json").read_bytes())
    for row in rw.evaluate(folder, "r1", device="cpu").parts:
        of_part = texts.filter(pl.col("part") == row["part"])
        assert row["bytes"] == of_part["text"].sum() - lengths[of_part["first"][0]]


def test_stored_losses_open_in_polars(folder):
    frame = rw.scan_evals(folder, "r1")
    assert isinstance(frame, pl.LazyFrame)
    mean = (pl.col("loss").sum() / pl.col("n_targets").sum()).alias("mean")
    by_step = dict(frame.filter(pl.col("step") == 6).group_by("part").agg(mean).collect().iter_rows())
    assert by_step == pytest.approx(last_line(folder)["val_loss"], rel=1e-12)
    paired = frame.filter(step=0).join(frame.filter(step=6), on=["part", "window"], validate="1:1").collect()
    assert paired.height * 2 == frame.collect().height > 0
    assert paired["n_bytes"].min() > 0
    metrics = rw.scan_metrics(folder, "r1").tail(1).explode("val_loss").unnest("val_loss").collect()
    assert dict(zip(metrics["part"], metrics["bpb"], strict=True)) == last_line(folder)["val_bpb"]


def test_what_scan_evals_refuses(folder):
    with pytest.raises(ValueError, match=r"no evaluations of a run 'r9' in .*: its runs are r1"):
        rw.scan_evals(folder, "r9")
    (folder / "runs/r1/evals.parquet").unlink()
    with pytest.raises(ValueError, match="run r1 has no stored evaluation yet: its next segment stores them as it begins"):
        rw.scan_evals(folder, "r1")


def test_a_checkpoint_a_part_and_a_few_windows(folder):
    first, second = rw.Corpus(folder).manifests("tokens/encoding=small")
    old = rw.evaluate(folder, "r1", parts=[second], checkpoint=5, max_val_windows=2, batch_size=1, device="cpu")
    [row] = old.parts
    assert (old.step, row["part"], row["windows"]) == (5, second, 2)
    assert row["of"] > 2
    with pytest.raises(ValueError, match="no checkpoint '4': take latest, best, or one of the steps 5, 6"):
        rw.evaluate(folder, "r1", checkpoint="4")
    assert old.total["loss"] == row["loss"]
    assert "all parts" not in str(old)
    assert first not in str(old)


def test_the_command_prints_a_table_that_fits_and_json(folder, capsys):
    for words in ([], ["--json"]):
        with pytest.raises(SystemExit) as left:
            main(["eval", str(folder), "--run", "r1", "--device", "cpu", *words])
        assert left.value.code == 0
    printed = capsys.readouterr()
    *screen, summary = printed.out.splitlines()
    assert screen[0].startswith(f"eval {folder} run r1: after step 6 (")
    assert max(map(len, screen[1:])) <= 100
    assert screen[1].split() == ["part", "windows", "of", "tokens", "bytes", "loss", "perplexity", "bits", "per", "byte"]
    assert screen[-1].split()[:2] == ["all", "parts"]
    assert json.loads(summary)["parts"][0]["loss"] == rw.evaluate(folder, "r1", device="cpu").parts[0]["loss"]
    assert "windows" in printed.err


def test_a_part_that_the_run_never_saw(folder, little, monkeypatch):
    third = max((little / "dumps").iterdir())
    rw.extract(folder, third)
    rw.curate(folder)
    rw.tokenize(folder)
    found = rw.evaluate(folder, "r1", device="cpu")
    assert [row["windows"] > 0 for row in found.parts] == [True] * 3
    assert found.notes == ("run r1 has not learned from part viwiki-20260101-p300p399",)


def test_other_tokens_than_those_learned_from_are_refused(folder):
    rw.tokenize(folder, val_fraction=0.3, overwrite=True)
    with pytest.raises(ValueError, match=r"other tokens \(digest .*\) than those run r1 learned from .*: restore the old ones"):
        rw.evaluate(folder, "r1")


def test_a_part_that_is_gone_is_named(folder):
    first, second = rw.Corpus(folder).manifests("tokens/encoding=small")
    rw.remove(folder, first)
    with pytest.raises(ValueError, match=rf"run r1 learned from part {first}, which has no tokens now: .*--parts {second}"):
        rw.evaluate(folder, "r1")
    assert [row["part"] for row in rw.evaluate(folder, "r1", parts=[second], device="cpu").parts] == [second]


def test_without_the_vocabulary_there_is_no_bits_per_byte_and_a_note(folder, monkeypatch):
    monkeypatch.setitem(config.SIZES, "nano", TINY)
    (folder / "tokens/encoding=small/vocabulary.json").write_text("{}")
    found = rw.evaluate(folder, "r1", device="cpu")
    assert {row["bits_per_byte"] for row in (*found.parts, found.total)} == {None}
    assert "is not the vocabulary of these tokens any more; restore it" in found.notes[0]
    trained = rw.train(folder, "r1", **{**TRAIN, "steps": 8}, device="cpu")
    assert trained.notes == found.notes
    assert trained.val_bpb == {}
    assert "bits per byte before" not in str(trained)
    [run] = rw.status(folder).runs
    assert run["bits_per_byte"] is None


def test_bits_per_byte_stand_beside_the_loss(folder, monkeypatch):
    monkeypatch.setitem(config.SIZES, "nano", TINY)
    trained = rw.train(folder, "r1", **{**TRAIN, "steps": 8}, device="cpu")
    line = last_line(folder)
    [segment] = trained.segments
    assert trained.val_bpb == segment["bpb_after"] == line["val_bpb"]
    assert segment["bpb_before"].keys() == line["val_bpb"].keys()
    screen = str(trained).splitlines()
    assert screen[2].split() == ["part", "before", "after", "bits", "per", "byte", "before", "bits", "per", "byte", "after"]
    assert max(map(len, screen[1:])) <= 100
    [run] = rw.status(folder).runs
    assert run["bits_per_byte"] == pytest.approx(sum(line["val_bpb"].values()) / 2)
    assert max(map(len, str(rw.status(Corpus(folder))).splitlines()[1:])) <= 100
