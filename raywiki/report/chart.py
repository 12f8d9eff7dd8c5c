"""Charts as numbers: where lines, marks and ticks lie in a drawing of so many units. The template makes SVG of them.

No plotting library: its drawings carry their own colours and fonts, and these here take those of the page, dark or light.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT = 760, 380
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 26, 48  # margins, for the labels
FRAME = {"width": WIDTH, "height": HEIGHT, "left": LEFT, "right": WIDTH - RIGHT, "top": TOP, "bottom": HEIGHT - BOTTOM}
POINTS = 1000  # of a curve, at most: more than there are pixels
SKIP = 0.05  # of the tokens: there a loss is far above all that follows
MARKED = 40  # points of a line that are marked one by one, at most
# The palette of Okabe and Ito (jfly.uni-koeln.de/color, 2008) without its yellow, which white paper swallows, and with the
# colour of the text; the template names them c0 … c6. With four kinds of dashes, 28 lines differ.
COLOURS, DASHES = 7, ("", "7 3", "2 3", "9 3 2 3")


@dataclass(frozen=True)
class Curve:
    """A line of a chart. `number` chooses its colour and dashes; None: the grey of what is behind the others.

    `is_aside` draws it thin. Curves of one name have one place in the legend.
    """

    name: str
    points: Points
    number: int | None = None
    is_aside: bool = False


@dataclass(frozen=True)
class Chart:
    """What the template draws: lines and ticks in units of the drawing, from its upper left corner."""

    title: str
    description: str
    x_label: str
    y_label: str
    lines: tuple[dict[str, Any], ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    borders: tuple[tuple[float, str], ...]
    legend: tuple[dict[str, Any], ...]


def line_chart(
    title: str, curves: Sequence[Curve], borders: Sequence[tuple[float, str]], *, y_label: str, description: str,
    skip: float = SKIP,
) -> Chart:  # fmt: skip
    """Loss over tokens.

    Args:
        title, description: what a reader hears who does not see it.
        curves: y over tokens; drawn in their order, thinned.
        borders: vertical lines at so many tokens, each with its label.
        y_label: what y is, with its unit.
        skip: share of the tokens, from the first on, whose values do not stretch the y axis.
    """
    shown = [(curve, thinned(curve.points)) for curve in curves if curve.points]
    last = max((x for _, points in shown for x, _ in points), default=1.0)
    factor, word = magnitude(last)
    kept = [y for _, points in shown for x, y in points if x >= skip * last] or [0.0]
    margin = 0.04 * (max(kept) - min(kept)) or 0.5
    low, high = min(kept) - margin, max(kept) + margin

    def place(x: float, y: float) -> tuple[float, float]:
        right, down = x / (1.01 * (last or 1)), (high - y) / (high - low)
        return round(LEFT + right * (WIDTH - LEFT - RIGHT), 1), round(TOP + down * (HEIGHT - TOP - BOTTOM), 1)

    lines = [_line(curve, [place(*point) for point in points]) for curve, points in shown]
    return Chart(
        title,
        description,
        f"tokens learned from{f' ({word})' if word else ''}",
        y_label,
        tuple(lines),
        tuple((place(x * factor, low)[0], label) for x, label in ticks(0, last / factor)),
        tuple((place(0, y)[1], label) for y, label in ticks(low, high)),
        tuple((place(x, low)[0], label) for x, label in borders),
        tuple({line["name"]: line for line in lines[::-1]}.values())[::-1],
    )


def thinned(points: Points, most: int = POINTS) -> Points:
    """At most so many points of a curve: its ends, and the lowest and the highest of each of stretches of equal length.

    >>> thinned([(0, 5.0), (1, 9.0), (2, 1.0), (3, 4.0), (4, 3.0), (5, 2.0), (6, 2.5)], most=4)
    [(0, 5.0), (1, 9.0), (2, 1.0), (6, 2.5)]
    """
    if len(points) <= most:
        return list(points)
    values = np.array([y for _, y in points])
    stretches = np.array_split(np.arange(1, len(points) - 1), max(1, most // 2 - 1))
    kept = {0, len(points) - 1}
    for rows in stretches:
        kept |= {int(rows[values[rows].argmin()]), int(rows[values[rows].argmax()])}
    return [points[row] for row in sorted(kept)]


def ticks(low: float, high: float, about: int = 6) -> list[tuple[float, str]]:
    """Round numbers from low to high, 1, 2 or 5 times a power of ten apart, each with its label.

    >>> ticks(0, 0.65)
    [(0.0, '0.0'), (0.2, '0.2'), (0.4, '0.4'), (0.6, '0.6')]
    >>> [label for _, label in ticks(4.4, 8.3)]
    ['5', '6', '7', '8']
    """
    least = (high - low) / about
    if least <= 0:
        return []
    power = 10 ** math.floor(math.log10(least))
    apart = next(power * times for times in (1, 2, 5, 10) if power * times >= least * 0.999)
    digits = max(0, -math.floor(math.log10(apart * 1.001)))
    numbers = range(math.ceil(low / apart - 1e-9), math.floor(high / apart + 1e-9) + 1)
    return [(round(number * apart, 12), f"{number * apart:,.{digits}f}") for number in numbers]


def magnitude(largest: float) -> tuple[float, str]:
    """What numbers up to this are divided by to be short, and its name.

    >>> magnitude(655_360), magnitude(2e6), magnitude(12)
    ((1000.0, 'thousands'), (1000000.0, 'millions'), (1.0, ''))
    """
    for factor, word in ((1e9, "billions"), (1e6, "millions"), (1e3, "thousands")):
        if largest >= factor:
            return factor, word
    return 1.0, ""


def _line(curve: Curve, places: Points) -> dict[str, Any]:
    number = curve.number
    return {
        "name": curve.name,
        "points": " ".join(f"{x:g},{y:g}" for x, y in places),
        "dots": places if number is not None and not curve.is_aside and len(places) <= MARKED else [],
        "colour": "grey" if number is None else f"c{number % COLOURS}",
        "dashes": "" if number is None else DASHES[number % len(DASHES)],
        "is_aside": curve.is_aside,
    }
