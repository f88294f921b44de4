"""The page as a browser gets it. In: a Report with traps in it. Out: HTML that shows them and runs none."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from tellapart.bundle import Score
from tellapart.reporting.blocks import (
    Block,
    Charts,
    Column,
    DrawnChart,
    Facts,
    Group,
    Heading,
    Matrix,
    Paragraph,
    Pictures,
    Plane,
    Report,
    Section,
    Steps,
    Table,
    Verdict,
)
from tellapart.reporting.facts import CaptionLine, CrossTable, MapPart, Shown
from tellapart.reporting.page import render
from tellapart.reporting.phrases import Phrases
from tellapart.reporting.pictures import Sprites

TRAP = "<script>alert('cat')</script> & </title> 猫"
PIXEL = "data:image/png;base64,iVBORw0KGgo="
SCORE = Score(value=0.989, low=0.97, high=0.996)
ENGLISH = Phrases("en")


def shown(**changes: Any) -> Shown:
    caption = (CaptionLine(text=TRAP, name=TRAP), CaptionLine(text=TRAP, name=TRAP, share="93 %", bad=True))
    given: dict[str, Any] = {"name": TRAP, "picture": PIXEL, "label": TRAP, "heat": PIXEL, "caption": caption}
    return Shown(**given | changes)


def matrix(classes: int, *, image: str | None = None, off_is_wrong: bool = True) -> Matrix:
    counts = [[3 if row == column else 0 for column in range(classes)] for row in range(classes)]
    counts[0][-1] = 1
    rates = [[count / 3 for count in row] for row in counts]
    names = [TRAP, *(f"class {number}" for number in range(1, classes))]
    table = CrossTable(classes=names, counts=counts, rates=rates, image=image)
    return Matrix(table=table, title=TRAP, rows=TRAP, columns=TRAP, off_is_wrong=off_is_wrong)


def plane(classes: int = 2) -> Plane:
    part = MapPart(
        own=False,
        n=2,
        n_all=3,
        points=[(0, 1000, 0, 0), (500, 3, 1, 2)],
        names=[TRAP, "b"],
        classes=[TRAP, *(f"class {number}" for number in range(1, classes))],
        sprites=Sprites(address=PIXEL, side=40, columns=2),
    )
    more = f"and {classes - 7} more" if classes > 8 else ""
    return Plane(part=part, title=TRAP, splits=("train", "validation", "test"), more=more)


def every_block() -> list[Block]:
    """One of each kind, and of each layout, with a trap in every text."""
    columns = [Column(name=TRAP), Column(name=TRAP, kind="name"), Column(name=TRAP, kind="number")]
    columns.append(Column(name=TRAP, kind="interval"))
    groups = [Group(pictures=[shown(), shown(picture=None, heat=None, caption=())], title=TRAP, count=TRAP)]
    layouts: Any = ("rows", "boxes", "strip", "cards")
    return [
        Paragraph(text=TRAP),
        Paragraph(text=TRAP, tone="warning"),
        Heading(text=TRAP, count=TRAP),
        Steps(items=[TRAP, TRAP]),
        Facts(rows=[(TRAP, TRAP)], command=(TRAP, "my runs/model.onnx", TRAP)),
        Table(columns=columns, rows=[(TRAP, TRAP, TRAP, SCORE), ("a", "b", "1", None)], kept=0),
        matrix(2),
        *(Pictures(layout=layout, groups=groups, large=layout == "cards") for layout in layouts),
        Charts(charts=[DrawnChart(title=TRAP, svg="<svg></svg>", legend=[(TRAP, 1, True)], note=TRAP)]),
        plane(),
    ]


def report(*blocks: Block, **changes: Any) -> Report:
    given: dict[str, Any] = {
        "sentence": TRAP,
        "score": SCORE,
        "references": [(0.25, TRAP), (0.5, "The second.")],
        "doubt": TRAP,
        "warning": TRAP,
        "note": TRAP,
    }
    section = Section(key="all", title=TRAP, blocks=blocks or every_block())
    verdict = Verdict(**given | changes)
    return Report(name=TRAP, made="2026-01-01 00:00", verdict=verdict, sections=[section])


class Reader(HTMLParser):
    """Collects what a browser would see."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def of(self, tag: str, kind: str) -> list[dict[str, str | None]]:
        """The attributes of the tags of a class."""
        return [given for name, given in self.tags if name == tag and kind in (given.get("class") or "").split()]


