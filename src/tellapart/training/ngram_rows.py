"""Rows of counted n-grams, in memory or on disk. In: parts of a matrix. Out: CountRows. Next: ngram_counts.py.

Of a million texts the counts alone would fill the memory. Then only the numbers of the n-grams are written, to a file that
vanishes with the process however it ends, and the values are worked out again whenever a part is read.
Shapes: N texts, F n-grams, B blocks a text, K columns of whatever the rows are multiplied with.
"""

from __future__ import annotations

import errno
import itertools
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from tellapart.storage import storage_errors

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

# What is done with the products of the rows from one on, [n, K], which are changed in place: a loss, and sums [K].
Step = Callable[[int, Floats], tuple[float, Doubles]]
Mapped = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]

_SPAN, _MOST_SPANS = 100_000, 4  # numbers that are worth a thread, and spans at most
_PART = 4_000_000  # numbers of a part, of which two are in memory at a time
LANES = 2  # sums of parts that are added up at the end: always as many, so that the result does not hang on the machine


class Walked(NamedTuple):
    """What came of all rows."""

    loss: float
    sums: Doubles  # [K]
    back: Floats  # [F, K], the rows turned, times what the step left


class CountRows(Protocol):
    """N rows of F known n-grams; what of each text is known, every block of length 1."""

    @property
    def shape(self) -> tuple[int, int]:
        """N and F."""
        ...

    def part(self, number: int) -> tuple[int, Any]:
        """The number of a part's first row, and SciPy's CSR, float32 [n, F]."""
        ...

    def __len__(self) -> int:
        """How many parts there are."""
        ...

    def whole(self) -> Any:
        """All rows in memory, SciPy's CSR, float32 [N, F]."""
        ...


def as_rows(given: CountRows | Any) -> CountRows:
    """SciPy's CSR as CountRows; CountRows as they are."""
    return KeptRows(given) if hasattr(given, "indptr") else given


def parts_of(rows: CountRows) -> Iterator[tuple[int, Any]]:
    """All parts, in order."""
    return (rows.part(number) for number in range(len(rows)))


def walk(rows: CountRows, weight: Floats, step: Step, mapped: Mapped) -> Walked:
    """Each row times `weight` [F, K], then `step`, then the rows turned times what that left: a part at a time."""

    def lane(first: int) -> Walked:
        loss, sums, back = 0.0, np.zeros(weight.shape[1]), np.zeros_like(weight)
        for number in range(first, len(rows), LANES):
            row, matrix = rows.part(number)
            products = np.asarray(matrix @ weight)
            own, slopes = step(row, products)
            loss, sums = loss + own, sums + slopes
            back += matrix.T @ products
        return Walked(loss, sums, back)

    found: list[Walked] = list(mapped(lane, range(min(LANES, len(rows)))))
    total = found[0]
    for one in found[1:]:
        np.add(total.back, one.back, out=total.back)
        total = Walked(total.loss + one.loss, total.sums + one.sums, total.back)
    return total


