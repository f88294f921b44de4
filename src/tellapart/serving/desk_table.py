"""The labels of a desk on disk: labels.csv in a folder. In: what a person says. Out: a table to train on. Next: desk.py.

One row a picture, path,label (path,labels where several classes are told), in the order in which they were said; other columns and
rows of pictures that this desk does not know stay as they are. The table is written whole after each change, so that a kill loses
nothing. `tellapart train PICTURES --labels FOLDER` takes the folder, `tellapart train FOLDER/labels.csv` the table alone.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tellapart.answers.formulas import csv_table, csv_text
from tellapart.answers.predictions import joined, parted
from tellapart.errors import SettingsError, StorageError
from tellapart.serving.refusals import NotAllowed
from tellapart.storage import OWN_MARK, own_folder, storage_errors, write_bytes

TABLE = "labels.csv"
_ONE, _SEVERAL = "label", "labels"  # the column that says what a picture shows
_LOCK = ".lock"


class LabelTable:
    """FOLDER/labels.csv, kept by one desk at a time. Close it in the end."""

    def __init__(self, folder: Path, *, several: bool) -> None:
        """The folder is made where it is not there, and goes again where nothing was said in the end.

        Raises: SettingsError where another desk has it, or the table in it is of another kind; StorageError.
        """
        self.folder, self._several = folder, several
        self._column = _SEVERAL if several else _ONE
        self._held = contextlib.ExitStack()
        self._made = not folder.exists()
        own_folder(folder)
        self._held.enter_context(_hold(folder))
        try:
            self._columns, rows = self._read()
        except BaseException:
            self.close()
            raise
        self._rows = {self._key(row["path"]): row for row in rows}
        self._seen = self._stamp()

    @property
    def path(self) -> Path:
        """The table's own path."""
        return self.folder / TABLE

    def close(self) -> None:
        """Let go of the folder; one that was made for nothing is taken away."""
        with self._held:
            if self._made and not self.path.exists():
                with contextlib.suppress(OSError):  # somebody else has put something there
                    for name in (_LOCK, OWN_MARK):
                        (self.folder / name).unlink(missing_ok=True)
                    self.folder.rmdir()

    def known(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """The key of each picture in the table, with what was said of it, the oldest first."""
        for key, row in self._rows.items():
            if row[self._column] or self._several:
                yield key, self._names(row[self._column])

    def key(self, file: str) -> str:
        """What a picture is known by, however its path is written; a link to a file is a file of its own."""
        folder, name = os.path.split(os.path.abspath(file))
        # A NUL can come from a table only, and names no folder.
        return file if "\0" in file else os.path.join(os.path.realpath(folder), name)

    def put(self, file: str, names: Sequence[str]) -> None:
        """Say what a picture shows, as the newest row. Raises: StorageError, NotAllowed; then nothing is changed."""
        key = self.key(file)
        row = {**self._rows.get(key, {}), "path": self._written(file), self._column: self._cell(names)}
        self._write({**{one: other for one, other in self._rows.items() if one != key}, key: row})

    def remove(self, file: str) -> None:
        """Take a picture's row out. Raises: StorageError, NotAllowed; then nothing is changed."""
        key = self.key(file)
        self._write({one: other for one, other in self._rows.items() if one != key})

    def _cell(self, names: Sequence[str]) -> str:
        return joined(names) if self._several else names[0]

    def _names(self, cell: str) -> tuple[str, ...]:
        return tuple(parted(cell)) if self._several else (cell,)

    def _key(self, path: str) -> str:
        return self.key(os.path.join(self.folder, path))

    def _written(self, file: str) -> str:
        """A picture's path from the folder, where it lies beside or below it, else whole; separated by /."""
        folder, whole = os.path.abspath(self.folder), os.path.abspath(file)
        beside = Path(whole).is_relative_to(os.path.dirname(folder))
        return Path(os.path.relpath(whole, folder) if beside else whole).as_posix()

    def _read(self) -> tuple[list[str], list[dict[str, str]]]:
        """Raises: SettingsError, StorageError."""
        try:
            with storage_errors(self.path):
                text = self.path.read_bytes().decode("utf-8-sig")
        except StorageError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return ["path", self._column], []
            raise
        except UnicodeDecodeError:
            text = ""
        columns, rows = csv_table(text)
        if "path" not in columns or not {_ONE, _SEVERAL} & set(columns):
            raise SettingsError(
                f"{self.path} is no table in UTF-8 with the columns path and {self._column}, separated by commas. Mend it, or "
                "choose another --out; it is left as it is."
            )
        if self._column not in columns:
            other = "leave --several out" if self._several else "give --several"
            raise SettingsError(
                f"{self.path} was begun with the column {_ONE if self._several else _SEVERAL!r}, and this desk fills "
                f"{self._column!r}. Choose another --out, or {other}."
            )
        return columns, [row for row in rows if row["path"]]

    def _write(self, rows: Mapping[str, dict[str, str]]) -> None:
        if self._stamp() != self._seen:
            raise NotAllowed(
                f"{self.path} was changed by somebody else meanwhile, and is left as it is. End the command and start it again: it "
                "goes on with what stands there."
            )
        write_bytes(self.path, csv_text(self._columns, rows.values(), line_end="\n").encode())
        self._rows, self._seen = dict(rows), self._stamp()

    def _stamp(self) -> tuple[int, int, int] | None:
        """By which a change of the file is noticed; None where it is not there."""
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino


@contextlib.contextmanager
def _hold(folder: Path) -> Iterator[None]:
    """Raises: SettingsError where another process holds the folder."""
    with contextlib.ExitStack() as stack:
        with storage_errors(folder):
            file = stack.enter_context(open(folder / _LOCK, "ab"))
        with contextlib.suppress(ImportError):  # Windows
            import fcntl

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise SettingsError(
                    f"another desk keeps its labels in {folder}. End that one, or choose another --out."
                ) from None
            except OSError:
                pass  # a file system without locks
        yield
