"""The page as a browser gets it. In: a Report with traps in it. Out: HTML that shows them and runs none."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from tellapart.bundle import Score
from tellapart.reporting.facts import (
    AboutPart,
    AbstentionPart,
    Chart,
    ClassRow,
    Confusion,
    DataPart,
    LabelsPart,
    LearningPart,
    MapPart,
    Pair,
    Report,
    ResultsPart,
    Shown,
    Verdict,
)
from tellapart.reporting.page import render
from tellapart.reporting.phrases import Phrases
from tellapart.reporting.pictures import Sprites

TRAP = "<script>alert('cat')</script> & </title> 猫"
LEAD: Any = ("coverage_lead", {"share": 0.8, "accuracy": 1.0})
PIXEL = "data:image/png;base64,iVBORw0KGgo="


def report(classes: int = 2, *, image: str | None = None) -> Report:
    names = [TRAP, *(f"class {number}" for number in range(1, classes))]
    figure = Score(value=0.989, low=0.97, high=0.996)
    shown = Shown(name=TRAP, picture=PIXEL, label=TRAP, predicted=names[1], probability=0.93, heat=PIXEL)
    gone = Shown(name="gone.png", picture=None, label=names[1])
    rows = [
        ClassRow(name=name, train=10, validation=2, test=3, recall=figure if number else None, precision=0.5, f1=None)
        for number, name in enumerate(names)
    ]
    counts = [[3 if row == column else 0 for column in range(classes)] for row in range(classes)]
    rates = [[float(row == column) for column in range(classes)] for row in range(classes)]
    return Report(
        name=TRAP,
        made="2026-01-01 00:00",
        verdict=Verdict(
            accuracy=figure,
            n_test=280,
            baseline=0.5,
            baseline_label=TRAP,
            too_small=True,
            leaked=3,
            clean=figure,
            n_clean=277,
            compared=[("finetune", 0.1, 0.99), ("probe", 0.2, 0.98)],
            advice=[("next_class", {"label": TRAP, "recall": 0.7, "n": 12}), ("next_few", {"names": [TRAP, "…"]})],
        ),
        data=DataPart(
            n=1000,
            n_classes=classes,
            splits=(600, 120, 280),
            samples=[(name, [shown, gone]) for name in names[:3]],
            widths=(10, 20, 15),
            heights=(10, 20, 15),
            formats=[("PNG", 1000)],
            unreadable=[(TRAP, "cut short")],
            n_unreadable=3,
            n_exact=2,
            n_near=1,
            copies=[[shown, gone]],
            leaks=[[shown, shown]],
            n_leaks=4,
            two_labels=[[shown]],
            n_two_labels=1,
        ),
        learning=LearningPart(
            strategy="finetune", epochs=3, best_epoch=2, charts=[("loss", "<svg></svg>", [(TRAP, 1, True)])]
        ),
        results=ResultsPart(
            scores=[("accuracy", figure), ("log_loss", figure)],
            classes=rows,
            confusion=Confusion(classes=names, counts=counts, rates=rates, image=image),
            pairs=[Pair(label=TRAP, predicted=names[1], count=2, pictures=[shown])],
            mistakes=2,
            charts=[Chart(title="receiver", svg="<svg></svg>", legend=[(TRAP, 1, False)], lead=LEAD)],
        ),
        mistakes=[shown],
        heated=True,
        labels=LabelsPart(n=10, n_all=20, wrong=[shown], outliers=[gone], ambiguous=[shown], counts=(1, 1, 1)),
        map=MapPart(
            own=False,
            n=2,
            n_all=3,
            points=[(0, 1000, 0, 0), (500, 3, 1, 2)],
            names=[TRAP, "b"],
            classes=names,
            sprites=Sprites(address=PIXEL, side=40, columns=2),
        ),
        abstention=AbstentionPart(wanted=0.95, measured=figure, size=1.04, unknown=0.05, calibrated_on=40),
        about=AboutPart(facts=[("backbone", TRAP)], versions=[("numpy", "2")], model=TRAP, missing=1),
    )


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


@pytest.mark.parametrize("language", ["en", "zh"])
def test_html_in_names_is_shown_and_never_run(language: Any) -> None:
    reader = Reader(render(report(), Phrases(language)))
    scripts = [attributes for tag, attributes in reader.tags if tag == "script"]
    assert scripts == [{"type": "application/json", "id": "plane-data"}, {}]
    assert [tag for tag, _ in reader.tags].count("title") == 1
    assert reader.text.count(TRAP) > 15
    assert not any(name.startswith("on") for _, attributes in reader.tags for name in attributes)


def test_the_page_loads_nothing() -> None:
    text = render(report(), Phrases("en"))
    reader = Reader(text)
    addresses = [
        value or "" for _, attributes in reader.tags for name, value in attributes.items() if name in ("src", "href")
    ]
    assert addresses
    assert all(address.startswith(("data:image/", "#")) for address in addresses)
    assert not re.search(r"@import|url\((?!\$)|https?://(?!www\.w3\.org)", text)
    policy = next(attributes["content"] for tag, attributes in reader.tags if attributes.get("http-equiv"))
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    anchors = {attributes["id"] for tag, attributes in reader.tags if tag == "section"}
    assert {address[1:] for address in addresses if address.startswith("#")} == anchors


def test_the_sentence_at_the_top() -> None:
    english, chinese = render(report(), Phrases("en")), render(report(), Phrases("zh"))
    assert "98.9\u00a0% of 280 test pictures, between 97.0\u00a0% and 99.6\u00a0%" in english
    assert "280 张测试图片中 98.9% 分类正确" in chinese
    assert '<html lang="zh-CN">' in chinese
    assert "The test is too small to tell: the interval is 3 points wide." in english
    assert "On the other 277 it is 98.9" in english


def test_what_is_not_there_leaves_no_section() -> None:
    whole = report()
    parts = {name: getattr(whole, name) for name in whole.__dataclass_fields__}
    text = render(Report(**parts | {"mistakes": [], "labels": None, "map": None, "abstention": None}), Phrases("en"))
    sections = [attributes["id"] for tag, attributes in Reader(text).tags if tag == "section"]
    assert sections == ["next", "data", "learning", "results", "about"]


def test_the_map_s_data_is_whole() -> None:
    text = render(report(), Phrases("en"))
    data = json.loads(re.search(r'<script type="application/json" id="plane-data">(.*?)</script>', text, re.DOTALL)[1])  # type: ignore[index]
    assert data["points"] == [[0, 500], [1000, 3], [0, 1], [0, 2]]
    assert data["names"] == [TRAP, "b"]
    assert data["splits"] == ["train", "validation", "test"]


def test_a_thousand_classes_stay_small() -> None:
    text = render(report(1000, image=PIXEL), Phrases("en"))
    data = json.loads(re.search(r'id="matrix-data">(.*?)</script>', text, re.DOTALL)[1])  # type: ignore[index]
    assert len(data["classes"]) == 1000
    assert data["counts"] == {str(1001 * number): 3 for number in range(1000)}
    assert len(text) < 2_000_000


def test_thresholds_that_could_not_be_set_are_told() -> None:
    whole = report()
    parts = {name: getattr(whole, name) for name in whole.__dataclass_fields__}
    few = AbstentionPart(
        wanted=0.95, measured=Score(value=1.0, low=0.8, high=1.0), size=10.0, unknown=None, calibrated_on=12
    )
    assert "12 validation pictures are too few to tell" in render(Report(**parts | {"abstention": few}), Phrases("en"))


def test_so_many_doubtful_labels_that_the_classifier_is_doubtful_are_told() -> None:
    whole = report()
    parts = {name: getattr(whole, name) for name in whole.__dataclass_fields__}
    many = LabelsPart(n=10, n_all=10, wrong=[], outliers=[], ambiguous=[], counts=(5, 0, 0))
    words = "agrees with too few labels"
    assert words in render(Report(**parts | {"labels": many}), Phrases("en"))
    assert words not in render(whole, Phrases("en"))


def test_a_model_s_path_can_be_pasted_into_a_shell() -> None:
    whole = report()
    parts = {name: getattr(whole, name) for name in whole.__dataclass_fields__}
    about = AboutPart(facts=[], versions=[], model="my runs/model.onnx", missing=0)
    assert "tellapart predict &#39;my runs/model.onnx&#39; PICTURE" in render(
        Report(**parts | {"about": about}), Phrases("en")
    )
