"""What an estimator is given, and what a training says of it. In: X, y. Out: paths, names, a table; messages. Next: calling.py.

A training reads a table and is told flags; who calls `fit` has written neither, and hears of X and of parameters.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite, column_or_1d

from tellapart.answers.formulas import csv_text
from tellapart.answers.given import PATH_COLUMNS
from tellapart.errors import DataError, kind_of
from tellapart.settings.flags import as_arguments

_NAMED = 3  # pictures that a message names


def paths_of(X: Any) -> list[str]:
    """The paths in a sequence, an array [n] or [n, 1], or a table that has one column, or one that is called as paths are.

    Raises: DataError for anything else.
    """
    if isinstance(X, (str, bytes, os.PathLike)):
        raise DataError(f"X is {kind_of(X)}; pictures come as a sequence of paths. Put it in a list.")
    if hasattr(X, "columns"):
        named = [name for name in PATH_COLUMNS if name in list(X.columns)]
        if not named and len(X.columns) != 1:
            raise DataError(
                f"X has the columns {', '.join(map(str, X.columns))[:300]}; none is called {' or '.join(PATH_COLUMNS[:3])}. Give "
                "its paths alone, as table[COLUMN]."
            )
        X = X[named[0] if named else X.columns[0]]
    shape = getattr(X, "shape", None)
    if shape is not None and len(shape) == 2 and shape[1] == 1:
        X = np.asarray(X).ravel()
    try:
        found = list(X)
    except TypeError:
        raise DataError(f"X is {kind_of(X)}; pictures come as a sequence of paths. Give a list of them.") from None
    for row, path in enumerate(found):
        if not isinstance(path, (str, os.PathLike)):
            raise DataError(f"row {row} of X is {kind_of(path)}, no path. Give the paths of picture files.")
    return [os.fspath(path) for path in found]


def check_there(paths: Sequence[str]) -> None:
    """Raises: DataError where there is no path, or none leads anywhere; one of many is set aside by the audit."""
    if not paths:
        raise DataError("X has no path, so there is nothing to learn from. Give the paths of picture files.")
    if not any(os.path.exists(path) for path in paths if "\0" not in path):
        named = ", ".join(repr(path[:200]) for path in paths[:_NAMED])
        raise DataError(
            f"none of the {len(paths):,} paths in X leads to a file, such as {named}. Paths that are not whole count from "
            f"{os.getcwd()}: correct them, or go to their folder."
        )


def class_names(classes: NDArray[Any]) -> list[str]:
    """What each of K labels is called in the model: itself, as a text. Raises: DataError where two would be called the same."""
    names = [unicodedata.normalize("NFC", str(value)).strip() for value in classes.tolist()]
    for place, name in enumerate(names):
        if not name:
            raise DataError(f"the label {classes.tolist()[place]!r} is empty as a name. Give each class a name.")
        if name in names[:place]:
            first, second = classes.tolist()[names.index(name)], classes.tolist()[place]
            raise DataError(
                f"the labels {first!r} and {second!r} are both called {name!r} in a model. Rename one of them."
            )
    return names


def labels_of(y: Any) -> NDArray[Any]:
    """Raises: ValueError."""
    if y is None:
        raise ValueError("tellapart.Classifier requires y to be passed, but the target y is None.")
    labels: NDArray[Any] = column_or_1d(y, warn=True)
    if labels.dtype.kind == "f":
        assert_all_finite(labels, input_name="y")
    check_classification_targets(labels)
    return labels


def table_of(rows: Sequence[Mapping[str, str]]) -> bytes:
    """Raises: DataError for a path that is not UTF-8."""
    try:
        return csv_text(list(rows[0]) if rows else ["path", "label"], rows).encode()
    except UnicodeEncodeError:
        wrong = next(row["path"] for row in rows if not row["path"].isprintable())
        raise DataError(f"the path {wrong!r} is not UTF-8, in which pictures are listed. Rename the file.") from None


def said(message: str, *, table: Path, parameters: Mapping[str, Any]) -> str:
    """A message of a training in the words of `fit`: the table is X, and a row of it a place there, from 0.

    `parameters` are the estimator's by name, None where nothing was told.
    """
    message = re.sub(rf"(?:the table )?(['\"]?){re.escape(str(table))}\1", "X", message)
    message = re.sub(r"\bin row (\d+)", lambda row: f"at place {int(row[1]) - 2}", message)
    message = message.replace("Keep one of the two rows", "Give each picture once")
    given = [name for name, value in parameters.items() if value is not None]
    return as_arguments(message, parameters=parameters, given=given)
