"""Which class each value is. In: values of masks, names that were told. Out: classes in order, what is told, what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tellapart.data.mask_legend import MaskNaming, SeenValues, name_values
from tellapart.data.mask_names import ToldValues, read_names, read_uncounted
from tellapart.errors import DataError

HERE = Path("here")
RED, BLUE, VOID = 0xFF0000, 0x0000FF, 0xE0E0C0


def numbers(*values: int, palette: tuple[int, ...] = ()) -> SeenValues:
    return SeenValues(path=Path("m.png"), values=values, pixels=(10,) * len(values), palette=palette)


def colours(*values: int) -> SeenValues:
    return SeenValues(path=Path("c.png"), values=values, pixels=(10,) * len(values), coloured=True)


def named(*masks: SeenValues, classes: str | None = None, ignore: str | None = None) -> MaskNaming:
    told = ToldValues() if classes is None else read_names(classes)
    return name_values(HERE, masks, replace(told, uncounted=read_uncounted(ignore)))


@pytest.mark.parametrize(
    ("values", "classes", "ignore", "expected"),
    [
        ((0, 255), None, None, "background foreground"),
        ((255,), None, None, "foreground"),
        ((0, 1), None, None, "background 1"),
        ((0, 1, 255), None, None, "background 1"),
        ((1, 2, 10), None, None, "1 2 10"),
        ((0, 128, 255), None, "none", "background 128 255"),
        ((0, 255), None, "0", "255"),
        ((0, 255), None, "none", "background 255"),
        ((0, 255), "wall,cell", None, "wall cell"),
        ((255,), "wall,cell", None, "cell"),
        ((0, 255), "cell", None, "background cell"),
        ((0, 1, 2, 255), "a,b,c", None, "a b c"),
        ((0, 2), "a,b,c", None, "a c"),
        ((0, 128, 255), "a,b,c", "none", "a b c"),
        ((7, 11), "seven=7,eleven=11", None, "seven eleven"),
        ((7, 11), "eleven=11,seven=7", None, "eleven seven"),
        ((0, 1, 2, 3), "ground=0,person=1-99", None, "ground person"),
        ((0, 1, 255), "a=0,b=1,edge=255", None, "a b edge"),
        ((0, 1, 2), "a,b,void", "void", "a b"),
    ],
)
def test_numbers(values: tuple[int, ...], classes: str | None, ignore: str | None, expected: str) -> None:
    assert " ".join(named(numbers(*values), classes=classes, ignore=ignore).classes) == expected


def test_what_was_found_out_is_told() -> None:
    assert named(numbers(0, 255)).notes == (
        "here: masks of 0 and 255, read as background and foreground; --classes names them.",
    )
    assert named(numbers(0, 3, 255)).notes == (
        "here: masks of 2 values (0, 3) whose names are not known; a file classes.txt beside the masks, or --classes, names them.",
        "here: what has the value 255 counts nowhere, 33.3 % of the pixels; --ignore-label says which does, or none.",
    )
    assert named(numbers(0, 9, 17), classes="a,b,c").notes == (
        "here: the values are named in their order: 0 is 'a', 9 is 'b', 17 is 'c'.",
    )
    assert named(numbers(0, 1), classes="a,b,c,d").absent == ("c", "d")


def test_more_values_than_names_are_refused() -> None:
    with pytest.raises(DataError) as caught:
        named(numbers(0, 1), numbers(0, 5, 6), classes="a,b")
    assert str(caught.value) == (
        "the masks of here have the values 5, 6, such as m.png, and --classes has 2 names (a, b). Name each value, from 0 on, or "
        "leave some out with --ignore-label 5."
    )
    assert named(numbers(0, 5, 6), classes="a,b", ignore="5,6").classes == ("a",)


def test_more_values_than_fit_are_refused() -> None:
    many = [numbers(*range(start, start + 200)) for start in (1000, 1200)]
    with pytest.raises(DataError, match=r"have 400 different values; the limit is 254 classes\. If they number things"):
        named(*many)
    assert named(*many, classes="thing=1000-1399").classes == ("thing",)


def test_colours_are_found_and_numbered_or_named() -> None:
    found = named(colours(0, RED), colours(BLUE, VOID))
    assert found.classes == ("background", "#0000ff", "#ff0000")
    assert found.names == (("background", "#ff0000"), ("#0000ff", ""))
    assert "masks of 3 colours (#000000, #0000ff, #ff0000) whose names are not known" in found.notes[0]
    named_by = named(colours(0, RED), colours(BLUE, VOID), classes="sky=#0000ff,road=#FF0000,ground=#000000")
    assert named_by.classes == ("sky", "road", "ground")
    with pytest.raises(
        DataError, match=r"are colours \(#000000, #ff0000\), and --classes has names alone\. Say which is which"
    ):
        named(colours(0, RED), classes="a,b")
    with pytest.raises(DataError, match=r"value #0000ff, such as c\.png, and --classes has 2 names"):
        named(colours(0, RED, BLUE), classes="a=#000000,b=#ff0000")
    assert named(colours(0, RED, BLUE), ignore="#0000ff").classes == ("background", "#ff0000")


def test_up_to_32_colours_are_taken_for_classes() -> None:
    assert len(named(colours(*range(0x100000, 0x100020))).classes) == 32
    with pytest.raises(DataError, match=r"have 33 colours .* up to 32 are taken for classes\. Name them in a file"):
        named(colours(*range(0x100000, 0x100021)))


def test_a_palette_is_numbers_unless_the_palettes_differ() -> None:
    alike = named(numbers(0, 1, palette=(0, RED)), numbers(0, 2, palette=(0, BLUE)))
    assert alike.classes == ("background", "1", "2")
    other = named(numbers(0, 1, palette=(0, RED)), numbers(0, 1, palette=(0, BLUE)))
    assert other.classes == ("background", "#0000ff", "#ff0000")
    assert other.notes[0] == (
        "here: the palettes of the masks differ (1 is #ff0000 and, in m.png, #0000ff), so their colours are read, not their "
        "numbers."
    )
    # So they are where colours were told, and beside masks of colours.
    assert named(numbers(0, 1, palette=(0, RED)), classes="a=#000000,b=#ff0000").classes == ("a", "b")
    assert named(numbers(0, 1, palette=(0, RED)), colours(RED)).classes == ("background", "#ff0000")


def test_names_beside_the_masks_that_say_no_colour_are_told() -> None:
    told = replace(read_names("a,b", "classes.txt"), found=True)
    found = name_values(HERE, [colours(0, RED)], told)
    assert found.classes == ("background", "#ff0000")
    assert "here: the masks are colours, of which classes.txt says nothing." in found.notes


@pytest.mark.parametrize(
    ("mask", "ignore", "lacking"),
    [
        (numbers(0, 1, 2), "2,9", "9"),
        (numbers(0, 1, 2), "void", "'void'"),
        (colours(0, RED), "0,#0000ff", "0, #0000ff"),  # numbers are not those of colours
        (SeenValues(path=Path("x.json"), values=(0, 1), pixels=(9, 9), names=("background", "cell")), "3,cell", "3"),
    ],
)
def test_what_is_to_count_nowhere_and_is_nowhere_is_told(mask: SeenValues, ignore: str, lacking: str) -> None:
    told = f"here: --ignore-label {lacking}: no mask has that, so that nothing is left out for it."
    assert told in named(mask, ignore=ignore).notes
    assert not any("no mask has that" in note for note in named(numbers(0, 1, 255)).notes)


def test_one_value_is_told_in_the_singular() -> None:
    assert named(numbers(1)).notes[0].startswith("here: masks of 1 value (1) whose names are not known;")
