"""One class a picture: what is decided, and how it is told. In: probabilities, novelty. Out: ClassAnswer. Next: predictions.py.

N pictures, K classes.
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
    told_warning,
    warning_tensor,
)
from tellapart.answers.class_rows import Figures, class_rows
from tellapart.answers.deciding import prediction_sets, unknown_pictures
from tellapart.answers.pictures import AT_ONCE, prepare_picture, stack_pictures
from tellapart.answers.predictions import Predictions, build_predictions, set_cell

if TYPE_CHECKING:
    from tellapart.bundle import AbstentionRecord, TaskRecord

_NAMED = 5  # classes of a set, in a line for a person
_WIDTH = 30  # letters of a class, there


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassAnswer(Answer):
    """The classes of one picture by their probability; no probabilities where it could not be read."""

    probabilities: NDArray[np.float32] | None = None  # [K], calibrated
    ranking: NDArray[np.intp] | None = None  # [K], numbers of classes, the most probable first
    set_size: int | None = None  # so many of `ranking` the picture may be; None where the model has no sets
    threshold: float | None = None  # by which the set was made

    @property
    def members(self) -> tuple[int, ...] | None:
        """Numbers of the classes that it may be, most probable first; the most probable one always."""
        return None if self.set_size is None or self.ranking is None else tuple(self.ranking[: self.set_size].tolist())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassAnswers(Sequence[ClassAnswer]):
    """The answers of N pictures as arrays, so that many cost little more than one; a ClassAnswer where one is asked for."""

    classes: tuple[str, ...]
    probabilities: NDArray[np.float32]  # [N, K]
    labels: list[str]  # N, the most probable class; of equal ones the first
    sets: NDArray[np.bool_] | None  # [N, K]
    unknown: NDArray[np.bool_] | None  # [N]
    novelty: NDArray[np.float32] | None  # [N]
    threshold: float | None
    warnings: tuple[str, ...] = ()  # N, what to know of how each picture was read; empty where there is nothing to know

    @overload
    def __getitem__(self, index: int) -> ClassAnswer: ...
    @overload
    def __getitem__(self, index: slice) -> list[ClassAnswer]: ...
    def __getitem__(self, index: int | slice) -> ClassAnswer | list[ClassAnswer]:
        """The answer of one picture, or of several."""
        return list(self)[index]

    def __iter__(self) -> Iterator[ClassAnswer]:
        ranking = np.argsort(-self.probabilities, axis=1, kind="stable")  # of equal ones the first
        sizes = None if self.sets is None else self.sets.sum(axis=1).tolist()
        unknown = None if self.unknown is None else self.unknown.tolist()
        novelty = None if self.novelty is None else self.novelty.tolist()
        for row, probabilities in enumerate(self.probabilities):
            yield ClassAnswer(
                classes=self.classes,
                probabilities=probabilities,
                ranking=ranking[row],
                set_size=None if sizes is None else sizes[row],
                threshold=self.threshold,
                warning=self.warnings[row] if self.warnings else "",
                unknown=None if unknown is None else unknown[row],
                novelty=None if novelty is None else novelty[row],
            )

    def __len__(self) -> int:
        return len(self.probabilities)


class Classification:
    """The Answering of classification."""

    outputs: tuple[str, ...] = ("probabilities", "novelty")
    defaults: tuple[str, ...] = ("probabilities",)
    figures = "probabilities"
    prepare = staticmethod(prepare_picture)
    stack = staticmethod(stack_pictures)
    item = "picture"  # what has a class
    graded = False
    local = False
    at_once = AT_ONCE
    pictured: tuple[str, ...] = ()

    def abstention_of(self, record: TaskRecord) -> AbstentionRecord | None:
        """How it abstains. Raises: ValueError for another task's record."""
        if record.kind != "classification":
            raise ValueError(f"a record of {record.kind}")
        return record.abstention

    def fits(self, arrays: Mapping[str, NDArray[Any]], classes: Sequence[str]) -> bool:
        """Whether the probabilities [N, K] are there, and those of each picture sum to 1."""
        found = arrays["probabilities"]
        return found.shape[1:] == (len(classes),) and bool((np.abs(found.sum(axis=1) - 1) < 1e-3).all())

    def decide(
        self,
        arrays: Mapping[str, NDArray[Any]],
        places: Sequence[Placement],
        record: TaskRecord,
        *,
        classes: tuple[str, ...],
    ) -> ClassAnswers:
        """Of probabilities [N, K] and, where there is one, novelty [N]: sets and unknown, where the record has thresholds.

        Raises: ValueError for another task's record.
        """
        probabilities, novelty, abstention = arrays["probabilities"], arrays.get("novelty"), self.abstention_of(record)
        return ClassAnswers(
            classes=classes,
            probabilities=probabilities,
            labels=[classes[index] for index in probabilities.argmax(axis=1).tolist()],
            sets=None if abstention is None else prediction_sets(probabilities, abstention.threshold),
            unknown=None if abstention is None else unknown_pictures(novelty, abstention.novelty_threshold),
            novelty=novelty,
            threshold=None if abstention is None else abstention.threshold,
            warnings=remarks(places),
        )

    def unread(self, error: str, *, path: str = "", classes: tuple[str, ...]) -> ClassAnswer:
        """The answer for a picture that could not be read."""
        return ClassAnswer(path=path, classes=classes, error=error)

    def row(
        self, answer: ClassAnswer, *, top: int, figure: Callable[[float], float] = float, least: float | None = None
    ) -> dict[str, Any]:
        """The `top` most probable classes, the set and the unknown flag; null what is not known."""
        classes, values = answer.classes, [] if answer.probabilities is None else answer.probabilities.tolist()
        order = [] if answer.ranking is None else answer.ranking.tolist()
        ranked = [{"label": classes[index], "probability": figure(values[index])} for index in order[:top]]
        return {
            "path": answer.path,
            "label": ranked[0]["label"] if ranked else None,
            "probability": ranked[0]["probability"] if ranked else None,
            "classes": ranked,
            "error": answer.error or None,
            "set": None if answer.set_size is None else [classes[index] for index in order[: answer.set_size]],
            "unknown": answer.unknown,
            "novelty": None if answer.novelty is None else figure(answer.novelty),
            "warning": answer.warning or None,
        }

    def rows(self, answers: ClassAnswers, *, top: int, figures: Figures) -> list[dict[str, Any]]:
        """`row` of each answer, but for its path and its error; all at once."""
        return class_rows(answers, top=top, figures=figures)

    def read(self, row: Mapping[str, Any], *, path: str, classes: tuple[str, ...], told: Told) -> ClassAnswer:
        """The answer that a row with every class tells. Raises: OtherClasses; KeyError, TypeError, ValueError for no such row."""
        column = {name: index for index, name in enumerate(classes)}
        found = {one["label"]: float(one["probability"]) for one in row["classes"]}
        if found.keys() != column.keys():
            raise OtherClasses
        members, abstention = row["set"], told.get("abstention")
        if members is not None and list(members) != list(found)[: len(members)]:
            raise ValueError("the set is not of the most probable classes")
        return ClassAnswer(
            path=path,
            classes=classes,
            probabilities=np.array([found[name] for name in classes], dtype=np.float32),
            ranking=np.array([column[name] for name in found], dtype=np.intp),
            set_size=None if members is None else len(members),
            threshold=None if abstention is None else float(abstention["threshold"]),
            unknown=None if row["unknown"] is None else bool(row["unknown"]),
            novelty=None if row["novelty"] is None else float(row["novelty"]),
            warning=row.get("warning") or "",  # servers of older versions do not tell it
        )

    def columns(self, classes: Sequence[str], *, top: int) -> list[str]:
        """path, label, probability, further classes, error, set, unknown, novelty, warning."""
        further = [name for rank in range(2, top + 1) for name in (f"label_{rank}", f"probability_{rank}")]
        return ["path", "label", "probability", *further, "error", "set", "unknown", "novelty", "warning"]

    def cells(self, answer: ClassAnswer, *, top: int) -> list[str]:
        """The classes of a set are separated by |, or a JSON array where one holds a |; what is not known is empty."""
        row = self.row(answer, top=top)
        best = [cell for one in row["classes"] for cell in (one["label"], f"{one['probability']:.6f}")]
        known = [
            set_cell(row["set"] or ()),
            "" if answer.unknown is None else str(answer.unknown).lower(),
            "" if answer.novelty is None else f"{answer.novelty:.6g}",
            answer.warning,
        ]
        return [answer.path, *(best or [""] * 2 * top), answer.error, *known]

    def line(self, answer: ClassAnswer, *, top: int) -> str:
        """Probability, class, path, and what makes the picture doubtful: that it is unknown, or the others that it may be."""
        width = min(_WIDTH, max(map(len, answer.classes)))
        if answer.probabilities is None:
            return f"{'unreadable':<{top * (width + 8)}} {answer.path}  ({answer.error})"
        cells = [
            f"{100 * answer.probabilities[index]:5.1f}% {answer.classes[index]:<{width}}"
            for index in _best(answer, top)
        ]
        return f"{' '.join(cells)} {answer.path}{_doubt(answer, self.item)}{told_warning(answer)}"

    def collect(self, answers: Sequence[ClassAnswer], *, classes: tuple[str, ...], told: Told) -> Predictions:
        """All answers together; sets, unknown and novelty where the record says that the model tells them."""
        abstention: Mapping[str, Any] | None = told.get("abstention")
        tells = abstention is not None
        unread = np.full(len(classes), np.nan, dtype=np.float32)
        rows = [unread if one.probabilities is None else one.probabilities for one in answers]
        return build_predictions(
            paths=[one.path for one in answers],
            probabilities=np.array(rows, dtype=np.float32),
            errors=[one.error for one in answers],
            classes=classes,
            warnings=[one.warning for one in answers],
            sets=[one.members or () for one in answers] if tells else None,
            unknown=[one.unknown for one in answers]
            if abstention is not None and abstention.get("novelty_threshold") is not None
            else None,
            novelty=[np.nan if one.novelty is None else one.novelty for one in answers] if tells else None,
        )

    def describe(self, record: TaskRecord, *, classes: Sequence[str], outputs: Iterable[str]) -> list[Output]:
        """probabilities, label, and set, novelty, unknown where the model has thresholds; warning.

        Raises: ValueError for another task's record.
        """
        count, abstention = len(classes), self.abstention_of(record)
        found = [Output("probabilities", "FP32", (-1, count)), Output("label", "BYTES", (-1,))]
        if abstention is not None:
            found.append(Output("set", "BOOL", (-1, count)))
            if "novelty" in outputs:
                found.append(Output("novelty", "FP32", (-1,)))
                if abstention.novelty_threshold is not None:
                    found.append(Output("unknown", "BOOL", (-1,)))
        return [*found, WARNING]

    def tensors(self, answers: ClassAnswers) -> Mapping[str, NDArray[Any] | list[bytes]]:
        """probabilities float32 [N, K], label; set bool [N, K], novelty float32 [N], unknown bool [N] where known; warning."""
        known = {"set": answers.sets, "novelty": answers.novelty, "unknown": answers.unknown}
        return {
            "probabilities": answers.probabilities,
            "label": [label.encode() for label in answers.labels],
            **{name: array for name, array in known.items() if array is not None},
            WARNING.name: warning_tensor(answers.warnings, len(answers)),
        }

    def tally(self, answers: ClassAnswers) -> Tally:
        """The most probable class of each picture, and how many are unknown."""
        return Tally(answers.labels, 0 if answers.unknown is None else int(answers.unknown.sum()))

    def shown_class(self, answer: ClassAnswer) -> int:
        """The most probable class. Raises: ValueError for an unread picture."""
        if answer.ranking is None:
            raise ValueError("there is no class to show of a picture that could not be read")
        return int(answer.ranking[0])

    def read_truth(self, fields: Mapping[str, str]) -> Truth:
        """One class, in the field `label`."""
        label = fields.get("label", "")
        return Truth("label", label, (label,))


def _best(answer: ClassAnswer, top: int) -> list[int]:
    return [] if answer.ranking is None else answer.ranking[:top].tolist()


def _doubt(answer: ClassAnswer, item: str) -> str:
    if answer.unknown:
        return f"  (unknown: unlike the {item}s trained on)"
    members = answer.members
    # Without a threshold every class is in every set, which says nothing of the picture to a person.
    if members is None or len(members) < 2 or answer.threshold == 0:
        return ""
    names = [answer.classes[index] for index in members[:_NAMED]]
    more = len(members) - len(names)
    others = f" or {more} other{'s' if more > 1 else ''}" if more else ""
    return f"  (may be {', '.join(names)}{others})"
