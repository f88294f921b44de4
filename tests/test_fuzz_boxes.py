"""Thousands of damaged annotations of boxes: each is read or refused in words, no other file is opened, and nothing is written.

For a longer search: `python -m tests.test_fuzz_boxes SEED COUNT`.
"""

from __future__ import annotations

import math
import random
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tellapart.data.box_counts import box_notes, box_warnings, count_boxes
from tellapart.data.box_repair import settle_boxes
from tellapart.data.examples import Inspection, ReadOptions
from tellapart.data.listing import read_listing
from tellapart.data.targets import Boxes
from tellapart.errors import TellapartError
from tests.data.box_forms import FORMS, PAGES

FILES = 120
LONGEST = 3_000  # letters of a message: a person reads it
PIECES = (
    *(
        b"<",
        b">",
        b"/>",
        b"&amp;",
        b"&x;",
        b"<!DOCTYPE a [",
        b"<!ENTITY x 'y'>",
        b"]]>",
        b"<bndbox>",
        b"<object>",
        b"<name/>",
    ),
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b'"',
        b":",
        b",",
        b"null",
        b"true",
        b"-1",
        b"1e999",
        b"NaN",
        b"Infinity",
        b"99999999999999999999",
    ),
    *(
        b"\n",
        b"\0",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\xe9",
        b" ",
        b"-",
        b"0.5",
        b"../",
        b"/etc/passwd",
        b"&a",
        b"*a",
        b"!!python/name:os",
    ),
    *(
        b"!!python/name:os",
        b"images",
        b"annotations",
        b"categories",
        b"bbox",
        b"shapes",
        b"points",
        b"names",
        b"xmin",
        b"path",
    ),
)


# What only does harm as a whole, and what a number may have been.
WHOLES = (
    b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
    b'<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>&b;',
    *(b"../../../etc/passwd", b"file:///etc/passwd", b"!!python/object/apply:os.system ['ls']", "狗\u202e".encode()),
    *(b"[" * 3000, b"{" * 3000, b"<object>" * 500),
)
NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
VALUES = (b"nan", b"-inf", b"1e999", b"-7", b"0", b"1e-320", b"9" * 400, b"null", b"true", b'"x"', b"[]", b"{}", b"")

opened: list[str] | None = None  # while it is watched


def _watch(event: str, values: tuple[Any, ...]) -> None:
    if opened is not None and event == "open" and isinstance(values[0], str | bytes):
        opened.append(values[0] if isinstance(values[0], str) else values[0].decode(errors="replace"))


sys.addaudithook(_watch)


def damaged(data: bytes, generator: random.Random) -> bytes:
    """Some places overwritten, taken out, doubled or filled with what may mean something."""
    for _ in range(generator.randint(1, 6)):
        place = generator.randrange(len(data) + 1)
        end = min(len(data), place + generator.randint(0, 12))
        piece = generator.choice(WHOLES if generator.random() < 0.1 else PIECES)
        numbers = list(NUMBER.finditer(data))
        if numbers and generator.random() < 0.3:
            one = generator.choice(numbers)
            data = data[: one.start()] + generator.choice(VALUES) + data[one.end() :]
            continue
        data = generator.choice(
            (
                data[:place] + piece + data[end:],
                data[:place] + data[end:],
                data[:end] + data[place:],
                data[:place] + bytes([generator.randrange(256)]) + data[place:],
            )
        )
    return data


def look(folder: Path, source: Path, told: bool) -> str:
    """What became of a data set: its pictures' boxes lie in them, or an error of ours."""
    global opened
    opened = []
    try:
        listing = read_listing(source, ReadOptions(task="detection" if told else None))
    except TellapartError as error:
        whole = str(error).endswith((".", "?")) and len(str(error)) < LONGEST
        return "refused" if whole else f"refused with {error}"
    finally:
        others, opened = [one for one in opened if "/etc/" in one], None
        assert others == []
    if listing.task != "detection":
        return listing.task
    inspections = [Inspection(file_hash="", width=64, height=48) for _ in listing.entries]
    found, kept = settle_boxes(listing, inspections)
    for entry in found.entries:
        assert str(entry.path).startswith(str(folder))
        assert isinstance(entry.target, Boxes)
        assert Boxes.read(entry.target.text) == entry.target
        for box in entry.target.boxes:
            assert all(map(math.isfinite, (box.left, box.top, box.right, box.bottom)))
            assert 0 <= box.left < box.right <= 64
            assert 0 <= box.top < box.bottom <= 48
            assert box.label
    counts = count_boxes(found.entries, kept, found.classes, found.faults)
    assert all([*box_warnings(counts, str), *box_notes(counts, str)])
    return "read"


def search(form: str, folder: Path, seed: int, count: int) -> Counter[str]:
    """Damage one of the files at a time, and look."""
    generator = random.Random(seed)
    FORMS[form](folder, PAGES)
    texts = sorted(
        path for path in folder.rglob("*") if path.suffix in (".xml", ".json", ".jsonl", ".txt", ".yaml", ".csv")
    )
    before = sorted(folder.rglob("*"))
    outcomes: Counter[str] = Counter()
    for _ in range(count):
        path = generator.choice(texts)
        whole = path.read_bytes()
        path.write_bytes(damaged(whole, generator))
        source = folder / "table.csv" if form == "table" else folder
        outcomes[look(folder, source, generator.random() < 0.5)] += 1
        path.write_bytes(whole)
    assert sorted(folder.rglob("*")) == before
    return outcomes


@pytest.mark.parametrize("form", list(FORMS))
def test_damaged_annotations_are_read_or_refused(form: str, tmp_path: Path) -> None:
    outcomes = search(form, tmp_path / "set", seed=20260728, count=FILES)
    assert outcomes["read"]
    assert set(outcomes) <= {"read", "refused", "classification"}


def test_another_file_that_is_opened_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def reads_elsewhere(*given: Any) -> Any:
        return Path("/etc/hostname").read_bytes()

    monkeypatch.setattr(sys.modules[__name__], "read_listing", reads_elsewhere)
    with pytest.raises(AssertionError):
        look(tmp_path, tmp_path, told=True)


if __name__ == "__main__":
    for name in FORMS:
        with tempfile.TemporaryDirectory() as place:
            print(name, dict(search(name, Path(place) / "set", int(sys.argv[1]), int(sys.argv[2]))))
