"""What a file of a network is worth, through any runtime. In: a callable, AskedSplit. Out: Rated. Next: changed.py.

The callable stands for a runtime, in this process or another: it takes inputs uint8 [n, S, S, 3] and gives arrays [n, ...] under
the names of the model's outputs. N pictures, T inputs, S side of an input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.answering import Answer
from tellapart.answers.tiling import merging_of
from tellapart.bundle import Manifest, Model
from tellapart.record_parts import Score
from tellapart.reporter import Reporter, Silent
from tellapart.runtime import BATCH
from tellapart.tasks.table import task_of
from tellapart.tasks.task import Task
from tellapart.threads import in_order
from tellapart.workflows.rating.asking import AskedPicture, AskedSplit
from tellapart.workflows.rating.timing import Milliseconds, time_in_turn

Arrays: TypeAlias = Mapping[str, NDArray[Any]]
Compute: TypeAlias = Callable[[NDArray[np.uint8]], Arrays]

KEPT = 4096  # numbers of an output that are kept of one input


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rated:
    """One file of a network on the N pictures of a split."""

    name: str  # of the task's headline figure
    score: Score  # of it, with its 95 % interval
    metrics: Mapping[str, Any]  # all figures, as a run's metrics.json has them
    answers: Sequence[Any]  # N, what the task's `judge` keeps of each
    outputs: Arrays  # [T, at most KEPT] of each output: where it has more numbers an input, as many of them, evenly
    milliseconds: Milliseconds | None  # None where it was not timed
    megabytes: float

    def as_json(self) -> dict[str, Any]:
        """One JSON-ready object."""
        return {
            "score": {"name": self.name, "value": self.score.value, "low": self.score.low, "high": self.score.high},
            "milliseconds": None if self.milliseconds is None else self.milliseconds.as_json(),
            "megabytes": round(self.megabytes, 3),
        }


def compute_of(model: Model) -> Compute:
    """ONNX Runtime on one thread; it may be called from several at once."""
    answering = task_of(model.manifest.task).answering
    if model.manifest.pictures is None:
        return lambda texts: model.compute(answering.stack(list(texts), model.inputs), answering.outputs)
    return lambda inputs: model.compute(inputs, answering.outputs)


def rate(
    compute: Compute,
    asked: AskedSplit,
    manifest: Manifest,
    *,
    megabytes: float,
    timed: bool = True,
    workers: int = 1,
    batch: int = BATCH,
    seed: int = 0,
    reporter: Reporter | None = None,
    said: str = "Asking",
) -> Rated:
    """Ask everything once, and time a few inputs; `manifest` says how answers are decided.

    `workers` threads call `compute` at once, with `batch` inputs at most. Raises: DataError where nothing can be scored; what
    `compute` raises.
    """
    task = task_of(manifest.task)
    answers: list[Any] = []
    kept: dict[str, list[NDArray[Any]]] = {}
    units = _units(asked, batch)
    with (reporter or Silent()).step(said, len(asked.pictures)) as advance:
        for found, outputs in in_order(
            units, lambda unit: _ask(compute, asked, unit, manifest, task, batch), workers=workers, name="rate"
        ):
            answers += found
            for name, values in outputs.items():
                kept.setdefault(name, []).append(values)
            advance(len(found))
    groups = np.array(asked.groups)
    metrics = task.score(manifest, answers, asked.targets, groups=groups, seed=seed)
    return Rated(
        name=task.headline,
        score=headline(metrics, task.headline),
        metrics=metrics,
        answers=answers,
        outputs={name: np.concatenate(parts) for name, parts in kept.items()},
        milliseconds=time_in_turn([compute], asked.inputs)[0] if timed else None,
        megabytes=megabytes,
    )


def headline(metrics: Mapping[str, Any], name: str) -> Score:
    """The figure that a person is told first; NaN where it is not defined."""
    found = metrics[name]
    if isinstance(found, Mapping):
        return Score.of(found)
    return Score(value=float("nan") if found is None else float(found))


def _units(asked: AskedSplit, batch: int) -> list[list[AskedPicture]]:
    """Pictures that are answered together: a batch of whole ones, or one alone, which fills batches with its tiles."""
    at_once = 1 if asked.tiled else batch
    return [list(asked.pictures[at : at + at_once]) for at in range(0, len(asked.pictures), at_once)]


def _ask(
    compute: Compute, asked: AskedSplit, pictures: Sequence[AskedPicture], manifest: Manifest, task: Task, batch: int
) -> tuple[list[Any], dict[str, NDArray[Any]]]:
    """What is kept of the answers to some pictures, and of the outputs for their inputs."""
    start, stop = pictures[0].start, pictures[-1].stop
    kept: dict[str, list[NDArray[Any]]] = {}
    merging = None
    if asked.tiled and asked.preprocessing is not None:
        (picture,) = pictures
        merging = merging_of(task.answering).merging(picture.whole, asked.preprocessing, manifest.record)
    arrays: Arrays = {}
    for at in range(start, stop, batch):
        upto = min(stop, at + batch)
        arrays = {name: one for name, one in compute(asked.inputs[at:upto]).items() if name in task.answering.outputs}
        for name, values in arrays.items():
            kept.setdefault(name, []).append(thinned(values))
        if merging is not None:
            merging.add(arrays, pictures[0].places[at - start : upto - start])
    if merging is not None:
        arrays = merging.finish()
    places = [one.whole for one in pictures]
    answers = task.answering.decide(arrays, places, manifest.record, classes=manifest.classes)
    judged = [
        task.judge(manifest, _named(answer, one), one.target) for answer, one in zip(answers, pictures, strict=True)
    ]
    return judged, {name: np.concatenate(parts) for name, parts in kept.items()}


def _named(answer: Any, picture: AskedPicture) -> Answer:
    named: Answer = replace(answer, path=str(picture.path))
    return named


def thinned(values: NDArray[Any]) -> NDArray[Any]:
    """Of an output [n, ...] at most `KEPT` numbers an input, [n, k], at the same places of every input of that shape."""
    flat = values.reshape(len(values), -1)
    if flat.shape[1] <= KEPT:
        return flat.copy()
    return flat[:, np.linspace(0, flat.shape[1] - 1, KEPT).astype(np.int64)]
