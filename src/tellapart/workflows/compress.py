"""A trained model made smaller and quicker. In: a run, what to do. Out: another run, before and after. Next: cli/compress.py.

What is done are steps from a network to a network (compressing/); what decides behind it is learned anew after the last one.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from tellapart.errors import SettingsError
from tellapart.reporter import Reporter
from tellapart.workflows.compressing.compressible import Compressible, open_compressible
from tellapart.workflows.compressing.concluding import Compressed, check_out, conclude
from tellapart.workflows.compressing.integers import to_float16, to_int8

MOST_LOST = 0.2  # points of the validation figure, in per cent

Step = Callable[[Compressible], Compressible]


def compress(
    folder: Path,
    *,
    reporter: Reporter,
    int8: bool = False,
    float16: bool = False,
    most_lost: float = MOST_LOST,
    out: Path | None = None,
    pictures: Path | None = None,
    first: Sequence[Step] = (),
) -> Compressed:
    """Make a finished run's model smaller, and write it as a run of its own, to `out` or beside it.

    `int8`: in 8-bit integers, so many layers spared that the validation figure falls by `most_lost` points at most. `float16`: what
    stays of weights in float32 is kept in half the bytes. `first` are steps before these; `pictures` is where the run's pictures
    lie now, if they were moved. Raises: SettingsError, DataError, CompressionMissed, ModelFileError, StorageError.
    """
    if not (int8 or float16 or first):
        raise SettingsError("nothing was asked for; a network is made smaller by --int8, --float16, or both. Give one.")
    if not (math.isfinite(most_lost) and 0 <= most_lost <= 100):
        raise SettingsError(
            f"--most-lost is {most_lost:g}; it must be points from 0 to 100 that the validation figure may fall by, such as 0.2."
        )
    whole = folder.resolve()  # runs/latest is a link
    target = out or whole.with_name(f"{whole.name}-{'-'.join(_named(int8, float16, bool(first)))}")
    check_out(target)
    with tempfile.TemporaryDirectory(prefix="tellapart-compress-") as work:
        opened = open_compressible(folder, Path(work), reporter, pictures=pictures)
        for step in first:
            opened = step(opened)
        if int8:
            opened = to_int8(opened, most_lost=most_lost)
        if float16:
            opened = to_float16(opened)
        return conclude(opened, target, pictures=pictures)


def _named(int8: bool, float16: bool, first: bool) -> list[str]:
    given = {"small": first, "int8": int8, "float16": float16}
    return [name for name, there in given.items() if there]