def read(*blocks: Block, **changes: Any) -> Reader:
    return Reader(render(report(*blocks, **changes), ENGLISH))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_html_in_names_is_shown_and_never_run(language: Any) -> None:
    reader = Reader(render(report(), Phrases(language)))
    scripts = [attributes for tag, attributes in reader.tags if tag == "script"]
    assert scripts == [{"type": "application/json", "id": "plane-data"}, {}]
    assert [tag for tag, _ in reader.tags].count("title") == 1
    assert reader.text.count(TRAP) > 40
    assert not any(name.startswith("on") for _, attributes in reader.tags for name in attributes)


def test_the_page_loads_nothing() -> None:
    text = render(report(*every_block(), matrix(40, image=PIXEL)), ENGLISH)
    reader = Reader(text)
    addresses = [
        value or "" for _, attributes in reader.tags for name, value in attributes.items() if name in ("src", "href")
    ]
    assert addresses
    assert all(address.startswith(("data:image/", "#")) for address in addresses)
    assert not re.search(r"@import|url\((?!\$)|https?://(?!www\.w3\.org)", text)
    policy = next(attributes["content"] for tag, attributes in reader.tags if attributes.get("http-equiv"))
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def test_the_page_begins_with_the_answer_and_leads_to_the_sections() -> None:
    first, second = (Section(key=key, title=key.upper(), blocks=[]) for key in ("data", "map"))
    verdict = Verdict(
        sentence="Good.", score=SCORE, references=[(0.25, "A quarter."), (0.5, "A half.")], doubt="Small."
    )
    whole = Report(name="cats", made="now", verdict=verdict, sections=[first, second])
    english, chinese = render(whole, ENGLISH), render(whole, Phrases("zh"))
    assert "<h1>Good.</h1>" in english
    assert "<p>A quarter. A half. <strong>Small.</strong></p>" in english
    assert "<p>A quarter.A half. <strong>Small.</strong></p>" in chinese
    assert '<html lang="zh-CN">' in chinese
    assert "训练报告" in chinese
    reader = Reader(english)
    assert [given["id"] for tag, given in reader.tags if tag == "section"] == ["data", "map"]
    assert [given["href"] for tag, given in reader.tags if tag == "a"] == ["#data", "#map"]
    assert "warning" not in {given.get("class") for tag, given in reader.tags if tag == "p"}


def test_the_bar_shows_the_figure_its_interval_and_what_it_is_compared_with() -> None:
    reader = read(Paragraph(text="x"))
    assert [given["style"] for given in reader.of("span", "baseline")] == ["left: 25.00%", "left: 50.00%"]
    assert [given["style"] for given in reader.of("span", "range")] == ["left: 97.00%; width: 2.60%"]
    assert [given["style"] for given in reader.of("span", "dot")] == ["left: 98.90%"]
    assert read(Paragraph(text="x"), score=Score(value=0.5)).of("span", "range") == []


