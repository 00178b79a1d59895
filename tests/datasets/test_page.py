"""The report and the page: the figures stand in them, the page is whole, safe and small."""

from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from relex.datasets.describe import describe
from relex.datasets.page import as_html
from relex.datasets.tables import CATEGORIES_SHOWN, as_text
from relex.labels import RELATIONS
from tests.factories import example

VOID = {"meta"}
HOSTILE = "유월 <script>alert(\"1\")</script> & '둘'.csv"


class Page(HTMLParser):
    """Fails on a tag that is not closed in its place; collects tags, attributes and text."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.attributes, self.texts = [], Counter(), [], []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture
def files():
    """Two labeled files with one rare label, and one without labels, whose object types differ."""
    train = [example(row, RELATIONS[min(row % 40, 28)]) for row in range(399)]
    train.append(example(399, RELATIONS[29]))
    train.append(replace(train[5], id="twice", label="no_relation"))
    june = [replace(item, label=None, object=replace(item.object, type="POH")) for item in train[:60]]
    return {"train.csv": train, "valid.csv": train[100:], "june.csv": june}


@pytest.fixture
def tokens(files):
    return {name: [20 + row for row in range(len(examples))] for name, examples in files.items()}


def line(report, name):
    """The cells of the first line that begins with this name."""
    (found, *_) = [line for line in report.splitlines() if line.strip().startswith(name)]
    return found.strip().removeprefix(name).split()


def test_the_report_says_the_figures(files, tokens):
    report = as_text(describe(files, tokens))
    assert line(report, "rows ") == ["401", "301", "60"]
    assert line(report, "rows with a label") == ["401", "301", "0"]
    assert line(report, "share of no_relation") == ["2.7%", "2.7%", "-"]
    assert line(report, "tokens: rows above 128") == ["292", "(72.8%)", "192", "(63.8%)", "0", "(0.0%)"]
    assert line(report, "tokens: longest") == ["420", "320", "79"]
    assert line(report, "rows that repeat sentence and entities") == ["1", "0", "0"]
    assert line(report, "type pair")[:2] == ["0.000", "stable"]
    assert line(report, "type pair")[-2:] == ["large", "shift"]
    assert line(report, "label  ")[-1] == "-"
    assert line(report, "train.csv  id-5, twice")[-1] == "no_relation"
    assert line(report, "labels below 1%")[3:] == ["1", "1", "-"]
    assert "Labels by type pair in train.csv" in report
    assert "Labels by type pair in valid.csv" in report
    assert "Labels by type pair in june.csv" not in report


def test_columns_of_the_report_are_aligned(files):
    table = as_text(describe(files)).split("\n\n")[0].splitlines()
    place = table[1].index("valid.csv")
    assert len(table) == 14
    assert all(line[place - 1] == " " != line[place] for line in table[1:])


def test_the_page_shows_pictures_and_tables(files, tokens):
    page = Page(as_html(describe(files, tokens)))
    assert page.tags["svg"] == 2 + 3 + 2  # labels, type pairs a file, characters and tokens
    assert page.tags["polygon"] == 6
    keys = [text for text, before in zip(page.texts[1:], page.texts, strict=False) if "\N{BLACK SQUARE}" in before]
    assert keys == ["train.csv", "valid.csv"] + 2 * list(files)
    assert page.tags["rect"] == 2 * 30 + 1 + 1 + 1  # bars of two labeled files, one cell a heat map
    assert page.tags["table"] == 4 + page.tags["details"]
    assert {"no_relation", "per:religion", "ORG", "POH", "128", "160"} <= set(page.texts)
    assert any(text.endswith("large shift") for text in page.texts)


def test_the_page_needs_nothing_else(files, tokens):
    html = as_html(describe(files, tokens))
    assert html.startswith("<!doctype html>\n<html")
    assert "prefers-color-scheme: dark" in html
    page = Page(html)
    assert {"script", "link", "img", "iframe", "object"}.isdisjoint(page.tags)
    assert {"src", "href", "srcset"}.isdisjoint(name for name, _ in page.attributes)
    assert not any(word in html for word in ("://", "url(", "@import"))


def test_text_of_the_files_is_escaped(files):
    rows = [replace(item, source="<b>나무위키</b>") for item in files["train.csv"]]
    html = as_html(describe({HOSTILE: rows, "둘째.csv": rows}))
    page = Page(html)
    assert "script" not in page.tags
    assert "b" not in page.tags
    assert HOSTILE in page.texts
    assert f"Type pairs of {HOSTILE}" in [value for name, value in page.attributes if name == "aria-label"]
    assert "<b>나무위키</b>" in page.texts


@pytest.mark.parametrize(
    "hostile", ["</style><script>alert(1)</script>", "<!--", '"><img src=x onerror=alert(1)>', "&lt;b&gt;"]
)
def test_nothing_in_a_file_becomes_markup(files, hostile):
    """As the file's name, a label, a type, a source, an id, a word and in a sentence; twice, so that it is listed."""
    rows = [
        replace(item, label=hostile, source=hostile, sentence=hostile + item.sentence) for item in files["train.csv"]
    ]
    rows = [replace(item, subject=replace(item.subject, text=hostile, type=hostile)) for item in rows]
    rows += [replace(rows[0], id=hostile), replace(rows[0], id=hostile + "2", label="other")]
    plain = Page(as_html(describe({"a": files["train.csv"]})))
    page = Page(as_html(describe({hostile: rows})))
    assert page.tags.keys() == plain.tags.keys()
    assert {name for name, _ in page.attributes} == {name for name, _ in plain.attributes}
    assert hostile in page.texts


def test_a_browser_is_asked_to_fetch_and_run_nothing(files):
    policy = Page(as_html(describe(files))).attributes
    at = policy.index(("http-equiv", "Content-Security-Policy"))
    assert policy[at + 1] == (
        "content",
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
    )


def test_a_page_without_labels_has_no_label_pictures(files):
    page = Page(as_html(describe({"june.csv": files["june.csv"]})))
    assert page.tags["svg"] == 1 + 1
    assert not any("Labels" in text for text in page.texts)


def test_many_sources_and_repeats_do_not_make_it_long():
    rows = [replace(example(0, RELATIONS[row % 2]), id=f"id-{row}", source=f"쪽 {row}") for row in range(5_000)]
    description = describe({"a.csv": rows})
    assert len(as_html(description).encode()) < 400_000
    report = as_text(description)
    assert line(report, f"{5_000 - CATEGORIES_SHOWN:,} others")[0] == f"{5_000 - CATEGORIES_SHOWN:,}"
    assert "id-4, and 4,995 more" in report
