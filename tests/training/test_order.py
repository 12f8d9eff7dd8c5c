from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raywiki.training.options import ORDERS
from raywiki.training.order import (
    PartTokens,
    Segment,
    closing_counters,
    n_windows,
    order_digest,
    permute,
    samples,
    splitmix64,
    step_samples,
)


def make_segment(sizes, quotas, steps=20, seq_len=8, sequences=6, seed=1, bases=None, start_step=0, **more) -> Segment:
    bases = bases or [0] * len(sizes)
    parts = tuple(
        PartTokens(f"part-{i}", "", size, 0, quota, base)
        for i, (size, quota, base) in enumerate(zip(sizes, quotas, bases, strict=True))
    )
    return Segment(start_step, steps, seq_len, seq_len * sequences, seed, "cosine", 1e-3, 1, parts, **more)


def all_samples(segment: Segment):
    return samples(segment, np.arange(segment.steps * segment.sequences_per_step))


def permuted(n: int, key: int) -> np.ndarray:
    return permute(np.arange(n), np.full(n, n), np.full(n, key, np.uint64))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3000), st.integers(0, 2**64 - 1))
def test_permutation_is_a_bijection(n, key):
    assert sorted(permuted(n, key)) == list(range(n))


def test_permutation_of_many_does_not_look_sorted():
    n = 100_000
    first, second = permuted(n, 1), permuted(n, 2)
    assert len(np.unique(first)) == n
    assert abs(np.corrcoef(np.arange(n), first)[0, 1]) < 0.02
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.02
    assert (first == second).sum() < 20
    assert abs(np.mean(np.abs(np.diff(first))) / (n / 3) - 1) < 0.02  # neighbours are as far apart as chance has it


def test_permutation_of_few_reaches_every_order_about_equally_often():
    orders = [tuple(permuted(4, key)) for key in range(4800)]
    counts = [orders.count(order) for order in set(orders)]
    assert len(counts) == 24
    assert min(counts) > 120
    assert max(counts) < 280  # 200 ± 5.7 deviations


def test_the_order_never_changes_between_versions():
    """Checkpoints of months ago lean on these numbers. If this fails, the order changed: do not update, repair."""
    assert splitmix64(np.zeros(1, np.uint64)) == 0xE220A8397B1DCDAF  # first output of SplitMix64 from state 0
    assert permuted(10, 12345).tolist() == [0, 8, 1, 9, 3, 6, 2, 4, 5, 7]
    segment = make_segment([100, 300], [1, 3])
    assert order_digest(segment, 0, 20) == "2c8d2ded8eab5185341a6b7b85266641fbc03b4fefb568feab2cfd7016a9660a"


def test_steps_that_are_made_together_are_those_of_the_segment():
    """Also where a segment begins late, and at its end, where fewer are left than are made at once."""
    for sequences in (1, 6, 5000):
        segment = make_segment([100, 300, 40], [2, 5, 1], steps=13, sequences=sequences, start_step=7)
        whole = all_samples(segment)
        read = [step_samples(segment, step) for step in range(7, 20)]
        for name in ("part", "epoch", "window", "start", "n_targets"):
            assert np.concatenate([getattr(each, name) for each in read]).tolist() == getattr(whole, name).tolist()


@settings(max_examples=40, deadline=None)
@given(st.integers(9, 400), st.integers(1, 8), st.integers(0, 5))
def test_every_token_is_a_target_once_an_epoch(tokens, seq_len, epoch):
    windows = n_windows(tokens, seq_len)
    segment = make_segment([tokens], [1], seq_len=seq_len, sequences=1, steps=(epoch + 1) * windows)
    found = samples(segment, np.arange(epoch * windows, (epoch + 1) * windows))
    assert set(found.epoch) == {epoch}
    targets = np.concatenate(
        [(start + np.arange(1, n + 1)) % tokens for start, n in zip(found.start, found.n_targets, strict=True)]
    )
    assert sorted(targets) == list(range(tokens))


def test_cuts_move_from_epoch_to_epoch():
    segment = make_segment([1000], [1], seq_len=50, sequences=20, steps=8)
    found = all_samples(segment)
    shifts = {int(found.start[found.epoch == epoch].min() % 50) for epoch in range(8)}
    assert len(shifts) > 4


@pytest.mark.parametrize("workers", [1, 2, 3, 6])
@pytest.mark.parametrize("batch_size", [1, 2])
def test_workers_and_micro_batches_change_nothing(workers, batch_size):
    segment = make_segment([100, 300, 40], [2, 5, 1])
    for step in (0, 7, 19):
        whole = step_samples(segment, step)
        read = []
        for rank in range(workers):
            mine = step_samples(segment, step, rank, workers)
            cut = [mine[first : first + batch_size] for first in range(0, len(mine), batch_size)]
            assert sum(len(each) for each in cut) == 6 // workers
            read += [(int(p), int(s)) for each in cut for p, s in zip(each.part, each.start, strict=True)]
        assert sorted(read) == sorted(zip(whole.part.tolist(), whole.start.tolist(), strict=True))


def test_seeking_gives_what_walking_gives():
    segment = make_segment([100, 300, 40], [2, 5, 1], steps=500)
    walked = all_samples(segment)
    for step in (0, 1, 123, 499):
        sought = step_samples(segment, step)
        for name in ("part", "epoch", "window", "start", "n_targets"):
            assert getattr(sought, name).tolist() == getattr(walked, name)[step * 6 : step * 6 + 6].tolist()


