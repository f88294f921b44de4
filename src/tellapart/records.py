"""What each task records of how it decides, and tells of it. In: JSON. Out: TaskRecord. Next: manifest.py.

A record says which outputs its network must have, how its logits become probabilities or scores, and what `info` shows a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, TypeAlias, TypeVar

from pydantic import Field

from tellapart.record_parts import LINES as LINES
from tellapart.record_parts import ROWS as ROWS
from tellapart.record_parts import (
    AbstentionRecord,
    RecordPart,
    Score,
    Step,
    check_each,
    platt,
    softened,
    told_abstention,
    told_thresholds,
    told_unknown,
)
from tellapart.records_text import TextRecord as TextRecord
from tellapart.reporter import percent

TaskName = Literal["classification", "multilabel", "segmentation", "detection", "text"]


class ClassificationRecord(RecordPart):
    """How one class a picture is decided: probabilities are softmax(logits / temperature)."""

    told_in: ClassVar[str] = ROWS
    told_as: ClassVar[str] = "predictions"
    merges: ClassVar[bool] = False
    kind: Literal["classification"] = "classification"
    temperature: float = Field(gt=0)
    abstention: AbstentionRecord | None = None  # None: the file is older than that

    @property
    def promised(self) -> tuple[str, ...]:
        """The outputs that the network must have."""
        return ("probabilities", "embedding", *(() if self.abstention is None else ("novelty",)))

    @property
    def ending(self) -> tuple[Step, ...]:
        """From logits to `probabilities`: softmax(logits / temperature), Guo et al. 2017, arXiv 1706.04599, section 4.2."""
        return softened(self.temperature)

    def check(self, classes: int) -> None:
        """Raises: ValueError for fewer than two classes."""
        if classes < 2:
            raise ValueError("there is one class; a classifier chooses among two or more")

    @property
    def calibrated(self) -> dict[str, str]:
        """For a person: what all classes are calibrated by."""
        return {"temperature": f"{self.temperature:.4g}"}

    def decided(self, classes: Sequence[str]) -> dict[str, str]:
        """For a person: when it says "one of these" or "none of these"; nothing of a file older than that."""
        return told_abstention(self.abstention, "picture")


class MultilabelRecord(RecordPart):
    """How a set of classes is decided, K classes each for itself: probabilities are sigmoid(scale * logit + offset)."""

    told_in: ClassVar[str] = ROWS
    told_as: ClassVar[str] = "predictions"
    merges: ClassVar[bool] = False
    kind: Literal["multilabel"] = "multilabel"
    scales: tuple[float, ...]  # [K]
    offsets: tuple[float, ...]  # [K]
    thresholds: tuple[float, ...]  # [K], a class at least this probable is named
    threshold_rule: str  # how they were chosen: "f1", or "precision 0.9"
    novelty_threshold: float | None = None  # a picture above it is unknown; None: too few pictures to tell
    calibrated_on: int  # validation pictures
    known: Score | None = None  # share of the test split that is not called unknown

    @property
    def promised(self) -> tuple[str, ...]:
        """The outputs that the network must have."""
        return ("probabilities", "embedding", *(() if self.novelty_threshold is None else ("novelty",)))

    @property
    def ending(self) -> tuple[Step, ...]:
        """From logits to `probabilities`: sigmoid(scale * logits + offset), Platt 1999."""
        return platt(self.scales, self.offsets)

    def check(self, classes: int) -> None:
        """Raises: ValueError unless it holds a finite number of each kind for that many classes."""
        check_each(classes, scales=self.scales, offsets=self.offsets, thresholds=self.thresholds)

    @property
    def calibrated(self) -> dict[str, str]:
        """For a person: what all classes are calibrated by; nothing, since each has numbers of its own."""
        return {}

    def decided(self, classes: Sequence[str]) -> dict[str, str]:
        """For a person: from which probability on each class is named, and when it says "none of these"."""
        return {
            "thresholds": told_thresholds(self.thresholds, classes, self.threshold_rule),
            "unknown": told_unknown(self.novelty_threshold, self.known, self.calibrated_on),
        }


class DetectionRecord(RecordPart):
    """How boxes with classes are decided, K classes each for itself: scores are sigmoid(scale * logit + offset)."""

    told_in: ClassVar[str] = LINES
    told_as: ClassVar[str] = "box_predictions"
    merges: ClassVar[bool] = True  # what is said of the tiles of a picture becomes one answer
    kind: Literal["detection"] = "detection"
    detector: str | None = None  # which kind of detector it is, as network.detector names it; None in older files
    scales: tuple[float, ...]  # [K], above 0: calibration changes no order within a class
    offsets: tuple[float, ...]  # [K]
    thresholds: tuple[float, ...]  # [K], a box at least this certain is told
    threshold_rule: str  # how they were chosen: "f1", or "precision 0.9"
    calibrated_on: int  # validation pictures
    # Of two boxes of one class the less certain one is left out where their IoU is above.
    overlap: float = Field(gt=0, lt=1)
    most: int = Field(gt=0)  # boxes a picture
    least_score: float = Field(ge=0, lt=1)  # what is less certain is no box
    novelty_threshold: float | None = (
        None  # a picture above it is unknown; None: too few pictures to tell, or not measured
    )
    known: Score | None = None  # share of the test split that is not called unknown

    @property
    def promised(self) -> tuple[str, ...]:
        """The outputs that the network must have; `labels` too where the graph itself leaves out boxes on others."""
        return ("boxes", "scores", *(() if self.novelty_threshold is None else ("novelty",)))

    @property
    def ending(self) -> tuple[Step, ...]:
        """From logits to scores: sigmoid(scale * logits + offset), Platt 1999."""
        return platt(self.scales, self.offsets)

    def check(self, classes: int) -> None:
        """Raises: ValueError unless it holds a finite number of each kind for that many classes, scales above 0."""
        check_each(classes, scales=self.scales, offsets=self.offsets, thresholds=self.thresholds)
        if min(self.scales) <= 0:
            raise ValueError(f"a scale is {min(self.scales):g}; each must be above 0")

    @property
    def calibrated(self) -> dict[str, str]:
        """For a person: what all classes are calibrated by; nothing, since each has numbers of its own."""
        return {}

    def decided(self, classes: Sequence[str]) -> dict[str, str]:
        """For a person: what finds boxes, from which score on one of each class is told, and how many there can be."""
        return {
            **({} if self.detector is None else {"detector": self.detector}),
            "thresholds": told_thresholds(self.thresholds, classes, self.threshold_rule),
            "boxes": f"{self.most} at once at most, each at least {percent(self.least_score)} certain; of two of one class that "
            f"overlap by over {percent(self.overlap)}, one",
            **(
                {}
                if self.novelty_threshold is None
                else {"unknown": told_unknown(self.novelty_threshold, self.known, self.calibrated_on)}
            ),
        }


MOST_CLASSES = 255  # of a mask, whose pixels are bytes; 255 stands for what counts neither way
Colour: TypeAlias = tuple[int, int, int]  # red, green, blue in 0..255


class SegmentationRecord(RecordPart):
    """How a class a pixel is decided, K classes: probabilities are softmax(logits / temperature), pixel by pixel."""

    told_in: ClassVar[str] = LINES
    told_as: ClassVar[str] = "mask_predictions"
    merges: ClassVar[bool] = True
    free_size: ClassVar[bool] = True
    kind: Literal["segmentation"] = "segmentation"
    temperature: float = Field(gt=0)
    colours: tuple[Colour, ...]  # [K], of masks and overlays; all different
    background: int | None = None  # number of the class that is no thing to count or to lay over a picture
    calibrated_on: int  # validation pictures
    novelty_threshold: float | None = (
        None  # a picture above it is unknown; None: too few pictures to tell, or not measured
    )
    known: Score | None = None  # share of the test split that is not called unknown

    @property
    def promised(self) -> tuple[str, ...]:
        """The outputs that the network must have."""
        return ("probabilities", *(() if self.novelty_threshold is None else ("novelty",)))

    @property
    def ending(self) -> tuple[Step, ...]:
        """From logits [N, K, H, W] to `probabilities`: softmax(logits / temperature) over K, as Guo et al. 2017, section 4.2."""
        return (
            Step("Div", "calibrated_logits", "temperature", (self.temperature,)),
            Step("Softmax", attributes={"axis": 1}),
        )

    def check(self, classes: int) -> None:
        """Raises: ValueError for fewer than two classes or too many, colours that are not one a class, no such background."""
        if not 2 <= classes <= MOST_CLASSES:
            raise ValueError(f"there are {classes} classes; a mask tells from 2 to {MOST_CLASSES} apart")
        if len(set(self.colours)) != classes or not all(0 <= part <= 255 for one in self.colours for part in one):
            raise ValueError(
                f"there are {len(set(self.colours))} colours for {classes} classes; each needs its own, of 0 to 255"
            )
        if self.background is not None and not 0 <= self.background < classes:
            raise ValueError(f"the background is class {self.background}; there are {classes}, counted from 0")

    @property
    def calibrated(self) -> dict[str, str]:
        """For a person: what all classes are calibrated by."""
        return {"temperature": f"{self.temperature:.4g}"}

    def decided(self, classes: Sequence[str]) -> dict[str, str]:
        """For a person: what is no thing to count, and when it says "none of these"."""
        background = {} if self.background is None else {"background": classes[self.background]}
        unknown = told_unknown(self.novelty_threshold, self.known, self.calibrated_on)
        return background | ({} if self.novelty_threshold is None else {"unknown": unknown})


TaskRecord: TypeAlias = ClassificationRecord | MultilabelRecord | DetectionRecord | SegmentationRecord | TextRecord
AnyRecord = TypeVar(
    "AnyRecord", ClassificationRecord, MultilabelRecord, DetectionRecord, SegmentationRecord, TextRecord
)
