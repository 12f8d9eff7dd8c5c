"""compare: which of two runs learned more, by windows that pair, and at equal tokens and hours."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from little_corpus import TINY
from made_run import TARGETS, Stretch, change, write
from verbs_here import without_ray

import raywiki as rw
from raywiki.cli import main
from raywiki.training import config, read_metrics

CHANCE = np.random.default_rng(0)
A, B = CHANCE.gamma(25, 4 / 25, 60), CHANCE.gamma(25, 4 / 25, 40)


def near(losses: np.ndarray, by: float, spread: float = 0.02) -> np.ndarray:
    """Losses that are as much higher, give or take."""
    return losses + by + np.random.default_rng(1).normal(0, spread, len(losses))


@pytest.fixture
def corpus(tmp_path) -> Path:
    """A corpus that has nothing but a place for runs."""
    (tmp_path / "corpus" / "runs").mkdir(parents=True)
    return tmp_path / "corpus"


def made(corpus: Path, run: str, *stretches: Stretch, **options) -> None:
    write(corpus / "runs" / run, stretches, **options)


def test_who_won_by_how_much_and_whether_that_is_noise(corpus):
    made(corpus, "r1", Stretch(10, {"a": A, "b": B}))
    made(corpus, "r2", Stretch(10, {"a": near(A, 0.1), "b": near(B, -0.2)}))
    found = rw.compare(corpus, "r1", "r2")
    a, b = found.parts
    assert (a["part"], a["windows"], b["part"], b["windows"]) == ("a", 60, "b", 40)
    assert a["first"] == pytest.approx(A.mean())
    assert a["difference"] == pytest.approx(a["second"] - a["first"])
    assert 0.09 < a["low"] < a["difference"] < a["high"] < 0.11
    assert b["low"] < b["difference"] < b["high"] < -0.19
    assert found.total["windows"] == 100
    assert found.total["difference"] == pytest.approx(0.6 * a["difference"] + 0.4 * b["difference"])
    assert found.verdict.startswith("at equal tokens and equal hours, run r2 won by 0.0")
    assert "more than the noise of the validation text" in found.verdict
    assert (found.equal, found.notes) == ((), ())
    assert found.runs[0] == {"run": "r1", "segments": 1, "step": 10, "tokens": 640, "tokens_spent": 640, "hours": 10 / 3600}
    back = rw.compare(corpus, "r2", "r1")
    assert back.total["difference"] == -found.total["difference"]
    assert "run r2 won by" in back.verdict


def test_the_windows_of_hard_text_do_not_hide_a_small_difference_and_noise_is_called_so(corpus):
    made(corpus, "r1", Stretch(10, {"a": A}))
    made(corpus, "better", Stretch(10, {"a": near(A, -0.02)}))
    made(corpus, "same", Stretch(10, {"a": near(A, 0.002, spread=0.2)}))
    assert "run better won by 0.0" in rw.compare(corpus, "r1", "better").verdict
    assert re.search(
        r"neither won: [+-]0\.\d{3} nats a token \(-.* to \+.*\) are no more", rw.compare(corpus, "r1", "same").verdict
    )
    assert "all parts" not in str(rw.compare(corpus, "r1", "same"))


def test_few_windows_win_nothing(corpus):
    made(corpus, "r1", Stretch(10, {"a": A[:5], "b": B[:1]}))
    made(corpus, "r2", Stretch(10, {"a": A[:5] + 3, "b": B[:1] + 3}))
    found = rw.compare(corpus, "r1", "r2")
    assert "run r1 has 3.000 nats a token less, but 6 validation windows are too few to tell that from noise" in found.verdict
    assert (found.parts[1]["low"], found.parts[1]["high"]) == (None, None)
    assert found.notes[0].startswith("fewer than 30 validation windows in parts a, b: intervals there are too narrow")


GROWN = (
    Stretch(10, {"a": A}, between={8: {"a": 4.0}}),
    Stretch(22, {"a": A, "b": B}, start=8, begin={"b": B + 1}, between={15: {"a": 3.0, "b": 5.0}}, parts=["a", "b"]),
)


def test_decays_that_were_left_aside_are_spent_and_not_learned_from(corpus):
    made(corpus, "r1", *GROWN)
    made(corpus, "r2", Stretch(30, {"a": A, "b": B}))
    first, second = rw.compare(corpus, "r1", "r2").runs
    assert (first["segments"], first["step"], first["tokens"], first["tokens_spent"]) == (2, 30, 30 * 64, 32 * 64)
    assert (first["hours"], second["hours"]) == pytest.approx((32 / 3600, 30 / 3600))
    assert second["tokens"] == second["tokens_spent"] == first["tokens"]


def test_at_equal_tokens_by_means_in_mid_segment(corpus):
    made(corpus, "r1", *GROWN)
    made(corpus, "r2", Stretch(15, {"a": A, "b": B}, tok_per_sec=32.0))
    found = rw.compare(corpus, "r1", "r2")
    assert found.verdict.startswith("at unequal tokens and equal hours, neither won: +0.000")
    [tokens] = found.equal
    assert (tokens["of"], tokens["run"], tokens["step"], tokens["tokens"]) == ("tokens", "r1", 15, 15 * 64)
    assert tokens["first"] == pytest.approx(0.6 * 3.0 + 0.4 * 5.0)
    assert tokens["second"] == pytest.approx(found.total["second"])
    assert (tokens["low"], tokens["high"], tokens["windows"], tokens["is_before_decay"]) == (None, None, None, True)
    words = " ".join(str(found).split())
    assert "at equal tokens: run r1 at step 15 of segment 2 (960 tokens, " in words
    assert "no interval, as in mid-segment only means are kept" in words
    assert "to its disadvantage" in words


def test_at_equal_tokens_by_windows_at_the_end_of_a_segment_that_grew_on(corpus):
    """The decayed end of the first segment, not the step of the same number on the way to the second one's."""
    made(corpus, "r1", *GROWN)
    made(corpus, "r2", Stretch(10, {"a": near(A, 0.1)}))
    found = rw.compare(corpus, "r2", "r1")
    tokens, hours = found.equal
    assert (tokens["of"], hours["of"]) == ("tokens", "hours")
    for each in (tokens, hours):
        assert (each["run"], each["segment"], each["step"], each["windows"]) == ("r1", 0, 10, 60)
        assert not each["is_before_decay"]
        assert each["low"] < each["difference"] < each["high"] < -0.09
    assert found.notes == ("only run r1 learned from part b: it is not compared there",)
    assert "at equal hours: run r1 at step 10" in str(found)


