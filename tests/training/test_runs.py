from __future__ import annotations

import json
import pickle
import re
from dataclasses import replace

import pytest

from raywiki.training.checkpoint import save_checkpoint
from raywiki.training.runs import PartTokens, open_run, plan_segment, quotas, read_run

A = PartTokens("enwiki-p1p2", "aa" * 32, 8000, 100)
B = PartTokens("enwiki-p3p4", "bb" * 32, 24000, 100)
C = PartTokens("enwiki-p5p6", "cc" * 32, 16000, 100)
MADE_WITH = {"encoding": "bytes", "vocabulary": "ab" * 32, "vocab_size": 257, "seq_len": 16}


@pytest.fixture
def run(tmp_path):
    return open_run(tmp_path / "runs" / "r1", **MADE_WITH)


def plan(run, parts, **asked):
    return plan_segment(read_run(run.folder) or run, parts, **{"total_batch_size": 160, **asked})


def done(run, step):
    """A checkpoint of that step: what tells planning how far the run is."""
    save_checkpoint(run.folder / "checkpoints", step, {}, {})


def test_a_new_run_takes_the_sizes_shape_and_writes_nothing_yet(run):
    assert not run.folder.exists()
    config = run.config
    assert (config.size, config.recipe, config.n_layer, config.seq_len, config.seed) == ("nano", "gpt2", 4, 16, 0)
    assert open_run(run.folder, **{**MADE_WITH, "seq_len": None, "size": "gpt2"}).config.seq_len == 1024


def test_the_first_segment_is_one_pass(run):
    first = plan(run, [B, A]).segment
    assert (first.start_step, first.steps) == (0, (500 + 1500) // 10)
    assert first.part_names == [A.name, B.name]
    assert [(part.quota, part.base) for part in first.parts] == [(1, 0), (3, 0)]
    assert (first.schedule, first.lr, first.warmup_steps) == ("cosine", 2e-3, 20)


def test_segments_json_can_be_read_by_people_and_back(run):
    planned = plan(run, [A])
    text = (run.folder / "segments.json").read_text()
    assert '"start_step": 0' in text
    assert json.loads(text)["run"] == "r1"
    assert read_run(run.folder) == planned.run
    assert pickle.loads(pickle.dumps(planned)) == planned


def test_an_unfinished_segment_goes_on(run):
    planned = plan(run, [A], steps=50)
    for step in (10, 49):
        done(run, step)
        assert plan(run, [A], steps=50) == planned
        assert plan(run, [A]) == planned
    done(run, 50)
    assert plan(run, [A], steps=50) is None
    assert plan(run, [A], steps=20) is None
    assert plan(run, [A]) is None


def test_more_steps_over_the_same_parts(run):
    plan(run, [A, B], steps=50)
    done(run, 50)
    more = plan(run, [A, B], steps=80).segment
    assert (more.start_step, more.steps, more.schedule) == (50, 30, "rewarm")
    assert [part.quota for part in more.parts] == [1, 3]
    assert [part.base for part in more.parts] == [125, 375]
    done(run, 80)
    assert plan(run, [A, B], steps=80) is None


def test_new_parts_get_the_rest_beside_replay(run):
    plan(run, [A], steps=50)
    done(run, 50)
    grown = plan(run, [A, C, B])
    assert (grown.index, grown.segment.start_step, grown.segment.schedule) == (1, 50, "rewarm")
    shares = {part.name: part.quota for part in grown.segment.parts}
    total = sum(shares.values())
    assert shares[A.name] / total == pytest.approx(0.25, abs=0.002)
    assert shares[B.name] / total == pytest.approx(0.75 * 0.6, abs=0.002)
    assert shares[C.name] / total == pytest.approx(0.75 * 0.4, abs=0.002)
    assert [part.base for part in grown.segment.parts] == [500, 0, 0]
    assert grown.segment.steps == pytest.approx(2500 / 10 / 0.75, abs=2)  # one pass over the new ones
    assert grown.segment.lr == 2e-3


def test_growing_again_counts_steps_anew_and_replays_all_older_parts(run):
    plan(run, [A], steps=50)
    done(run, 50)
    plan(run, [A, B], steps=40, replay=0.5)
    done(run, 90)
    third = plan(run, [A, B, C], steps=30, replay=0.5).segment
    assert (third.start_step, third.steps) == (90, 30)
    assert [part.quota for part in third.parts] == [1, 3, 4]
    assert [part.base for part in third.parts] == [500 + 200, 200, 0]


def test_without_replay_old_parts_rest(run):
    plan(run, [A], steps=50)
    done(run, 50)
    grown = plan(run, [A, B], replay=0).segment
    assert [(part.quota, part.base) for part in grown.parts] == [(0, 500), (1, 0)]
    assert grown.steps == 150
    done(run, 200)
    assert [part.quota for part in plan(run, [A, B], steps=170).segment.parts] == [0, 1]


def test_new_parts_end_an_unfinished_segment_where_it_stands(run):
    plan(run, [A], steps=50)
    done(run, 20)
    grown = plan(run, [A, B])
    cut = grown.run.segments[0]
    assert (cut.start_step, cut.steps) == (0, 20)
    assert grown.segment.start_step == 20
    assert grown.segment.parts[0].base == 200


def test_a_segment_that_never_began_is_planned_anew(run):
    plan(run, [A], steps=50)
    grown = plan(run, [A, B])
    assert (grown.index, grown.segment.schedule, len(read_run(run.folder).segments)) == (0, "cosine", 1)


def test_other_settings_end_a_segment_and_do_the_rest(run):
    plan(run, [A], steps=50, lr=1e-3)
    done(run, 20)
    other = plan(run, [A], lr=5e-4).segment
    assert (other.start_step, other.steps, other.lr) == (20, 30, 5e-4)
    assert plan(run, [A], steps=50, lr=5e-4).segment == other
    assert plan(run, [A], steps=60, lr=5e-4).segment.end_step == 60


def test_a_lost_checkpoint_sends_the_run_back_into_an_earlier_segment(run):
    plan(run, [A], steps=50)
    done(run, 50)
    plan(run, [A, B], steps=40)
    done(run, 60)
    for name in ("step_00000060", "step_00000050"):
        (run.folder / "checkpoints" / name / "checkpoint.json").unlink()
    done(run, 30)
    assert plan(run, [A, B]).index == 0
    done(run, 50)
    assert plan(run, [A, B]).index == 1


def test_quotas_are_small_and_leave_nobody_out():
    assert quotas([10, 10, 20]) == [1, 1, 2]
    assert quotas([0, 7]) == [0, 1]
    assert min(quotas([1, 10**9])) == 1
    many = quotas(list(range(1, 101)))
    assert min(many) >= 1
    assert sum(many) <= 1100


def test_default_batch_fits_an_odd_sequence_length(tmp_path):
    odd = open_run(tmp_path / "odd", **{**MADE_WITH, "seq_len": 100})
    assert plan_segment(odd, [A]).segment.total_batch_size == 4000


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("size", "gpt2", "run r1 has size=nano, not size=gpt2: leave size as it is, or choose another name for a new run"),
        ("seq_len", 32, "run r1 has seq_len=16, not seq_len=32"),
        ("encoding", "gpt2", "run r1 has encoding=bytes, not encoding=gpt2"),
        ("vocabulary", "cd" * 32, "run r1 has vocabulary=abababababab…, not vocabulary=cdcdcdcdcdcd…"),
        ("seed", 7, "run r1 has seed=0, not seed=7"),
        ("size", "huge", "there is no model size 'huge'"),
        ("recipe", "moe", "there is no recipe 'moe'"),
    ],
)
def test_a_run_keeps_what_it_was_made_with(run, name, value, sentence):
    plan(run, [A])
    with pytest.raises(ValueError, match="^" + re.escape(sentence)):
        open_run(run.folder, **{**MADE_WITH, name: value})


