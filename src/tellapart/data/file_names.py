"""The class in the file name. In: a regular expression, paths. Out: Listing, Cells with labels. Next: listing.py."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from tellapart.answers.formats import FORMAT_OF_EXTENSION
from tellapart.answers.items import expand
from tellapart.data.cells import Cells
from tellapart.data.columns import split_named
from tellapart.data.examples import Entry, Listing
from tellapart.data.names import stored_twice
from tellapart.data.targets import ClassName
from tellapart.errors import DataError, SettingsError

LEFT_OUT = "file name in which --label-from finds no class"  # the reason that Listing.ignored counts

_MOST_CHARACTERS = 1_000
_GROUPS = ("label", "group", "split")
# A name and a number: cat.0.jpg, Abyssinian_100.jpg, "IMG dog (3).png".
_USUAL = r"(?P<label>[^/\d][^/]*?)[._ (-]*\d+\)?\.\w+$"
NAMES_TRIED = 1_000  # from which the hint is made


def pattern_of(text: str) -> re.Pattern[str]:
    """The expression, which has a group `label` and may have `group` and `split`. Raises: SettingsError where it is none."""
    why, found = f"it has {len(text):,} characters, and {_MOST_CHARACTERS:,} are the limit", None
    try:
        found = re.compile(text) if len(text) <= _MOST_CHARACTERS else None
    except re.error as error:
        why = f"{error.msg}{'' if error.pos is None else f', at character {error.pos + 1}'}"
    except (RecursionError, OverflowError):
        why = "it is nested too deeply, or its numbers are too large"
    if found is not None and "label" not in found.groupindex:
        why = f"its groups are called {', '.join(found.groupindex)}" if found.groupindex else "it has no named group"
    if found is None or "label" not in found.groupindex:
        raise SettingsError(
            f"--label-from is '{text[:200]}', which is no regular expression with a group (?P<label>...): {why}. "
            f"Give one such as '{_USUAL}', which is searched in each path, counted from the folder, with / between its parts."
        )
    return found


def found_in(pattern: re.Pattern[str], path: str) -> dict[str, str] | None:
    """What the expression finds in a path, as it is stored there: label, group and split, "" where it has no such group.

    None without a label.
    """
    match = pattern.search(path.replace("\\", "/"))
    if match is None:
        return None
    named = {name: (match[name] or "").strip() if name in pattern.groupindex else "" for name in _GROUPS}
    return named if named["label"] else None


def scan_names(folder: Path, pattern: re.Pattern[str]) -> Listing:
    """List the pictures of a folder, and of those in it, by the classes in their paths; hidden ones are passed over.

    Labels are in Unicode normal form C. Files in whose path no class is found are counted.
    Raises: DataError where none has one, or a split is no split.
    """
    entries, ignored, written = [], Counter[str](), set()
    first = ""
    for item in expand([str(folder)]):
        path = os.path.relpath(item.path, folder).replace(os.sep, "/")
        found = found_in(pattern, path)
        if found is None:
            first = first or path
            ignored[LEFT_OUT] += 1
            continue
        split = split_named(found["split"])
        if found["split"] and split is None:
            raise DataError(
                f"--label-from finds the split {found['split']!r} in {path!r}, which is none of train, val and "
                "test. Correct the expression."
            )
        written.add(found["label"])
        label = ClassName(unicodedata.normalize("NFC", found["label"]))
        entries.append(Entry(path=Path(item.path), target=label, split=split, group=found["group"]))
    if not entries:
        raise _finds_nothing(pattern, str(folder), first)
    entries.sort(key=lambda entry: entry.path)
    return Listing(
        source=folder,
        entries=tuple(entries),
        classes=tuple(sorted({entry.target.text for entry in entries})),
        ignored=dict(ignored),
        notes=(
            *_notes(folder, pattern, entries),
            *((f"{folder}: {twice}.",) if (twice := stored_twice(written)) else ()),
        ),
    )


def _notes(folder: Path, pattern: re.Pattern[str], entries: Sequence[Entry]) -> tuple[str, ...]:
    """What looks like a split and is not read."""
    tops = sorted(filter(split_named, {entry.path.relative_to(folder).parts[0] for entry in entries}))
    if not tops or "split" in pattern.groupindex:
        return ()
    words = "|".join(map(re.escape, tops))
    return (
        f"{folder}: {', '.join(tops)} may be splits, but are not read; (?P<split>{words}) in the expression reads them.",
    )


def with_labels(cells: Cells, pattern: re.Pattern[str], ignored: Counter[str]) -> Cells:
    """A table with the labels, and the groups and splits, that are in its paths, as they are stored there.

    Raises: DataError where no path has a label, or the table has labels of its own.
    """
    names = [name.casefold() for name in cells.header]
    if "path" not in names:
        return cells  # told by who reads the columns
    if "label" in names:
        raise DataError(
            f"the classes of {str(cells.path)!r} may be its column of labels, or what --label-from finds in its paths. Leave "
            "--label-from out, or take the column out of the table."
        )
    place = names.index("path")
    found = [found_in(pattern, row[place]) for _, row in cells.rows()]
    kept = [(one, numbered) for one, numbered in zip(found, cells.rows(), strict=True) if one is not None]
    if found and not kept:
        raise _finds_nothing(pattern, str(cells.path), cells.rows()[0][1][place])
    if len(kept) < len(found):
        ignored[LEFT_OUT] += len(found) - len(kept)
    added = [name for name in _GROUPS if name in pattern.groupindex and name not in names]
    rows = [(number, [*row, *(one[name] for name in added)]) for one, (number, row) in kept]
    return cells.with_rows((*cells.header, *added), rows)


def hint(paths: Iterable[str]) -> str:
    """A sentence for loose pictures whose names say their classes, such as cat.0.jpg; "" where they do not."""
    names = map(os.path.basename, paths)
    tried = [name for name in names if os.path.splitext(name)[1].lower() in FORMAT_OF_EXTENSION]
    tried = [name for name in tried if any(map(str.isalpha, os.path.splitext(name)[0]))]  # a number can say no class
    labels = Counter(match["label"] for match in map(re.compile(_USUAL).search, tried) if match is not None)
    if labels.total() * 10 < 9 * len(tried) or not 1 < len(labels) <= len(tried) / 2:
        return ""
    return f" Names such as {tried[0]!r} seem to say the class; --label-from '{_USUAL}' reads it from there."


def _finds_nothing(pattern: re.Pattern[str], source: str, path: str) -> DataError:
    example = f", such as {path!r}" if path else ""
    return DataError(
        f"--label-from '{pattern.pattern}' finds no class in any path of {source!r}{example}. Correct the expression."
    )