def test_the_end_of_a_segment_is_taken_before_a_step_that_is_nearer(corpus):
    """Where both are near enough to be called equal: its rate has come down, and it has windows."""
    first = Stretch(200, {"a": A}, tok_per_sec=None)
    grown = Stretch(400, {"a": A - 1}, start=160, between={201: {"a": 9.0}}, tok_per_sec=None)
    made(corpus, "r1", first, grown)
    made(corpus, "r2", Stretch(201, {"a": A}, tok_per_sec=None))
    [tokens] = rw.compare(corpus, "r1", "r2").equal
    assert (tokens["segment"], tokens["step"], tokens["tokens"], tokens["difference"]) == (0, 200, 200 * 64, 0.0)


def test_a_step_at_which_a_part_had_other_tokens_is_none_to_compare_with(corpus):
    run = write(corpus / "runs" / "r1", [Stretch(10, {"a": A}), Stretch(10, {"a": A}, start=10)])
    made(corpus, "r2", Stretch(10, {"a": A}))
    assert [each["step"] for each in rw.compare(corpus, "r1", "r2").equal] == [10, 10]
    change(run, 0, parts=(replace(run.segments[0].parts[0], digest="f" * 64),))
    found = rw.compare(corpus, "r1", "r2")
    assert found.equal == ()
    assert "run r1 was not evaluated where it had 640 tokens, but next at step 20" in found.notes[0]


def test_where_nothing_was_evaluated_nothing_is_said(corpus):
    made(corpus, "r1", Stretch(100, {"a": A}, between={70: {"a": 4.0}}))
    made(corpus, "r2", Stretch(50, {"a": A}, tok_per_sec=None))
    found = rw.compare(corpus, "r1", "r2")
    assert found.equal == ()
    assert found.notes == (
        "run r1 was not evaluated where it had 3,200 tokens, but next at step 70: nothing is known at equal tokens",
        "the hours of run r2 are not known, as none of its metrics has the speed of a step",
    )
    assert found.runs[1]["hours"] is None
    assert found.verdict.startswith("at unequal tokens and unknown hours, ")


