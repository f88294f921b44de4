"""What a model says of many pictures. In: paths, probabilities. Out: Predictions, CSV. Next: cli/rows.py.

On the way of every prediction, so it needs numpy only.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.formulas import SafeWriter
from tellapart.storage import replacing

PROBABILITY_FORMAT = "{:.7g}"  # a float32 carries seven significant decimal digits

# bool [N], masked where it cannot be known: such a value counts in no sum, is None in `.tolist()`, and passes no `if`.
Flags: TypeAlias = "np.ma.MaskedArray[Any, np.dtype[np.bool_]]"


# Compared by identity: == on arrays gives an array, so a generated __eq__ would raise.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predictions:
    """N pictures and what the model says of each. A picture that could not be read keeps its row."""

    paths: tuple[str, ...]  # N, in the order asked
    probabilities: NDArray[np.float32]  # [N, K], calibrated, rows sum to 1; NaN where `errors` is set
    labels: tuple[str, ...]  # N, name of the most probable class; "" where `errors` is set
    errors: tuple[str, ...]  # N, why the picture could not be read; "" where it could
    classes: tuple[str, ...]  # K, names of the columns of `probabilities`
    warnings: tuple[
        str, ...
    ]  # N, what to know of how the picture was read (its values go beyond the range); "" for nothing
    # The three below are None where the model file is older than abstention, and `unknown` where the model cannot tell.
    # N, the classes that it may be, most probable first: so many that the true one is among them as often as wanted.
    sets: tuple[tuple[str, ...], ...] | None = None
    unknown: Flags | None = None  # [N], unlike anything trained on; masked where `errors` is set
    novelty: NDArray[np.float32] | None = None  # [N], about 1 or less for typical pictures; NaN where `errors` is set
    heatmaps: tuple[bytes | None, ...] | None = None  # N, PNG files, of a server that was asked for them
    reasons: tuple[Mapping[str, Any] | None, ...] | None = None  # N, of texts in their place: what each word says


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MultilabelPredictions:
    """N pictures and the set of classes that the model sees in each. A picture that could not be read keeps its row."""

    paths: tuple[str, ...]  # N, in the order asked
    probabilities: NDArray[np.float32]  # [N, K], calibrated, each class for itself; NaN where `errors` is set
    label_sets: tuple[tuple[str, ...], ...]  # N, classes at least as probable as their thresholds; () on error too
    errors: tuple[str, ...]  # N, why the picture could not be read; "" where it could
    classes: tuple[str, ...]  # K, names of the columns of `probabilities`
    warnings: tuple[str, ...]  # N, what to know of how the picture was read; "" for nothing
    unknown: Flags | None = None  # [N], unlike anything trained on; masked where `errors` is set, None as above
    novelty: NDArray[np.float32] | None = None  # [N], about 1 or less for typical pictures; NaN where `errors` is set
    heatmaps: tuple[bytes | None, ...] | None = None  # N, PNG files, of a server that was asked for them


def joined(names: Iterable[str]) -> str:
    r"""Names in one cell as a table of sets has them: separated by `|`, with `\` before a name's `|`, `\` and leading `?`."""
    return "|".join(re.sub(r"[\\|]|^\?", r"\\\g<0>", name) for name in names)


def set_cell(names: Sequence[str]) -> str:
    """A set of classes in one cell: separated by |, or a JSON array where a name holds a | or could be taken for an array."""
    plain = "|".join(names)
    return (
        json.dumps(list(names), ensure_ascii=False)
        if plain.startswith("[") or any("|" in name for name in names)
        else plain
    )


def parted(cell: str) -> list[str]:
    """The names in a cell that `joined` may have made, in its order; none in an empty one, and no empty one."""
    parts = re.findall(r"(?:\\[\\|]|[^|])+", cell)
    return [re.sub(r"\\([\\|?])", r"\1", part) for part in parts]


def flags(values: Sequence[bool | None]) -> Flags:
    """The values, bool [N], with None masked."""
    known = [value is not None for value in values]
    return np.ma.masked_array([bool(value) for value in values], mask=np.logical_not(known), dtype=np.bool_)


def build_predictions(
    *,
    paths: Sequence[str],
    probabilities: NDArray[np.float32],
    errors: Sequence[str],
    classes: Sequence[str],
    warnings: Sequence[str] = (),
    sets: Sequence[Sequence[int]] | None = None,
    unknown: Sequence[bool | None] | None = None,
    novelty: Sequence[float] | None = None,
) -> Predictions:
    """Name the most probable class of each row; of equal probabilities the first class wins.

    `probabilities` is [N, K]; its rows where `errors` is not "" are overwritten with NaN in the result. `sets` are numbers
    of classes, empty where `errors` is not ""; of `unknown`, what is None cannot be known; no `warnings` are "" for each.
    """
    failed = np.array([bool(error) for error in errors], dtype=bool)
    rows = np.array(probabilities, dtype=np.float32).reshape(len(paths), len(classes))
    rows[failed] = np.nan
    best = np.where(failed, 0, np.argmax(rows, axis=1)) if len(rows) else np.zeros(0, dtype=np.int64)
    labels = ("" if error else classes[index] for error, index in zip(errors, best.tolist(), strict=True))
    return Predictions(
        paths=tuple(paths),
        probabilities=rows,
        labels=tuple(labels),
        errors=tuple(errors),
        classes=tuple(classes),
        warnings=tuple(warnings) or ("",) * len(paths),
        sets=None if sets is None else tuple(tuple(classes[index] for index in members) for members in sets),
        unknown=None if unknown is None else flags(unknown),
        novelty=None if novelty is None else np.array(novelty, dtype=np.float32),
    )


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write the test split's answers as JSON lines in UTF-8, whole or not at all. Raises: StorageError."""
    with replacing(path) as file:
        for row in rows:
            # Paths that are no valid UTF-8 come as surrogates, and leave as JSON's escapes of these.
            text = json.dumps(row, ensure_ascii=not _is_unicode(row), separators=(",", ":"))
            file.write(text.encode() + b"\n")


def _is_unicode(row: Mapping[str, Any]) -> bool:
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write the test split's predictions as CSV (RFC 4180, UTF-8), whole or not at all.

    Raises: StorageError when the file cannot be written.
    """
    # Paths that are no valid UTF-8 come as surrogates, and leave as the bytes that they were.
    with replacing(path) as file:
        table = SafeWriter(codecs.getwriter("utf-8")(file, "surrogateescape"))
        table.write(columns)
        table.write_all(rows)
