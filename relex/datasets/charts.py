"""Charts of a description as SVG elements: bars, heat maps and histograms of lengths.

Elements are built as a tree, not as text, so that nothing in a data file can become markup. Colors are classes
(`file0`, `file1` ...) that the page defines for light and dark screens.
"""

from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element, SubElement

from relex.datasets.describe import Counts, FileDescription, Scale

WIDTH = 720
NAMES = 240
"""Width of the names at the left of bars."""
BAR = 12
COLORS = 6
CELL = 64
PLOT_HEIGHT = 180
FLOOR = PLOT_HEIGHT + 16
MARGIN = 36
MAX_OPACITY = 0.7
"""Opacity of the darkest cell of a heat map; its number must stay readable."""

Shares = Mapping[str, float]
"""Share of rows by category, between 0 and 1."""


def color(index: int) -> str:
    """Return the class of the file at this index; colors repeat after the sixth file."""
    return f"file{index % COLORS}"


def shares(counts: Counts) -> Shares:
    """Convert counts to shares of their sum."""
    total = sum(counts.values())
    return {category: count / total for category, count in counts.items()}


def bars(title: str, categories: Sequence[str], series: Mapping[int, Shares]) -> Element:
    """Draw a group of bars for each category, with one bar per file; the longest bar fills the width.

    Args:
        title: description for screen readers.
        categories: names of the groups from top to bottom.
        series: shares by the file's index in the description.
    """
    step = BAR * len(series) + 8
    svg = _svg(title, WIDTH, step * len(categories))
    longest = max((values.get(name, 0.0) for name in categories for values in series.values()), default=0.0)
    scale = (WIDTH - NAMES - 60) / (longest or 1.0)
    for row, name in enumerate(categories):
        _text(svg, NAMES - 8, row * step + step / 2, name, "end")
        for line, (index, values) in enumerate(series.items()):
            share = values.get(name, 0.0)
            top = row * step + 4 + line * BAR
            _rect(svg, (NAMES, top, share * scale, BAR - 1), {"class": color(index)})
            _text(svg, NAMES + share * scale + 4, top + BAR - 3, f"{100 * share:.1f}%", "start")
    return svg


def heat_map(file: FileDescription, index: int, strongest: float) -> Element:
    """Draw the share of rows of each type pair: subject types as rows, object types as columns.

    Args:
        file: the file whose type pairs are shown.
        index: the file's index in the description.
        strongest: the share with the darkest color, the same for all files so that they can be compared.
    """
    rows, columns = sorted(file.subject_types), sorted(file.object_types)
    pair_shares = shares(file.type_pairs)
    svg = _svg(f"Type pairs of {file.name}", CELL * (len(columns) + 1), 28 + 28 * len(rows))
    for column, object_type in enumerate(columns):
        _text(svg, CELL * (column + 1.5), 18, object_type, "middle")
    for row, subject_type in enumerate(rows):
        top = 28 + 28 * row
        _text(svg, CELL - 8, top + 18, subject_type, "end")
        for column, object_type in enumerate(columns):
            share = pair_shares.get(f"{subject_type}-{object_type}", 0.0)
            look = {"class": color(index), "fill-opacity": f"{MAX_OPACITY * share / strongest:.3f}"}
            _rect(svg, (CELL * (column + 1), top, CELL - 2, 26), look)
            _text(svg, CELL * (column + 1.5) - 1, top + 18, f"{100 * share:.1f}", "middle")
    return svg


def outlines(title: str, scale: Scale, series: Mapping[int, Shares]) -> Element:
    """Draw overlaid histograms of lengths, one outline per file, with the scale's limits as dashed lines.

    Args:
        title: description for screen readers.
        scale: the scale of the lengths; every series has all its bins.
        series: shares by bin, by the file's index in the description.
    """
    svg = _svg(title, WIDTH, FLOOR + MARGIN)
    step = (WIDTH - 2 * MARGIN) / (scale.end // scale.width + 1)
    highest = max(max(values.values()) for values in series.values())
    _text(svg, MARGIN, 10, f"{100 * highest:.1f}% of the rows", "start")
    _axis(svg, scale, step)
    for index, values in series.items():
        heights = [FLOOR - PLOT_HEIGHT * share / highest for share in values.values()]
        points = [(MARGIN, FLOOR), *_steps(heights, step), (WIDTH - MARGIN, FLOOR)]
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        SubElement(svg, "polygon", {"points": joined, "class": f"outline {color(index)}"})
    return svg


def _axis(svg: Element, scale: Scale, step: float) -> None:
    for bin_ in range(0, scale.end // scale.width + 1, 4):
        _text(svg, MARGIN + bin_ * step, FLOOR + 16, str(bin_ * scale.width), "middle")
    _text(svg, WIDTH - MARGIN, FLOOR + 32, f"{scale.unit} (the last bin holds all from {scale.end})", "end")
    for limit in scale.limits:
        across = MARGIN + limit / scale.width * step
        place = f"{across:.1f}"
        SubElement(svg, "line", {"x1": place, "x2": place, "y1": "16", "y2": str(FLOOR), "class": "limit"})
        _text(svg, across, 10, str(limit), "middle")


def _steps(heights: Sequence[float], step: float) -> list[tuple[float, float]]:
    """Return both upper corners of every bin."""
    return [(MARGIN + (bin_ + side) * step, height) for bin_, height in enumerate(heights) for side in (0, 1)]


def _svg(title: str, width: float, height: float) -> Element:
    look = {"viewBox": f"0 0 {width:g} {height:g}", "role": "img", "aria-label": title}
    return Element("svg", look | {"style": f"max-width: {width:g}px"})


def _rect(svg: Element, box: tuple[float, float, float, float], look: dict[str, str]) -> None:
    place = {name: f"{value:.1f}" for name, value in zip(("x", "y", "width", "height"), box, strict=True)}
    SubElement(svg, "rect", place | look)


def _text(svg: Element, x: float, y: float, words: str, anchor: str) -> None:
    place = {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor}
    SubElement(svg, "text", place).text = words
