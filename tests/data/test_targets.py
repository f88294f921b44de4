"""Targets: their classes, their texts and the way back. In: values and cells. Out: targets, arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tellapart.data.mask_targets import Painting
from tellapart.data.targets import (
    Box,
    Boxes,
    ClassName,
    ClassNames,
    MaskFile,
    Target,
    class_boxes,
    class_numbers,
    class_sets,
)


@pytest.mark.parametrize(
    ("target", "text", "classes"),
    [
        (ClassName("cat"), "cat", ("cat",)),
        (ClassName("a|b"), "a|b", ("a|b",)),
        (ClassName(""), "", ("",)),
        (ClassNames(), "", ()),
        (ClassNames(("dog", "cat", "dog")), "cat|dog", ("cat", "dog")),
        (ClassNames(("a b",), ("c",)), "a b|?c", ("a b",)),
        (ClassNames((), ("?c", "d|e")), r"?\?c|?d\|e", ()),
        (ClassNames(("a|b", "c")), r"a\|b|c", ("a|b", "c")),
        (ClassNames(("a\\", "b")), r"a\\|b", ("a\\", "b")),
        (ClassNames(("a\\|b",)), r"a\\\|b", ("a\\|b",)),
        (ClassNames(("?a", "\\?b", "c?")), r"\?a|\\?b|c?", ("?a", "\\?b", "c?")),
        (ClassNames(("猫", "图|片")), r"图\|片|猫", ("图|片", "猫")),
        (MaskFile(Path("masks/a.png")), "masks/a.png", ()),
        (Boxes(), "[]", ()),
        (
            Boxes((Box("dog", 1.0, 2.0, 3.5, 4.0), Box('"', 0.0, 0.0, 1.0, 1.0))),
            '[["dog",1.0,2.0,3.5,4.0],["\\"",0.0,0.0,1.0,1.0]]',
            ('"', "dog"),
        ),
    ],
)
def test_the_text_of_a_target_reads_back_as_the_same(target: Target, text: str, classes: tuple[str, ...]) -> None:
    assert target.text == text
    assert target.classes == classes
    assert type(target).read(text) == target


@pytest.mark.parametrize(
    ("text", "separator", "names", "unknown"),
    [
        ("", "|", (), ()),
        ("  ", "|", (), ()),
        (" b |a| b", "|", ("a", "b"), ()),
        ("a;b|c", ";", ("a", "b|c"), ()),
        (r"a\;b;c", ";", ("a;b", "c"), ()),
        (" a  b\tc ", " ", ("a", "b", "c"), ()),
        (r"a\ b c", " ", ("a b", "c"), ()),
        (r"a\b|c", "|", ("a\\b", "c"), ()),
        ("a|? b", "|", ("a",), ("b",)),
        ("a?|b", "|", ("a?", "b"), ()),
    ],
)
def test_a_cell_names_a_set(text: str, separator: str, names: tuple[str, ...], unknown: tuple[str, ...]) -> None:
    assert ClassNames.read(text, separator) == ClassNames(names, unknown)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a||b", "a class of the set has an empty name"),
        ("a|", "a class of the set has an empty name"),
        ("|", "a class of the set has an empty name"),
        ("a|?", "a class of the set has an empty name"),
        ("a|?a", "the class 'a' is in the set and yet unknown"),
    ],
)
def test_a_cell_that_names_no_set_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ClassNames.read(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "boxes are a JSON list of"),
        ("[1]", "boxes are a JSON list of"),
        ('[["a",1,2,3]]', "boxes are a JSON list of"),
        ("cat", "Expecting value"),
        ('[["a",1,2,3,"x"]]', "could not convert"),
    ],
)
def test_what_is_no_list_of_boxes_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Boxes.read(text)


def test_targets_as_arrays() -> None:
    numbers = class_numbers([ClassName("b"), ClassName("c"), ClassName("b")], ("a", "b", "c"))
    assert (numbers.dtype, numbers.tolist()) == (np.int64, [1, 2, 1])
    sets = class_sets([ClassNames(("a", "c")), ClassNames(), ClassNames(("b",), ("a",))], ("a", "b", "c"))
    assert sets.dtype == np.float32
    np.testing.assert_array_equal(sets, [[1, 0, 1], [0, 0, 0], [np.nan, 1, 0]])
    assert class_sets([], ("a", "b")).shape == (0, 2)


def test_boxes_become_rows_of_numbers_and_what_counts_neither_way_is_marked() -> None:
    targets = [
        Boxes((Box("b", 1.5, 2, 3, 4), Box("a", 0, 0, 9, 9, difficult=True))),
        Boxes(),
        Boxes((Box("a", 5, 6, 7, 8, crowd=True),)),
    ]
    found = class_boxes(targets, ("a", "b"))
    assert found.dtype == np.float32
    assert found.shape == (3, 2, 6)
    assert found[0].tolist() == [[1, 1.5, 2, 3, 4, 0], [0, 0, 0, 9, 9, 1]]
    assert np.isnan(found[1]).all()
    assert found[2, 0].tolist() == [0, 5, 6, 7, 8, 1]
    assert np.isnan(found[2, 1]).all()
    assert class_boxes([Boxes()], ("a",)).shape == (1, 1, 6)
    assert class_boxes([], ("a",)).shape == (0, 1, 6)


def test_a_target_whose_files_lie_elsewhere() -> None:
    painting = Painting(
        values=("a",), pixels=(3,), form="parts", parts=(("a", Path("x/1.png")), ("b", Path("x/2.png")))
    )
    mask = MaskFile(Path("x/1.png"), ("a",), painting)
    assert mask.files == (Path("x/1.png"), Path("x/1.png"), Path("x/2.png"))
    there = mask.elsewhere({"x/1.png": "y/1.png", "x/2.png": "z.png"})
    assert there.files == (Path("y/1.png"), Path("y/1.png"), Path("z.png"))
    assert MaskFile.read(there.text) == there
    for target in (ClassName("a"), ClassNames(("a",)), Boxes((Box("a", 1, 2, 3, 4),))):
        assert target.files == ()
        assert target.elsewhere({"a": "b"}) is target
