"""Boxes put right: what is changed, left out or told, case by case."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from tellapart.data.box_repair import settle_boxes
from tellapart.data.examples import Entry, Inspection, Listing
from tellapart.data.faults import MOST_BOXES, Drawn, Fault
from tellapart.data.targets import Box, Boxes
from tests.data.box_forms import save_picture

PATH = Path("a.png")


def settle(
    *boxes: Box,
    size: tuple[int, int] = (100, 60),
    drawn: Drawn | None = None,
    turned: bool = False,
    path: Path = PATH,
    problem: str = "",
) -> tuple[tuple[Box, ...], dict[str, list[tuple[int, str]]]]:
    """The boxes of one picture as they are kept, and its faults."""
    entry = Entry(path=path, target=Boxes(boxes), split=None, drawn=drawn)
    listing = Listing(source=Path("set"), entries=(entry,), classes=("cat",), task="detection")
    inspection = Inspection(file_hash="", width=size[0], height=size[1], turned=turned, problem=problem)
    found, _ = settle_boxes(listing, [inspection])
    faults = {kind: [(one.times, one.detail) for one in several] for kind, several in found.faults.items()}
    target = found.entries[0].target
    assert isinstance(target, Boxes)
    return target.boxes, faults


def box(left: float, top: float, right: float, bottom: float, label: str = "cat") -> Box:
    return Box(label, left, top, right, bottom)


def test_what_is_right_stays() -> None:
    boxes = (box(0, 0, 100, 60), box(1.5, 2, 3, 4), box(1.5, 2, 3, 4.5))
    assert settle(*boxes) == (boxes, {})


def test_shares_become_pixels() -> None:
    boxes, faults = settle(box(0.1, 0.5, 0.2, 1.0), drawn=Drawn(relative=True, width=7, height=7))
    assert (boxes, faults) == ((box(10, 30, 20, 60),), {})


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("side", range(4))
def test_no_numbers_are_left_out(bad: float, side: int) -> None:
    sides = [1.0, 2.0, 3.0, 4.0]
    sides[side] = bad
    assert settle(Box("cat", *sides), box(1, 2, 3, 4)) == ((box(1, 2, 3, 4),), {"not a number": [(1, "")]})


def test_faults_join_those_that_reading_found_and_name_their_picture() -> None:
    entry = Entry(path=PATH, target=Boxes((box(5, 5, 120, 9), box(1, 2, 3, 4))), split=None, drawn=Drawn(width=100))
    listing = Listing(source=Path("set"), entries=(entry,), classes=("cat",), task="detection")
    before = replace(listing, faults={"clipped": (Fault("z.png"),), "no class": (Fault("y.png", 3),)})
    found, _ = settle_boxes(before, [Inspection(file_hash="", width=100, height=60)])
    assert found.faults == {"no class": (Fault("y.png", 3),), "clipped": (Fault("z.png"), Fault("a.png"))}
    assert found.entries[0].drawn is None  # what was drawn on has been seen to
    with pytest.raises(ValueError, match="shorter"):
        settle_boxes(listing, [])


@pytest.mark.parametrize("given", [box(30, 20, 10, 40), box(10, 40, 30, 20), box(30, 40, 10, 20)])
def test_exchanged_corners_are_put_in_order(given: Box) -> None:
    assert settle(given) == ((box(10, 20, 30, 40),), {"corners exchanged": [(1, "")]})


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (box(-5, 10, 20, 30), box(0, 10, 20, 30)),
        (box(10, -2, 20, 30), box(10, 0, 20, 30)),
        (box(10, 10, 120, 30), box(10, 10, 100, 30)),
        (box(10, 10, 20, 61), box(10, 10, 20, 60)),
    ],
)
def test_what_reaches_outside_is_clipped(given: Box, kept: Box) -> None:
    assert settle(given) == ((kept,), {"clipped": [(1, "")]})


def test_rounding_is_not_worth_a_word() -> None:
    assert settle(box(-1e-7, 0, 100.4, 60.0001)) == ((box(0, 0, 100, 60),), {})


@pytest.mark.parametrize("given", [box(100, 10, 110, 20), box(-9, 10, 0, 20), box(10, 60, 20, 70), box(10, -9, 20, -1)])
def test_what_lies_outside_is_left_out(given: Box) -> None:
    assert settle(given, box(1, 2, 3, 4)) == ((box(1, 2, 3, 4),), {"outside": [(1, "")]})


@pytest.mark.parametrize("given", [box(10, 10, 10, 20), box(10, 20, 30, 20), box(5, 5, 5, 5), box(5, 5, 5.0001, 9)])
def test_no_area_is_left_out(given: Box) -> None:
    assert settle(given, box(1, 2, 3, 4)) == ((box(1, 2, 3, 4),), {"no area": [(1, "")]})


@pytest.mark.parametrize(
    ("lost", "bad"), [(0, (box(5, 5, 5, 5), box(500, 1, 510, 9))), (2, ()), (1, (box(5, 5, 5, 5),))]
)
def test_a_picture_of_whose_boxes_none_is_left_is_not_one_of_nothing(lost: int, bad: tuple[Box, ...]) -> None:
    drawn = Drawn(lost=lost)
    entries = tuple(
        Entry(path=Path(name), target=Boxes(boxes), split=None, drawn=given)
        for name, boxes, given in (("a.png", bad, drawn), ("b.png", (), Drawn()), ("c.png", (box(1, 2, 3, 4),), drawn))
    )
    listing = Listing(source=Path("set"), entries=entries, classes=("cat",), task="detection")
    found, kept = settle_boxes(listing, [Inspection(file_hash=name, width=100, height=60) for name in "abc"])
    assert [entry.path.name for entry in found.entries] == ["b.png", "c.png"]
    assert [one.file_hash for one in kept] == ["b", "c"]
    assert found.faults["none left"] == (Fault("a.png", 1, f"of {len(bad) + lost}"),)


def test_repeated_boxes_and_two_classes_at_one_place() -> None:
    other = box(1, 2, 3, 4, "dog")
    boxes, faults = settle(box(1, 2, 3, 4), box(1.0001, 2, 3, 4), other, box(1, 2, 3, 4), box(1, 2, 3, 4.01))
    assert boxes == (box(1, 2, 3, 4), other, box(1, 2, 3, 4.01))
    assert faults == {"repeated": [(2, "")], "two classes": [(1, "")]}


def test_another_size_is_followed_only_where_the_boxes_fit_no_other() -> None:
    said = Drawn(width=200, height=120)
    words = "200 x 120 said, 100 x 60 found"
    assert settle(box(20, 20, 180, 100), drawn=said) == ((box(10, 10, 90, 50),), {"scaled": [(1, words)]})
    # They fit as they are, whether or not they fit the other size as well.
    assert settle(box(20, 20, 100, 61), drawn=said) == (
        (box(20, 20, 100, 60),),
        {"other size": [(1, words)], "clipped": [(1, "")]},
    )
    small = Drawn(width=50, height=30)
    assert settle(box(20, 20, 40, 25), drawn=small)[1] == {"other size": [(1, "50 x 30 said, 100 x 60 found")]}
    # They fit neither: cut at the edge of what is there.
    assert settle(box(20, 20, 250, 50), drawn=said) == ((box(20, 20, 100, 50),), {"clipped": [(1, "")]})
    assert settle(drawn=said) == ((), {})
    assert settle(box(1, 2, 3, 4), drawn=Drawn(width=100, height=60)) == ((box(1, 2, 3, 4),), {})


def test_a_pixel_more_still_fits_and_two_do_not() -> None:
    said = Drawn(width=200, height=120)
    assert "other size" in settle(box(20, 20, 101, 61), drawn=said)[1]
    assert "scaled" in settle(box(20, 20, 102, 50), drawn=said)[1]
    assert "other size" in settle(box(-1, -1, 20, 20), drawn=said)[1]
    for outside in (box(-1.01, 0, 20, 20), box(0, -1.01, 20, 20)):
        assert settle(outside, drawn=said)[1] == {"clipped": [(1, "")]}


def test_one_box_that_fits_neither_keeps_all_unscaled() -> None:
    said = Drawn(width=200, height=120)
    boxes, faults = settle(box(20, 20, 180, 100), box(20, 20, 300, 50), drawn=said)
    assert boxes == (box(20, 20, 100, 60), box(20, 20, 100, 50))
    assert faults == {"clipped": [(2, "")]}


class TestTurned:
    """A picture that is stored 60 x 100 and shown 100 x 60."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        save_picture(tmp_path / "a.png", (60, 100), orientation=6)
        return tmp_path / "a.png"

    def test_drawn_on_what_is_stored(self, path: Path) -> None:
        boxes, faults = settle(box(10, 80, 30, 90), drawn=Drawn(width=60, height=100), turned=True, path=path)
        assert (boxes, faults) == ((box(10, 10, 20, 30),), {"turned": [(1, "")]})

    def test_drawn_on_what_is_stored_and_turned_the_other_way(self, tmp_path: Path) -> None:
        save_picture(tmp_path / "c.png", (60, 100), orientation=8)
        boxes, faults = settle(
            box(10, 80, 30, 90), drawn=Drawn(width=60, height=100), turned=True, path=tmp_path / "c.png"
        )
        assert (boxes, faults) == ((box(80, 30, 90, 50),), {"turned": [(1, "")]})

    def test_upside_down_and_of_another_size(self, tmp_path: Path) -> None:
        save_picture(tmp_path / "b.png", (100, 60), orientation=3)
        boxes, faults = settle(
            box(20, 20, 180, 100), drawn=Drawn(width=200, height=120), turned=True, path=tmp_path / "b.png"
        )
        assert boxes == (box(10, 10, 90, 50),)
        assert faults.keys() == {"perhaps turned", "scaled"}

    def test_drawn_upright(self, path: Path) -> None:
        given = box(80, 10, 90, 30)
        assert settle(given, drawn=Drawn(width=100, height=60), turned=True, path=path) == ((given,), {})

    def test_boxes_that_fit_only_what_is_stored(self, path: Path) -> None:
        boxes, faults = settle(box(10, 80, 30, 90), turned=True, path=path)
        assert (boxes, faults) == ((box(10, 10, 20, 30),), {"turned": [(1, "")]})

    def test_nothing_says_which(self, path: Path) -> None:
        assert settle(box(10, 10, 30, 50), turned=True, path=path) == (
            (box(10, 10, 30, 50),),
            {"perhaps turned": [(1, "")]},
        )

    @pytest.mark.parametrize("orientation", [2, 3, 4])
    def test_mirrored_or_upside_down_no_size_can_say(self, orientation: int, tmp_path: Path) -> None:
        save_picture(tmp_path / "b.png", (100, 60), orientation=orientation)
        given, drawn = box(10, 10, 30, 50), Drawn(width=100, height=60)
        assert settle(given, drawn=drawn, turned=True, path=tmp_path / "b.png")[1] == {"perhaps turned": [(1, "")]}

    def test_a_picture_without_boxes_has_nothing_to_turn(self, path: Path) -> None:
        assert settle(turned=True, path=path) == ((), {})


