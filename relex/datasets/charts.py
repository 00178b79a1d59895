"""Pictures of a description as SVG elements: bars, heat maps, outlines of lengths.

Elements are built, never pasted together as text, so that nothing in a data file can become markup. Colours are
classes (`file0`, `file1` ...) that the page defines for light and for dark screens.
"""

from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element, SubElement

from relex.datasets.describe import Counts, FileDescription, Scale

WIDTH = 720
NAMES = 240
"""Room for the names at the left of bars."""
BAR = 12
COLOURS = 6
CELL = 64
PLOT_HEIGHT = 180
FLOOR = PLOT_HEIGHT + 16
MARGIN = 36
STRONGEST = 0.7
"""Opacity of a heat map's fullest cell; its figure must stay readable."""

Shares = Mapping[str, float]
"""Share of rows by category, between 0 and 1."""


def colour(index: int) -> str:
    """The class of the file at this place; colours repeat after the sixth file."""
    return f"file{index % COLOURS}"


def shares(counts: Counts) -> Shares:
    """Counts as shares of their sum."""
    total = sum(counts.values())
    return {category: count / total for category, count in counts.items()}


def bars(title: str, categories: Sequence[str], series: Mapping[int, Shares]) -> Element:
    """A group of bars a category, one bar a file, the longest as long as there is room.

    Args:
        title: what is shown, for those who cannot see it.
        categories: from top to bottom.
        series: shares by the file's place in the description.
    """
    step = BAR * len(series) + 8
    svg = _svg(title, WIDTH, step * len(categories))
    longest = max((found.get(name, 0.0) for name in categories for found in series.values()), default=0.0)
    scale = (WIDTH - NAMES - 60) / (longest or 1.0)
    for row, name in enumerate(categories):
        _text(svg, NAMES - 8, row * step + step / 2, name, "end")
        for line, (index, found) in enumerate(series.items()):
            share = found.get(name, 0.0)
            top = row * step + 4 + line * BAR
            _rect(svg, (NAMES, top, share * scale, BAR - 1), {"class": colour(index)})
            _text(svg, NAMES + share * scale + 4, top + BAR - 3, f"{100 * share:.1f} %", "start")
    return svg


def heat_map(file: FileDescription, index: int, strongest: float) -> Element:
    """Subject types as rows, object types as columns, the share of the rows in each cell.

    Args:
        file: whose type pairs are shown.
        index: its place in the description.
        strongest: the share that is painted darkest, the same for all files so that they compare.
    """
    rows, columns = sorted(file.subject_types), sorted(file.object_types)
    found = shares(file.type_pairs)
    svg = _svg(f"Type pairs of {file.name}", CELL * (len(columns) + 1), 28 + 28 * len(rows))
    for column, object_type in enumerate(columns):
        _text(svg, CELL * (column + 1.5), 18, object_type, "middle")
    for row, subject_type in enumerate(rows):
        top = 28 + 28 * row
        _text(svg, CELL - 8, top + 18, subject_type, "end")
        for column, object_type in enumerate(columns):
            share = found.get(f"{subject_type}-{object_type}", 0.0)
            look = {"class": colour(index), "fill-opacity": f"{STRONGEST * share / strongest:.3f}"}
            _rect(svg, (CELL * (column + 1), top, CELL - 2, 26), look)
            _text(svg, CELL * (column + 1.5) - 1, top + 18, f"{100 * share:.1f}", "middle")
    return svg


def outlines(title: str, scale: Scale, series: Mapping[int, Shares]) -> Element:
    """Histograms of lengths laid over each other, one outline a file, with the scale's limits as dashed lines.

    Args:
        title: what is shown, for those who cannot see it.
        scale: of the lengths; all series hold all its bins.
        series: shares by bin, by the file's place in the description.
    """
    svg = _svg(title, WIDTH, FLOOR + MARGIN)
    step = (WIDTH - 2 * MARGIN) / (scale.end // scale.width + 1)
    highest = max(max(found.values()) for found in series.values())
    _text(svg, MARGIN, 10, f"{100 * highest:.1f} % of the rows", "start")
    _axis(svg, scale, step)
    for index, found in series.items():
        heights = [FLOOR - PLOT_HEIGHT * share / highest for share in found.values()]
        points = [(MARGIN, FLOOR), *_steps(heights, step), (WIDTH - MARGIN, FLOOR)]
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        SubElement(svg, "polygon", {"points": joined, "class": f"outline {colour(index)}"})
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
    """Both upper corners of every bin."""
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