def test_a_table_s_cells_are_shown_by_the_kind_of_their_column() -> None:
    columns = [Column(name="class", kind="name"), Column(name="n", kind="number"), Column(name="x", kind="interval")]
    rows = [("cat", "12", Score(value=0.5, low=0.25, high=1.0)), ("dog", "3", None), ("fox", "4", Score(value=0.5))]
    reader = read(Table(columns=columns, rows=rows, kept=1))
    assert [given["title"] for given in reader.of("span", "name-cell")] == ["cat", "dog", "fox"]
    assert len(reader.of("td", "number")) == 3
    assert len(reader.of("th", "number")) == 1
    (mini,) = reader.of("span", "mini")
    assert mini["title"] == "25.0\u00a0% – 100.0\u00a0%"
    assert reader.of("span", "range")[1]["style"] == "left: 25.0%; width: 75.0%"
    assert reader.of("span", "dot")[1]["style"] == "left: 50.0%"
    assert reader.text.count("–") == 3  # two without an interval, and the one with it
    kept = [given.get("class") for tag, given in reader.tags if tag == "tr"]
    assert kept == [None, None, "kept", None]


def test_a_matrix_marks_what_is_wrong_where_off_the_diagonal_is() -> None:
    cells = [given for tag, given in read(matrix(2)).tags if tag == "td"]
    assert [given["class"] for given in cells] == ["diagonal strong", "off", "off zero", "diagonal strong"]
    assert [given["style"] for given in cells] == ["--rate: 1.000", "--rate: 0.333", "--rate: 0.000", "--rate: 1.000"]
    assert cells[1]["title"] == f"{TRAP} → class 1: 1, 33.3\u00a0%"
    together = [given for tag, given in read(matrix(2, off_is_wrong=False)).tags if tag == "td"]
    assert [given["class"] for given in together] == ["diagonal strong", "diagonal", "diagonal zero", "diagonal strong"]


def test_a_thousand_classes_stay_small() -> None:
    text = render(report(matrix(1000, image=PIXEL)), ENGLISH)
    found = re.search(r'id="matrix-data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    data = json.loads(found[1])
    assert len(data["classes"]) == 1000
    assert (data["truth"], data["answer"]) == (TRAP, TRAP)
    assert data["counts"] == {"999": 1} | {str(1001 * number): 3 for number in range(1000)}
    assert len(text) < 2_000_000


def test_a_caption_stands_under_its_picture_line_by_line() -> None:
    lines = (
        CaptionLine(text="is", name="cat"),
        CaptionLine(text="taken for", name="dog", share="93 %", bad=True),
        CaptionLine(text="x"),
    )
    text = render(report(Pictures(layout="strip", groups=[Group(pictures=[shown(caption=lines)])])), ENGLISH)
    caption = '<span>is <b>cat</b></span><span>taken for <b class="bad">dog</b> 93 %</span><span>x</span>'
    assert f"{caption}</figcaption>" in text
    gone = read(Pictures(layout="strip", groups=[Group(pictures=[shown(picture=None, heat=None)])]))
    assert len(gone.of("div", "gone")) == 1


def test_the_map_s_data_is_whole() -> None:
    text = render(report(plane()), ENGLISH)
    found = re.search(r'<script type="application/json" id="plane-data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    data = json.loads(found[1])
    assert data["points"] == [[0, 500], [1000, 3], [0, 1], [0, 2]]
    assert data["names"] == [TRAP, "b"]
    assert data["splits"] == ["train", "validation", "test"]


@pytest.mark.parametrize(("classes", "last"), [(7, "class 6"), (8, "class 7"), (9, "and 2 more")])
def test_of_more_classes_than_colours_the_last_colour_is_of_all_others(classes: int, last: str) -> None:
    text = render(report(plane(classes)), ENGLISH)
    legend = re.findall(r'<i class="key round" style="--key: var\(--series-(\d)\)"></i>([^<]+)</li>', text)
    assert [int(colour) for colour, _ in legend] == list(range(1, min(classes, 8) + 1))
    assert legend[-1][1] == last


def test_a_model_s_path_can_be_pasted_into_a_shell() -> None:
    text = render(report(Facts(rows=[], command=("Try it", "my runs/model.onnx", "TEXTS.csv"))), ENGLISH)
    assert "<code>tellapart predict &#39;my runs/model.onnx&#39; TEXTS.csv</code>" in text
