"""What records of tasks are made of. In: JSON. Out: RecordPart, Score, Step, AbstentionRecord. Next: records.py."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from tellapart.reporter import figure, percent

NAMED = 20  # classes that a line for a person lists


class Step(NamedTuple):
    """One operation of ONNX on the way from `logits`; what it gives is called `output`, "" for the last one."""

    operator: str
    output: str = ""
    name: str = ""  # of its numbers; "" where it needs none
    numbers: tuple[float, ...] = ()  # [1] or [K]
    attributes: Mapping[str, Any] = MappingProxyType({})


# The file of a run that holds the answers of its test split (`told_in`): a row a picture, or a line where a row has no room for
# them. `told_as` is what runs/open.py reads it as.
ROWS, LINES = "predictions.csv", "predictions.jsonl"


class RecordPart(BaseModel):
    """A part of a manifest; a key that it does not know is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    takes: ClassVar[str] = "image"  # the name of the network's input; of a task's record
    free_size: ClassVar[bool] = False  # whether the network takes pictures of any size; of a task's record


class Score(RecordPart):
    """A figure with its 95 % interval, as it is measured, shown and kept; `low` and `high` are None where none can be had."""

    value: float
    low: float | None = None
    high: float | None = None
    method: str = ""  # how the interval was found; left out of the JSON where it is not told, as in a manifest

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Score:
        """A figure of metrics.json as a manifest keeps it, without how its interval was found."""
        return cls(value=record["value"], low=record.get("low"), high=record.get("high"))

    @model_serializer(mode="wrap")
    def _without_what_is_not_told(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in plain(self).items() if name != "method" or value}


class AbstentionRecord(RecordPart):
    """When the model says "one of these" or "none of these", and how that did on the test split."""

    coverage: float = Field(gt=0, lt=1)  # wanted: how often a picture's set of classes holds the true one
    # A class at least this probable is in the set; the most probable one always is.
    threshold: float = Field(ge=0, le=1)
    novelty_threshold: float | None = None  # a picture above it is unknown; None: too few pictures to tell
    calibrated_on: int  # validation pictures
    measured_coverage: Score  # on the test split
    mean_set_size: float  # on the test split, in classes
    known: Score | None = None  # share of the test split that is not called unknown


def softened(temperature: float) -> tuple[Step, ...]:
    """From logits to probabilities: softmax(logits / temperature), Guo et al. 2017, arXiv 1706.04599, section 4.2."""
    return (
        Step("Div", "calibrated_logits", "temperature", (temperature,)),
        Step("Softmax", attributes={"axis": -1}),
    )


def told_abstention(own: AbstentionRecord | None, item: str) -> dict[str, str]:
    """When it says "one of these" or "none of these"; nothing of a file older than that."""
    if own is None:
        return {}
    held = own.measured_coverage
    return {
        "sets": f"every class at least {percent(own.threshold)} probable; {own.mean_set_size:.3g} a test {item}",
        "set holds true class": f"{figure('coverage', held.value, held.low, held.high)} of test {item}s; "
        f"wanted {percent(own.coverage)}",
        "unknown": told_unknown(own.novelty_threshold, own.known, own.calibrated_on, item),
    }


def platt(scales: tuple[float, ...], offsets: tuple[float, ...]) -> tuple[Step, ...]:
    """From logits to probabilities: sigmoid(scale * logits + offset), Platt 1999."""
    return (
        Step("Mul", "scaled_logits", "scale", scales),
        Step("Add", "calibrated_logits", "offset", offsets),
        Step("Sigmoid"),
    )


def check_each(classes: int, **numbers: tuple[float, ...]) -> None:
    """Raises: ValueError unless each of `numbers` has a finite one for each class."""
    for name, found in numbers.items():
        if len(found) != classes or not all(map(math.isfinite, found)):
            raise ValueError(f"{name} are {len(found)} numbers; there must be a finite one for each class")


def told_thresholds(thresholds: Sequence[float], classes: Sequence[str], rule: str) -> str:
    """For a person: from which probability on each class is named."""
    named = [f"{name} {percent(one)}" for name, one in zip(classes[:NAMED], thresholds, strict=False)]
    return f"{', '.join(named)}{' ...' if len(classes) > NAMED else ''} (by {rule})"


def told_unknown(threshold: float | None, known: Score | None, calibrated_on: int, item: str = "picture") -> str:
    """For a person: from which novelty on it is said that there is none of these."""
    if threshold is None or known is None:
        return f"nothing: {calibrated_on:,} validation {item}s are too few to tell"
    share = figure("known", known.value, known.low, known.high)
    return f"a novelty above {threshold:.4g}; {share} of test {item}s are known"