def test_each_round_holds_the_quotas_in_another_order():
    segment = make_segment([100, 300, 40], [2, 5, 1], steps=80)
    rounds = all_samples(segment).part.reshape(-1, 8)
    assert {tuple(np.bincount(each, minlength=3)) for each in rounds} == {(2, 5, 1)}
    assert len({tuple(each) for each in rounds}) > 20


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(9, 200), min_size=1, max_size=4), st.lists(st.integers(1, 17), min_size=3, max_size=3), st.data())
def test_growing_repeats_and_skips_nothing(sizes, lengths, data):
    """Over any segments, the windows a part has given are the first so many of its own endless sequence."""
    bases, start, used = {}, 0, {}
    for steps in lengths:
        known = sizes[: data.draw(st.integers(1, len(sizes)))]
        quotas = data.draw(st.lists(st.integers(1, 5), min_size=len(known), max_size=len(known)))
        names = [f"part-{i}" for i in range(len(known))]
        bases_now, order = [bases.get(name, 0) for name in names], data.draw(st.sampled_from(sorted(ORDERS)))
        segment = make_segment(known, quotas, steps=steps, bases=bases_now, start_step=start, order=order)
        if data.draw(st.booleans()):  # it is left before its end, by a cut or for what comes after its trunk
            segment = replace(segment, steps=data.draw(st.integers(1, steps)), planned_steps=steps)
        found = all_samples(segment)
        for index, epoch, window in zip(found.part, found.epoch, found.window, strict=True):
            used.setdefault(names[index], []).append((int(epoch), int(window)))
        bases |= closing_counters(segment)
        start = segment.end_step
    for name, seen in used.items():
        size = sizes[int(name.removeprefix("part-"))]
        alone = Segment(0, len(seen), 8, 8, 1, "cosine", 1e-3, 1, (PartTokens(name, "", size, 0, 1),))
        own = all_samples(alone)
        assert sorted(seen) == sorted(zip(own.epoch.tolist(), own.window.tolist(), strict=True))
        assert bases[name] == len(seen)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=5).filter(any), st.integers(1, 20), st.data())
def test_a_sequential_segment_reads_part_after_part(quotas, steps, data):
    """Each part in one stretch, as long as its share says, in the order of ids; wherever it is left, the counters know."""
    bases = data.draw(st.lists(st.integers(0, 99), min_size=len(quotas), max_size=len(quotas)))
    parts = tuple(
        PartTokens(f"xwiki-p{7 - i}00p{i}", "", 90, 0, q, b) for i, (q, b) in enumerate(zip(quotas, bases, strict=True))
    )
    segment = replace(make_segment([9], [1], steps=steps, start_step=5, order="sequential"), parts=parts)
    found = all_samples(segment)
    assert found.part.tolist() == sorted(found.part.tolist(), reverse=True)  # the last one has the lowest id
    counts = np.bincount(found.part, minlength=len(parts))
    assert np.abs(counts - len(found) * np.array(quotas) / sum(quotas)).max() < 1
    step = data.draw(st.integers(5, 5 + steps))
    so_far = np.bincount(found.part[: (step - 5) * 6], minlength=len(parts))
    expected = {part.name: part.base + int(n) for part, n in zip(parts, so_far, strict=True)}
    assert closing_counters(segment, step) == expected
    assert closing_counters(replace(segment, steps=step - 5, planned_steps=steps)) == expected


def test_ids_are_ordered_by_their_numbers():
    parts = tuple(PartTokens(name, "", 90, 0, 1) for name in ("xwiki-p11p20", "xwiki-p100p200", "xwiki-p2p10"))
    segment = replace(make_segment([9], [1], steps=5, order="sequential"), parts=parts)
    assert all_samples(segment).part.tolist() == [2] * 10 + [0] * 10 + [1] * 10


def test_a_long_sequential_segment_overflows_nothing():
    segment = make_segment([100, 300], [1, 65_535], steps=10**12, sequences=1024, order="sequential")
    last = samples(segment, np.array([10**12 * 1024 - 1]))
    assert last.part.tolist() == [1]
    assert sum(closing_counters(segment).values()) == 10**12 * 1024


def test_a_part_of_no_share_keeps_its_counter():
    segment = make_segment([100, 300], [0, 1], bases=[7, 0])
    assert set(all_samples(segment).part) == {1}
    assert closing_counters(segment) == {"part-0": 7, "part-1": 120}


def test_order_depends_on_seed_and_name_but_not_on_rank_or_digest():
    segment = make_segment([200], [1])
    assert order_digest(replace(segment, seed=2), 0, 20) != order_digest(segment, 0, 20)
    renamed = replace(segment, parts=(replace(segment.parts[0], name="other"),))
    assert all_samples(renamed).window.tolist() != all_samples(segment).window.tolist()
    moved = replace(segment, parts=(PartTokens("first", "", 50), replace(segment.parts[0], digest="ff")))
    assert order_digest(moved, 0, 20) == order_digest(segment, 0, 20)


def test_digest_tells_apart_and_samples_long_ranges():
    segment = make_segment([5000], [1], steps=1000)
    assert order_digest(segment, 0, 10) != order_digest(segment, 0, 11)
    assert order_digest(segment, 0, 1000, limit=5) != order_digest(segment, 1, 1000, limit=5)
    assert order_digest(segment, 0, 1000, limit=5) != order_digest(segment, 0, 999, limit=5)
