"""Boxes in one cell of a table. In: boxes, and what a person sent. Out: JSON, or what is wrong. Next: test_detection.py."""

from __future__ import annotations

import json

import pytest

from tellapart.answers.box_predictions import box_cell, read_box_cell


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '["cat"]',
        '[["cat",1,2,3]]',
        '[["",1,2,3,4]]',
        '[["cat",1,2,3,4,5]]',
        '[["  ",1,2,3,4]]',
        '[["cat",3,2,1,4]]',
        '[["cat",3,1,2,4]]',
        '[["cat",1,4,3,2]]',
        '[["cat",1,2,1,4]]',
        '[["cat",1,2,3,2]]',
        '[["cat",1,2,3,"4"]]',
        '[["dog",1,2,3,4],["cat"]]',
        '[["cat",1,2,3,null]]',
        '[["cat",1,2,NaN,4]]',
        '[["cat",true,2,3,4]]',
        "[[1,1,2,3,4]]",
        "[" * 9999,
    ],
)
def test_boxes_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="^the field `boxes` is no JSON list of ") as fault:
        read_box_cell(text)
    assert str(fault.value) == (
        "the field `boxes` is no JSON list of [label, left, top, right, bottom], left under right and top under bottom. "
        "Send one, [] for no box"
    )


def test_the_classes_are_named_once_each_in_order() -> None:
    assert read_box_cell('[["dog",1,2,3,4],["cat",-1,0,0.5,1e3],["dog",5,6,7,8]]') == ("cat", "dog")
    assert read_box_cell("[]") == ()
    assert read_box_cell('[["cat",1,5,3,8]]') == ("cat",)


def test_too_many_boxes_are_refused() -> None:
    with pytest.raises(ValueError, match="^the field `boxes` has 10,001 boxes; 10,000 are the most. Send fewer$"):
        read_box_cell(json.dumps([["cat", 0, 0, 1, 1]] * 10_001))
    assert read_box_cell(json.dumps([["cat", 0, 0, 1, 1]] * 10_000)) == ("cat",)


def test_a_cell_of_boxes_is_json() -> None:
    assert box_cell([("a,b", 0.123456789, (0.0, 1.5, 2.0, 3.0))]) == '[["a,b",0.1234568,0.0,1.5,2.0,3.0]]'
    two = box_cell([("鸟", 0.5, (0.0, 1234.56789, 2.0, 3.0)), ("b", 1.0, (0.0, 0.0, 1.0, 1.0))])
    assert two == '[["鸟",0.5,0.0,1234.568,2.0,3.0],["b",1.0,0.0,0.0,1.0,1.0]]'
    assert box_cell([]) == "[]"
