"""A look at every text: is there one, what is its content. In: Listing. Out: inspections. Next: texts_copies.py."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from tellapart.data.examples import Entry, Inspection, Listing
from tellapart.data.reader import ALONE, Opening
from tellapart.errors import PictureError
from tellapart.sources.reading import read_bytes
from tellapart.texts.cleaning import MOST_LETTERS, clean

EMPTY = "empty: nothing is left of it without blanks and unseen characters"


def look_at_texts(listing: Listing, opening: Opening = ALONE) -> tuple[Listing, list[Inspection]]:
    """Inspect every text; `width` of an inspection is letters. One that could not be read when it was listed is told why."""
    inspections: list[Inspection] = []
    for entry in listing.entries:
        inspections.append(
            Inspection(file_hash="", problem=_reason(entry.path)) if entry.text is None else inspect_text(entry.text)
        )
        opening.advance(1)
    return listing, inspections


def _reason(path: Path) -> str:
    """Why a file could not be read."""
    try:
        read_bytes(path)
    except PictureError as error:
        return str(error)
    except (OSError, ValueError) as error:
        return f"cannot be read ({getattr(error, 'strerror', None) or error})"
    return "could not be read when it was listed; it can now, so try again"


def inspect_text(text: str) -> Inspection:
    """What a text tells: its content hash is that of what `clean` leaves of it."""
    content = clean(text)
    if not content:
        return Inspection(file_hash="", problem=EMPTY)
    if len(text) > MOST_LETTERS:  # what follows is not counted in, yet makes texts differ
        content = f"{content}\0{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()}"
    digest = hashlib.sha256(content.encode()).hexdigest()[:32]
    return Inspection(file_hash="", content_hash=digest, width=len(text), height=1)


def texts_of(entries: Sequence[Entry]) -> list[str]:
    """The texts of entries that were looked at; "" of one that could not be read."""
    return [entry.text or "" for entry in entries]
