"""The audit alone. In: a folder or CSV. Out: Examined. Next: labels.py."""

from __future__ import annotations

from pathlib import Path

from tellapart.data.examples import ReadOptions
from tellapart.data.survey import Examined
from tellapart.features.afar import Afar
from tellapart.features.caching import open_cache
from tellapart.reporter import Reporter
from tellapart.workflows.learning.examine import Look, examine

_FOUND = ReadOptions()


def check(
    pictures: Path,
    *,
    corrections: Path | None = None,
    deep: bool = False,
    reporter: Reporter,
    options: ReadOptions = _FOUND,
    afar: Afar | None = None,
) -> Examined:
    """Audit pictures, with labels corrected by a CSV if one is given; no file of the user's is changed.

    Augmented copies are looked for where an earlier training or check has looked at each picture closely, or with `deep`.
    `afar` opens the pictures in place of this machine.
    Raises: DataError, StorageError.
    """
    look: Look = "always" if deep else "known"
    with open_cache(reporter) as cache:
        return examine(
            pictures,
            corrections=corrections,
            cache=cache,
            reporter=reporter,
            options=options,
            look=look,
            afar=afar,
        )
