"""Mixtures of sources: the quotas hold, as the order itself counts, and a run keeps its mixture."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from training_corner import MADE_WITH

from raywiki.corpus import Manifest
from raywiki.training.checkpoint import save_checkpoint
from raywiki.training.describe import plan_lines, plan_rows
from raywiki.training.options import check_options
from raywiki.training.order import PartTokens, step_samples
from raywiki.training.parts import part_tokens
from raywiki.training.plan import plan_segment
from raywiki.training.quotas import mixed_quotas, parse_mix
from raywiki.training.runs import SEGMENTS, open_run, read_run, write_run

WIKI1 = PartTokens("enwiki-p1p2", "aa" * 32, 8_000)
WIKI2 = PartTokens("enwiki-p3p4", "bb" * 32, 24_000)
WIKI3 = PartTokens("enwiki-p5p6", "cc" * 32, 16_000)
C4 = PartTokens("c4-train", "dd" * 32, 400_000, source="c4")


@pytest.fixture
def run(tmp_path):
    return open_run(tmp_path / "runs" / "r1", **MADE_WITH)


def plan(run, parts, **asked):
    run = read_run(run.folder) or run
    planned = plan_segment(run, parts, **{"total_batch_size": 1024, "schedule": "constant", **asked})
    if planned is not None:
        write_run(planned.run)
    return planned


def finish(planned):
    step = planned.segment.end_step
    save_checkpoint(planned.run.folder / "checkpoints", step, {}, {"segment": planned.index}, keep=9)


def learned(segment) -> dict[str, float]:
    """The share of the segment's sequences that each part gives, as the order of its steps counts them."""
    steps = range(segment.start_step, segment.end_step)
    counts = np.bincount(np.concatenate([step_samples(segment, s).part for s in steps]), minlength=len(segment.parts))
    return {part.name: count / counts.sum() for part, count in zip(segment.parts, counts, strict=True)}


def shares(segment) -> dict[str, float]:
    by_part = learned(segment)
    return {
        source: sum(by_part[part.name] for part in segment.parts if part.source == source)
        for source in {part.source for part in segment.parts}
    }


@pytest.mark.parametrize("order", ["mixed", "sequential"])
@pytest.mark.parametrize("mix", [{"wiki": 0.8, "c4": 0.2}, {"wiki": 0.05, "c4": 0.95}, {"wiki": 1 / 3, "c4": 2 / 3}])
def test_each_source_has_its_share(run, mix, order) -> None:
    text = ",".join(f"{source}={share}" for source, share in mix.items())
    segment = plan(run, [WIKI1, WIKI2, C4], mix=text, steps=64, order=order).segment
    assert shares(segment) == pytest.approx(mix, abs=0.001)
    by_part = learned(segment)  # 8,000 tokens beside 24,000
    assert by_part[WIKI2.name] / by_part[WIKI1.name] == pytest.approx(3, rel=0.02 + 0.001 / mix["wiki"])


def test_without_a_mixture_tokens_decide(run) -> None:
    segment = plan(run, [WIKI1, WIKI2, C4], steps=64).segment
    assert segment.mix is None
    assert shares(segment)["c4"] == pytest.approx(400 / 432, abs=0.01)


def test_shares_of_many_parts_of_a_source_add_up() -> None:
    """Rounding each part on its own would lose or win slots for its source."""
    chance = np.random.default_rng(3)
    for _ in range(50):
        windows = [*chance.integers(1, 1000, 30).tolist(), *chance.integers(1, 1000, 3).tolist()]
        sources = ["wiki"] * 30 + ["c4"] * 3
        quotas = mixed_quotas(windows, sources, {"wiki": 0.3, "c4": 0.7})
        assert min(quotas) >= 1
        assert sum(quotas[:30]) / sum(quotas) == pytest.approx(0.3, abs=0.001)


def test_a_new_part_shares_what_its_source_has(run) -> None:
    finish(plan(run, [WIKI1, WIKI2, C4], mix="wiki=0.8,c4=0.2", steps=8))
    segment = plan(run, [WIKI1, WIKI2, WIKI3, C4], steps=64).segment
    assert segment.mix == "c4=0.2,wiki=0.8"  # inherited
    assert shares(segment) == pytest.approx({"wiki": 0.8, "c4": 0.2}, abs=0.001)
    assert learned(segment)[WIKI3.name] == pytest.approx(0.75 * 0.8, abs=0.003)  # 0.25 replays the older ones


