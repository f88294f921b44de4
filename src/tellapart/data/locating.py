"""Where the file is that a table names. In: a folder, a cell. Out: its path. Next: columns.py."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from tellapart.sources.reading import exists


class Locator:
    """Finds files by the paths that a table has, which count from `root` and may lack their `extension`."""

    def __init__(self, root: Path | str, extension: str = "") -> None:
        """`extension` is such as .jpg; "" where paths are whole."""
        self.root, self.extension = str(root), extension

    def find(self, cell: str) -> str | None:
        """The path of the file that a cell names; None where there is none."""
        return next(filter(is_file, self._possible(cell)), None)

    def expected(self, cell: str) -> str:
        """Where the file should be that is not there."""
        extension = "" if os.path.splitext(cell)[1].lower() == self.extension.lower() else self.extension
        return os.path.join(self.root, cell.replace("\\", "/") + extension)

    def _possible(self, cell: str) -> list[str]:
        """A name as it is, with its extension, and as Windows writes it: only where no file has that very name."""
        names = [cell, *([cell + self.extension] if self.extension else [])]
        turned = [name.replace("\\", "/") for name in names if "\\" in name]
        return [os.path.join(self.root, name) for name in (*names, *turned) if cell]


def is_file(path: str) -> bool:
    """Whether there is something at a path that is no folder: a pipe or device is told apart later, with its reason."""
    try:
        return not stat.S_ISDIR(os.stat(path).st_mode)
    except PermissionError:
        return True  # there is something: the inspection will say that it may not be read
    except (OSError, ValueError):
        return "\0" not in path and exists(path)  # in an archive, or in a table of pictures
