"""A look at every text: is there one, what is its content. In: Listing. Out: inspections. Next: texts_copies.py."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from tellapart.data.examples import Inspection, Listing
from tellapart.data.packed_entries import MANY
from tellapart.data.packed_inspections import PackedInspections
from tellapart.data.packed_texts import texts_as_read
from tellapart.data.reader import ALONE, Opening
from tellapart.errors import PictureError
from tellapart.sources.reading import read_bytes
from tellapart.texts.cleaning import MOST_LETTERS, clean

EMPTY = "empty: nothing is left of it without blanks and unseen characters"


def look_at_texts(listing: Listing, opening: Opening = ALONE) -> tuple[Listing, Sequence[Inspection]]:
    """Inspect every text; `width` of an inspection is letters. One that could not be read when it was listed is told why."""
    entries = listing.entries
    inspections = PackedInspections(len(entries)) if len(entries) >= MANY else list[Inspection]()
    for place, text in enumerate(texts_as_read(entries)):
        seen = inspect_text(text) if text is not None else None
        inspections.append(seen or Inspection(file_hash="", problem=_reason(entries[place].path)))
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
