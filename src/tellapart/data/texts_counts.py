"""What texts add to the audit: lengths, languages, what went wrong with them. In: texts. Out: OwnCounts. Next: reading_texts.py."""

from __future__ import annotations

import re
import statistics
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tellapart.data.examples import SPLITS, Entry, Inspection, Listing, short_path
from tellapart.data.packed_entries import column_of
from tellapart.data.packed_inspections import readable
from tellapart.data.packed_texts import texts_at
from tellapart.data.reader import OwnCounts
from tellapart.texts.cleaning import MOST_LETTERS, in_parts
from tellapart.texts.writing_systems import main_systems

LONG = 10_000  # letters
MANY_SYSTEMS = 0.05  # share of texts in another writing system than most, from which it is told
_HTML = re.compile(r"</?[a-zA-Z][a-zA-Z0-9]*(\s[^<>]*)?/?>|&(?:amp|lt|gt|quot|nbsp|#\d+|#x[0-9a-fA-F]+);")
# UTF-8 that was read as Latin-1 or cp1252: é becomes Ã©, a curly quote â€™.
_BROKEN = re.compile(
    "Ã[\u0080-\u00bf©¨ª«¢¤¼¶§]|â€[\u0080-\u00ff™œ\u009d“”¦]|Â[\u00a0-\u00bf]|ï¿½|[\ufffd\ud800-\udfff]"
)
_UNSEEN = re.compile("[\0\u202a-\u202e\u2066-\u2069]")
_SHOWN = 3
_BEGINNING = 1000  # letters of a text that say in which writing system it is
_NONE = "no letters"


def count_texts(listing: Listing, inspections: Sequence[Inspection], groups: Sequence[str]) -> OwnCounts:
    """Of a listing whose texts were looked at: what is odd about them, and how long they are."""
    places = readable(inspections)
    texts = texts_at(listing.entries, places)
    lengths, odd = array("q"), {name: list[Path]() for name in _ODD}
    for place, text in zip(places.tolist(), texts, strict=True):
        lengths.append(len(text))
        for name, oddity in _ODD.items():
            if oddity.test(text):
                odd[name].append(listing.entries[place].path)
    ordered: list[int] = np.sort(np.frombuffer(lengths, dtype=np.int64)).tolist() or [0]
    median = statistics.median_low(ordered)
    systems = Counter(name for part in in_parts(text[:_BEGINNING] for text in texts) for name in main_systems(part))
    record = {
        "pictures": _by_split(listing.entries, places),
        "letters": {"least": ordered[0], "median": median, "most": ordered[-1]},
        "writing": dict(systems.most_common()),
        **{name: list(map(str, found)) for name, found in odd.items()},
    }
    return OwnCounts(
        name="texts",
        record=record,
        target_warnings=tuple(_warnings(listing, odd, systems, len(places))),
        lines=(
            f"letters   {ordered[0]:,} to {ordered[-1]:,}, median {median:,}",
            f"writing   {', '.join(f'{name or _NONE} {count:,}' for name, count in systems.most_common(5))}",
        ),
    )


def _by_split(entries: Sequence[Entry], places: NDArray[np.int64]) -> dict[str, int]:
    given = {split or "" for split in column_of(entries, "split")}
    found = Counter(split or "" for split in column_of(entries, "split", places))
    return {split: found[split] for split in ("", *SPLITS) if split in given}


def _is_long(text: str) -> bool:
    return len(text) > LONG


def _has_html(text: str) -> bool:
    return _HTML.search(text) is not None


def _is_broken(text: str) -> bool:
    return not text.isascii() and _BROKEN.search(text) is not None


def _has_unseen(text: str) -> bool:
    return _UNSEEN.search(text) is not None


class _Oddity(NamedTuple):
    test: Callable[[str], bool]
    told: str  # what such texts are
    remedy: str


_ODD: Mapping[str, _Oddity] = {
    "long": _Oddity(
        _is_long,
        f"of over {LONG:,} letters",
        "Several may be one, where a quote was not closed. Check them; what comes after the first "
        f"{MOST_LETTERS:,} letters is not looked at.",
    ),
    "html": _Oddity(_has_html, "with HTML in them", "It is counted as words; take tags and entities out."),
    "broken": _Oddity(
        _is_broken,
        "that were read in a wrong encoding before (with U+FFFD, or such as Ã©)",
        "Save them again as UTF-8, from where they came.",
    ),
    "unseen": _Oddity(
        _has_unseen,
        "with NUL, or with characters that turn the direction of writing",
        "Nobody sees these, and they are passed over.",
    ),
}


def _warnings(listing: Listing, odd: Mapping[str, list[Path]], systems: Counter[str], usable: int) -> Iterator[str]:
    for name, found in odd.items():
        if found:
            such = ", ".join(short_path(path, listing.source) for path in found[:_SHOWN])
            yield f"texts {_ODD[name].told}: {len(found):,}, such as {such}. {_ODD[name].remedy}"
    main = systems.most_common(1)[0][0] if systems else ""
    others = {name: count for name, count in systems.items() if name not in (main, "")}
    if sum(others.values()) >= MANY_SYSTEMS * max(1, usable):
        named = ", ".join(
            f"{name} {count:,}" for name, count in sorted(others.items(), key=lambda one: -one[1])[:_SHOWN]
        )
        yield (
            f"writing systems are mixed: most texts are in {main}, others in {named}. A class that is written another way is told "
            "by its letters; have each class in each language, or learn them apart."
        )
