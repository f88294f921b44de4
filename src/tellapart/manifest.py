"""What travels with a network: a head that all tasks share, and a task's record. In: JSON. Out: Manifest. Next: bundle.py.

Schema 4. Files of schemas 1 and 2 are of classification, and open as if they had been written today: their temperature and
abstention move into the record while they are read. Those before schema 4 knew neither how a picture fits, nor a range of
values, nor colour profiles: they go on as they were tested.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from tellapart.errors import ModelFileError
from tellapart.preprocessing import Colour, Fit, Interpolation, Preprocessing
from tellapart.record_parts import RecordPart, Score
from tellapart.records import AnyRecord, TaskName, TaskRecord

SCHEMA_VERSION = 4
_OLD = (1, 2)  # 1: before abstention; such files know neither sets nor "unknown"
_WITHOUT_PIXELS = 3  # how a picture fits, its range of values and its colours have always been the defaults below

_OF_TILES = ("overlap", "scale")


class BackboneRecord(RecordPart):
    """Which network computes the embedding, and under which licence its weights may be used."""

    name: str
    embedding: int = Field(gt=0)  # D, length of the embedding
    # How many numbers of each stage the embedding begins with; the rest is the last layer. Left out where there are none.
    stages: tuple[Annotated[int, Field(gt=0)], ...] = ()
    pooling: Literal["own", "average", "max", "flatten"] = (
        "own"  # what is put on the last maps; left out where it is their own
    )
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
        return {name: value for name, value in plain(self).items() if _told(name, value)}


def _told(name: str, value: Any) -> bool:
    """Whether a manifest names it: what older versions do not know is left out where it says nothing."""
    return bool(value) if name == "stages" else value != "own" if name == "pooling" else True


class PreprocessingRecord(RecordPart):
    """The fields of Preprocessing, as JSON."""

    size: int = Field(gt=0, le=4096)
    crop: float = Field(gt=0, le=1)
    interpolation: Interpolation
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    fit: Fit = "crop"
    value_range: tuple[float, float] | None = None  # of pictures of more than 8 bits: what is black, what is white
    colour: Colour = "stored"
    overlap: int = Field(default=0, ge=0)  # of tiles, and their scale: left out of the JSON where pictures are not cut
    scale: float = Field(default=1.0, gt=0, le=8)

    @model_validator(mode="after")
    def _range_is_one(self) -> PreprocessingRecord:
        if self.value_range is not None and not -math.inf < self.value_range[0] < self.value_range[1] < math.inf:
            raise ValueError(f"the range of values is {self.value_range}; it must be two numbers, the lower first")
        return self

    @model_validator(mode="after")
    def _tiles_go_on(self) -> PreprocessingRecord:
        if self.fit == "tile" and self.overlap >= self.size:
            raise ValueError(f"tiles of {self.size} pixels share {self.overlap}; they must share fewer than they have")
        return self

    @model_serializer(mode="wrap")
    def _without_what_is_not_told(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in plain(self).items() if self.fit == "tile" or name not in _OF_TILES}

    @classmethod
    def of(cls, preprocessing: Preprocessing) -> PreprocessingRecord:
        """What a manifest keeps of it."""
        return cls(**asdict(preprocessing))

    def plain(self) -> Preprocessing:
        """The same as what `preprocessing.load` takes."""
        return Preprocessing(**self.model_dump())


class DataRecord(RecordPart):
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


class CompressionStep(RecordPart):
    """One thing that was done to a trained network to make it smaller or quicker."""

    kind: str  # int8, float16, pruned, distilled
    told: str  # in a sentence
    facts: dict[str, Any] = Field(default_factory=dict)  # in figures


class CompressedSide(RecordPart):
    """The network before or after, on the same test pictures."""

    score: Score  # of the first of the manifest's scores
    megabytes: float = Field(gt=0)  # of model.onnx
    macs: int = Field(ge=0)  # multiplications with an addition each, for one input


class EngineScore(RecordPart):
    """What a network of integers is worth through another engine, which rounds them in its own way."""

    engine: str  # its name and version
    score: Score  # of the first of the manifest's scores, on the same test pictures
    flipped: int = Field(ge=0)  # answers that are not ONNX Runtime's
    largest: float | None = None  # difference of a probability, in [0, 1]; None where none can be compared


class CompressionRecord(RecordPart):
    """How a model came from a larger one."""

    of: str  # SHA-256 of that one's model.onnx, 64 hex digits
    steps: tuple[CompressionStep, ...] = Field(min_length=1)  # in the order in which they were done
    before: CompressedSide
    after: CompressedSide
    by_openvino: EngineScore | None = None  # None where nobody looked

    @property
    def pruned(self) -> bool:
        """Whether the network has fewer layers or channels than its name says; how many, the shapes of its weights tell."""
        return any(step.kind == "pruned" for step in self.steps)

    @property
    def integers(self) -> bool:
        """Whether the network computes in integers; the weights beside it are then those of the network before that."""
        return any(step.kind == "int8" for step in self.steps)


class Manifest(RecordPart):
    """Everything that must travel with the network: who it is, how to feed it, how good it was, where it came from."""

    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True)
    schema_version: Literal[4] = 4
    task: TaskName
    created: str  # ISO 8601, UTC
    strategy: str
    classes: tuple[str, ...] = Field(min_length=1)  # in the order of the probabilities
    # How pictures are made ready; None where the model takes none. `preprocessing` in the JSON.
    pictures: PreprocessingRecord | None = Field(default=None, alias="preprocessing")
    backbone: BackboneRecord
    scores: dict[str, Score]  # on the test split
    scores_without_leaked: dict[str, Score] | None = None  # where some of it leaked and some did not
    data: DataRecord
    versions: dict[str, str]
    record: Annotated[TaskRecord, Field(discriminator="kind")]
    compression: CompressionRecord | None = None  # left out of the JSON of a network as it was trained

    @model_serializer(mode="wrap")
    def _without_what_is_not_told(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in plain(self).items() if name != "compression" or value}

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
        if (self.pictures is None) != (self.record.takes != "image"):
            raise ValueError(
                f"a model that takes {self.record.takes} {'has' if self.pictures else 'lacks'} a preprocessing"
            )
        if self.pictures is not None and self.pictures.fit == "tile" and not self.record.merges:
            raise ValueError(f"pictures are cut into tiles, and answers of the task {self.task} are not put together")
        self.record.check(len(self.classes))
        return self

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Manifest:
        """The same with some fields changed, each called as in the JSON."""
        named = {"pictures" if name == "preprocessing" else name: value for name, value in (update or {}).items()}
        return super().model_copy(update=named, deep=deep)

    @property
    def preprocessing(self) -> PreprocessingRecord:
        """How pictures are made ready. Raises: ModelFileError where the model takes none."""
        if self.pictures is None:
            raise ModelFileError(
                f"the model is of the task {self.task!r}, which takes no pictures, and this is about pictures. Give another model."
            )
        return self.pictures

    def record_of(self, kind: type[AnyRecord]) -> AnyRecord:
        """The task's own record, for what works for one task only. Raises: ModelFileError where the model is of another."""
        if isinstance(self.record, kind):
            return self.record
        raise ModelFileError(
            f"the model is of the task {self.task!r}, for which this cannot be done. Give a model of another task."
        )
