"""Whatever lies in a file of texts. In: any bytes, any characters. Out: a listing, or an error in words; numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from tellapart.data.examples import Listing
from tellapart.data.listing import read_listing
from tellapart.data.packed_texts import texts_at
from tellapart.data.texts_copies import find_text_copies
from tellapart.data.texts_look import look_at_texts
from tellapart.errors import TellapartError
from tellapart.texts.inputs import TextInputs, as_input
from tellapart.texts.ngrams import Rules
from tellapart.texts.pieces import PieceInputs
from tellapart.texts.sequences import WORDS, WordInputs
from tellapart.texts.vocabulary import GramInputs

EVERY = some.text(some.characters(exclude_categories=()), max_size=40)  # halves of surrogate pairs, too
LINES = some.lists(some.binary(max_size=30) | EVERY.map(lambda text: text.encode("utf-8", "replace")), max_size=6)
QUICK = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
KNOWN = np.sort(np.random.default_rng(0).integers(0, 2**63, 50).astype(np.uint64))
PIECES = PieceInputs(
    pieces={"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "a": 4, "##b": 5},
    lowercase=True,
    unmarked=True,
    apart=True,
    first=2,
    last=3,
    unknown=1,
    padding=0,
    most=16,
)
INPUTS = TextInputs(
    parts=(
        GramInputs(rules=Rules(words=(1, 2), characters=(2, 3)), known=KNOWN),
        PIECES,
        WordInputs(rules=WORDS, known=KNOWN, window=8),
    )
)


def read(path: Path) -> Listing | None:
    try:
        return read_listing(path)
    except TellapartError:
        return None


def looked_at(listing: Listing | None) -> None:
    """Nothing that was read stops the look at it."""
    if listing is not None and listing.task == "text":
        listing, inspections = look_at_texts(listing)
        copies = find_text_copies(texts_at(listing.entries), inspections)
        assert len(copies.cluster_of) == len(listing.entries)


@QUICK
@given(lines=LINES, others=LINES)
def test_files_by_class(lines: list[bytes], others: list[bytes], tmp_path: Path) -> None:
    (tmp_path / "r.pos").write_bytes(b"\n".join(lines))
    (tmp_path / "r.neg").write_bytes(b"\n".join(others))
    looked_at(read(tmp_path))


@QUICK
@given(lines=LINES, names=LINES)
def test_numbered_lines(lines: list[bytes], names: list[bytes], tmp_path: Path) -> None:
    (tmp_path / "class.txt").write_bytes(b"\n".join(names) or b"x\ny")
    (tmp_path / "train.txt").write_bytes(b"\n".join(line + b"\t0" for line in lines))
    looked_at(read(tmp_path))


@QUICK
@given(lines=LINES)
def test_tables(lines: list[bytes], tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"text,label\n" + b"\n".join(line + b",x" for line in lines))
    looked_at(read(tmp_path / "t.csv"))


@QUICK
@given(texts=some.lists(EVERY, min_size=1, max_size=5))
def test_any_text_becomes_numbers(texts: list[str]) -> None:
    tokens = as_input(texts, INPUTS)
    assert tokens.shape[:2] == (len(texts), 4)
    assert tokens.dtype == np.int32
    for part, first in zip(INPUTS.parts, (0, 2, 3), strict=True):
        alone = part.encode(texts)
        own = tokens[:, first : first + part.height]
        np.testing.assert_array_equal(own[..., : alone.shape[2]], alone)
        assert (own[..., alone.shape[2] :] == part.padding).all()


def test_a_cell_of_ten_megabytes(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("text,label\n" + "word " * 2_000_000 + ",a\nshort,b\n", encoding="utf-8")
    listing, inspections = look_at_texts(read_listing(tmp_path / "t.csv"))
    assert [one.problem for one in inspections] == ["", ""]
    assert inspections[0].width == 9_999_999  # without the last blank
    assert as_input(texts_at(listing.entries), INPUTS).shape[2] < 100_000


@pytest.mark.parametrize("text", ["\ud83d", "\u202e\u05d0\u05d1", "\u200b\u200d", "\U0001f600" * 9, "\0\0", "\ufdfa"])
def test_odd_texts_alone(text: str) -> None:
    assert as_input([text], INPUTS).shape[:2] == (1, 4)
