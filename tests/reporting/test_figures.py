"""Charts follow the page. In: numbers. Out: SVG whose colours are variables and whose text is text."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

from tellapart.reporting.figures import COLOURS, SERIES, Line, draw_confidences, draw_lines, draw_reliability

NAMESPACE = "{http://www.w3.org/2000/svg}"


def charts() -> dict[str, str]:
    lines = [
        Line(x=[1, 2, 3], y=[0.5, 0.3, 0.2], colour=number, dashed=number > 1, dotted=True) for number in (1, 2, SERIES)
    ]
    return {
        "lines": draw_lines(lines, x="轮次", y="损失 <b>", mark=(2, "最佳"), whole=True),
        "shares": draw_lines(lines[:1], x="x", y="y", x_range=(0, 1), y_range=(0, 1), shares="xy", diagonal=True),
        "logarithmic": draw_lines(lines[:1], x="x", y="y", logarithmic=True),
        "reliability": draw_reliability([(0.7, 0.6)], [(0.7, 0.65, 0.5, 0.8)], x="x", y="y"),
        "confidences": draw_confidences([0, 3, 9], [1, 0, 1], x="x", y="y"),
    }


@pytest.fixture(scope="module")
def drawn() -> dict[str, str]:
    return charts()


@pytest.mark.parametrize("name", ["lines", "shares", "logarithmic", "reliability", "confidences"])
def test_a_chart_takes_its_colours_and_room_from_the_page(name: str, drawn: dict[str, str]) -> None:
    root = ElementTree.fromstring(drawn[name])
    assert root.tag == f"{NAMESPACE}svg"
    assert root.get("viewBox")
    assert root.get("width") is None
    assert root.get("height") is None
    assert not re.search(r"#[0-9a-fA-F]{6}", drawn[name])
    assert "var(--ink)" in drawn[name]
    assert set(re.findall(r"var\(--([\w-]+)\)", drawn[name])) <= set(COLOURS)
    assert "font-family" not in drawn[name]


def test_text_stays_text_in_any_script_and_is_escaped(drawn: dict[str, str]) -> None:
    texts = [element.text for element in ElementTree.fromstring(drawn["lines"]).iter(f"{NAMESPACE}text")]
    assert {"轮次", "损失 <b>", "最佳"} <= set(texts)
    assert "<b>" not in drawn["lines"]


def test_two_charts_on_a_page_share_no_identifier_that_means_different_things(drawn: dict[str, str]) -> None:
    meaning: dict[str, str] = {}
    for text in drawn.values():
        for element in ElementTree.fromstring(text).iter():
            identifier = element.get("id")
            if identifier:
                content = ElementTree.tostring(element, encoding="unicode")
                assert meaning.setdefault(identifier, content) == content


def test_the_same_numbers_give_the_same_file(drawn: dict[str, str]) -> None:
    assert charts() == drawn


def test_shares_are_named_in_per_cent_and_epochs_are_whole(drawn: dict[str, str]) -> None:
    texts = {element.text for element in ElementTree.fromstring(drawn["shares"]).iter(f"{NAMESPACE}text")}
    assert {"0 %", "20 %", "100 %"} <= texts
    numbers = [element.text for element in ElementTree.fromstring(drawn["lines"]).iter(f"{NAMESPACE}text")]
    assert {"1", "2", "3"} <= set(numbers)
    assert "1.5" not in numbers
