"""Folders that are filled whole or not at all. In: where one is to stand. Out: a folder, begun, then there. Next: table.py.

What processes that were killed had begun beside it is removed by the next one, and what one of them had just moved aside comes
back.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tellapart.storage import storage_errors

_BEGUN = re.compile(r"\.(?P<home>.+)\.(?P<process>\d+)\.[^.]+(?P<old>\.old)?")
_OLD = ".old"  # what a folder is called while another takes its place


@contextlib.contextmanager
def begun_folder(home: Path) -> Iterator[Path]:
    """An empty folder beside `home`, removed at the end unless it has taken its place.

    The folder above is made where it is not there, and removed again where it stays empty. Raises: StorageError.
    """
    with storage_errors(home):
        new = not home.parent.is_dir()
        home.parent.mkdir(parents=True, exist_ok=True)
        _sweep(home.parent)
        begun = Path(tempfile.mkdtemp(dir=home.parent, prefix=f".{home.name}.{os.getpid()}."))
        begun.chmod(0o755)
    try:
        yield begun
    finally:
        shutil.rmtree(begun, ignore_errors=True)
        if new:
            with contextlib.suppress(OSError):  # it holds something
                home.parent.rmdir()


def take_place(begun: Path, home: Path) -> None:
    """Put a filled folder where an earlier one may stand; killed in between, the earlier one comes back. Raises: StorageError."""
    with storage_errors(home):
        old = begun.with_name(f"{begun.name}{_OLD}")
        if home.exists():
            os.replace(home, old)
        os.replace(begun, home)
        shutil.rmtree(old, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Remove what processes that live no more had begun in `folder`, once what they had moved aside is back in its place."""
    for left in sorted(folder.glob(".*")):
        found = _BEGUN.fullmatch(left.name)
        if found is None or _lives(int(found["process"])):
            continue
        home = folder / found["home"]
        if found["old"] and not home.exists():
            os.replace(left, home)
        shutil.rmtree(left, ignore_errors=True)


def _lives(process: int) -> bool:
    if os.name == "nt":
        return True  # to ask would be to end it
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
