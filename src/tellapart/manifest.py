"""What travels with a network: a head that all tasks share, a record of the task's own. In: JSON. Out: Manifest. Next: bundle.py.

Schema 4. Files of schemas 1 and 2 are of classification, and open as if they had been written today: their temperature and
abstention move into the record while they are read. Those before schema 4 knew neither how a picture fits, nor a range of
values, nor colour profiles: they go on as they were tested.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from tellapart.errors import ModelFileError
from tellapart.preprocessing import Colour, Fit, Interpolation, Preprocessing

SCHEMA_VERSION = 4
_OLD = (1, 2)  # 1: before abstention; such files know neither sets nor "unknown"
_WITHOUT_PIXELS = 3  # how a picture fits, its range of values and its colours have always been the defaults below

TaskName = Literal["classification", "multilabel", "segmentation", "detection", "text"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Score(_Part):
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


class BackboneRecord(_Part):
    """Which network computes the embedding, and under which licence its weights may be used."""

    name: str
    embedding: int = Field(gt=0)  # D, length of the embedding
    # How many numbers of each stage the embedding begins with; the rest is the last layer. Left out where there are none.
    stages: tuple[Annotated[int, Field(gt=0)], ...] = ()
    weights_source: str
    weights_license: str
    weights_fingerprint: str  # SHA-256 of the weights
    test_time_augmentation: Literal["none", "flip", "dihedral"] = "none"  # the views that an answer is the mean over
    embedded_by: str | None = (
        None  # the engine of the training pictures' embeddings; answers are ONNX Runtime's, in float32
    )

    @model_validator(mode="after")
    def _a_last_layer_is_left(self) -> BackboneRecord:
        if sum(self.stages) >= self.embedding:
            raise ValueError(f"the stages have {sum(self.stages)} of the embedding's {self.embedding} numbers")
        return self

    @model_serializer(mode="wrap")
    def _without_what_is_not_told(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in plain(self).items() if name != "stages" or value}


class PreprocessingRecord(_Part):
    """The fields of Preprocessing, as JSON."""

    size: int = Field(gt=0, le=4096)
    crop: float = Field(gt=0, le=1)
    interpolation: Interpolation
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    fit: Fit = "crop"
    value_range: tuple[float, float] | None = None  # of pictures of more than 8 bits: what is black, what is white
    colour: Colour = "stored"

    @model_validator(mode="after")
    def _range_is_one(self) -> PreprocessingRecord:
        if self.value_range is not None and not -math.inf < self.value_range[0] < self.value_range[1] < math.inf:
            raise ValueError(f"the range of values is {self.value_range}; it must be two numbers, the lower first")
        return self

    @classmethod
    def of(cls, preprocessing: Preprocessing) -> PreprocessingRecord:
        """What a manifest keeps of it."""
        return cls(**asdict(preprocessing))

    def plain(self) -> Preprocessing:
        """The same as what `preprocessing.load` takes."""
        return Preprocessing(**self.model_dump())


class DataRecord(_Part):
    """What the model was trained and tested on."""

    name: str
    fingerprint: str  # SHA-256 over the sorted content hashes and labels
    n_train: int
    n_validation: int
    n_test: int
    leaked: int = 0  # test pictures with a copy or group mate in another of the user's own splits
    merged: dict[str, str] = Field(
        default_factory=dict
    )  # class names as they were spelt -> the class that each became part of

    @model_serializer(mode="wrap")
    def _without_what_is_not_told(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in plain(self).items() if name != "merged" or value}


class AbstentionRecord(_Part):
    """When the model says "one of these" or "none of these", and how that did on the test split."""

    coverage: float = Field(gt=0, lt=1)  # wanted: how often a picture's set of classes holds the true one
    # A class at least this probable is in the set; the most probable one always is.
    threshold: float = Field(ge=0, le=1)
    novelty_threshold: float | None = None  # a picture above it is unknown; None: too few pictures to tell
    calibrated_on: int  # validation pictures
    measured_coverage: Score  # on the test split
    mean_set_size: float  # on the test split, in classes
    known: Score | None = None  # share of the test split that is not called unknown


class ClassificationRecord(_Part):
    """How one class a picture is decided: probabilities are softmax(logits / temperature)."""

    kind: Literal["classification"] = "classification"
    temperature: float = Field(gt=0)
    abstention: AbstentionRecord | None = None  # None: the file is older than that

    @property
    def promised(self) -> tuple[str, ...]:
        """The outputs that the network must have."""
        return ("probabilities", "embedding", *(() if self.abstention is None else ("novelty",)))

    def check(self, classes: int) -> None:
        """Raises: ValueError for fewer than two classes."""
        if classes < 2:
            raise ValueError("there is one class; a classifier chooses among two or more")


class MultilabelRecord(_Part):
    """How a set of classes is decided, K classes each for itself: probabilities are sigmoid(scale * logit + offset)."""

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

    def check(self, classes: int) -> None:
        """Raises: ValueError unless it holds a finite number of each kind for that many classes."""
        for name in ("scales", "offsets", "thresholds"):
            found = getattr(self, name)
            if len(found) != classes or not all(map(math.isfinite, found)):
                raise ValueError(f"{name} are {len(found)} numbers; there must be a finite one for each class")


class DetectionRecord(_Part):
    """How boxes with classes are decided, K classes each for itself: scores are sigmoid(scale * logit + offset)."""

    kind: Literal["detection"] = "detection"
    scales: tuple[float, ...]  # [K], above 0: calibration changes no order within a class
    offsets: tuple[float, ...]  # [K]
    thresholds: tuple[float, ...]  # [K], a box at least this certain is told
    threshold_rule: str  # how they were chosen: "f1", or "precision 0.9"
    calibrated_on: int  # validation pictures
    # Of two boxes of one class the less certain one is left out where their IoU is above.
    overlap: float = Field(gt=0, lt=1)
    most: int = Field(gt=0)  # boxes a picture
    least_score: float = Field(ge=0, lt=1)  # what is less certain is no box

    @property
    def promised(self) -> tuple[str, ...]:
        """The outputs that the network must have; `labels` too where the graph itself leaves out boxes on others."""
        return ("boxes", "scores")

    def check(self, classes: int) -> None:
        """Raises: ValueError unless it holds a finite number of each kind for that many classes, scales above 0."""
        for name in ("scales", "offsets", "thresholds"):
            found = getattr(self, name)
            if len(found) != classes or not all(map(math.isfinite, found)):
                raise ValueError(f"{name} are {len(found)} numbers; there must be a finite one for each class")
        if min(self.scales) <= 0:
            raise ValueError(f"a scale is {min(self.scales):g}; each must be above 0")


TaskRecord: TypeAlias = ClassificationRecord | MultilabelRecord | DetectionRecord
_Kind = TypeVar("_Kind", ClassificationRecord, MultilabelRecord, DetectionRecord)


class Manifest(_Part):
    """Everything that must travel with the network: who it is, how to feed it, how good it was, where it came from."""

    schema_version: Literal[4] = 4
    task: TaskName
    created: str  # ISO 8601, UTC
    strategy: str
    classes: tuple[str, ...] = Field(min_length=1)  # in the order of the probabilities
    preprocessing: PreprocessingRecord
    backbone: BackboneRecord
    scores: dict[str, Score]  # on the test split
    scores_without_leaked: dict[str, Score] | None = None  # where some of it leaked and some did not
    data: DataRecord
    versions: dict[str, str]
    record: Annotated[TaskRecord, Field(discriminator="kind")]

    @model_validator(mode="before")
    @classmethod
    def _brought_up_to_date(cls, given: Any) -> Any:
        """Schemas 1 and 2 had the temperature and the abstention beside everything else."""
        if not isinstance(given, dict):
            return given
        if given.get("schema_version") == _WITHOUT_PIXELS:
            return given | {"schema_version": SCHEMA_VERSION}
        if given.get("schema_version") not in _OLD:
            return given
        own = {name: given[name] for name in ("temperature", "abstention") if name in given}
        head = {name: value for name, value in given.items() if name not in own}
        return head | {
            "schema_version": SCHEMA_VERSION,
            "task": "classification",
            "record": {"kind": "classification"} | own,
        }

    @model_validator(mode="after")
    def _parts_agree(self) -> Manifest:
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("two classes have the same name")
        if self.record.kind != self.task:
            raise ValueError(f"the task is {self.task}, and the record is of {self.record.kind}")
        self.record.check(len(self.classes))
        return self

    def record_of(self, kind: type[_Kind]) -> _Kind:
        """The task's own record, for what works for one task only. Raises: ModelFileError where the model is of another."""
        if isinstance(self.record, kind):
            return self.record
        raise ModelFileError(
            f"the model is of the task {self.task!r}, for which this cannot be done. Give a model of another task."
        )