def test_a_run_keeps_its_mixture_until_another_is_asked_for(run) -> None:
    finish(plan(run, [WIKI1, C4], mix="wiki=4,c4=1", steps=8))
    assert plan(run, [WIKI1, C4], mix="c4=0.2,wiki=0.8", steps=8) is None  # the same, in other words
    more = plan(run, [WIKI1, C4], more_steps=64)
    assert shares(more.segment) == pytest.approx({"wiki": 0.8, "c4": 0.2}, abs=0.001)
    other = plan(run, [WIKI1, C4], more_steps=64, mix="wiki=0.5,c4=0.5")  # ends the segment that was not begun
    assert other.segment.mix == "c4=0.5,wiki=0.5"
    assert shares(other.segment) == pytest.approx({"wiki": 0.5, "c4": 0.5}, abs=0.001)


def test_a_mixture_asked_for_later_ends_an_unfinished_segment(run) -> None:
    first = plan(run, [WIKI1, C4], steps=64)
    save_checkpoint(first.run.folder / "checkpoints", 10, {}, {"segment": 0}, keep=9)
    second = plan(run, [WIKI1, C4], steps=64, mix="wiki=0.5,c4=0.5")
    assert (second.index, second.segment.start_step, second.segment.end_step) == (1, 10, 64)
    assert shares(second.segment) == pytest.approx({"wiki": 0.5, "c4": 0.5}, abs=0.01)


@pytest.mark.parametrize("text", ["wiki", "wiki=0.8,", "wiki=0,c4=1", "wiki=-1", "wiki=x", "wiki=1,wiki=2", "", "wiki=nan"])
def test_what_is_no_mixture(text) -> None:
    with pytest.raises(ValueError, match=r"such as wiki=0\.8,c4=0\.2"):
        check_options({"mix": text})


def test_a_mixture_names_the_sources_that_there_are(run) -> None:
    with pytest.raises(ValueError, match=r"mix wiki=1 has no share for the source c4: give it one .*--parts"):
        plan(run, [WIKI1, C4], mix="wiki=1")
    with pytest.raises(ValueError, match="names the source c5, of which no part is trained on: they are c4, wiki"):
        plan(run, [WIKI1, C4], mix="wiki=1,c4=1,c5=1")
    assert not run.folder.exists()
    assert parse_mix(" my-books = .5 , c4=1e-1") == pytest.approx({"c4": 1 / 6, "my-books": 5 / 6})


def test_the_plan_says_sources_and_shares(run) -> None:
    planned = plan(run, [WIKI1, C4], mix="wiki=0.8,c4=0.2", steps=8)
    assert [(row["source"], row["share"]) for row in plan_rows(planned)] == [("c4", "20 %"), ("wiki", "80 %")]
    assert any("mix c4=0.2,wiki=0.8" in line and "c4 20 %, wiki 80 %" in line for line in plan_lines(planned, 1, "cpu", None))
    alone = replace(planned.segment, parts=planned.segment.parts[1:], mix=None)
    assert "source" not in plan_rows(replace(planned, run=replace(planned.run, segments=(alone,))))[0]


def test_a_run_of_before_has_wiki_alone(run) -> None:
    planned = plan(run, [WIKI1, WIKI2], steps=8)
    path = planned.run.folder / SEGMENTS
    body = json.loads(path.read_text())
    for segment in body["segments"]:
        del segment["mix"]
        for part in segment["parts"]:
            del part["source"]
    path.write_text(json.dumps(body))
    assert read_run(planned.run.folder).segments == planned.run.segments


def test_tokens_know_their_source() -> None:
    counts = {"train_tokens": 3, "val_tokens": 1}
    assert part_tokens(Manifest("tokens/encoding=gpt2", "p1", {}, (), counts)).source == "wiki"
    assert part_tokens(Manifest("tokens/encoding=gpt2", "p1", {}, (), counts, source={"of": "c4"})).source == "c4"
