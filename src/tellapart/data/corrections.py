"""Labels corrected by hand. In: Listing, a CSV with path,label. Out: Corrected. Next: inspection.py.

`tellapart check --labels --out` writes such a CSV; a run's examples.csv is one too. Paths count from the data set's folder (that
of the table, where it is one). An empty label leaves the picture out; columns other than path and label are not looked at.
Where a picture has a set of classes, the CSV is a table of sets, in which nothing means none of them and - leaves it out.
"""

from __future__ import annotations

import difflib
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tellapart.data.cells import named_rows
from tellapart.data.examples import Entry, Listing, ReadOptions, classes_left, known_classes
from tellapart.data.readers import correction_cells
from tellapart.data.table import TableRow, read_cells
from tellapart.data.targets import Target
from tellapart.errors import DataError
from tellapart.reporter import counted

LEFT_OUT = "left out by a correction"  # the reason that Listing.ignored counts

_NAMED = 10  # classes that one sentence names
_Key = tuple[str, str]  # the real folder, the name in it


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """A listing with other labels, and what was changed."""

    listing: Listing
    source: Path
    changed: int  # entries that have another label now
    left_out: int
    unchanged: int  # rows that say what was so already
    notes: tuple[str, ...] = ()  # what was guessed to read the CSV

    @property
    def summary(self) -> str:
        """One sentence for the screen."""
        return (
            f"{self.source}: {counted(self.changed, 'label')} corrected, {counted(self.left_out, 'picture')} left out, "
            f"{self.unchanged:,} as they were."
        )


def path_in(folder: Path, path: Path) -> str:
    """A picture's path as a correction names it: from `folder`, or whole where it lies elsewhere; separated by /."""
    return (path.relative_to(folder) if path.is_relative_to(folder) else Path(os.path.abspath(path))).as_posix()


def correct(listing: Listing, path: Path, separator: str | None = None) -> Corrected:
    """Give entries the labels of the CSV at `path`; all rows are checked before any is applied.

    `separator` stands between the names of a set, `|` unless told.
    Raises: DataError with the row for a path that is not in the listing or stands there twice, a label that is none of the
    classes, or a missing column, and where a table cannot say what such pictures are; StorageError if the file cannot be read.
    """
    form = correction_cells(listing, path)
    cells = read_cells(
        path, Counter(), ReadOptions(root=str(listing.folder) if os.path.isdir(listing.folder) else None)
    )
    rows = form.rows(cells, separator)
    empty = [row.number for row in rows if not row.path]
    if empty:
        raise DataError(
            f"the corrections {str(path)!r} have no path in {named_rows(empty)}. Fill it in, or remove the row."
        )
    found = _find(listing, path, rows)
    given = form.targets(rows, listing)
    _check_labels(listing, path, rows, given, form.leave_out)
    targets = dict(zip(found, given, strict=True))
    entries = tuple(
        replace(entry, target=target)
        for index, entry in enumerate(listing.entries)
        if (target := targets.get(index, entry.target)) is not None
    )
    if listing.entries and not entries:
        raise DataError(f"the corrections {str(path)!r} leave out every picture of {listing.source}. Keep some labels.")
    left_out = len(listing.entries) - len(entries)
    changed = sum(target not in (None, listing.entries[index].target) for index, target in targets.items())
    return Corrected(
        listing=replace(
            listing,
            entries=entries,
            classes=classes_left(listing, entries),
            ignored=dict(listing.ignored) | ({LEFT_OUT: left_out} if left_out else {}),
        ),
        source=path,
        changed=changed,
        left_out=left_out,
        unchanged=len(targets) - changed - left_out,
        notes=cells.notes,
    )


def _find(listing: Listing, path: Path, rows: Sequence[TableRow]) -> list[int]:
    """The entry that each row names."""
    folder, real_folders = listing.folder, dict[str, str]()
    index_of = {_key(str(entry.path), real_folders): index for index, entry in enumerate(listing.entries)}
    for place, entry in enumerate(listing.entries):  # as cells name them, without the spaces at their ends
        cell = path_in(folder, entry.path).strip()
        index_of.setdefault(_key(os.path.join(folder, cell), real_folders), place)
    found: list[int] = []
    missing: list[TableRow] = []
    first: dict[int, TableRow] = {}
    for row in rows:
        index = _look_up(index_of, os.path.join(folder, row.path), real_folders)
        if index is None:
            missing.append(row)
            continue
        earlier = first.setdefault(index, row)
        if earlier is not row:
            raise DataError(
                f"{row.path!r} stands twice in the corrections {str(path)!r}, in row {earlier.number} and row {row.number}. "
                "Keep one of the two rows."
            )
        found.append(index)
    if missing:
        first_few = ", ".join(f"{row.path!r} (row {row.number})" for row in missing[:3])
        raise DataError(
            f"the corrections {str(path)!r} name pictures that {listing.source} does not hold, {len(missing):,} of "
            f"{len(rows):,}: {first_few}{' and others' if len(missing) > 3 else ''}."
            f"{_near_path(missing[0].path, folder, listing.entries)} Paths count from the folder {os.path.abspath(folder)!r}."
        )
    return found


def _look_up(index_of: Mapping[_Key, int], file: str, real_folders: dict[str, str]) -> int | None:
    index = index_of.get(_key(file, real_folders))
    # A table saved on Windows: a\b.png. Only where no file has that very name.
    return index_of.get(_key(file.replace("\\", "/"), real_folders)) if index is None and "\\" in file else index


def _key(file: str, real_folders: dict[str, str]) -> _Key:
    """One key for all ways to write a path; a link to a file is a file of its own."""
    folder, name = os.path.split(file)
    if folder not in real_folders:
        # A NUL can come from a table only, and names no folder.
        real_folders[folder] = folder if "\0" in folder else os.path.realpath(folder)
    return real_folders[folder], name


def _check_labels(
    listing: Listing, path: Path, rows: Sequence[TableRow], targets: Sequence[Target | None], leave_out: str
) -> None:
    names_of = [known_classes([target]) if target is not None else set() for target in targets]
    unknown = [min(names) for names in (names - set(listing.classes) for names in names_of) if names]
    if not unknown:
        return
    same = [row.number for row, names in zip(rows, names_of, strict=True) if unknown[0] in names]
    near = difflib.get_close_matches(unknown[0], listing.classes, n=1)
    more = len(listing.classes) - _NAMED
    raise DataError(
        f"the corrections {str(path)!r} give the label {unknown[0]!r}, in {named_rows(same)}, which is none of the classes."
        f"{f' Did you mean {near[0]!r}?' if near else ''} The classes are: {', '.join(listing.classes[:_NAMED])}"
        f"{f' and {more:,} more' if more > 0 else ''}. {leave_out}"
    )


def _near_path(wanted: str, folder: Path, entries: Sequence[Entry]) -> str:
    """A hint at the picture that may be meant: of the same file name, or else spelled alike."""
    names = [path_in(folder, entry.path) for entry in entries]
    last = wanted.replace("\\", "/").rpartition("/")[2]
    near = [name for name in names if name.rpartition("/")[2] == last][:1]
    near = near or difflib.get_close_matches(wanted, names, n=1, cutoff=0.7)
    return f" Did you mean {near[0]!r}?" if near else ""