def test_too_many_boxes_leave_the_picture_out() -> None:
    many = tuple(box(0, 0, 1 + number / 1000, 1) for number in range(MOST_BOXES + 1))
    entries = (
        Entry(path=PATH, target=Boxes(many), split=None),
        Entry(path=Path("b.png"), target=Boxes(many[1:]), split=None),
    )
    listing = Listing(source=Path("set"), entries=entries, classes=("cat",), task="detection")
    inspections = [Inspection(file_hash=name, width=100, height=60) for name in "ab"]
    found, kept = settle_boxes(listing, inspections)
    assert [entry.path.name for entry in found.entries] == ["b.png"]
    assert kept == inspections[1:]
    assert found.faults == {"too many": (Fault("a.png", 1, "10,001"),)}


def test_a_class_of_which_no_box_is_left_is_none() -> None:
    entry = Entry(path=PATH, target=Boxes((box(1, 1, 1, 1, "dot"), box(1, 2, 3, 4))), split=None)
    listing = Listing(source=Path("set"), entries=(entry,), classes=("cat", "dot"), task="detection")
    found, _ = settle_boxes(listing, [Inspection(file_hash="", width=9, height=9)])
    assert found.classes == ("cat",)


def test_a_picture_that_cannot_be_read_keeps_its_boxes() -> None:
    given = box(500, 1, 10, 1)
    assert settle(given, size=(0, 0), problem="damaged") == ((given,), {})
