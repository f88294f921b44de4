"""Damaged and hostile annotations of every form: boxes within their pictures, or a reason; and no other file is opened.

For a longer search: `python tests/test_fuzz_boxes.py COUNT [SEED]`.
"""

from __future__ import annotations

import math
import re
import resource
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tellapart.data.box_repair import settle_boxes
from tellapart.data.examples import Inspection, ReadOptions
from tellapart.data.listing import read_listing
from tellapart.data.targets import Boxes
from tellapart.errors import DataError, StorageError
from tests.data.box_forms import FORMS, PAGES

SIZES = {name: size for name, size, _ in PAGES}
ROUNDS = 150  # in the suite
LONGEST = 3_000  # letters of a message: a person reads it
NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
VALUES = (b"nan", b"-inf", b"1e999", b"-7", b"0", b"1e-320", b"9" * 400, b"null", b"true", b'"x"', b"[]", b"{}", b"")
TEXTS = (
    b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
    b'<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>&b;',
    *(
        b"../../../etc/passwd",
        b"/etc/hostname",
        b"file:///etc/passwd",
        b"!!python/object/apply:os.system ['ls']",
        b"&x;",
    ),
    *(
        b"\0\0",
        b"\xff\xfe",
        b"\xc3",
        b"[" * 3000,
        b"{" * 3000,
        b"<object>" * 500,
        b'"',
        b",",
        b"\n",
        "狗\u202e".encode(),
    ),
)

Change = Callable[[bytes], bytes]
opened: list[str] | None = None  # while it is watched


def _watch(event: str, values: tuple[Any, ...]) -> None:
    if opened is not None and event == "open" and isinstance(values[0], str | bytes):
        opened.append(values[0] if isinstance(values[0], str) else values[0].decode(errors="replace"))


sys.addaudithook(_watch)


@st.composite
def changes(draw: st.DrawFn) -> Change:
    """One change: a number becomes another value, or something is written over, put in, repeated or cut off."""
    place = draw(st.floats(0, 1, exclude_max=True))
    kind = draw(st.sampled_from(("number", "number", "number", "over", "in", "repeat", "cut", "bit")))
    value, text, length = draw(st.sampled_from(VALUES)), draw(st.sampled_from(TEXTS)), draw(st.integers(1, 200))

    def change(data: bytes) -> bytes:
        at = int(place * len(data))
        if kind == "number":
            found = list(NUMBER.finditer(data))
            if not found:
                return data
            one = found[int(place * len(found))]
            return data[: one.start()] + value + data[one.end() :]
        after = {"over": at + len(text), "in": at, "repeat": at, "cut": len(data), "bit": at + 1}[kind]
        flipped = bytes([data[at] ^ 1 << length % 8]) if data else b""
        between = {"over": text, "in": text, "repeat": data[at : at + length] * 3, "cut": b"", "bit": flipped}[kind]
        return data[:at] + between + data[after:]

    return change


class Sets:
    """A sound data set of each form in a folder, one annotation of which is changed and put back."""

    def __init__(self, folder: Path) -> None:
        self.folders = {form: folder / form for form in FORMS}
        for form, write in FORMS.items():
            self.folders[form].mkdir(parents=True)
            write(self.folders[form], PAGES)
        self.annotations = {
            form: sorted(path for path in one.rglob("*") if path.is_file() and path.name not in SIZES)
            for form, one in self.folders.items()
        }

    def look_at(self, form: str, which: int, made: list[Change]) -> str:
        """Read all of it. What escapes from here is a bug."""
        annotations = self.annotations[form]
        path = annotations[which % len(annotations)]
        sound = path.read_bytes()
        data = sound
        for change in made:
            data = change(data)
        path.write_bytes(data)
        before = sorted(self.folders[form].rglob("*"))
        try:
            return self._read(form)
        finally:
            assert sorted(self.folders[form].rglob("*")) == before
            path.write_bytes(sound)

    def _read(self, form: str) -> str:
        global opened
        folder = self.folders[form]
        source = folder / "table.csv" if form == "table" else folder
        opened = []
        try:
            listing = read_listing(source, ReadOptions(task="detection"))
        except (DataError, StorageError) as error:
            return "refused" if len(str(error)) < LONGEST else "refused at length"
        finally:
            others, opened = {one for one in opened if "/etc/" in one}, None
            assert others == set()
        inspections = [
            Inspection(file_hash="", width=SIZES[name][0], height=SIZES[name][1])
            if (name := entry.path.name) in SIZES and entry.path.is_relative_to(folder)
            else Inspection(file_hash="", problem="gone")
            for entry in listing.entries
        ]
        settled, kept = settle_boxes(listing, inspections)
        for entry, inspection in zip(settled.entries, kept, strict=True):
            assert isinstance(entry.target, Boxes)
            assert entry.target.text  # it can be told
            for box in entry.target.boxes if not inspection.problem else ():
                assert all(map(math.isfinite, (box.left, box.top, box.right, box.bottom)))
                assert 0 <= box.left < box.right <= inspection.width
                assert 0 <= box.top < box.bottom <= inspection.height
                assert box.label in settled.classes
                assert box.label.strip()
        return "read"


def search(count: int, number: int, folder: Path) -> Counter[str]:
    """Look at so many changed data sets."""
    outcomes: Counter[str] = Counter()
    sets = Sets(folder)

    @seed(number)
    @settings(max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(sorted(FORMS)), st.integers(0, 3), st.lists(changes(), min_size=1, max_size=3))
    def one(form: str, which: int, made: list[Change]) -> None:
        outcomes[sets.look_at(form, which, made)] += 1

    one()
    return outcomes


def test_every_sound_form_is_read(tmp_path: Path) -> None:
    sets = Sets(tmp_path)
    assert {form: sets.look_at(form, 0, []) for form in FORMS} == dict.fromkeys(FORMS, "read")


def test_another_file_that_is_opened_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def reads_elsewhere(*given: Any) -> Any:
        Path("/etc/hostname").read_bytes()
        raise DataError("never")

    sets = Sets(tmp_path)
    monkeypatch.setattr(sys.modules[__name__], "read_listing", reads_elsewhere)
    with pytest.raises(AssertionError):
        sets.look_at("voc", 0, [])


def test_changed_annotations_are_read_or_refused(tmp_path: Path) -> None:
    outcomes = search(ROUNDS, 0, tmp_path)
    assert set(outcomes) == {"read", "refused"}


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (3 * 2**30, 3 * 2**30))
    with tempfile.TemporaryDirectory() as parent:
        print(search(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0, Path(parent)))
