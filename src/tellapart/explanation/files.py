"""Where explanations are written. In: paths of pictures, a folder. Out: list[Files]. Next: explanation/methods.py."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import StorageError
from tellapart.storage import write_bytes

DEFAULT = "explanations"
_LONGEST = 120  # letters of a picture's name; file systems take 255 bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """The files of one picture: FOLDER/cat.png, FOLDER/cat.gradcam.png, FOLDER/cat.gradcam.npy."""

    folder: Path
    stem: str

    @property
    def sheet(self) -> Path:
        """All of it at a glance."""
        return self.folder / f"{self.stem}.png"

    def overlay(self, method: str) -> Path:
        """The heatmap over the picture."""
        return self.folder / f"{self.stem}.{method}.png"

    def array(self, method: str) -> Path:
        """The heatmap as numbers."""
        return self.folder / f"{self.stem}.{method}.npy"

    def write_array(self, method: str, values: NDArray[np.floating]) -> None:
        """Write the heatmap's numbers [H, W] to `array`, without pickle. Raises: StorageError."""
        buffer = io.BytesIO()
        np.save(buffer, values, allow_pickle=False)
        write_bytes(self.array(method), buffer.getvalue())


def choose_files(pictures: Sequence[str], out: Path | None, *, force: bool) -> list[Files]:
    """A name for each picture, each once; pictures of one name are numbered. Raises: StorageError before anything is lost."""
    folder = choose_folder(out)
    used: dict[str, int] = {}
    files = []
    for path in pictures:
        stem = Path(path).stem[:_LONGEST] or "picture"
        used[stem] = used.get(stem, 0) + 1
        name = stem if used[stem] == 1 else f"{stem}-{used[stem]}"
        while used[stem] > 1 and name in used:
            used[stem] += 1
            name = f"{stem}-{used[stem]}"
        used.setdefault(name, 1)
        files.append(Files(folder=folder, stem=name))
    for place in files:
        check_free(place.sheet, force=force)
    return files


def choose_folder(out: Path | None) -> Path:
    """The folder that was asked for, or the first of explanations, explanations-2 ... that is not there yet.

    Raises: StorageError when it is a file.
    """
    if out is not None:
        if out.exists() and not out.is_dir():
            raise StorageError(f"--out {out} is a file; a folder is needed. Choose another name.")
        return out
    folder, number = Path(DEFAULT), 1
    while folder.exists():
        number += 1
        folder = Path(f"{DEFAULT}-{number}")
    return folder


def check_free(path: Path, *, force: bool) -> None:
    """Raises: StorageError when `path` is there already, and is not to be replaced."""
    if path.exists() and not force:
        raise StorageError(f"{path} is there already. Choose another --out, or give --force to replace it.")
