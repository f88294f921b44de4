"""A folder that fills with annotations as pictures are answered. In: Pages. Out: files, each whole. Next: out_names.py."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tellapart.answers.box_forms import FORMS, Page
from tellapart.errors import StorageError
from tellapart.storage import storage_errors, write_bytes

_REMEDY = "nothing is overwritten unasked. Choose another folder, or replace it with --force."


class FormFolder:
    """Annotations in one form; no file is replaced unless that is asked for, and none is written outside the folder."""

    def __init__(self, folder: Path, form: str, classes: Sequence[str], *, force: bool = False) -> None:
        """`form` is one of FORMS. Raises: StorageError where annotations of that form are there already, without `force`."""
        self.folder = folder
        self.pages: list[Page] = []
        self._format, self._classes, self._force = FORMS[form], tuple(classes), force
        self._reserved: set[str] = set()
        self._taken: dict[str, str] = {}  # an annotation's name -> the picture's path
        for mark in self._format.marks:
            if (folder / mark).exists() and not force:
                raise StorageError(f"{str(folder / mark)!r} is there already, and {_REMEDY}")

    def reserve(self, path: str) -> None:
        """Claim the annotation of the picture at `path`, as a Page has it. Not for several threads at once.

        Raises: StorageError where it would lie outside the folder, is there already, or is another picture's.
        """
        if not _is_inside(self.folder / path, self.folder):
            raise StorageError(
                f"{path!r} would lie outside {str(self.folder)!r}. Give pictures that lie in one folder."
            )
        name = self._format.name(path) if self._format.name is not None else path
        other = self._taken.setdefault(name.casefold(), path)
        if path in self._reserved:
            raise StorageError(
                f"{path!r} would be annotated twice in {str(self.folder)!r}. Name each picture once, and --out apart from them."
            )
        self._reserved.add(path)
        if other != path:
            raise StorageError(
                f"{other!r} and {path!r} would have one annotation, {name!r}. Rename one, or choose --format coco."
            )
        if self._format.name is not None and (self.folder / name).exists() and not self._force:
            raise StorageError(f"{str(self.folder / name)!r} is there already, and {_REMEDY}")

    def write(self, page: Page) -> None:
        """Write what a picture has of its own; several threads may. Raises: StorageError."""
        if self._format.name is not None and self._format.text is not None:
            self._write(self._format.name(page.path), self._format.text(page, self._classes))

    def add(self, page: Page) -> None:
        """Keep a page, whose own file is written, for `finish`."""
        self.pages.append(page)

    def finish(self) -> None:
        """Write what all pictures have together. Raises: StorageError."""
        for name, text in self._format.whole(self.pages, self._classes).items():
            self._write(name, text)

    def _write(self, name: str, text: str) -> None:
        path = self.folder / name
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        # A name that is no UTF-8 leaves as the bytes that it was.
        write_bytes(path, text.encode("utf-8", "surrogateescape"))


def _is_inside(path: Path, folder: Path) -> bool:
    return os.path.normpath(path).startswith(os.path.normpath(folder) + os.sep)
