from __future__ import annotations

import json
import pickle
import re
from dataclasses import replace

import pytest
from training_corner import MADE_WITH

from raywiki.training.checkpoint import save_checkpoint
from raywiki.training.config import Pieces, default_lr
from raywiki.training.describe import plan_lines
from raywiki.training.order import PartTokens, closing_counters
from raywiki.training.plan import chosen_parts, default_batch, default_epochs, plan_segment, quotas, require_parts, segment_rate
from raywiki.training.runs import check_same, open_run, read_run, write_run

A = PartTokens("enwiki-p1p2", "aa" * 32, 8000, 100)
B = PartTokens("enwiki-p3p4", "bb" * 32, 24000, 100)
C = PartTokens("enwiki-p5p6", "cc" * 32, 16000, 100)


@pytest.fixture
def run(tmp_path):
    return open_run(tmp_path / "runs" / "r1", **MADE_WITH)


def plan(run, parts, **asked):
    """Plan as a command does, and write it down as its training would. Without another word a new run has "cosine"."""
    run = read_run(run.folder) or run
    first = {} if run.segments else {"schedule": "cosine"}
    planned = plan_segment(run, parts, **{"total_batch_size": 160, **first, **asked})
    if planned is not None:
        write_run(planned.run)
    return planned


def done(run, step, segment=None):
    """A checkpoint of that step, of the first segment that has it: what tells planning how far the run is."""
    segments = read_run(run.folder).segments
    index = next(n for n, each in enumerate(segments) if step <= each.end_step) if segment is None else segment
    save_checkpoint(run.folder / "checkpoints", step, {}, {"segment": index}, keep=9)


def test_a_new_run_takes_the_sizes_shape_and_writes_nothing_yet(run):
    assert not run.folder.exists()
    config = run.config
    assert (config.size, config.recipe, config.n_layer, config.seq_len, config.seed) == ("nano", "classic", 4, 16, 0)
    assert open_run(run.folder, **{**MADE_WITH, "seq_len": None, "size": "gpt2"}).config.seq_len == 1024


def test_a_recipe_has_its_pieces_its_learning_rate_and_its_count_of_weights(tmp_path):
    modern = open_run(tmp_path / "m", **MADE_WITH, recipe="modern,no_muon,no_rope")
    assert modern.config.recipe == "modern,no_rope,no_muon"
    assert modern.config.model.pieces == Pieces(rope=False, muon=False)
    planned = plan(modern, [A])
    assert planned.segment.lr == default_lr("nano", "modern")
    assert (
        "recipe modern,no_rope,no_muon: " + f"{modern.config.model.n_params:,} weights"
        in plan_lines(planned, 1, "cpu", None)[0]
    )
    again = open_run(tmp_path / "m", **MADE_WITH, recipe="modern,no_rope,no_muon")
    assert again.config == modern.config
    check_same(again, {"recipe": "modern,no_muon,no_rope"})
    with pytest.raises(ValueError, match="run m has recipe=modern,no_rope,no_muon, not recipe=modern"):
        open_run(tmp_path / "m", **MADE_WITH, recipe="modern")


def test_planning_writes_nothing(run):
    plan_segment(run, [A, B], steps=50)
    assert not run.folder.exists()


