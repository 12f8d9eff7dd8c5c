"""How parts share a segment: integers that a round of the order is made of, and the mixture of sources that a user asks for."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

SMALLEST_ROUND, LONGEST_ROUND = 1 << 10, 1 << 16  # slots
SHARE_ERROR = 0.1  # of a part's share, when quotas round it
_SHARE = re.compile(r"\s*(\w[\w.-]*)\s*=\s*(\d+\.?\d*(?:e-?\d+)?|\.\d+)\s*")


def quotas(weights: Sequence[float]) -> list[int]:
    """Integers in proportion to the weights: 0 for weight 0, else at least 1.

    Their sum, the length of a round, is about 1,024, or so much more that no share is off by more than a tenth: a part of
    a hundredth of a percent makes it 65,536, the longest.

    >>> quotas([500, 1500]), quotas([1, 0, 100_000])
    ([1, 3], [1, 0, 65535])
    """
    total, length = sum(weights), _round_length(weights)
    shares = [max(1, round(length * weight / total)) if weight else 0 for weight in weights]
    return _smallest(shares)


def mixed_quotas(windows: Sequence[float], sources: Sequence[str], mix: Mapping[str, float]) -> list[int]:
    """Quotas of parts whose sources have the shares of a mixture, which are off by less than a slot of the round.

    Args:
        windows: a weight for each part, which says how its source's share is divided among the parts of that source.
        sources: of the parts.
        mix: see `parse_mix`; it names each of these sources.

    >>> mixed_quotas([300, 100, 5000], ["wiki", "wiki", "c4"], {"wiki": 0.8, "c4": 0.2})
    [614, 205, 205]
    """
    of_source = {source: sum(w for w, own in zip(windows, sources, strict=True) if own == source) for source in mix}
    weights = [mix[source] * weight / of_source[source] for weight, source in zip(windows, sources, strict=True)]
    length = _round_length(weights)
    shares = [0] * len(weights)
    for source, share in mix.items():
        parts = [number for number, own in enumerate(sources) if own == source and weights[number]]
        divided = _divide(max(len(parts), round(length * share)), [weights[number] for number in parts])
        for number, slots in zip(parts, divided, strict=True):
            shares[number] = slots
    return _smallest(shares)


def parse_mix(text: str) -> dict[str, float]:
    """The share of each source that a text asks for, in the order of their names; together they are 1.

    Raises:
        ValueError: the text says no such shares.

    >>> parse_mix("wiki=0.8,c4=0.2"), parse_mix("wiki=3, c4=1")
    ({'c4': 0.2, 'wiki': 0.8}, {'c4': 0.25, 'wiki': 0.75})
    """
    found = [_SHARE.fullmatch(piece) for piece in text.split(",")]
    shares = {match[1]: float(match[2]) for match in found if match}
    if len(shares) < len(found) or not all(0 < share < math.inf for share in shares.values()):
        raise ValueError(
            f"mix={text!r} gives no share to each source: write one above 0 for each, once, such as wiki=0.8,c4=0.2"
        )
    total = sum(shares.values())
    return {source: shares[source] / total for source in sorted(shares)}


def mix_text(text: str) -> str:
    """A mixture as a run keeps it, one text for all ways to write it.

    >>> mix_text("wiki=4,c4=1"), mix_text("c4=0.2,wiki=0.8")
    ('c4=0.2,wiki=0.8', 'c4=0.2,wiki=0.8')
    """
    return ",".join(f"{source}={share:g}" for source, share in parse_mix(text).items())


def require_shares(mix: str, sources: Sequence[str]) -> dict[str, float]:
    """The shares of a mixture over these sources. Raises ValueError when it leaves one out, or names one that is not there."""
    shares, there = parse_mix(mix), dict.fromkeys(sources)
    for source in there:
        if source not in shares:
            raise ValueError(
                f"mix {mix} has no share for the source {source}: give it one (--mix …,{source}=0.1), or leave its parts out "
                "by naming the others (--parts)"
            )
    for source in shares:
        if source not in there:
            raise ValueError(
                f"mix {mix} names the source {source}, of which no part is trained on: they are {', '.join(there)}"
            )
    return shares


def _round_length(weights: Sequence[float]) -> int:
    """Slots of a round in which no weight above 0 is off by more than a tenth, if there is one that short."""
    total, length = sum(weights), SMALLEST_ROUND
    smallest = min(weight for weight in weights if weight) / total
    while length < LONGEST_ROUND and abs(max(1, round(length * smallest)) / (length * smallest) - 1) > SHARE_ERROR:
        length *= 2
    return length


def _divide(slots: int, weights: Sequence[float]) -> list[int]:
    """So many slots in proportion to the weights, at least one for each, by largest remainders."""
    exact = [(slots - len(weights)) * weight / sum(weights) for weight in weights]
    whole = [1 + math.floor(each) for each in exact]
    by_rest = sorted(range(len(weights)), key=lambda number: math.floor(exact[number]) - exact[number])
    for number in by_rest[: slots - sum(whole)]:
        whole[number] += 1
    return whole


def _smallest(shares: Sequence[int]) -> list[int]:
    divisor = math.gcd(*shares)
    return [share // divisor for share in shares]
