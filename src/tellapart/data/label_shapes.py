"""Labels that may be meant for another task. In: labels of a table. Out: nothing, a note, or a question. Next: listing.py."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from tellapart.data.set_cells import SEPARATORS, is_list
from tellapart.data.targets import ONE_CLASS
from tellapart.errors import DataError

_SEPARATORS = tuple(separator for separator in SEPARATORS if separator != " ")
_LEAST_NUMBERS = 20  # different ones, for a column to be a measurement rather than a scale of few steps
_LEAST_ALONE = 5  # enough of them where most pictures have a number of their own, as no class has
_MEASURED = re.compile(r"[+-]?(\d+[.,]\d*|[.,]\d+|\d+([.,]\d*)?[eE][+-]?\d+)")
_WHOLE = re.compile(r"[+-]?\d+([.,]0*)?")


def check_labels(path: Path, labels: Sequence[str]) -> str:
    """A note where words in the labels may be names of their own, "" where not.

    Raises: DataError where labels look like measured numbers, or like several names each, and no task was told.
    """
    different = list(dict.fromkeys(labels))
    with_comma = [label for label in different if "," in label]
    if not with_comma or _sets(different, ",") != with_comma:  # 1,2 beside 1 and 2 is a set rather than 1.2
        check_measured(path, labels, task=ONE_CLASS)
    for separator in _SEPARATORS:
        sets = _sets(different, separator)
        if len(sets) > 1 or _of_classes(different, separator):
            raise _several(path, sets[0], f" --label-separator {separator!r}" if separator != "|" else "")
    lists = [label for label in different if is_list(label) and len(label) > 2]
    if lists:
        raise _several(path, lists[0], "")
    spaced = _sets(different, " ")
    if 2 * len(spaced) > len(different):
        return (
            f"{path}: labels such as {spaced[0]!r} are read as one class each. If they are several, give --task multilabel "
            "--label-separator ' '."
        )
    return ""


def check_measured(path: Path, labels: Sequence[str], *, task: str) -> None:
    """Raises: DataError where labels look like measured numbers, and the `task` was not told."""
    different = list(dict.fromkeys(labels))
    _check_numbers(path, different, _LEAST_ALONE if 2 * len(different) > len(labels) else _LEAST_NUMBERS, task)


def _sets(labels: Iterable[str], separator: str) -> list[str]:
    """The labels each of whose parts is a part of another label, too."""
    parts = {label: [part.strip() for part in label.split(separator)] for label in labels}
    times = Counter(part for found in parts.values() for part in set(found))
    return [
        label for label, found in parts.items() if len(found) > 1 and all(part and times[part] > 1 for part in found)
    ]


def _of_classes(labels: Sequence[str], separator: str) -> bool:
    """Whether the only set there is (two classes have no more) names classes that other pictures have alone."""
    return any(
        separator in label and all(part.strip() in labels for part in label.split(separator)) for label in labels
    )


def _check_numbers(path: Path, different: Sequence[str], least: int, task: str) -> None:
    numbers = [label for label in different if _MEASURED.fullmatch(label) and not _WHOLE.fullmatch(label)]
    rest = [label for label in different if not _MEASURED.fullmatch(label) and not _WHOLE.fullmatch(label)]
    if len(numbers) < least or rest or 2 * len(numbers) < len(different):
        return
    raise DataError(
        f"the labels of {str(path)!r} are {len(different):,} different numbers such as {numbers[0]}, which looks like something "
        "measured (regression): tellapart tells classes apart. Make classes of ranges, such as low and high, or give --task "
        f"{task} if each number is a class."
    )


def _several(path: Path, label: str, how: str) -> DataError:
    return DataError(
        f"labels of {str(path)!r} look like several names each, such as {label!r}. Did you mean --task multilabel{how}? "
        "--task classification takes each as one class."
    )
