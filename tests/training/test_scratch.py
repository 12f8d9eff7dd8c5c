"""Starting over for a run that grew: the same tokens in the same mixture, as one new run."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from training_corner import Corner

from raywiki.training.metrics import read_metrics
from raywiki.training.order import PartTokens, closing_counters
from raywiki.training.plan import plan_segment
from raywiki.training.runs import Run, read_run
from raywiki.training.scratch import find_grown, in_words, start_over

WSD = {"steps": 10, "schedule": "wsd"}


@pytest.fixture
def grown(corner, text) -> Corner:
    """A run r1 over part a, then over a and b: eight steps to the trunk, two of a decay, and ten from the trunk."""
    corner.add("a", text, val=text[:100])
    corner.add("b", text[::-1], val=text[:50:-1])
    corner.train(parts=["a"], plan=WSD)
    corner.train(plan=WSD)
    return corner


def again(corner: Corner, run: str = "r2", there: list[PartTokens] | None = None, **options: object) -> tuple[Run, list, dict]:
    model = find_grown(corner.run_folder(run), {"from_scratch": "r1", **options})
    return start_over(corner.run_folder(run), model, there or [part for part, _ in corner.parts.values()], options)


def test_as_many_steps_in_the_same_mixture(grown):
    run, parts, asked = again(grown)
    planned = plan_segment(run, parts, **asked)
    first, last = read_run(grown.run_folder()).segments
    assert (planned.segment.start_step, planned.segment.steps, planned.segment.total_batch_size) == (0, 18, 64)
    assert (planned.segment.schedule, planned.segment.lr) == ("wsd", first.lr)
    assert run.config == read_run(grown.run_folder()).config
    assert not grown.run_folder("r2").exists()
    used, now = closing_counters(last), closing_counters(planned.segment)
    assert now == pytest.approx(used, abs=1)
    assert sum(now.values()) == sum(used.values()) == 18 * 4
    words = in_words(read_run(grown.run_folder()))
    assert "the 1,152 tokens that run r1 learned from in 2 segments to step 18" in words
    assert "took 2 steps more" in words


def test_it_is_trained_goes_on_and_is_done(grown):
    for stop, status in ((lambda: True, "stopped"), (None, "finished")):
        run, parts, asked = again(grown)
        assert grown.train_plan(plan_segment(run, parts, **asked), should_stop=stop).status == status
    run, parts, asked = again(grown)
    assert plan_segment(run, parts, **asked) is None
    assert read_metrics(grown.run_folder("r2") / "metrics.jsonl")[-1]["tokens"] == 18 * 64
    grown.train(plan={"more_steps": 3})
    with pytest.raises(
        ValueError, match=r"^run r2 is there already, and is not run r1 up to step 21 once more: choose another"
    ):
        again(grown)


def test_a_new_start_may_have_another_seed_and_rate(grown):
    run, parts, asked = again(grown, seed=7, lr=1e-3, schedule="cosine")
    segment = plan_segment(run, parts, **asked).segment
    assert (run.config.seed, segment.seed, segment.lr, segment.schedule, segment.steps) == (7, 7, 1e-3, "cosine", 18)


def test_a_new_start_may_read_part_after_part(grown):
    """What a curriculum is compared with: the same tokens of each part, in another order."""
    run, parts, asked = again(grown, order="sequential")
    segment = plan_segment(run, parts, **asked).segment
    assert segment.order == "sequential"
    assert closing_counters(segment) == pytest.approx(closing_counters(read_run(grown.run_folder()).segments[-1]), abs=1)


def test_a_run_that_is_not_at_its_end_is_none_to_start_over_for(grown):
    grown.train(plan={"more_steps": 9}, should_stop=lambda: True)
    with pytest.raises(ValueError, match=r"run r1 stands at step 17 and is planned to step 27: train it to its end, then"):
        find_grown(grown.run_folder("r2"), {"from_scratch": "r1"})


def test_parts_that_are_gone_or_others(grown):
    a, b = (part for part, _ in grown.parts.values())
    with pytest.raises(ValueError, match=r"^run r1 learned from part b, which has no tokens now: make them again first"):
        again(grown, there=[a])
    with pytest.raises(ValueError, match=r"^part b has other tokens \(digest ffffffffffff\) than those run r1 learned from"):
        again(grown, there=[a, replace(b, digest="f" * 64)])
    new = PartTokens("c", "c" * 64, 5000)
    assert [part.name for part in again(grown, there=[new, b, a])[1]] == ["a", "b"]


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"from_scratch": "r2"}, "run r2 cannot start over for itself: choose another name for the new run"),
        ({"from_scratch": "r9"}, "there is no run r9 in "),
        ({"from_scratch": "../r1"}, "run='../r1' is no name of a run"),
        ({"from_scratch": "r1", "steps": 5}, "steps comes from run r1 when a run starts over for it: leave it out"),
        ({"from_scratch": "r1", "parts": ["a"]}, "parts comes from run r1"),
        ({"from_scratch": "r1", "encoding": "gpt2"}, "encoding comes from run r1"),
        ({"from_scratch": "r1", "size": "micro"}, "size comes from run r1"),
    ],
)
def test_requests_that_make_no_sense(corner, asked, sentence):
    with pytest.raises(ValueError, match="^" + re.escape(sentence)):
        find_grown(corner.run_folder("r2"), asked)


def test_without_the_option_there_is_nothing_to_find(grown):
    assert find_grown(grown.run_folder("r2"), {"from_scratch": None}) is None