def test_the_first_segment_shares_itself_out_by_tokens(run):
    first = plan(run, [B, A], epochs=1).segment
    assert (first.start_step, first.steps) == (0, (500 + 1500) // 10)
    assert first.part_names == [A.name, B.name]
    assert [(part.quota, part.base) for part in first.parts] == [(1, 0), (3, 0)]
    assert (first.schedule, first.lr, first.lr_from, first.warmup_steps) == ("cosine", 2e-3, 0, 20)
    assert (first.replay, first.epochs) == (None, 1)


def test_segments_json_can_be_read_by_people_and_back(run):
    planned = plan(run, [A])
    text = (run.folder / "segments.json").read_text()
    assert '"start_step": 0' in text
    assert json.loads(text)["run"] == "r1"
    assert read_run(run.folder) == planned.run
    assert pickle.loads(pickle.dumps(planned)) == planned
    assert planned.made_from is None


def test_an_unfinished_segment_goes_on(run):
    planned = plan(run, [A], steps=50)
    for step in (10, 49):
        done(run, step)
        for same in ({"steps": 50}, {"until_step": 50}, {"more_steps": 50}, {}):
            goes_on = plan(run, [A], **same)
            assert (goes_on.run, goes_on.index) == (planned.run, planned.index)
    done(run, 50)
    assert plan(run, [A], steps=50) is None
    assert plan(run, [A], steps=20) is None
    assert plan(run, [A]) is None


def test_more_steps_over_the_same_parts(run):
    plan(run, [A, B], steps=50)
    done(run, 50)
    more = plan(run, [A, B], steps=80).segment
    assert (more.start_step, more.steps, more.schedule) == (50, 30, "rewarm")
    assert more.lr_from == pytest.approx(2e-4)
    assert [part.quota for part in more.parts] == [1, 3]
    assert [part.base for part in more.parts] == [125, 375]
    done(run, 80)
    assert plan(run, [A, B], steps=80) is None


def test_new_parts_get_the_rest_beside_replay(run):
    plan(run, [A], steps=50)
    done(run, 50)
    grown = plan(run, [A, C, B], epochs=1)
    assert (grown.index, grown.segment.start_step, grown.segment.schedule) == (1, 50, "rewarm")
    shares = {part.name: part.quota for part in grown.segment.parts}
    total = sum(shares.values())
    assert shares[A.name] / total == pytest.approx(0.25, abs=0.002)
    assert shares[B.name] / total == pytest.approx(0.75 * 0.6, abs=0.002)
    assert shares[C.name] / total == pytest.approx(0.75 * 0.4, abs=0.002)
    assert [part.base for part in grown.segment.parts] == [500, 0, 0]
    assert grown.segment.steps == pytest.approx(2500 / 10 / 0.75, abs=2)  # one pass over the new ones
    assert grown.segment.lr == 2e-3
    assert (grown.segment.replay, grown.segment.lr_from) == (0.25, pytest.approx(2e-4))


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
    grown = plan(run, [A, B], replay=0, epochs=1).segment
    assert [(part.quota, part.base) for part in grown.parts] == [(0, 500), (1, 0)]
    assert grown.steps == 150
    done(run, 200)
    assert [part.quota for part in plan(run, [A, B], steps=170).segment.parts] == [0, 1]


def test_an_unfinished_segment_is_finished_before_new_parts_come(run):
    first = plan(run, [A], steps=50)
    for step in (0, 20):
        if step:
            done(run, step)
        finish = plan(run, [A, B], steps=40)
        assert (finish.index, finish.run) == (0, first.run)
        assert "was interrupted" in finish.notes[0]
        assert "--unfinished cut" in finish.notes[0]
    done(run, 50)
    grown = plan(run, [A, B], steps=40)
    assert (grown.index, grown.segment.start_step, grown.segment.steps) == (1, 50, 40)
    assert grown.notes == ()


def test_it_is_cut_when_one_asks_for_that(run):
    plan(run, [A], steps=50)
    done(run, 20)
    grown = plan(run, [A, B], unfinished="cut")
    cut = grown.run.segments[0]
    assert (cut.start_step, cut.steps, cut.planned_steps) == (0, 20, 50)
    assert grown.segment.start_step == 20
    assert grown.segment.parts[0].base == 200
    assert "ends at step 20 of 50" in grown.notes[0]
    assert grown.segment.lr_from == segment_rate(cut, 19) > 1e-3  # a cut segment has not come down to its end


def test_a_segment_that_never_began_is_cut_to_nothing(run):
    plan(run, [A], steps=50)
    grown = plan(run, [A, B], unfinished="cut")
    assert (grown.index, grown.segment.schedule, len(read_run(run.folder).segments)) == (0, "wsd", 1)


def test_other_settings_end_a_segment_and_do_the_rest(run):
    plan(run, [A], steps=50, lr=1e-3)
    done(run, 20)
    changed = plan(run, [A], lr=5e-4)
    other = changed.segment
    assert (other.start_step, other.steps, other.lr) == (20, 30, 5e-4)
    assert "other settings" in changed.notes[0]
    assert plan(run, [A], steps=50, lr=5e-4).segment == other
    assert plan(run, [A], steps=60, lr=5e-4).segment.end_step == 60


def test_the_order_belongs_to_the_segment_and_is_inherited(run):
    first = plan(run, [A, B], steps=50, order="sequential")
    assert first.segment.order == "sequential"
    [line] = [line for line in plan_lines(first, 1, "cpu", None) if "one after the other" in line]
    assert line.endswith("the last steps learn from enwiki-p3p4 alone")
    assert plan(run, [A, B]).run == first.run
    done(run, 20)
    mixed = plan(run, [A, B], order="mixed")
    assert (mixed.segment.order, mixed.segment.start_step, mixed.segment.steps) == ("mixed", 20, 30)
    assert [part.base for part in mixed.segment.parts] == [125, 75]
    assert not [line for line in plan_lines(mixed, 1, "cpu", None) if "one after the other" in line]
    done(run, 50)
    again = plan(run, [A, B, C], steps=10, order="sequential")
    assert [part.base for part in again.segment.parts] == [200, 300, 0]
    done(run, 60)
    assert plan(run, [A, B, C], more_steps=5).segment.order == "sequential"


def test_a_run_of_before_there_were_orders_is_mixed(run):
    planned = plan(run, [A, B])
    path = run.folder / "segments.json"
    body = json.loads(path.read_text())
    assert body["segments"][0].pop("order") == "mixed"
    path.write_text(json.dumps(body))
    assert read_run(run.folder) == planned.run


def test_another_replay_is_another_mixture(run):
    plan(run, [A], steps=50)
    done(run, 50)
    first = plan(run, [A, B], steps=40, replay=0.5).segment
    done(run, 60)
    assert plan(run, [A, B], steps=40, replay=0.5).segment == first
    other = plan(run, [A, B], steps=40, replay=0.1).segment
    assert (other.start_step, other.steps, other.replay) == (60, 30, 0.1)
    assert other.parts[0].quota / sum(part.quota for part in other.parts) == pytest.approx(0.1, abs=0.002)
    done(run, 90)
    assert plan(run, [A, B], steps=60).segment.replay == 0.1  # the mixture stays


@pytest.mark.parametrize(("schedule", "later"), [("cosine", "rewarm"), ("wsd", "rewarm"), ("constant", "constant")])
def test_the_schedule_is_inherited_and_begins_where_the_rate_had_ended(run, schedule, later):
    first = plan(run, [A], steps=50, schedule=schedule).segment
    assert segment_rate(first, 0) < first.lr / 2  # each warms up in a new run
    done(run, 50)
    grown = plan(run, [A, B], steps=40).segment
    assert grown.schedule == later
    ended = segment_rate(first, 49)
    assert grown.lr_from == ended
    assert abs(segment_rate(grown, 50) - ended) <= (grown.lr - ended) / grown.warmup_steps + 1e-12


def test_a_run_that_grew_from_its_trunk_goes_on_doing_so_and_one_without_a_decay_needs_no_warm_up(run):
    plan(run, [A], steps=50, schedule="wsd")
    done(run, 30)
    cut = plan(run, [A], steps=50, lr=1e-4).segment
    assert (cut.start_step, cut.schedule) == (30, "wsd")  # the rate had not gone down
    done(run, cut.trunk_step)
    done(run, 50)
    assert plan_segment(read_run(run.folder), [A, B], steps=30).segment.schedule == "rewarm"
    grown = plan(run, [A, B], steps=30, schedule="wsd").segment
    assert grown.start_step == cut.trunk_step < 50
    done(run, grown.trunk_step, 2)
    done(run, grown.end_step, 2)
    again = plan(run, [A, B, C], steps=30).segment
    assert (again.schedule, again.start_step) == ("wsd", grown.trunk_step)


def test_lengths_that_nobody_misreads(run):
    assert plan(run, [A], until_step=30).segment.end_step == 30
    done(run, 30)
    assert plan(run, [A], until_step=30) is None
    more = plan(run, [A], more_steps=7).segment
    assert (more.start_step, more.end_step) == (30, 37)
    done(run, 33)
    assert plan(run, [A], more_steps=7).segment == more
    done(run, 37)
    assert plan(run, [A], more_steps=7).segment.end_step == 44


def test_epochs_count_passes_over_the_new_parts(run):
    assert plan(run, [A], epochs=2).segment.steps == 100
    done(run, 100)
    assert plan(run, [A], epochs=2) is None
    assert plan(run, [A], epochs=3).segment.steps == 50
    done(run, 150)
    grown = plan(run, [A, B], epochs=2, replay=0.5).segment
    assert grown.steps == 2 * 150 * 2
    done(run, 150 + 600)
    assert plan(run, [A, B], epochs=2) is None
    assert plan(run, [A, B]) is None


def test_defaults_come_from_the_number_of_tokens(run):
    first = plan_segment(run, [A]).segment
    assert first.epochs == 4  # far fewer than 20 tokens a weight
    assert first.total_batch_size in (16 * 2**n for n in range(9))
    gpt2 = open_run(run.folder, **{**MADE_WITH, "vocab_size": 50257, "seq_len": None, "size": "gpt2"}).config
    english_part = 100_000_000
    assert default_epochs(gpt2, english_part) == 4
    batch = default_batch(gpt2, 4 * english_part)
    assert batch == 1 << 17
    assert 2000 < 4 * english_part / batch < 5000  # not the 200 steps of half a million tokens in one pass
    assert default_epochs(gpt2, 27 * english_part) == 1
    assert default_batch(gpt2, 10**12) == 1 << 19


def test_training_on_some_parts_only(run):
    plan(run, [A, B], steps=40)
    done(run, 40)
    some = plan(run, chosen_parts(run, [A, B, C], [C.name]), steps=10).segment
    assert some.part_names == [C.name]
    assert {part.name: part.base for part in some.resting} == closing_counters(read_run(run.folder).segments[0])
    done(run, 50)
    whole = plan(run, [A, B, C], steps=10).segment
    assert {part.name: part.base for part in whole.parts} == {A.name: 100, B.name: 300, C.name: 100}


def test_a_part_that_is_gone_rests_when_one_names_the_others(run):
    plan(run, [A, B], steps=40)
    done(run, 40)
    grown = read_run(run.folder)
    with pytest.raises(ValueError, match=f"learned from part {A.name}, which has no tokens now: .*--parts {B.name}"):
        chosen_parts(grown, [B])
    with pytest.raises(ValueError, match=f"no part 'nothing' with tokens: the parts are {B.name}"):
        chosen_parts(grown, [B], ["nothing"])
    left = chosen_parts(grown, [B], [B.name])
    assert plan(run, left) is None  # it has seen that part; how much more is for its owner to say
    assert plan(run, left, more_steps=5).segment.end_step == 45


def test_an_unfinished_segment_whose_part_is_gone_says_how_to_go_on(run):
    plan(run, [A, B], steps=40)
    done(run, 20)
    left = chosen_parts(read_run(run.folder), [B], [B.name])
    with pytest.raises(ValueError, match=rf"shall learn from part {A.name}, which has no tokens now: .*--unfinished cut"):
        require_parts(plan(run, left), [B.name])
    cut = plan(run, left, unfinished="cut", more_steps=5)
    require_parts(cut, [B.name])
    assert cut.segment.part_names == [B.name]


def test_other_tokens_begin_anew_when_their_owner_says_so(run):
    plan(run, [A, B], steps=40)
    done(run, 40)
    changed = replace(A, digest="ff" * 32, train_tokens=9000)
    grown = plan(run, [changed, B], accept_new_tokens=True, epochs=1)
    by_name = {part.name: part for part in grown.segment.parts}
    assert (by_name[A.name].digest, by_name[A.name].base, by_name[B.name].base) == ("ff" * 32, 0, 300)
    assert f"other tokens than before in {A.name}" in grown.notes[0]
    done(run, grown.segment.end_step)
    assert plan(run, [changed, B]) is None  # from now on these are the run's tokens


def test_a_lost_checkpoint_sends_the_run_back_into_an_earlier_segment(run):
    plan(run, [A], steps=50)
    done(run, 50)
    plan(run, [A, B], steps=40)
    done(run, 60)
    for name in ("step_00000060.segment_1", "step_00000050"):
        (run.folder / "checkpoints" / name / "checkpoint.json").unlink()
    done(run, 30)
    assert plan(run, [A, B]).index == 0
    done(run, 50)
    assert plan(run, [A, B]).index == 1


def test_quotas_leave_nobody_out_and_are_off_by_a_tenth_at_most():
    assert quotas([10, 10, 20]) == [1, 1, 2]
    assert quotas([0, 7]) == [0, 1]
    assert min(quotas([1, 10**9])) == 1
    rare, _ = shares = quotas([1, 9_999])  # a hundredth of a percent
    assert rare / sum(shares) == pytest.approx(1e-4, rel=0.1)
    many = quotas(list(range(1, 101)))
    assert [share / sum(many) * 5050 for share in many] == pytest.approx(range(1, 101), rel=0.1)
    assert sum(many) < 1 << 15


def test_default_batch_fits_an_odd_sequence_length(tmp_path):
    odd = open_run(tmp_path / "odd", **{**MADE_WITH, "seq_len": 100})
    assert plan_segment(odd, [A]).segment.total_batch_size % 100 == 0


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
        ("recipe", "modern,no_rope", "run r1 has recipe=classic, not recipe=modern,no_rope"),
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
        ([replace(A, digest="ff" * 32)], {}, "part enwiki-p1p2 has other tokens (digest ffffffffffff) than those run r1 "
         "learned from (aaaaaaaaaaaa): go on with the new ones by --accept-new-tokens, restore the old ones, or train a new"),
        ([A, replace(B, train_tokens=16)], {}, "part enwiki-p3p4 has 16 training tokens, too few for one sequence of 16 and"),
        ([A], {"steps": 0}, "steps=0 is no number of steps"),
        ([A], {"more_steps": -1}, "more_steps=-1 is no number of steps"),
        ([A], {"steps": 5, "epochs": 2}, "steps and epochs both say how long to train"),
        ([A], {"epochs": 0}, "epochs=0 is no number of passes"),
        ([A], {"unfinished": "forget"}, "unfinished='forget' is unknown: choose finish or cut"),
        ([A], {"lr": 3e4}, "lr=30000 is no learning rate: give a number above 0 and at most 1"),
        ([A], {"replay": 1}, "replay=1 is no share"),
        ([A], {"order": "random"}, "there is no order 'random': choose mixed or sequential"),
        ([A], {"lr": 0}, "lr=0 is no learning rate"),
        ([A], {"warmup_steps": -1}, "warmup_steps=-1 is no number of steps"),
        ([A], {"schedule": "linear"}, "there is no schedule 'linear'"),
        ([A], {"total_batch_size": 100, "steps": 99}, "total_batch_size=100 tokens is no multiple of seq_len=16"),
        ([A], {"total_batch_size": 0, "steps": 99}, "total_batch_size=0 makes no sense"),
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
