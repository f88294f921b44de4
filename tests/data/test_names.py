"""Names that are nearly the same. In: names as people mix them. Out: groups, one class for each, and words."""

from __future__ import annotations

from pathlib import Path

import pytest

from tellapart.data.examples import Entry, Listing, ReadOptions
from tellapart.data.listing import read_listing
from tellapart.data.names import alike, folded, known_as, merge_names, name_warnings, stored_twice
from tellapart.data.targets import ClassName, ClassNames, Target


def listing_of(*targets: Target) -> Listing:
    entries = tuple(Entry(path=Path(str(row)), target=target, split=None) for row, target in enumerate(targets))
    return Listing(
        source=Path("x"), entries=entries, classes=tuple(sorted({name for one in targets for name in one.classes}))
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Cat", "cat"),
        ("disc ", "disc"),
        ("hot  dog", "hot dog"),
        ("\uff23\uff21\uff34", "cat"),
        ("ca\u200bt", "cat"),
        ("\ufeffcat", "cat"),
        ("e\u0301te\u0301", "été"),
        ("NaN", "nan"),
        ("0.0", "0"),
        ("Straße", "STRASSE"),
        ("semi-hard", "semi_hard"),
        ("semi hard", "Semi \u2013 Hard"),
        ("007", "7"),
        ("-01", "-1.0"),
        ("00", "0"),
        ("\u2764\ufe0f", "\u2764"),
        ("\u0130zmir", "izmir"),
        ("\u0441at", "cat"),
    ],
)
def test_names_that_are_nearly_the_same(one: str, other: str) -> None:
    assert folded(one) == folded(other)
    assert alike([one, other, "else"]) == [tuple(sorted((one, other)))]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("cat", "cats"),
        ("0.5", "0"),
        ("été", "ete"),
        ("1", "10"),
        ("1", "-1"),
        ("1.0.1", "1"),
        ("ab", "a-b"),
        ("a+", "a-"),
        ("\u0441\u043e\u0440", "cop"),
    ],
)
def test_names_that_are_not(one: str, other: str) -> None:
    assert alike([one, other]) == []


def test_they_are_told() -> None:
    told = (
        "class names that are nearly the same: 'Cat' and 'cat' and 'ca\\u200bt'. They differ only in case, blanks, hyphens, "
        "zeros or how a character is stored; --merge-names makes one class of each group."
    )
    assert list(name_warnings(["Cat", "cat", "ca\u200bt", "dog"])) == [told]
    assert list(name_warnings(["NaN", "dog"])) == [
        "the class 'NaN' is what programs write where a value is missing. Leave its pictures out, or rename it if it is a class."
    ]
    assert list(name_warnings(["cat", "dog"])) == []


def test_one_class_is_called_as_most_of_its_pictures_have_it() -> None:
    merged = merge_names(listing_of(*map(ClassName, ("cat", "Cat", "cat", "dog"))))
    assert [entry.target.text for entry in merged.entries] == ["cat", "cat", "cat", "dog"]
    assert (merged.classes, merged.merged) == (("cat", "dog"), {"Cat": "cat"})
    assert merged.notes == ("x: names that are nearly the same are read as one: 'Cat' as 'cat'.",)


def test_without_such_names_nothing_changes() -> None:
    listing = listing_of(ClassName("cat"), ClassName("dog"))
    assert merge_names(listing) is listing


def test_a_set_has_what_it_has_under_any_name() -> None:
    target = ClassNames(("Cat",), ("cat", "dog"))
    assert target.renamed({"cat": "Cat"}) == ClassNames(("Cat",), ("dog",))


def test_folders_have_no_blanks_at_their_ends_as_cells_have_none(tmp_path: Path) -> None:
    for folder in ("disc ", "disc", " ring"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.png").touch()
    listing = read_listing(tmp_path)
    assert listing.classes == ("disc", "ring")
    assert listing.notes == (f"{tmp_path}: several folders are called 'disc' but for blanks, and make one class.",)
    assert listing.merged == {}
    assert [entry.target.text for entry in listing.entries] == ["ring", "disc", "disc"]


def test_merging_is_asked_for(tmp_path: Path) -> None:
    for folder in ("Cat", "cat"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.png").touch()
    assert read_listing(tmp_path).classes == ("Cat", "cat")
    assert read_listing(tmp_path, ReadOptions(merge_names=True)).classes == ("Cat",)


@pytest.mark.parametrize(
    ("names", "classes", "merged", "known"),
    [
        (["Cat", "dog"], ["cat", "dog"], {}, {"Cat": "cat"}),
        (["CAT"], ["cat", "Cat"], {}, {}),
        (["Cat"], ["cat", "Cat"], {}, {}),
        (["feline"], ["cat"], {"feline": "cat"}, {"feline": "cat"}),
        (["cow"], ["cat"], {}, {}),
    ],
)
def test_a_model_s_class_is_known_by_a_near_name(
    names: list[str], classes: list[str], merged: dict[str, str], known: dict[str, str]
) -> None:
    assert known_as(names, classes, merged) == known


def test_all_that_stand_for_no_value_are_told() -> None:
    told = (
        "the classes 'None' and 'n/a' are what programs write where a value is missing. Leave their pictures out, or rename them "
        "if they are classes."
    )
    assert list(name_warnings(["None", "dog", "n/a"])) == [told]


COMPOSED, APART = "Caf\u00e9", "Cafe\u0301"
_FOLDER = "(?P<label>[^/]+)/[^/]+$"
TWO_WAYS = f"{COMPOSED!r} is written in two ways that look the same (Unicode's NFC and NFD), and makes one class"


def test_one_name_stored_in_two_ways_is_one_class_and_told(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    for number, folder in enumerate((COMPOSED, APART, "dog")):
        (tmp_path / "all" / folder).mkdir(parents=True)
        (tmp_path / "all" / folder / f"{number}.png").touch()
    table.write_text(f"path,label\nall/{COMPOSED}/0.png,{COMPOSED}\nall/{APART}/1.png,{APART}\nall/dog/2.png,dog\n")
    named = tmp_path / "named.csv"
    named.write_text(f"path\nall/{COMPOSED}/0.png\nall/{APART}/1.png\nall/dog/2.png\n")
    for source, label_from in ((table, None), (tmp_path / "all", None), (tmp_path / "all", _FOLDER), (named, _FOLDER)):
        listing = read_listing(source, ReadOptions(label_from=label_from))
        notes = (f"{source}: {TWO_WAYS}.",)
        assert (listing.classes, listing.notes) == ((COMPOSED, "dog"), notes)
    assert stored_twice([COMPOSED, COMPOSED, "dog"]) == ""
    assert stored_twice([COMPOSED, APART, "o\u0308", "\u00f6"]).startswith(
        f"{COMPOSED!r} and 1 more is written in two ways"
    )


def test_a_class_in_two_languages_is_known_by_either() -> None:
    classes = ("daisy · 雏菊", "crane · 鹤", "crane · 起重机")
    assert known_as(("Daisy", "雏菊", "crane", "鹤"), classes, {}) == {
        "Daisy": "daisy · 雏菊",
        "雏菊": "daisy · 雏菊",
        "鹤": "crane · 鹤",
    }
