"""Very many texts packed: everything says of them what it says of the same texts as they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tellapart.data.audit import audit_json
from tellapart.data.dataset import gather
from tellapart.data.examples import Entry, Example, Inspection, Listing
from tellapart.data.packed_entries import packed, part_of
from tellapart.data.packed_examples import PackedExamples
from tellapart.data.packed_inspections import PackedInspections
from tellapart.data.packed_texts import texts_as_read, texts_at
from tellapart.data.survey import Examined, build_audit
from tellapart.data.targets import ClassName, ClassNames
from tellapart.data.texts_look import look_at_texts

TEXTS = (
    "A film, as good as they come.",
    "a film, as good as they come",
    None,
    "A film, as good as they come.",
    "",
    "half \ud83d a pair, and <b>HTML</b>",
    "令人难忘的电影，值得一看",
    "\0 NUL, and a line\r\nof its own",
    "x" * 100_001,
    *(f"the {number}th text, {'good' if number % 2 else 'bad'} as it may be {number * 7919}" for number in range(30)),
)


@pytest.fixture
def listing() -> Listing:
    entries = [
        Entry(
            path=Path(f"/data/texts.csv:{place + 2}"),
            target=ClassName("ab"[place % 2]),
            split=None,
            group="one" if place in (10, 13) else "",
            text=text,
        )
        for place, text in enumerate(TEXTS)
    ]
    return Listing(source=Path("/data/texts.csv"), entries=tuple(entries), classes=("a", "b"), task="text")


def packed_of(listing: Listing) -> tuple[Listing, PackedInspections]:
    inspections = PackedInspections(len(listing.entries))
    for one in look_at_texts(listing)[1]:
        inspections.append(one)
    return replace(listing, entries=packed(listing.entries)), inspections


def test_entries_with_texts_come_out_as_they_went_in(listing: Listing) -> None:
    entries = packed(listing.entries)
    assert not isinstance(entries, tuple)
    assert entries == listing.entries
    places = [5, 2, 0, 7, 4]
    assert part_of(entries, places) == part_of(listing.entries, places)
    assert tuple(texts_as_read(entries)) == tuple(texts_as_read(listing.entries)) == TEXTS
    assert texts_at(entries) == texts_at(listing.entries) == [text or "" for text in TEXTS]
    assert texts_at(entries, np.array(places)) == [TEXTS[place] or "" for place in places]


def test_a_text_may_come_after_entries_without_any(listing: Listing) -> None:
    given = (*(replace(one, text=None) for one in listing.entries[:3]), *listing.entries[:4])
    entries = packed(given)
    assert entries == given
    assert part_of(entries, [3, 0, 4]) == part_of(given, [3, 0, 4])


def test_what_was_seen_comes_out_as_it_went_in(listing: Listing) -> None:
    _, plain = look_at_texts(listing)
    _, found = packed_of(listing)
    assert found == plain
    assert [place for place, _ in found.unusual()] == [2, 4]  # nothing there, and empty


def test_the_audit_and_the_split_are_the_same(listing: Listing) -> None:
    listed, found = packed_of(listing)
    plain = Examined(
        listing=listing, inspections=look_at_texts(listing)[1], audit=build_audit(listing, look_at_texts(listing)[1])
    )
    small = Examined(listing=listed, inspections=found, audit=build_audit(listed, found))
    assert audit_json(small.audit) == audit_json(plain.audit)
    assert plain.audit.exact_copies == ((Path("/data/texts.csv:2"), Path("/data/texts.csv:5")),)
    one, other = gather(small, seed=0), gather(plain, seed=0)
    assert list(one.examples) == list(other.examples)
    for name in ("indices", "targets", "groups", "splits", "leaked"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    for split, rows in one.rows.items():
        np.testing.assert_array_equal(rows, other.rows[split])


def test_examples_come_out_as_they_went_in(listing: Listing) -> None:
    _, plain = look_at_texts(listing)
    given = gather(Examined(listing=listing, inspections=plain, audit=build_audit(listing, plain)), seed=0).examples
    odd = (
        replace(given[0], content_hash="of no picture"),
        replace(given[0], target=ClassNames(names=("a", "b"))),
        replace(given[0], group="patient"),
        replace(given[0], content_hash=given[0].content_hash.upper()),
    )
    found = PackedExamples()
    for one in (*given, *odd):
        found.append(one)
    assert found == [*given, *odd]
    assert found[-1] == odd[-1]
    assert isinstance(found[3], Example)


def test_an_inspection_of_a_picture_without_looks_is_no_text() -> None:
    odd = Inspection(file_hash="ab" * 32, content_hash="cd" * 16, width=3, height=1)
    found = PackedInspections(1)
    found.append(odd)
    assert list(found) == [odd]
    assert list(found.unusual()) == [(0, odd)]
