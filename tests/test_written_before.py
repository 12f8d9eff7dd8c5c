"""A corpus and a run that the raywiki of a3e6777 wrote (it called itself 0.1.0) open, hold, grow and go on."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path

import pytest
from verbs_here import without_ray

import raywiki as rw
from raywiki.manifest import TABLES, tokens_table
from raywiki.training import read_metrics
from raywiki.training.runs import read_run

MADE = Path(__file__).parent / "fixtures" / "corpus_of_a3e6777" / "corpus.tar.xz"
SETTINGS = dict(steps=12, total_batch_size=64, eval_every=3)  # what the run was begun with


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("before")
    with tarfile.open(MADE) as tar:
        tar.extractall(folder, filter="data")
    return folder


@pytest.fixture
def before(unpacked, tmp_path, monkeypatch) -> Path:
    """A copy of the folder that was made then: `corpus`, `small.json`, two dumps, and `losses.json`."""
    without_ray(monkeypatch, tmp_path / "cache")
    shutil.copytree(unpacked, tmp_path / "before")
    return tmp_path / "before"


def dump(folder: Path, number: int) -> Path:
    [path] = folder.glob(f"*articles{number}.xml*")
    return path


def digests(corpus: Path) -> dict[str, str]:
    tables = (*TABLES, tokens_table("small"))
    return {each.folder: each.digest for name in tables for each in rw.Corpus(corpus).manifests(name).values()}


def losses(corpus: Path) -> list[float]:
    return [line["train_loss"] for line in read_metrics(corpus / "runs/r1/metrics.jsonl") if line.get("train_loss")]


def test_it_is_whole(before):
    corpus = before / "corpus"
    status = rw.status(corpus, verify=True)
    assert [row["state"] for row in status.parts] == ["ok"]
    assert status.problems == ()
    [run] = status.runs
    assert (run["run"], run["step"], run["of"]) == ("r1", 6, 12)
    assert rw.gc(corpus, min_age=0).paths == ()
    assert rw.sample(corpus, "r1", "Aa", max_tokens=5, device="cpu").startswith("Aa")


def test_no_verb_has_anything_to_do(before):
    corpus = before / "corpus"
    held = digests(corpus)
    assert len(held) == 6
    renamed = dump(before, 1).rename(before / "renamed.xml.bz2")
    for verb in (rw.extract(corpus, renamed), rw.curate(corpus), rw.tokenize(corpus), rw.tokenize(corpus, "small")):
        assert verb.committed == ()
        assert "nothing to do" in str(verb)
    assert digests(corpus) == held


def test_the_run_goes_on_as_it_would_have_then(before):
    """The checkpoint's record of the data order is accepted, and what is learned is what that raywiki went on to learn."""
    corpus = before / "corpus"
    assert read_run(corpus / "runs/r1").config.recipe == "gpt2"
    summary = rw.train(corpus, "r1", recipe="classic", device="cpu", **SETTINGS)
    assert (summary.state, summary.step) == ("trained", 12)
    [segment] = summary.segments
    assert (segment["first_step"], segment["last_step"]) == (0, 12)
    assert summary.warnings == ()
    assert losses(corpus) == pytest.approx(json.loads((before / "losses.json").read_text()), rel=1e-5)
    assert rw.train(corpus, "r1", device="cpu", **SETTINGS).state == "unchanged"


def test_a_part_is_added_after_the_unfinished_segment_was_finished(before):
    corpus = before / "corpus"
    held = digests(corpus)
    summary = rw.grow(corpus, [dump(before, 1), dump(before, 2)], "r1", device="cpu", **SETTINGS)
    assert summary.committed == ("viwiki-20260101-p200p299",)
    assert [(each["first_step"], each["last_step"]) for each in summary.train.segments] == [(0, 12), (12, 24)]
    assert {folder: digest for folder, digest in digests(corpus).items() if folder in held} == held
    assert losses(corpus)[:12] == pytest.approx(json.loads((before / "losses.json").read_text()), rel=1e-5)
    assert [row["state"] for row in rw.status(corpus, verify=True).parts] == ["ok", "ok"]
    again = rw.grow(corpus, [dump(before, 2), dump(before, 1)], "r1", device="cpu", **SETTINGS)
    assert "nothing to do, nothing committed" in str(again)


def test_more_steps_are_done_once_and_the_run_keeps_its_schedule(before):
    corpus = before / "corpus"
    summary = rw.train(corpus, "r1", device="cpu", **{**SETTINGS, "steps": None}, more_steps=2)
    assert (summary.state, summary.step, len(summary.segments)) == ("trained", 8, 1)
    assert [segment.schedule for segment in read_run(corpus / "runs/r1").segments] == ["cosine", "rewarm"]
    again = rw.train(corpus, "r2", device="cpu", from_scratch="r1")
    assert (again.state, again.step) == ("trained", 8)
    assert rw.train(corpus, "r2", device="cpu", from_scratch="r1").state == "unchanged"
    assert rw.train(corpus, "r2", device="cpu").state == "unchanged"


def test_another_shape_than_the_runs_own_is_still_refused(before):
    with pytest.raises(ValueError, match="run r1 has size=nano, not size=micro"):
        rw.train(before / "corpus", "r1", size="micro")
