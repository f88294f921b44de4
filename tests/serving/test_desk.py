"""What a desk makes of what is said. In: labels, skips, steps back. Out: what is next, what is kept."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tellapart.data.to_label import ToLabel
from tellapart.errors import SettingsError, StorageError
from tellapart.serving.desk import MOST_CLASSES, Desk, checked_classes
from tellapart.serving.desk_table import LabelTable
from tellapart.serving.refusals import NotAllowed, Refusal, Unknown

MakeDesk = Callable[..., Desk]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[MakeDesk]:
    """A desk of five pictures, of which the last has a problem; called again, it takes the place of the one before."""
    held = contextlib.ExitStack()

    def make_one(*, several: bool = False, **more: object) -> Desk:
        held.close()
        table = held.enter_context(contextlib.closing(LabelTable(tmp_path / "labels", several=several)))
        files = [str(tmp_path / f"{number}.png") for number in range(5)]
        pictures = [
            ToLabel(file=file, name=Path(file).name, suggested=("cat", "bat"), problem="it is gone" if at == 4 else "")
            for at, file in enumerate(files)
        ]
        return Desk(pictures, table, classes=("cat", "dog"), several=several, **more)  # type: ignore[arg-type]

    yield make_one
    held.close()


def rows(tmp_path: Path) -> list[str]:
    path = tmp_path / "labels" / "labels.csv"
    return path.read_text().splitlines()[1:] if path.exists() else []


def test_from_the_first_to_the_last(make: MakeDesk, tmp_path: Path) -> None:
    desk = make()
    assert desk.next_open() == 0
    desk.label(0, ["dog"])
    desk.skip(1)
    assert desk.next_open(1) == 2
    desk.label(3, ["cat"])
    assert desk.next_open(3) == 2  # the last one cannot be labelled: from the front again
    assert desk.told() == {"total": 5, "labelled": 2, "skipped": 1, "unusable": 1, "undo": True}
    desk.label(2, ["cat"])
    assert desk.next_open(2) is None
    desk.again()
    assert desk.next_open(2) == 1
    assert rows(tmp_path) == ["../0.png,dog", "../3.png,cat", "../2.png,cat"]


def test_each_step_is_taken_back_in_turn(make: MakeDesk, tmp_path: Path) -> None:
    desk = make()
    desk.label(0, ["dog"])
    desk.skip(1)
    desk.label(0, ["cat"])
    desk.label(1, ["dog"])  # what was skipped
    assert [desk.undo(), desk.undo()] == [1, 0]
    assert (desk.skipped, desk.labels) == ({1}, {0: ("dog",)})
    assert rows(tmp_path) == ["../0.png,dog"]
    assert [desk.undo(), desk.undo()] == [1, 0]
    assert (desk.skipped, desk.labels, rows(tmp_path)) == (set(), {}, [])
    with pytest.raises(NotAllowed, match="nothing was labelled or skipped yet, so there is nothing to take back"):
        desk.undo()


def test_a_new_desk_goes_on_and_takes_back_what_the_old_one_kept(make: MakeDesk, tmp_path: Path) -> None:
    first = make()
    for number, name in ((2, "dog"), (0, "cat")):
        first.label(number, [name])
    first.skip(1)
    second = make()
    assert (second.labels, second.skipped, second.next_open()) == ({2: ("dog",), 0: ("cat",)}, set(), 1)
    assert [second.undo(), second.undo()] == [0, 2]
    assert rows(tmp_path) == []


def test_classes_that_the_table_has_are_kept(make: MakeDesk) -> None:
    first = make(new_classes=True)
    first.label(0, ["bat"])
    second = make()
    assert second.classes == ["cat", "dog", "bat"]
    assert second.told_picture(1)["suggested"] == ["cat", "bat"]
    assert first.told_picture(1)["suggested"] == ["cat", "bat"]
    second.undo()
    assert make().told_picture(1)["suggested"] == ["cat"]  # only what can be chosen is suggested


def test_any_number_of_classes(make: MakeDesk, tmp_path: Path) -> None:
    desk = make(several=True)
    desk.label(0, ["dog", "cat"])
    desk.label(1, [])
    assert desk.labels == {0: ("cat", "dog"), 1: ()}
    assert rows(tmp_path) == ["../0.png,cat|dog", "../1.png,"]
    assert make(several=True).labels == desk.labels
    with pytest.raises(Refusal, match="a class was given twice"):
        desk.label(2, ["cat", "cat"])


@pytest.mark.parametrize(
    ("number", "names", "kind", "message"),
    [
        (0, [], Refusal, "0 classes were given; here a picture has one"),
        (0, ["cat", "dog"], Refusal, "2 classes were given; here a picture has one. Give one, or start with --several"),
        (0, ["cow"], Refusal, "'cow' is none of the classes: cat, dog. Start with --new-classes"),
        (5, ["cat"], Unknown, "there is no picture 5; the desk has 5, from 0"),
        (-1, ["cat"], Unknown, "there is no picture -1"),
        (4, ["cat"], NotAllowed, "4.png cannot be labelled: it is gone"),
    ],
)
def test_what_is_no_label_is_refused(
    make: MakeDesk, tmp_path: Path, number: int, names: list[str], kind: type[Exception], message: str
) -> None:
    desk = make()
    with pytest.raises(kind, match=message):
        desk.label(number, names)
    assert (desk.labels, rows(tmp_path), desk.told()["undo"]) == ({}, [], False)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (" ", "it is empty"),
        ("cow ", "it has blanks at its ends"),
        ("a\nb", "or signs that cannot be seen"),
        ("e\u0301", "it is not in Unicode's normal form C"),
        ("x" * 201, "it has 201 characters; at most 200 are taken"),
    ],
)
def test_what_is_no_name_of_a_class(make: MakeDesk, name: str, reason: str) -> None:
    with pytest.raises(Refusal, match=reason):
        make(new_classes=True).label(0, [name])


def test_there_is_an_end_of_new_classes(make: MakeDesk) -> None:
    desk = make(new_classes=True)
    desk.classes += [str(number) for number in range(MOST_CLASSES - 2)]
    with pytest.raises(Refusal, match="there are 10,000 classes already"):
        desk.label(0, ["one more"])


def test_what_could_not_be_kept_was_not_said(make: MakeDesk, tmp_path: Path) -> None:
    desk = make()
    desk.label(0, ["cat"])
    shutil.rmtree(tmp_path / "labels")
    (tmp_path / "labels").write_text("in the way")
    for change in (lambda: desk.label(1, ["cat"]), desk.undo):
        with pytest.raises((StorageError, NotAllowed)):
            change()
    assert (desk.labels, desk.next_open()) == ({0: ("cat",)}, 1)


def test_pictures_that_cannot_be_shown_are_told(make: MakeDesk) -> None:
    desk = make()
    desk.set_aside(1, "damaged")
    desk.set_aside(1, "said once")
    assert desk.told_problems() == [
        {"number": 1, "name": "1.png", "reason": "damaged"},
        {"number": 4, "name": "4.png", "reason": "it is gone"},
    ]
    assert desk.next_open() == 0
    assert desk.next_open(0) == 2


def test_classes_that_are_given() -> None:
    assert checked_classes([" cat", "e\u0301"], source="--classes") == ["cat", "é"]
    for names, message in (
        (["cat", ""], "--classes has '', which cannot be a class: it is empty"),
        (["a", "a"], "names 'a' twice"),
    ):
        with pytest.raises(SettingsError, match=message):
            checked_classes(names, source="--classes")
    with pytest.raises(SettingsError, match="names 10,001 classes; a desk takes 10,000"):
        checked_classes((str(number) for number in range(MOST_CLASSES + 1)), source="--classes")
