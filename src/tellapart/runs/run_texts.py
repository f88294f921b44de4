"""The texts of a run, read again where they came from. In: OpenRun. Out: RunTexts. Next: more_pictures.py.

A run keeps where each text stands and the hash of its content, not the text itself; what has changed since is not taken for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tellapart.data.examples import Example
from tellapart.data.listing import read_listing
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
    texts = [entry.text for entry in entries if entry.text is not None]
    return {inspect_text(text).content_hash: text for text in texts}


def read_texts(run: OpenRun, *, most: int | None = MOST_TEXTS, split: str | None = None) -> RunTexts:
    """At most `most` usable examples drawn at random, or all, of one split or of all. Never raises: says why there are none."""
    usable = [one for one in run.examples if not one.problem and one.split and (split is None or one.split == split)]
    try:
        found = texts_by_content(run)
    except TellapartError as error:
        return RunTexts(examples=[], texts=[], n_all=len(usable), reason=one_line(error, most=200))
    there = [one for one in usable if one.content_hash in found]
    reason = "" if there else f"none of them stands in {run.data_now or run.settings.data} as it was"
    kept = there if most is None else draw(there, most, seed=0)
    texts = [found[one.content_hash] for one in kept]
    return RunTexts(examples=kept, texts=texts, n_all=len(usable), found=found, reason=reason)
