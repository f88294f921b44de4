"""The audit alone. In: a folder or CSV. Out: Examined. Next: labels.py."""

from __future__ import annotations

from pathlib import Path

from tellapart.data.examples import ReadOptions
from tellapart.data.survey import Examined
from tellapart.features.caching import open_cache
from tellapart.reporter import Reporter
from tellapart.workflows.learning.examine import examine

_FOUND = ReadOptions()


def check(
    pictures: Path, *, corrections: Path | None = None, reporter: Reporter, options: ReadOptions = _FOUND
) -> Examined:
    """Audit pictures, with labels corrected by a CSV if one is given; no file of the user's is changed.

    Raises: DataError, StorageError.
    """
    with open_cache(reporter) as cache:
        return examine(pictures, corrections=corrections, cache=cache, reporter=reporter, options=options)
