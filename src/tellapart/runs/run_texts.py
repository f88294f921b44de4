"""The texts of a run, read again where they came from. In: OpenRun. Out: RunTexts. Next: more_pictures.py.

A run keeps where each text stands and the hash of its content, not the text itself; what has changed since is not taken for it.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tellapart.data.examples import Entry, Example
from tellapart.data.listing import read_listing
from tellapart.data.packed_entries import MANY, packed
from tellapart.data.packed_texts import texts_at
from tellapart.data.texts_look import inspect_text
from tellapart.errors import TellapartError, one_line
from tellapart.runs.embeddings import draw
from tellapart.runs.open import OpenRun

MOST_TEXTS = 3_000  # that labels, the map and the curve of a report are of; more are drawn from


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunTexts:
    """Usable examples of a run whose texts are where they were, and these; n of each."""

    examples: list[Example]
    texts: list[str]  # as they were given
    n_all: int  # usable examples of the run
    found: Mapping[str, str] = field(default_factory=dict)  # content hash -> text, of all that is there
    reason: str = ""  # why there are none, where that is so


def texts_by_content(run: OpenRun) -> Mapping[str, str]:
    """Content hash -> text, of all that is where the run's data are now.

    Raises: SettingsError, DataError, StorageError where these cannot be read.
    """
    settings = run.settings
    source = run.data_now if run.data_now is not None else Path(settings.data)
    entries = read_listing(source, settings.read_options).entries
    return _ByContent(packed(entries) if len(entries) >= MANY else entries)


class _ByContent(Mapping[str, str]):
    """Texts by their content hash; of several with one content the last. Those of very many are made when they are asked for."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._texts = texts_at(entries)
        self._place: dict[bytes, int] = {}
        for place, text in enumerate(self._texts):
            if content := inspect_text(text).content_hash:
                self._place[bytes.fromhex(content)] = place

    def __getitem__(self, content: str) -> str:
        try:
            return self._texts[self._place[bytes.fromhex(content)]]
        except ValueError:  # no hash at all
            raise KeyError(content) from None

    def __contains__(self, content: object) -> bool:
        try:
            return isinstance(content, str) and bytes.fromhex(content) in self._place
        except ValueError:
            return False

    def __iter__(self) -> Iterator[str]:
        return (content.hex() for content in self._place)

    def __len__(self) -> int:
        return len(self._place)


def read_texts(run: OpenRun, *, most: int | None = MOST_TEXTS, split: str | None = None) -> RunTexts:
    """At most `most` usable examples drawn at random, or all, of one split or of all. Never raises: says why there are none."""
    examples, reason = run.examples, ""
    found: Mapping[str, str] = {}
    try:
        found = texts_by_content(run)
    except TellapartError as error:
        reason = one_line(error, most=200)
    n_all, there = 0, array("q")  # of very many examples their places, not all of them at once
    for place, one in enumerate(examples):
        if not one.problem and one.split and (split is None or one.split == split):
            n_all += 1
            if one.content_hash in found:
                there.append(place)
    if not there:
        reason = reason or f"none of them stands in {run.data_now or run.settings.data} as it was"
    kept = [examples[place] for place in (there if most is None else draw(there, most, seed=0))]
    texts = [found[one.content_hash] for one in kept]
    return RunTexts(examples=kept, texts=texts, n_all=n_all, found=found, reason=reason)
