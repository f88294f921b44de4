"""Which checkpoints this version can go on from. In: a checkpoint's metadata. Out: nothing, or why not. Next: checkpoint.py.

It imports no PyTorch: a run that cannot be gone on with is refused at once, and not after its pictures were read again.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tellapart.errors import ForeignCheckpoint

VERSION = "2"  # 1: before figures had names
PATTERN = "checkpoint-*.safetensors"


def check_version(path: Path, metadata: Mapping[str, str]) -> None:
    """Raises: ForeignCheckpoint when the checkpoint at `path` was written by a version that saved other things."""
    written = metadata.get("version", VERSION)
    if written != VERSION:
        raise ForeignCheckpoint(
            f"{path} is of checkpoint version {written}, this program reads {VERSION}. "
            "Resume with the version of tellapart that began the run, or train into a new folder."
        )


def check_folder(folder: Path) -> None:
    """The same of the newest checkpoint in a folder, if there is one; damage is for who reads it whole to tell."""
    from safetensors import SafetensorError, safe_open

    newest = max(folder.glob(PATTERN), default=None)
    if newest is None:
        return
    try:
        with safe_open(newest, framework="np") as file:
            metadata: dict[str, str] = file.metadata() or {}
    except (SafetensorError, OSError):
        return
    check_version(newest, metadata)
