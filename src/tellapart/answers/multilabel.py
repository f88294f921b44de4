"""A set of classes a picture: what is decided, and how it is told. In: probabilities, novelty. Out: LabelsAnswer. Next: table.py.

Each class is decided for itself, by a threshold of its own; none may be above its threshold, and then the picture shows none
of them. N pictures, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.answering import (
    WARNING,
    Answer,
    OtherClasses,
    Output,
    Placement,
    Tally,
    Told,
    Truth,
    remarks,
    told_line,
    warning_tensor,
)
from tellapart.answers.deciding import chosen_classes, unknown_pictures
from tellapart.answers.pictures import AT_ONCE, prepare_picture, stack_pictures
from tellapart.answers.predictions import MultilabelPredictions, flags, joined, parted

if TYPE_CHECKING:
    from tellapart.bundle import TaskRecord


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelsAnswer(Answer):
    """The classes that one picture shows; no probabilities where it could not be read."""

    probabilities: NDArray[np.float32] | None = None  # [K], calibrated, each for itself
    chosen: NDArray[np.bool_] | None = None  # [K], the classes at least as probable as their thresholds

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the chosen classes, in the model's order."""
        return () if self.chosen is None else tuple(self.classes[index] for index in np.flatnonzero(self.chosen))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelsAnswers(Sequence[LabelsAnswer]):
    """The answers of N pictures as arrays; a LabelsAnswer where one is asked for."""

    classes: tuple[str, ...]
    probabilities: NDArray[np.float32]  # [N, K]
    chosen: NDArray[np.bool_]  # [N, K]
    unknown: NDArray[np.bool_] | None  # [N]
    novelty: NDArray[np.float32] | None  # [N]
    warnings: tuple[str, ...] = ()  # N, what to know of how each picture was read; empty where there is nothing to know

    @overload
    def __getitem__(self, index: int) -> LabelsAnswer: ...
    @overload
    def __getitem__(self, index: slice) -> list[LabelsAnswer]: ...
    def __getitem__(self, index: int | slice) -> LabelsAnswer | list[LabelsAnswer]:
        """The answer of one picture, or of several."""
        return list(self)[index]

    def __iter__(self) -> Iterator[LabelsAnswer]:
        unknown = None if self.unknown is None else self.unknown.tolist()
        novelty = None if self.novelty is None else self.novelty.tolist()
        for row, probabilities in enumerate(self.probabilities):
            yield LabelsAnswer(
                classes=self.classes,
                probabilities=probabilities,
                chosen=self.chosen[row],
                unknown=None if unknown is None else unknown[row],
                novelty=None if novelty is None else novelty[row],
                warning=self.warnings[row] if self.warnings else "",
            )

    def __len__(self) -> int:
        return len(self.probabilities)