def test_a_segment_that_is_not_done_is_left_out(corpus):
    made(corpus, "r1", Stretch(10, {"a": A}), Stretch(10, None, start=10, parts=["a"]))
    made(corpus, "r2", Stretch(10, {"a": A}))
    found = rw.compare(corpus, "r1", "r2")
    assert (found.runs[0]["segments"], found.runs[0]["step"], found.runs[0]["hours"]) == (1, 10, 10 / 3600)
    assert found.notes == ("run r1 is compared as segment 1 left it: a later one has not come to its end",)


def test_windows_that_one_run_lacks_and_parts_without_any(corpus):
    made(corpus, "r1", Stretch(10, {"a": A, "b": B[:0]}))
    made(corpus, "r2", Stretch(10, {"a": A[:35], "b": B[:0]}))
    found = rw.compare(corpus, "r1", "r2")
    assert [row["windows"] for row in found.parts] == [35, 0]
    assert found.parts[1]["first"] is None
    assert found.parts[0]["first"] == pytest.approx(A[:35].mean())
    assert found.notes == (
        "run r1 has more windows of part a than both have: only those of both count",
        "part b cannot be evaluated without a validation page: see tokenize --val-fraction",
    )


@pytest.mark.parametrize(
    ("other", "options", "sentence"),
    [
        (
            {"a": A},
            {"encoding": "gpt2"},
            "run r1 has encoding=bytes and run r2 gpt2, so that .* `raywiki eval` gives bits per byte",
        ),
        ({"a": A}, {"vocabulary": "cd" * 32}, "runs r1 and r2 have two vocabularies that are both called bytes"),
        ({"a": A}, {"seq_len": 32}, f"run r1 has seq_len={TARGETS} and run r2 32"),
        ({"a": A}, {"digests": {"a": "f" * 64}}, r"other tokens of part a \(digests aaaaaaaaaaaa and ffffffffffff\)"),
        ({"c": A}, {}, "no part in common: they learned from part a, and from part c"),
        ({"a": A[:0]}, {}, "run r2 has no stored evaluation yet"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(corpus, other, options, sentence):
    made(corpus, "r1", Stretch(10, {"a": A}))
    made(corpus, "r2", Stretch(10, other), **options)
    with pytest.raises(ValueError, match=sentence):
        rw.compare(corpus, "r1", "r2")


def test_a_run_that_was_never_at_an_end(corpus):
    made(corpus, "r1", Stretch(10, None, begin={"a": A}))
    made(corpus, "r2", Stretch(10, {"a": A}))
    with pytest.raises(ValueError, match="run r1 has not come to the end of a segment yet: train it to its end"):
        rw.compare(corpus, "r1", "r2")


def test_runs_that_share_a_part_but_no_window(corpus):
    made(corpus, "r1", Stretch(10, {"a": A[:0], "b": B}))
    made(corpus, "r2", Stretch(10, {"a": A, "c": B}))
    with pytest.raises(ValueError, match="runs r1 and r2 have no validation window in common"):
        rw.compare(corpus, "r1", "r2")


def test_growing_and_starting_over_as_the_verbs_train_them(little, tmp_path, monkeypatch, capsys):
    """A real run and its `--from-scratch`: what is compared is what the metrics end with. The command prints it, and JSON."""
    without_ray(monkeypatch, tmp_path / "cache")
    monkeypatch.setitem(config.SIZES, "nano", TINY)
    corpus = tmp_path / "corpus"
    shutil.copytree(little / "corpus", corpus)
    rw.train(corpus, "r2", from_scratch="r1", seed=5, device="cpu")
    before = {path: path.read_bytes() for path in corpus.rglob("*") if path.is_file()}
    found = rw.compare(corpus, "r1", "r2")
    lines = [read_metrics(corpus / "runs" / run / "metrics.jsonl")[-1] for run in ("r1", "r2")]
    for row in found.parts:
        assert (row["first"], row["second"]) == pytest.approx([line["val_loss"][row["part"]] for line in lines])
    assert [row["tokens"] for row in found.runs] == [6 * 64] * 2
    assert found.verdict.startswith("at equal tokens and ")
    for words in ([], ["--json"]):
        with pytest.raises(SystemExit) as left:
            main(["compare", str(corpus), "r1", "r2", *words])
        assert left.value.code == 0
    *screen, summary = capsys.readouterr().out.splitlines()
    assert screen[0].startswith(f"compare {corpus}: first run r1, second run r2")
    assert max(map(len, screen[1:])) <= 100
    assert any(line.strip().startswith("verdict: at equal tokens") for line in screen)
    assert json.loads(summary)["total"] == found.total
    assert {path: path.read_bytes() for path in corpus.rglob("*") if path.is_file()} == before
