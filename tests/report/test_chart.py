"""Charts: curves of any length in a few points, round ticks, and lines that differ without their colours."""

from __future__ import annotations

import math

import numpy as np
import pytest

from raywiki.report.chart import BOTTOM, HEIGHT, LEFT, TOP, WIDTH, Curve, line_chart, thinned, ticks

CHANCE = np.random.default_rng(0)


@pytest.mark.parametrize("count", [0, 1, 2, 999, 1000, 1001, 1500, 100_000])
def test_thinned_keeps_ends_and_extremes_in_order(count):
    points = list(enumerate(CHANCE.normal(size=count).tolist()))
    found = thinned(points)
    assert len(found) == count if count <= 1000 else 500 < len(found) <= 1000
    assert found == sorted(found)
    assert set(found) <= set(points)
    if count:
        assert {points[0], points[-1]} <= set(found)
        for extreme in (min, max):
            assert extreme(points, key=lambda point: point[1]) in found


def test_a_spike_of_one_step_is_seen_wherever_it_is():
    flat = [(float(step), 4.0) for step in range(20_000)]
    for at in (1, 777, 10_000, 19_998):
        points = [*flat[:at], (float(at), 9.0), *flat[at + 1 :]]
        assert (float(at), 9.0) in thinned(points)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (4.4, 8.3), (0, 0.0007), (2.51, 2.53), (0, 27_000), (-3, 12.5)])
def test_ticks_are_round_and_within(low, high):
    found = ticks(low, high)
    assert 3 <= len(found) <= 8
    assert all(low - 1e-9 <= value <= high + 1e-9 for value, _ in found)
    assert all(math.isclose(float(label.replace(",", "")), value, abs_tol=1e-12) for value, label in found)
    assert len({label for _, label in found}) == len(found)


def test_28_lines_differ_by_colour_and_dashes():
    curves = [Curve(f"p{number}", [(0, 1.0), (9, 2.0)], number) for number in range(28)]
    chart = line_chart("t", curves, [], y_label="y", description="d")
    assert len({(line["colour"], line["dashes"]) for line in chart.lines}) == 28
    assert len({line["dashes"] for line in chart.lines[:4]}) == 4, "neighbours differ without colours"


def test_points_lie_where_the_axes_say():
    curve = Curve("p", [(0.0, 9.0), (500.0, 3.0), (1000.0, 1.0)], 0)
    chart = line_chart("t", [curve], [(500.0, "2")], y_label="y", description="d")
    places = [tuple(map(float, point.split(","))) for point in chart.lines[0]["points"].split()]
    assert places[0][0] == LEFT
    assert places[0][1] < TOP, "the first steps may lie above the edge, which cuts them off"
    assert all(TOP <= y <= HEIGHT - BOTTOM and x < WIDTH for x, y in places[1:])
    assert chart.borders == ((places[1][0], "2"),)
    of_label = {label: y for y, label in chart.y_ticks}
    assert of_label["3.0"] == pytest.approx(places[1][1], abs=0.1)
    assert chart.x_label == "tokens learned from (thousands)"


def test_curves_that_are_flat_or_empty_are_drawn():
    chart = line_chart("t", [Curve("p", [(5.0, 4.0)], 0), Curve("q", [], 1)], [], y_label="y", description="d")
    assert [line["name"] for line in chart.lines] == ["p"]
    assert line_chart("t", [], [], y_label="y", description="d").lines == ()
