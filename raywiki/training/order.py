"""The data order: which window of which part is sample i of a segment. Integer arithmetic only; the state is a step number.

A part of L training tokens is a ring (each document ends with end-of-text, so the last token may precede the first). In
epoch e it is cut into N = ceil(L / T) windows of T targets, at k·T + s for k = 0 … N-1, with s = hash(seed, part, e) mod T:
the cuts move from epoch to epoch, and each token is a target exactly once an epoch (the last window counts only the
targets that the others leave). Window order is a keyed permutation of 0 … N-1.

A segment mixes parts by quotas q, in rounds of R = Σq slots. Each round shuffles its slots; the j-th slot of part p in a
round takes the part's window number c = base + round·q + j, that is window perm(c mod N) of epoch c // N. `base` is where
earlier segments left the part, so adding parts repeats and skips nothing. Parts enter the hashes by name, never by rank.

A segment of the order "sequential" gives the same quotas of all its samples to one part after the other, by their ids: part p
has samples floor(S·Q(p-1) / R) … floor(S·Q(p) / R) - 1 of the S planned ones, Q being the running sum of the quotas, and the
j-th of them takes the window number base + j.

Sample i of a segment belongs to step start_step + i // B, where B = total_batch_size / T; of these, worker r of W takes
i ≡ r (mod W). So neither the number of workers nor the size of a micro-batch changes what a step learns from.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

import numpy as np

from raywiki.manifest import WIKI, part_order
from raywiki.training.schedule import decay_steps

Ints = np.ndarray  # of int64, except where a comment says uint64

_FEISTEL_ROUNDS = 6
_AT_ONCE = 1 << 12  # samples whose coordinates are made together: numpy's calls cost more than their work on a few
_GAMMA = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class PartTokens:
    """The tokens of one part as training knows them: identity and numbers.

    In a segment, `quota` is the part's share of a round, and `base` the number of its windows that were used before.
    `source` is what its text is from, by which a mixture is given (`manifest.source_of`).
    """

    name: str
    digest: str
    train_tokens: int
    val_tokens: int = 0
    quota: int = 0
    base: int = 0
    source: str = WIKI


@dataclass(frozen=True)
class Segment:
    """A stretch of training over one fixed set of parts: all that the order and the learning rate depend on.

    Steps `start_step` … `start_step + steps - 1` of the run belong to it. A segment that starts before the end of the one
    before goes on from that one's `trunk_step`: the steps of the decay are a branch of their own, which ends with its
    segment, and their numbers are given again. `total_batch_size` is in tokens; `lr` is the peak,
    `lr_from` the rate at which the warm-up begins (None: the schedule's own, in runs of raywiki before that was recorded).
    `replay` and `epochs` are what the parts' quotas and the steps were made from, where they were. `resting` are parts that
    the run knows and this segment leaves alone. A segment that was cut short keeps the `planned_steps` that its learning
    rate, and a sequential order, were laid out for. `order` is one of `options.ORDERS`, "mixed" in older runs. `mix`
    gives the shares of the sources that the quotas keep, where they were asked for (`quotas.parse_mix`).
    """

    start_step: int
    steps: int
    seq_len: int
    total_batch_size: int
    seed: int
    schedule: str
    lr: float
    warmup_steps: int
    parts: tuple[PartTokens, ...]
    lr_from: float | None = None
    replay: float | None = None
    epochs: float | None = None
    resting: tuple[PartTokens, ...] = ()
    planned_steps: int | None = None
    order: str = "mixed"
    mix: str | None = None

    @property
    def end_step(self) -> int:
        return self.start_step + self.steps

    @property
    def trunk_step(self) -> int:
        """The step before the decay begins, from which the run can always grow; `end_step` where nothing decays."""
        planned = self.planned_steps or self.steps
        stable = planned - decay_steps(self.schedule, planned)
        return self.start_step + min(self.steps, stable or self.steps)  # a single step is all decay

    @property
    def sequences_per_step(self) -> int:
        return self.total_batch_size // self.seq_len

    @property
    def part_names(self) -> list[str]:
        return [part.name for part in self.parts]

    @property
    def sequence(self) -> list[int]:
        """Indices of the parts in the order of their ids, in which a sequential segment reads them."""
        return sorted(range(len(self.parts)), key=lambda index: part_order(self.parts[index].name))

    @property
    def known(self) -> dict[str, PartTokens]:
        """All parts that the run has learned from by the end of this segment, by name."""
        return {part.name: part for part in (*self.resting, *self.parts)}


@dataclass(frozen=True)
class Samples:
    """Coordinates of n samples, an int64 array of shape (n,) for each field.

    `part` is an index into the segment's parts; the sample is tokens `start` … `start + seq_len` of that part's ring, and
    only its first `n_targets` targets count.
    """

    part: Ints
    epoch: Ints
    window: Ints
    start: Ints
    n_targets: Ints

    def __len__(self) -> int:
        return len(self.part)

    def __getitem__(self, rows: slice) -> Samples:
        return Samples(self.part[rows], self.epoch[rows], self.window[rows], self.start[rows], self.n_targets[rows])


def n_windows(tokens: int, seq_len: int) -> int:
    """Windows of one epoch over a part: ceil(tokens / seq_len)."""
    return -(-tokens // seq_len)


def step_samples(segment: Segment, step: int, rank: int = 0, workers: int = 1) -> Samples:
    """What worker `rank` of `workers` reads in a step of the run, in order."""
    assert segment.start_step <= step < segment.end_step, (step, segment)
    size, index = segment.sequences_per_step, step - segment.start_step
    steps = max(1, _AT_ONCE // size)
    first = index % steps * size
    return _steps(segment, index // steps * steps, steps)[first + rank : first + size : workers]


@lru_cache(maxsize=2)
def _steps(segment: Segment, first: int, steps: int) -> Samples:
    """The samples of so many steps from the segment's step `first`, fewer at its end."""
    size, last = segment.sequences_per_step, min(first + steps, segment.steps)
    return samples(segment, np.arange(first * size, last * size, dtype=np.int64))


def samples(segment: Segment, positions: Ints) -> Samples:
    """Coordinates of the samples at these positions (0 is the segment's first), at a cost that no position changes."""
    part, counter = _counters(segment, positions)
    tokens = np.array([each.train_tokens for each in segment.parts], dtype=np.int64)[part]
    windows = -(-tokens // segment.seq_len)
    epoch = counter // windows
    # Python makes one key for each part and epoch that occur, numpy does the rest for all samples at once.
    distinct, row = np.unique(np.stack([part, epoch]), axis=1, return_inverse=True)
    identities = [(segment.seed, segment.parts[p].name, int(e)) for p, e in distinct.T]
    keys = np.array([hash64(*identity) for identity in identities], dtype=np.uint64)
    shifts = np.array([hash64(*identity, "shift") % segment.seq_len for identity in identities], dtype=np.int64)
    window = permute(counter % windows, windows, keys[row])
    start = (window * segment.seq_len + shifts[row]) % tokens
    return Samples(part, epoch, window, start, np.minimum(segment.seq_len, tokens - window * segment.seq_len))


def closing_counters(segment: Segment, step: int | None = None) -> dict[str, int]:
    """Windows of each known part that are used when the segment has ended, or stands at `step`: the bases of the next one."""
    steps = segment.steps if step is None else step - segment.start_step
    taken = _taken(segment, steps * segment.sequences_per_step)
    used = {p.name: p.base + int(n) for p, n in zip(segment.parts, taken, strict=True)}
    return {**{p.name: p.base for p in segment.resting}, **used}


def order_digest(segment: Segment, first_step: int, last_step: int, limit: int = 1024) -> str:
    """SHA-256 (hex) of the samples of steps `first_step` … `last_step - 1`: of all, or of the first and last `limit`."""
    assert segment.start_step <= first_step <= last_step <= segment.end_step
    size = segment.sequences_per_step
    first, last = ((step - segment.start_step) * size for step in (first_step, last_step))
    if last - first <= 2 * limit:
        positions = np.arange(first, last, dtype=np.int64)
    else:
        positions = np.concatenate([np.arange(first, first + limit), np.arange(last - limit, last)]).astype(np.int64)
    names = np.array([hash64(part.name) for part in segment.parts], dtype=np.uint64)
    found = samples(segment, positions)
    rows = np.stack([names[found.part].view(np.int64), found.epoch, found.start, found.n_targets], axis=1)
    return hashlib.sha256(np.ascontiguousarray(rows, dtype="<i8").tobytes()).hexdigest()


def permute(index: Ints, n: Ints, key: np.ndarray) -> Ints:
    """For each row, the value at `index` of a permutation of 0 … n-1 that `key` (uint64) chooses. Arrays of one shape.

    A Feistel network over the smallest 4^h >= n values, applied again to what falls outside 0 … n-1 ("cycle walking",
    Black and Rogaway 2002), which takes at most four passes on average. Its round function is `splitmix64`.
    """
    bits = np.frexp((n - 1).astype(np.float64))[1]  # bit length: exact below 2^53
    half = np.maximum(1, (bits + 1) // 2).astype(np.uint64)
    mask = (np.uint64(1) << half) - np.uint64(1)
    round_keys = [splitmix64(key + each) for each in np.arange(_FEISTEL_ROUNDS, dtype=np.uint64) * _GAMMA]
    values = index.astype(np.uint64)
    outside = np.arange(len(values))
    while outside.size:
        low, shift = mask[outside], half[outside]
        left, right = values[outside] >> shift, values[outside] & low
        for each in round_keys:
            left, right = right, left ^ (splitmix64(right ^ each[outside]) & low)
        values[outside] = left << shift | right
        outside = outside[values[outside] >= n[outside].astype(np.uint64)]
    return values.astype(np.int64)


def splitmix64(x: np.ndarray) -> np.ndarray:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014) on an array of uint64."""
    x = x + _GAMMA
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _taken(segment: Segment, count: int) -> Ints:
    """How many of the first `count` samples each part gives."""
    if segment.order == "sequential":
        starts, ends = _stretches(segment)
        return np.clip(count - starts, 0, ends - starts)
    quotas = np.array([part.quota for part in segment.parts], dtype=np.int64)
    length = int(quotas.sum())
    rounds, rest = divmod(count, length)
    last, _ = _counters(segment, np.arange(rounds * length, rounds * length + rest, dtype=np.int64))
    return rounds * quotas + np.bincount(last, minlength=len(quotas))


def _stretches(segment: Segment) -> tuple[Ints, Ints]:
    """The first sample of each part in a sequential segment, and the one after its last, arrays of shape (parts,)."""
    planned, order = (segment.planned_steps or segment.steps) * segment.sequences_per_step, segment.sequence
    running = list(accumulate((segment.parts[index].quota for index in order), initial=0))
    bounds = [planned * each // running[-1] for each in running]  # Python's integers: the products may pass 2^63
    starts, ends = np.empty(len(order), np.int64), np.empty(len(order), np.int64)
    starts[order], ends[order] = bounds[:-1], bounds[1:]
    return starts, ends


def _counters(segment: Segment, positions: Ints) -> tuple[Ints, Ints]:
    """Part index and window counter of each position."""
    bases = np.array([part.base for part in segment.parts], dtype=np.int64)
    if segment.order == "sequential":
        (starts, ends), order = _stretches(segment), np.array(segment.sequence, dtype=np.int64)
        part = order[np.searchsorted(ends[order], positions, side="right")]
        return part, bases[part] + positions - starts[part]
    quotas = np.array([part.quota for part in segment.parts], dtype=np.int64)
    length = int(quotas.sum())
    rounds, slot = np.divmod(positions, length)
    numbers, row = np.unique(rounds, return_inverse=True)
    parts, ranks = _rounds(segment.seed, segment.start_step, tuple(quotas.tolist()), tuple(numbers.tolist()))
    part, rank = parts[row, slot], ranks[row, slot]
    return part, bases[part] + rounds * quotas[part] + rank


@lru_cache(maxsize=16)
def _rounds(seed: int, start_step: int, quotas: tuple[int, ...], numbers: tuple[int, ...]) -> tuple[Ints, Ints]:
    """For each slot of these rounds: the part, and how many slots of that part came before it in the round.

    Arrays of shape (rounds, slots of a round). Ranks count in order of appearance, so that a segment may end within a round:
    what it used of a part is always the first so many windows, and the next segment goes on from there. A long round (one
    with a part of very few windows) is made once for the many steps that it lasts.
    """
    length = sum(quotas)
    key = np.uint64(hash64(seed, "round", start_step))
    row_keys = splitmix64(key ^ splitmix64(np.array(numbers, dtype=np.uint64)))
    keys = splitmix64(row_keys[:, None] + np.arange(length, dtype=np.uint64) * _GAMMA)
    slots = np.argsort(keys, axis=1, kind="stable")
    parts = np.repeat(np.arange(len(quotas), dtype=np.int64), quotas)[slots]
    starts = np.cumsum(quotas) - np.array(quotas)
    ranks = np.empty_like(parts)
    in_order = np.argsort(parts, axis=1, kind="stable")
    np.put_along_axis(ranks, in_order, np.arange(length, dtype=np.int64)[None] - np.repeat(starts, quotas)[None], axis=1)
    return parts, ranks


def hash64(*values: int | str) -> int:
    """64 bits that stand for these values, the same on every machine and in every version."""
    text = "\x1f".join(str(value) for value in values)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
