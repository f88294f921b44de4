"""What sets of classes add to an audit: counted by hand. In: sets, groups. Out: counts, conflicts, sentences."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tellapart.data.audit import audit_json, build_audit, check_trainable, findings
from tellapart.data.examples import Entry, Inspection, Listing, Split
from tellapart.data.label_sets import count_sets, disagree
from tellapart.data.survey import Audit
from tellapart.data.targets import ClassName, ClassNames, Target
from tellapart.errors import DataError

Item = tuple[Entry, Inspection]


def item(name: str, text: str, *, content: str = "", split: Split | None = None, problem: str = "") -> Item:
    """A listed picture with a set and what was seen in it; pictures of equal `content` are copies."""
    entry = Entry(path=Path(name), target=ClassNames.read(text), split=split)
    seen = f"{content or name:0>32}"
    return entry, Inspection(file_hash=name, content_hash="" if problem else seen, problem=problem, width=8, height=8)


def audited(items: list[Item], classes: tuple[str, ...]) -> Audit:
    entries = tuple(entry for entry, _ in items)
    listing = Listing(source=Path("pictures"), entries=entries, classes=classes, task="multilabel")
    return build_audit(listing, [inspection for _, inspection in items])


def test_sets_are_counted() -> None:
    sets = [ClassNames.read(text) for text in ("a|b", "a|b", "b", "", "a|?b", "?a|?b", "a|b")]
    counts = count_sets(sets, ["1", "1", "2", "2", "3", "4", "5"], ["", "", "", "test", "", "", ""], ("a", "b", "c"))
    assert list(counts.combinations.items()) == [("a|b", 3), ("", 1), ("b", 1)]
    assert counts.empty == 1
    assert counts.unknown == {"a": 1, "b": 2, "c": 0}
    # a is not in the pictures of group 2; b not in the fourth picture, of group 2; c in none of the five groups.
    assert counts.absent == {"a": 1, "b": 1, "c": 5}
    assert counts.pictures == {"": 6, "test": 1}
    assert json.loads(json.dumps(counts.as_json()))["none_of_them"] == 1


@pytest.mark.parametrize(
    ("one", "other", "answer"),
    [
        (ClassNames(("a",)), ClassNames(("a",)), False),
        (ClassNames(("a",)), ClassNames(), True),
        (ClassNames(), ClassNames(("a",)), True),
        (ClassNames(("a",)), ClassNames((), ("a",)), False),
        (ClassNames(("a",)), ClassNames(("a",), ("b",)), False),
        (ClassNames(("a", "b")), ClassNames((), ("a",)), True),
        (ClassNames((), ("a",)), ClassNames((), ("b",)), False),
        (ClassNames(("a",), ("b",)), ClassNames(("b",), ("a",)), False),
        (ClassName("a"), ClassName("b"), True),
        (ClassName("a"), ClassName("a"), False),
    ],
)
def test_two_targets_that_cannot_both_be_right(one: Target, other: Target, answer: bool) -> None:
    assert disagree([one, other]) is answer
    assert disagree([other, one, other]) is answer


def test_three_targets_of_which_two_disagree() -> None:
    assert disagree([ClassNames((), ("a",)), ClassNames(("a",)), ClassNames()])


def test_a_picture_counts_for_each_of_its_classes() -> None:
    items = [item(f"{number}.png", "a|b", split="train") for number in range(4)]
    items += [item("x.png", "b", split="test"), item("y.png", "", split="test"), item("z.png", "a", problem="empty")]
    audit = audited([*items, item("copy.png", "b|a", content="0.png", split="train")], ("a", "b"))
    assert audit.counts == {"": {"a": 0, "b": 0}, "train": {"a": 5, "b": 5}, "test": {"a": 0, "b": 1}}
    assert audit.distinct == {"a": 4, "b": 5}
    assert audit.pictures == 7
    assert audit.two_labels == ()
    assert audit.own is not None
    assert audit.own.record["combinations"] == {"a|b": 5, "": 1, "b": 1}
    record = audit_json(audit)
    assert record["task"] == "multilabel"
    assert record["sets"] == {
        "pictures": {"test": 2, "train": 5},
        "combinations": {"a|b": 5, "": 1, "b": 1},
        "none_of_them": 1,
        "not_known": {"a": 0, "b": 0},
        "without": {"a": 2, "b": 1},
    }


def test_what_there_is_to_know_about_sets() -> None:
    items = [item(f"{number}.png", "a|b" if number % 2 else "a") for number in range(40)]
    items += [item("e.png", ""), item("f.png", "?a|?b"), item("g.png", "?b")]
    messages = {finding.message: finding.severity for finding in findings(audited(items, ("a", "b")))}
    assert messages == {
        "nearly every picture shows 'a' (all but 2): fewer than 3 different ones do not, which train, validation and test "
        "need one of, so how well it is told apart can hardly be tested. Add pictures without it, or remove the class.": (
            "warning"
        ),
        "combinations of classes: 3, the most frequent a (20), a|b (20), none of them (1).": "note",
        "none of the classes: 1 picture; they teach what a picture without any of them looks like.": "note",
        "not known whether a class is shown: 3 times, most often 'b' (2); this counts neither way.": "note",
    }


def test_three_pictures_without_a_class_are_enough() -> None:
    items = [item(f"{number}.png", "a|b" if number % 2 else "a") for number in range(60)]
    audit = audited([*items, *(item(f"without {number}.png", "b") for number in range(3))], ("a", "b"))
    assert [finding.severity for finding in findings(audit)] == ["note"]


def test_copies_with_other_sets_are_told() -> None:
    items = [item(f"{number}.png", "a|b" if number % 2 else "") for number in range(50)]
    audit = audited(
        [*items, item("copy.png", "", content="1.png"), item("vague.png", "a|?b", content="3.png")], ("a", "b")
    )
    (conflict,) = audit.two_labels
    assert (conflict.paths, conflict.labels, conflict.exact) == ((Path("1.png"), Path("copy.png")), ("a|b", ""), True)
    told = [finding.message for finding in findings(audit) if finding.severity == "warning"]
    assert told == [
        (
            "TWO LABELS: exactly the same picture stands under different labels (1 cluster), such as 1.png = copy.png "
            "(none, a|b). Only one can be right; correct or remove the others."
        )
    ]


@pytest.mark.parametrize(
    ("sets", "classes", "words"),
    [
        (["", "", ""], (), "pictures names no class: no picture has a label. Add labels."),
        (["a", "", "a", "a"], ("a",), "pictures has only one class, 'a'; telling apart needs two."),
        (["a|b", "a", "a|b", ""], ("a", "b"), "class 'b' has 2: fewer different pictures than 3"),
        (["a", "a", "a", ""], ("a", "b"), "class 'b' has 0: fewer different pictures than 3"),
    ],
)
def test_what_cannot_be_learned_is_refused(sets: list[str], classes: tuple[str, ...], words: str) -> None:
    audit = audited([item(f"{number}.png", text) for number, text in enumerate(sets)], classes)
    with pytest.raises(DataError) as caught:
        check_trainable(audit)
    assert str(caught.value).startswith(words)


def test_an_audit_of_one_class_a_picture_says_nothing_of_sets() -> None:
    entry, inspection = item("a.png", "a")
    listing = Listing(source=Path("pictures"), entries=(entry,), classes=("a",))
    audit = build_audit(listing, [inspection])
    assert audit.own is None
    assert {"sets", "task"}.isdisjoint(audit_json(audit))


def test_a_class_of_which_nothing_is_known_is_not_said_to_be_everywhere() -> None:
    items = [item(f"{number}.png", "a|?x" if number % 2 else "?x") for number in range(60)]
    assert not any("nearly every picture shows" in one.message for one in findings(audited(items, ("a", "x"))))