class Multilabel:
    """The Answering of multilabel."""

    outputs: tuple[str, ...] = ("probabilities", "novelty")
    defaults: tuple[str, ...] = ("probabilities",)
    figures = "probabilities"
    prepare = staticmethod(prepare_picture)
    stack = staticmethod(stack_pictures)
    graded = False
    local = False
    item = "picture"
    at_once = AT_ONCE
    pictured: tuple[str, ...] = ()

    def fits(self, arrays: Mapping[str, NDArray[Any]], classes: Sequence[str]) -> bool:
        """Whether the probabilities [N, K] are there, and each is in [0, 1]."""
        found = arrays["probabilities"]
        return found.shape[1:] == (len(classes),) and bool(((found >= 0) & (found <= 1)).all())

    def decide(
        self,
        arrays: Mapping[str, NDArray[Any]],
        places: Sequence[Placement],
        record: TaskRecord,
        *,
        classes: tuple[str, ...],
    ) -> LabelsAnswers:
        """Of probabilities [N, K] and, where there is one, novelty [N]: the classes above their thresholds, and unknown.

        Raises: ValueError for another task's record.
        """
        if record.kind != "multilabel":
            raise ValueError(f"a record of {record.kind}")
        probabilities, novelty = arrays["probabilities"], arrays.get("novelty")
        return LabelsAnswers(
            classes=classes,
            probabilities=probabilities,
            chosen=chosen_classes(probabilities, record.thresholds),
            unknown=unknown_pictures(novelty, record.novelty_threshold),
            novelty=novelty,
            warnings=remarks(places),
        )

    def unread(self, error: str, *, path: str = "", classes: tuple[str, ...]) -> LabelsAnswer:
        """The answer for a picture that could not be read."""
        return LabelsAnswer(path=path, classes=classes, error=error)

    def row(
        self, answer: LabelsAnswer, *, top: int, figure: Callable[[float], float] = float, least: float | None = None
    ) -> dict[str, Any]:
        """The labels, every class's probability whatever `top` is, and the unknown flag; null what is not known."""
        found = answer.probabilities
        each = None if found is None else dict(zip(answer.classes, map(figure, found.tolist()), strict=True))
        return {
            "path": answer.path,
            "labels": None if found is None else list(answer.labels),
            "probabilities": each,
            "unknown": answer.unknown,
            "novelty": None if answer.novelty is None else figure(answer.novelty),
            "error": answer.error or None,
            "warning": answer.warning or None,
        }

    def read(self, row: Mapping[str, Any], *, path: str, classes: tuple[str, ...], told: Told) -> LabelsAnswer:
        """The answer that a row tells. Raises: OtherClasses; KeyError, TypeError, ValueError for no such row."""
        found, labels = dict(row["probabilities"]), set(row["labels"])
        if found.keys() != set(classes):
            raise OtherClasses
        return LabelsAnswer(
            path=path,
            classes=classes,
            probabilities=np.array([float(found[name]) for name in classes], dtype=np.float32),
            chosen=np.array([name in labels for name in classes], dtype=np.bool_),
            unknown=None if row["unknown"] is None else bool(row["unknown"]),
            novelty=None if row["novelty"] is None else float(row["novelty"]),
            warning=row.get("warning") or "",  # servers of older versions do not tell it
        )

    def columns(self, classes: Sequence[str], *, top: int) -> list[str]:
        """path, labels, unknown, novelty, one of probabilities a class, error, warning."""
        return [
            "path",
            "labels",
            "unknown",
            "novelty",
            *(f"probability of {name}" for name in classes),
            "error",
            "warning",
        ]

    def cells(self, answer: LabelsAnswer, *, top: int) -> list[str]:
        """The labels are separated by |, with a backslash before | and backslash in a name; what is not known is empty."""
        found = answer.probabilities
        return [
            answer.path,
            joined(answer.labels),
            "" if answer.unknown is None else str(answer.unknown).lower(),
            "" if answer.novelty is None else f"{answer.novelty:.6g}",
            *([""] * len(answer.classes) if found is None else [f"{one:.6f}" for one in found.tolist()]),
            answer.error,
            answer.warning,
        ]

    def line(self, answer: LabelsAnswer, *, top: int) -> str:
        """The labels with their probabilities, the most probable first, then the path, and whether the picture is unknown."""
        found, chosen = answer.probabilities, answer.chosen
        if found is None or chosen is None:
            return told_line(answer, None)
        order = [index for index in np.argsort(-found, kind="stable").tolist() if chosen[index]]
        said = ", ".join(f"{answer.classes[index]} {100 * found[index]:.1f}%" for index in order) or "none of them"
        doubt = "  (unknown: unlike the pictures trained on)" if answer.unknown else ""
        return told_line(answer, said, doubt)

    def collect(
        self, answers: Sequence[LabelsAnswer], *, classes: tuple[str, ...], told: Told
    ) -> MultilabelPredictions:
        """All answers together; unknown where the record has a threshold, novelty where one was measured."""
        unread = np.full(len(classes), np.nan, dtype=np.float32)
        rows = [unread if one.probabilities is None else one.probabilities for one in answers]
        tells = told.get("novelty_threshold") is not None
        novelty = [np.nan if one.novelty is None else one.novelty for one in answers]
        return MultilabelPredictions(
            paths=tuple(one.path for one in answers),
            probabilities=np.array(rows, dtype=np.float32).reshape(len(rows), len(classes)),
            label_sets=tuple(one.labels for one in answers),
            errors=tuple(one.error for one in answers),
            classes=classes,
            warnings=tuple(one.warning for one in answers),
            unknown=flags([one.unknown for one in answers]) if tells else None,
            novelty=np.array(novelty, dtype=np.float32) if tells or not np.isnan(novelty).all() else None,
        )

    def describe(self, record: TaskRecord, *, classes: Sequence[str], outputs: Iterable[str]) -> list[Output]:
        """probabilities, labels, chosen, and novelty, unknown where the model tells them; warning.

        Raises: ValueError for another task's record.
        """
        if record.kind != "multilabel":
            raise ValueError(f"a record of {record.kind}")
        count = len(classes)
        found = [
            Output("probabilities", "FP32", (-1, count)),
            Output("labels", "BYTES", (-1,)),
            Output("chosen", "BOOL", (-1, count)),
        ]
        if "novelty" in outputs:
            found.append(Output("novelty", "FP32", (-1,)))
            if record.novelty_threshold is not None:
                found.append(Output("unknown", "BOOL", (-1,)))
        return [*found, WARNING]

    def tensors(self, answers: LabelsAnswers) -> Mapping[str, NDArray[Any] | list[bytes]]:
        """probabilities float32 [N, K], labels as in `cells`, chosen bool [N, K]; novelty, unknown [N] where known; warning."""
        known = {"novelty": answers.novelty, "unknown": answers.unknown}
        return {
            "probabilities": answers.probabilities,
            "labels": [joined(one.labels).encode() for one in answers],
            "chosen": answers.chosen,
            **{name: array for name, array in known.items() if array is not None},
            WARNING.name: warning_tensor(answers.warnings, len(answers)),
        }

    def tally(self, answers: LabelsAnswers) -> Tally:
        """Every class that was named, and how many pictures are unknown."""
        names = [answers.classes[index] for index in np.nonzero(answers.chosen)[1].tolist()]
        return Tally(names, 0 if answers.unknown is None else int(answers.unknown.sum()))

    def shown_class(self, answer: LabelsAnswer) -> int:
        """The most probable class, named or not. Raises: ValueError for an unread picture."""
        if answer.probabilities is None:
            raise ValueError("there is no class to show of a picture that could not be read")
        return int(answer.probabilities.argmax())

    def read_truth(self, fields: Mapping[str, str]) -> Truth:
        """Any number of classes, joined in the field `labels`; "" for none. Raises: ValueError where the field is missing."""
        if "labels" not in fields:
            raise ValueError(
                "the form has no field `labels`. Send the names of the classes joined by |, nothing for none"
            )
        names = tuple(sorted(set(parted(fields["labels"]))))
        return Truth("labels", joined(names), names)
