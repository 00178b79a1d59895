"""Lengths, strengths and heights in the pictures are the shares that they stand for."""

import pytest

from relex.datasets.charts import COLORS, MAX_OPACITY, PLOT_HEIGHT, bars, color, heat_map, outlines, shares
from relex.datasets.describe import TOKENS, describe, measure
from tests.factories import example


def words(svg):
    return [element.text for element in svg.iter("text")]


def test_bars_are_as_long_as_their_shares():
    svg = bars("Labels", ["a", "b"], {0: {"a": 0.5, "b": 0.25}, 2: {"a": 0.1}})
    first, second, third, fourth = (float(rect.get("width")) for rect in svg.iter("rect"))
    assert first > 300
    assert second == pytest.approx(first / 5, abs=0.1)
    assert third == pytest.approx(first / 2, abs=0.1)
    assert fourth == 0
    assert [rect.get("class") for rect in svg.iter("rect")] == ["file0", "file2"] * 2
    assert words(svg) == ["a", "50.0%", "10.0%", "b", "25.0%", "0.0%"]


def test_cells_are_as_strong_as_their_shares():
    file = describe({"a.csv": [example(row) for row in range(3)]}).files[0]
    svg = heat_map(file, 1, strongest=2.0)
    (cell,) = svg.iter("rect")
    assert float(cell.get("fill-opacity")) == pytest.approx(MAX_OPACITY / 2)
    assert cell.get("class") == "file1"
    assert words(svg) == ["PER", "ORG", "100.0"]


def test_outlines_are_as_high_as_their_shares():
    series = {0: shares(measure([1, 1, 1, 40], TOKENS).histogram), 1: shares(measure([300, 1], TOKENS).histogram)}
    svg = outlines("Tokens", TOKENS, series)
    first, second = (
        [tuple(map(float, point.split(","))) for point in polygon.get("points").split()]
        for polygon in svg.iter("polygon")
    )
    bottom = first[0][1]
    # Two corners a bin, after the one on the floor: bins 0, 2 and the last.
    assert bottom - first[1][1] == bottom - first[2][1] == PLOT_HEIGHT
    assert bottom - first[5][1] == pytest.approx(PLOT_HEIGHT / 3)
    assert bottom - second[1][1] == bottom - second[-2][1] == pytest.approx(PLOT_HEIGHT * 0.5 / 0.75)
    assert first[-2][1] == first[-1][1] == bottom
    assert {"75.0% of the rows", "128", "160"} <= set(words(svg))
    lines = [float(line.get("x1")) for line in svg.iter("line")]
    assert lines == pytest.approx([first[1 + 2 * 8][0], first[1 + 2 * 10][0]], abs=0.1)  # 128 / 16, 160 / 16


def test_colours_repeat():
    assert [color(0), color(COLORS - 1), color(COLORS)] == ["file0", "file5", "file0"]