@pytest.mark.parametrize(
    ("parts", "asked", "sentence"),
    [
        ([], {}, "there is no part with tokens to train run r1 on"),
        ([B], {}, "run r1 learned from part enwiki-p1p2, which is missing now"),
        ([replace(A, digest="ff" * 32)], {}, "part enwiki-p1p2 has other tokens (digest ffffffffffff) than those run r1 "
         "learned from (aaaaaaaaaaaa): restore them, or train a new run under another name"),
        ([A, replace(B, train_tokens=16)], {}, "part enwiki-p3p4 has 16 training tokens, too few for one sequence of 16 and"),
        ([A], {"steps": 0}, "steps=0 is no number of steps"),
        ([A], {"replay": 1}, "replay=1 is no share"),
        ([A], {"lr": 0}, "lr=0 is no learning rate"),
        ([A], {"warmup_steps": -1}, "warmup_steps=-1 is no number of steps"),
        ([A], {"schedule": "linear"}, "there is no schedule 'linear'"),
        ([A], {"total_batch_size": 100, "steps": 99}, "total_batch_size=100 tokens is no multiple of seq_len=16"),
        ([A], {"total_batch_size": 0, "steps": 99}, "total_batch_size=0 tokens is no multiple of seq_len=16"),
    ],
)  # fmt: skip
def test_requests_that_make_no_sense(run, parts, asked, sentence):
    plan(run, [A], steps=50)
    before = (run.folder / "segments.json").read_bytes()
    with pytest.raises(ValueError, match="^" + re.escape(sentence)):
        plan(run, parts, **asked)
    assert (run.folder / "segments.json").read_bytes() == before


def test_a_damaged_or_newer_segments_json(run):
    plan(run, [A])
    path = run.folder / "segments.json"
    body = json.loads(path.read_text())
    path.write_text(json.dumps({**body, "format": 2}))
    with pytest.raises(ValueError, match=r"segments\.json has format 2, this raywiki reads 1: upgrade raywiki"):
        read_run(run.folder)
    for text in ("{", "[]", json.dumps({**body, "config": {}})):
        path.write_text(text)
        with pytest.raises(ValueError, match=r"segments\.json is damaged"):
            read_run(run.folder)
