"""What the audit says of boxes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from tellapart.data.box_counts import BoxCounts, box_notes, box_warnings, count_boxes
from tellapart.data.examples import Entry, Inspection, Split
from tellapart.data.faults import Fault, FaultList, Kind, fault_sentences, faults_json, joined
from tellapart.data.targets import Box, Boxes


def counts(*pages: tuple[Split | None, tuple[Box, ...]], size: tuple[int, int] = (640, 320)) -> BoxCounts:
    entries = [
        Entry(path=Path(f"{number}.png"), target=Boxes(boxes), split=split)
        for number, (split, boxes) in enumerate(pages)
    ]
    inspections = [Inspection(file_hash="", width=size[0], height=size[1]) for _ in pages]
    entries.append(Entry(path=Path("bad.png"), target=Boxes((Box("cat", 0, 0, 1, 1),)), split=None))
    inspections.append(Inspection(file_hash="", problem="damaged"))
    classes = sorted({box.label for _, boxes in pages for box in boxes})
    return count_boxes(entries, inspections, classes, {})


def square(side: float, label: str = "cat", **marks: bool) -> Box:
    return Box(label, 0, 0, side, side, **marks)


def test_counts_by_split_and_class() -> None:
    found = counts(
        ("train", (square(20), square(30), square(40, "dog", difficult=True))),
        ("test", (square(10, truncated=True),)),
        ("train", ()),
    )
    assert found.pictures == {"train": 2, "test": 1}
    assert found.boxes == {"train": {"cat": 2, "dog": 1}, "test": {"cat": 1, "dog": 0}}
    assert (found.empty, found.median, found.most, found.fullest) == (1, 1, 3, Path("0.png"))
    assert found.marks == {"difficult": 1, "truncated": 1, "crowd": 0}
    assert (found.sizes["cat"].least, found.sizes["cat"].median, found.sizes["cat"].most) == (10, 20, 30)


def test_tiny_boxes_at_the_network_s_size() -> None:
    # At 320 pixels a picture of 640 is halved: 16 pixels become 8.
    found = counts((None, (square(15.9), square(12), square(16), square(100))))
    assert (found.sizes["cat"].tiny, found.sizes["cat"].enough) == (0.5, 480)
    sentence = "small: 50 % of the boxes of 'cat' are under 8 pixels where a picture's longer side has 320"
    remedy = "train at 480 pixels (--set network.size=480), or cut the pictures with --tiles."
    assert next(box_warnings(found, str)) == f"{sentence}, and are easily overlooked; {remedy}"
    found = counts((None, (square(1),)))
    assert (found.sizes["cat"].enough, found.sizes["cat"].tiny_in_tiles) == (0, 1)
    assert next(box_warnings(found, str)).endswith(
        "; they are as small in the pictures' own pixels: --tiles with --set network.scale=2 or more enlarges them."
    )
    found = counts((None, (square(12),)), size=(6400, 3200))
    assert (found.sizes["cat"].enough, found.sizes["cat"].tiny_in_tiles) == (0, 0)
    assert next(box_warnings(found, str)).endswith(" overlooked; cut the pictures with --tiles.")
    found = counts((None, (square(7),)))
    assert next(box_warnings(found, str)).endswith("; train at 960 pixels (--set network.size=960).")
    assert list(box_warnings(counts((None, (square(16),))), str)) == []


def test_crowds_have_no_size() -> None:
    assert counts((None, (square(4, "dog", crowd=True), square(9)))).sizes.keys() == {"cat"}


def test_notes() -> None:
    found = counts((None, (square(50), square(60, difficult=True))), (None, ()))
    assert list(box_notes(found, str)) == [
        "boxes a picture: median 1, most 2 in 0.png; 2 in 2 pictures.",
        "pictures without boxes: 1 of 2; they stay, and teach what is no thing.",
        "difficult: 1 box, hard to see; they count neither way.",
    ]


def test_notes_of_several_and_of_none() -> None:
    several = counts((None, (square(50, difficult=True), square(60, difficult=True, truncated=True))))
    assert list(box_notes(several, str)) == [
        "boxes a picture: median 2, most 2 in 0.png; 2 in 1 picture.",
        "difficult: 2 boxes, hard to see; they count neither way.",
        "truncated: 1 box, going on outside the picture or behind something.",
    ]
    assert list(box_notes(counts((None, ())), str)) == [
        "pictures without boxes: 1 of 1; they stay, and teach what is no thing."
    ]


def test_faults_are_told_with_what_they_belong_to() -> None:
    """What should be looked at among the warnings, the rest among the notes, with paths as a person sees them."""
    faults = FaultList()
    faults.add("corners exchanged", "set/a.png", 2)
    faults.add("clipped", "set/b.png")
    found = count_boxes([], [], [], faults.found())
    assert list(box_warnings(found, lambda path: path.name)) == [
        "clipped: 1 box in 1 picture, such as b.png; partly outside the picture; cut at its edge."
    ]
    assert list(box_notes(found, lambda path: path.name)) == [
        "corners exchanged: 2 boxes in 1 picture, such as a.png; put in order."
    ]
    assert found.faults == faults.found()


def test_all_of_it_as_json() -> None:
    found = counts(
        ("train", (Box("cat", 10, 20, 30, 40), Box("cat", 1, 1, 2.5, 2.2, crowd=True))), ("test", (square(10.12345),))
    )
    found = replace(found, faults={"clipped": (Fault("a.png", 2),)})
    assert found.as_json() == {
        "pictures": {"train": 1, "test": 1},
        "boxes": {"train": {"cat": 2}, "test": {"cat": 1}},
        "without_boxes": 0,
        "marked": {"difficult": 0, "truncated": 0, "crowd": 1},
        "box_sizes": {
            "cat": {"least": 10.123, "median": 15.062, "most": 20.0, "tiny": 0.5, "tiny_in_tiles": 0.0, "enough": 640}
        },
        "boxes_a_picture": {"median": 1.5, "most": 2},
        "faults": {"clipped": [{"path": "a.png", "count": 2, "detail": ""}]},
    }
    assert json.loads(json.dumps(found.as_json())) == found.as_json()


def test_a_tenth_of_tiny_boxes_is_not_told() -> None:
    found = counts((None, (square(15), *[square(100)] * 9)))
    assert (found.sizes["cat"].tiny, found.sizes["cat"].enough) == (0.1, 320)
    assert list(box_warnings(found, str)) == []
    more = counts((None, (square(15), square(15), *[square(100)] * 5)))
    assert next(box_warnings(more, str)).startswith("small: 29 % of the boxes")  # 28.57


def test_as_many_inspections_as_entries() -> None:
    with pytest.raises(ValueError, match="shorter"):
        count_boxes([Entry(path=Path("a.png"), target=Boxes(()), split=None)], [], [], {})


def test_no_pictures_at_all() -> None:
    found = counts()
    assert (found.pictures, found.most, found.fullest, found.median) == ({}, 0, None, 0.0)
    assert list(box_notes(found, str)) == []


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize("times", [1, 3])
def test_every_fault_is_told_once_in_whole_words(kind: Kind, times: int) -> None:
    faults = FaultList()
    faults.add(kind, "a.png", times, "why")
    faults.add(kind, "b.png", 0)
    told = [*fault_sentences(faults.found(), str, warned=True), *fault_sentences(faults.found(), str, warned=False)]
    assert len(told) == 1
    assert told[0].startswith(f"{kind}: {times} ")
    assert "such as a.png (why); " in told[0]
    assert told[0].endswith(".")
    assert "{" not in told[0]


def test_sentences_of_one_and_several() -> None:
    faults = FaultList()
    faults.add("no area", "a.png", 2)
    faults.add("no area", "b.png")
    faults.add("not annotated", "c.png")
    faults.add("around a shape", "d.png", 4)
    faults.add("unreadable", "e.xml")
    faults.add("unreadable", "f.xml")
    assert list(fault_sentences(faults.found(), str, warned=False)) == [
        "around a shape: 4 boxes in 1 picture, such as d.png; the upright box around a polygon or another shape."
    ]
    assert list(fault_sentences(faults.found(), str, warned=True)) == [
        "unreadable: 2 annotations, such as e.xml; their pictures are left out. Repair them.",
        (
            "not annotated: 1 picture, such as c.png; what it shows is not known, so it is left out. An annotation without boxes "
            "says that there is nothing."
        ),
        "no area: 3 boxes in 2 pictures, such as a.png; left out. Draw them again.",
    ]


def test_faults_together() -> None:
    one, other = FaultList(), FaultList()
    one.add("clipped", "a.png", 2)
    other.add("clipped", "b.png", detail="x")
    other.add("unreadable", "c.xml")
    both = joined(one.found(), other.found())
    assert both == {"unreadable": (Fault("c.xml"),), "clipped": (Fault("a.png", 2), Fault("b.png", 1, "x"))}
    assert faults_json(both)["clipped"][1] == {"path": "b.png", "count": 1, "detail": "x"}
