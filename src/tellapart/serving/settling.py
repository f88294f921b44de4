"""Inputs of requests put together, and what came of them given back. In: taken spans. Out: a request's answer. Next: batching.py.

Of pictures an object each; of texts, which a network takes many of together, arrays of all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.serving.batches import OutputColumns, Outputs, QueuedRequest, TakenBatch
from tellapart.serving.refusals import Late


def joined(spans: Sequence[tuple[QueuedRequest, int, int]]) -> Sequence[Any]:
    """The inputs of all spans (a request, the first, how many), one after the other."""
    if len(spans) == 1:
        request, first, count = spans[0]
        return request.pictures if count == len(request.pictures) else request.pictures[first : first + count]
    return [one for request, first, count in spans for one in request.pictures[first : first + count]]


def parted(columns: OutputColumns, counts: Sequence[int]) -> list[OutputColumns]:
    """What was said of as many inputs as the counts add up to, for each count its part."""
    if len(counts) == 1:
        return [columns]
    parts, first, row = [], 0, 0
    for count in counts:
        errors = columns.errors[first : first + count]
        read = row + count - sum(map(bool, errors))
        arrays = {name: array[row:read] for name, array in columns.arrays.items()}
        parts.append(OutputColumns(arrays=arrays, beside=columns.beside[row:read], errors=errors))
        first, row = first + count, read
    return parts


def whole(parts: Sequence[tuple[int, OutputColumns]]) -> OutputColumns:
    """What was said of all inputs of a request, of its parts (the first, what), which may have come in any order."""
    if len(parts) == 1:
        return parts[0][1]
    ordered = [part for _, part in sorted(parts, key=lambda part: part[0])]
    read = [part.arrays for part in ordered if part.beside]
    return OutputColumns(
        arrays={name: np.concatenate([one[name] for one in read]) for name in read[0]} if read else {},
        beside=tuple(one for part in ordered for one in part.beside),
        errors=tuple(error for part in ordered for error in part.errors),
    )


def settle(
    taken: TakenBatch, request: QueuedRequest, index: int, row: Mapping[str, NDArray[Any]] | None, error: str
) -> None:
    """What came of a picture; in the lock, since two threads may hold pictures of one request."""
    request.rows[index], request.errors[index] = row, error
    request.missing -= 1
    if request.missing == 0:
        taken.finished.append(request)


def settle_spans(taken: TakenBatch) -> None:
    """Something came of all that was taken together, or its request has failed; in the lock."""
    for request, _, count in taken.spans:
        request.missing -= count
        if request.missing == 0:
            taken.finished.append(request)


def give_up(request: QueuedRequest, seconds: float) -> None:
    """Its time, in seconds, is over; in its loop."""
    if not request.answer.done():
        request.answer.set_exception(
            Late(f"the answer was not there within {seconds:g} s. Send less, or allow more time.")
        )


def answer(requests: Sequence[QueuedRequest]) -> None:
    """Give those who still wait what came of their pictures; in their loop."""
    for request in requests:
        if request.answer.done():
            continue
        if request.failure is not None:
            request.answer.set_exception(request.failure)
        elif request.network.together > 1:
            request.answer.set_result(whole(request.parts))
        else:
            request.answer.set_result(
                Outputs(rows=tuple(request.rows), beside=tuple(request.beside), errors=tuple(request.errors))
            )