class KeptRows:
    """Rows in memory."""

    def __init__(self, matrix: Any) -> None:
        self._matrix = matrix
        self._borders = _borders(matrix, max(1, -(-matrix.nnz // _PART)))

    @property
    def shape(self) -> tuple[int, int]:
        """See CountRows."""
        count, grams = self._matrix.shape
        return int(count), int(grams)

    def __len__(self) -> int:
        return len(self._borders) - 1

    def part(self, number: int) -> tuple[int, Any]:
        """See CountRows."""
        first, last = self._borders[number : number + 2]
        return first, self._matrix if len(self) == 1 else _span(self._matrix, first, last)

    def whole(self) -> Any:
        """See CountRows."""
        return self._matrix


class TurnedRows:
    """Rows in memory, and once more turned, which is quicker: both ways are read in order, and split among threads."""

    def __init__(self, matrix: Any) -> None:
        count = min(
            _MOST_SPANS, max(1, matrix.nnz // _SPAN)
        )  # that the result does not hang on how many threads there are
        turned = matrix.T.tocsr()
        self._rows, self._turned = _spans(matrix, count), _spans(turned, count)

    def __len__(self) -> int:
        """How many threads it is worth."""
        return len(self._rows)

    def walk(self, weight: Floats, step: Step, mapped: Mapped) -> Walked:
        """See the function `walk`."""

        def ahead(part: tuple[int, Any]) -> tuple[float, Doubles, Floats]:
            products = np.asarray(part[1] @ weight)
            return (*step(part[0], products), products)

        found = list(mapped(ahead, self._rows))
        products = _joined([one for _, _, one in found])
        back = _joined(list(mapped(lambda part: np.asarray(part[1] @ products), self._turned)))
        return Walked(sum(loss for loss, _, _ in found), np.sum([sums for _, sums, _ in found], axis=0), back)


def _joined(parts: list[Floats]) -> Floats:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _spans(matrix: Any, count: int) -> list[tuple[int, Any]]:
    borders = _borders(matrix, count)
    if len(borders) == 2:
        return [(0, matrix)]
    return [(first, _span(matrix, first, last)) for first, last in itertools.pairwise(borders)]


def _borders(matrix: Any, count: int) -> list[int]:
    """Rows at which a CSR falls into so many parts with as many numbers each, or fewer parts; the ends too."""
    wanted = matrix.nnz * np.arange(1, count) // count
    inner = np.searchsorted(matrix.indptr, wanted).tolist()
    return sorted({0, *inner, matrix.shape[0]}) if matrix.shape[0] else [0, 0]


def _span(matrix: Any, first: int, last: int) -> Any:
    """Some rows of a CSR, whose numbers are not copied."""
    from scipy import sparse

    begin, end = int(matrix.indptr[first]), int(matrix.indptr[last])
    starts = matrix.indptr[first : last + 1] - matrix.indptr[first]
    numbers = (matrix.data[begin:end], matrix.indices[begin:end], starts)
    return sparse.csr_matrix(numbers, shape=(last - first, matrix.shape[1]), copy=False)


class StoredRows:
    """Rows whose n-grams are in a file: int32, text after text and block after block."""

    def __init__(self, folder: Path, frequency: Floats, blocks: int) -> None:
        """Raises: StorageError where nothing can be written to `folder`."""
        self._folder, self._frequency, self._blocks = folder, frequency, blocks
        self._cells: list[NDArray[np.int32]] = []  # of each part, n-grams of each block of each text
        self._lengths: list[Floats] = []  # of these
        self._places: list[tuple[int, int]] = []  # first row, first number of the file
        self._texts = self._numbers = 0
        self._reading = threading.Lock()
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  # as long as these
        weakref.finalize(self, self._file.close)

    def add(self, grams: NDArray[np.int32], cells: NDArray[np.int32], lengths: Floats) -> None:
        """The next n texts: their M n-grams, how many each of the n x B blocks has, and its length.

        Raises: StorageError where the disk is full.
        """
        with storage_errors(self._folder):
            self._file.write(grams.tobytes())
            self._file.flush()
        if self._places and self._numbers + len(grams) - self._places[-1][1] <= _PART:
            self._cells[-1], self._lengths[-1] = (
                np.concatenate([self._cells[-1], cells]),
                np.concatenate([self._lengths[-1], lengths]),
            )
        else:
            self._places.append((self._texts, self._numbers))
            self._cells.append(cells)
            self._lengths.append(lengths)
        self._texts += len(cells) // self._blocks
        self._numbers += len(grams)

    @property
    def shape(self) -> tuple[int, int]:
        """See CountRows."""
        return self._texts, len(self._frequency)

    def __len__(self) -> int:
        return len(self._places)

    def part(self, number: int) -> tuple[int, Any]:
        """See CountRows. Raises: StorageError where the file cannot be read."""
        from scipy import sparse

        (row, begin), cells, lengths = self._places[number], self._cells[number], self._lengths[number]
        count = int(cells.sum(dtype=np.int64))
        with storage_errors(self._folder):
            grams = self._read(begin, count)
        values = self._frequency[grams]
        values /= np.repeat(lengths, cells)
        starts = np.zeros(len(cells) // self._blocks + 1, dtype=np.int32)
        np.cumsum(cells.reshape(-1, self._blocks).sum(axis=1), out=starts[1:])
        return row, sparse.csr_matrix((values, grams, starts), shape=(len(starts) - 1, self.shape[1]), copy=False)

    def _read(self, begin: int, count: int) -> NDArray[np.int32]:
        found = np.empty(count, dtype=np.int32)
        with self._reading:
            self._file.seek(4 * begin)
            if self._file.readinto(found) != found.nbytes:  # type: ignore[attr-defined]  # a buffered file has it
                raise OSError(errno.EIO, "the file of counts is shorter than it was")
        return found

    def whole(self) -> Any:
        """See CountRows."""
        from scipy import sparse

        return sparse.vstack([matrix for _, matrix in parts_of(self)], format="csr")
