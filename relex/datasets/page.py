"""A description as one self-contained HTML page with charts and tables.

The page is built as an element tree, so that all text of the data files is escaped.
"""

from collections.abc import Iterable
from xml.etree.ElementTree import Element, SubElement, tostring

from relex.datasets.charts import bars, color, heat_map, outlines, shares
from relex.datasets.describe import CHARACTERS, TOKENS, Description
from relex.datasets.tables import Table, categories, detail_tables, main_tables
from relex.labels import NO_RELATION

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""Forbids loading and running anything, as a second protection besides escaping."""

STYLE = """
:root { color-scheme: light dark; --ink: #1c1c1c; --paper: #fff; --line: #ccc;
  --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #cc79a7; --c4: #b58900; --c5: #56b4e9; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e6e6; --paper: #16181c; --line: #444;
  --c0: #4aa8e0; --c1: #ff8c42; --c2: #2fc497; --c3: #e29cc3; --c4: #e6c34a; --c5: #8fd0f5; } }
body { color: var(--ink); background: var(--paper); margin: 2rem auto; padding: 0 1rem; max-width: 60rem;
  font: 15px/1.5 system-ui, "Noto Sans KR", "Noto Sans CJK KR", "Malgun Gothic", "Apple SD Gothic Neo", sans-serif; }
h2 { margin-top: 2.5rem; } h3 { font-size: 1rem; font-weight: 600; margin-bottom: .3rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid var(--line); padding: .2rem .8rem .2rem 0; text-align: left; font-weight: 400; }
thead th { font-weight: 600; }
svg { display: block; width: 100%; } svg text { fill: var(--ink); font-size: 11px; }
.file0 { color: var(--c0); } .file1 { color: var(--c1); } .file2 { color: var(--c2); }
.file3 { color: var(--c3); } .file4 { color: var(--c4); } .file5 { color: var(--c5); }
rect { fill: currentColor; } .outline { fill: currentColor; fill-opacity: .12; stroke: currentColor; }
.limit { stroke: var(--ink); stroke-dasharray: 4 3; }
.name { margin-right: 1.2rem; }
details { margin: .4rem 0; } summary { cursor: pointer; }
"""


def as_html(description: Description) -> str:
    """Render the whole page; its size does not depend on the number of rows."""
    html = Element("html", {"lang": "en"})
    title = "Data: " + ", ".join(file.name for file in description.files)
    _head(SubElement(html, "head"), title)
    body = SubElement(html, "body")
    SubElement(body, "h1").text = title
    for table in main_tables(description):
        SubElement(body, "h2").text = table.title
        _table(body, table)
    _labels(body, description)
    _type_pairs(body, description)
    _lengths(body, description)
    SubElement(body, "h2").text = "All figures"
    for table in detail_tables(description):
        details = SubElement(body, "details")
        SubElement(details, "summary").text = table.title
        _table(details, table)
    return "<!doctype html>\n" + tostring(html, encoding="unicode", method="html") + "\n"


def _head(head: Element, title: str) -> None:
    SubElement(head, "meta", {"charset": "utf-8"})
    SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": POLICY})
    SubElement(head, "meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"})
    SubElement(head, "title").text = title
    SubElement(head, "style").text = STYLE


def _labels(body: Element, description: Description) -> None:
    """Add the labels; no_relation has its own scale, because it would dwarf the others."""
    labels = {index: shares(file.labels) for index, file in enumerate(description.files) if file.labels}
    if not labels:
        return
    SubElement(body, "h2").text = "Labels, share of the labeled rows"
    _legend(body, description, labels)
    body.append(bars(NO_RELATION, [NO_RELATION], labels))
    SubElement(body, "h3").text = f"All others, on a larger scale than {NO_RELATION}"
    relations = [label for label in categories(labels.values()) if label != NO_RELATION]
    body.append(bars("Labels", relations, labels))


def _type_pairs(body: Element, description: Description) -> None:
    SubElement(body, "h2").text = "Subject type (rows) by object type (columns), % of the rows"
    strongest = max(max(shares(file.type_pairs).values()) for file in description.files)
    for index, file in enumerate(description.files):
        SubElement(body, "h3").text = file.name
        body.append(heat_map(file, index, strongest))


def _lengths(body: Element, description: Description) -> None:
    for scale in (CHARACTERS, TOKENS):
        series = {
            index: shares(file.distributions[scale.unit])
            for index, file in enumerate(description.files)
            if scale.unit in file.distributions
        }
        if series:
            SubElement(body, "h2").text = f"Sentence length in {scale.unit}"
            _legend(body, description, series)
            body.append(outlines(f"Sentence length in {scale.unit}", scale, series))


def _legend(body: Element, description: Description, shown: Iterable[int]) -> None:
    """Add a legend of colors and files."""
    key = SubElement(body, "p")
    for index in shown:
        SubElement(key, "span", {"class": color(index)}).text = "\N{BLACK SQUARE} "
        SubElement(key, "span", {"class": "name"}).text = description.files[index].name


def _table(parent: Element, table: Table) -> None:
    frame = SubElement(SubElement(parent, "div", {"class": "scroll"}), "table")
    head = SubElement(SubElement(frame, "thead"), "tr")
    for cell in table.head:
        SubElement(head, "th").text = cell
    body = SubElement(frame, "tbody")
    for name, *cells in table.rows:
        row = SubElement(body, "tr")
        SubElement(row, "th", {"scope": "row"}).text = name
        for cell in cells:
            SubElement(row, "td").text = cell
