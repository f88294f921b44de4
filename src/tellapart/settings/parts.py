"""What a recipe says of one part: its network, its augmentation, how it reads. In: values. Out: settings. Next: tree.py.

None means: chosen by strategy, network or budget.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from tellapart.data.augmentation import RANGES, Augmentation
from tellapart.data.splitting import SplitTerms
from tellapart.models.catalog import LastPooling
from tellapart.models.classics import Block, Dense
from tellapart.records_text import MOST_WINDOW
from tellapart.settings.mirror import Part, mirror


def _known_padding(value: int | str) -> int | str:
    if value not in ("same", "valid") and not (isinstance(value, int) and 0 <= value <= 64):
        raise ValueError('padding is "same", "valid" or a number of pixels from 0 to 64')
    return value


# What a recipe may say of a block and of a dense layer between the blocks and the classifier; their fields are the network's own.
_BLOCK: dict[str, dict[str, float]] = {
    "filters": {"ge": 1, "le": 8192},
    "kernel": {"ge": 1, "le": 31},
    "stride": {"ge": 1, "le": 16},
    "padding": {},
    "activation": {},
    "pooling": {},
    "pool_size": {"ge": 1, "le": 32},
    "pool_stride": {"ge": 1, "le": 32},
    "batch_norm": {},
    "batch_norm_after": {},
    "dropout": {"ge": 0, "lt": 1},
    "l1": {"ge": 0, "le": 1000},
    "l2": {"ge": 0, "le": 1000},
}
_DENSE: dict[str, dict[str, float]] = {
    "units": {"ge": 1, "le": 65536},
    "activation": {},
    "batch_norm": {},
    "batch_norm_after": {},
    "dropout": {"ge": 0, "lt": 1},
    "l1": {"ge": 0, "le": 1000},
    "l2": {"ge": 0, "le": 1000},
}
# Checkpoints from before these could be told go on where they are not.
LATER = frozenset({"pooling", "output", "auxiliary", "pool_stride", "batch_norm_after", "l1", "l2", "head", "rescale"})
# How training pictures are varied. What is left out is the preset's.
_AUGMENT: dict[str, dict[str, float]] = {
    "preset": {},
    **{key: {"ge": min(one.low, one.off), "le": max(one.high, one.off)} for key, one in RANGES.items()},
    "quarter_turns": {},
    "fill": {},
}

if TYPE_CHECKING:
    # A checker of types does not run what makes them.
    BlockSettings = Part
    DenseSettings = Part
    AugmentSettings = Part
else:
    BlockSettings = mirror(
        Block, _BLOCK, name="BlockSettings", defaults={"filters": 32}, checks={"padding": _known_padding}
    )
    DenseSettings = mirror(Dense, _DENSE, name="DenseSettings", defaults={"units": 128})
    AugmentSettings = mirror(
        Augmentation, _AUGMENT, name="AugmentSettings", left_open=True, defaults={"preset": "light"}
    )


DetectorName = Literal["default", "faster_rcnn", "retinanet", "ssd", "yolox"]


class TextNetworkSettings(Part):
    """The network of `--strategy scratch` for texts."""

    unit: Literal["words", "characters"] | None = None  # that a text is cut into; None: found from the training texts
    window: int = Field(512, ge=8, le=MOST_WINDOW)  # so many of a text, the first, are looked at
    vocabulary: int = Field(100_000, ge=10, le=1_000_000)  # known at most, the most frequent ones
    embedding: int | None = Field(None, ge=2, le=2048)  # numbers of a word; None: the file's, or 300
    vectors: str | None = Field(None, min_length=1)  # a .vec or .txt file of fastText or GloVe
    # What is made of them: they learn (tuned), stay (static), or both side by side; without a file random.
    channels: Literal["random", "static", "tuned", "both"] | None = None
    # Words that a filter sees, for each size of filters of a text_cnn.
    widths: tuple[Annotated[int, Field(ge=1, le=31)], ...] = Field((3, 4, 5), min_length=1, max_length=8)
    filters: int | None = Field(None, ge=1, le=4096)  # of each width; None: 100, of dpcnn 250
    depth: int = Field(4, ge=1, le=10)  # blocks of a dpcnn
    max_norm: float = Field(3.0, ge=0, le=1000)  # length of a class's row of the classifier; 0: any

    @field_validator("vectors", mode="before")
    @classmethod
    def _path_as_text(cls, value: Any) -> Any:
        return os.fspath(value) if isinstance(value, os.PathLike) else value

    @model_validator(mode="after")
    def _vectors_are_used(self) -> TextNetworkSettings:
        if self.vectors is None and self.channels in ("static", "tuned", "both"):
            raise ValueError(
                f"channels is {self.channels}, which is of vectors from a file. Give vectors too, or leave it out"
            )
        if self.vectors is not None and self.channels == "random":
            raise ValueError(
                "channels is random, and vectors names a file that nothing would be made of. Leave one of them out"
            )
        return self


class NetworkSettings(Part):
    """The network of `--strategy scratch`, and what differs from a pretrained one's own settings."""

    name: str = Field("blocks", min_length=1)  # a classic's name, "blocks", or "dense": no block at all
    # What finds boxes on a backbone, and weights of a whole such network: coco.
    detector: DetectorName | None = None
    weights: str | None = Field(None, min_length=1)
    # What makes a mask of what a backbone sees; None: unet.
    decoder: Literal["unet", "unetplusplus", "fpn", "deeplabv3plus", "pspnet"] | None = None
    size: int | None = Field(None, ge=8, le=4096)  # pixels, side of the input; of pretrained networks too
    crop: float | None = Field(None, gt=0, le=1)  # share of a picture's shorter side that a pretrained network sees
    # Pictures that are not square are cropped to the middle, padded with the mean colour, or squashed; or nothing is scaled, and
    # what is longer is cropped, what is shorter padded (crop_or_pad); None: crop, or what
    # cross-validation prefers where --strategy auto meets many elongated ones.
    # tile: cut into overlapping tiles of that size, for large pictures with small things; --tiles.
    fit: Literal["crop", "pad", "squash", "crop_or_pad", "tile"] | None = None
    overlap: int | None = Field(
        None, ge=0, le=2048
    )  # pixels of the input that neighbouring tiles share; None: a quarter
    scale: float | None = Field(None, gt=0, le=8)  # pixels of the input for one of the picture, in tiles; None: 1
    channels: Literal[1, 3] = 3  # 1: pictures are turned grey
    blocks: tuple[BlockSettings, ...] = ()
    dense: tuple[DenseSettings, ...] = ()  # between the blocks, or a pretrained network, and the classifier
    dropout: float | None = Field(None, ge=0, lt=1)  # before the classifier
    # As Keras' programs scale pixels: 1/255, 1./127.5. Taken and told; the network scales them itself, as its manifest says.
    rescale: float | None = Field(None, gt=0, le=1)
    drop_path: float = Field(0.0, ge=0, lt=1)
    # What is put on the last maps, of pretrained networks too; None: what the network's library puts there, of blocks flatten
    # before dense layers and else average. `flatten = true` or `false` says flatten or average.
    pooling: LastPooling | None = None
    # sigmoid: one number, the probability of the second of two classes, in place of one for each; the same answers come out.
    output: Literal["softmax", "sigmoid"] | None = None
    auxiliary: bool = False  # GoogLeNet's two further classifiers, which help to train it and are no part of the model
    # What a trained network answers is the mean over the picture and its mirror image, or over all eight turned and flipped.
    test_time_augmentation: Literal["none", "flip", "dihedral"] = "none"
    text: TextNetworkSettings = TextNetworkSettings()  # of texts; `name` is text_cnn or dpcnn then

    @field_validator("rescale", mode="before")
    @classmethod
    def _fraction(cls, value: Any) -> Any:
        found = re.fullmatch(r"\s*([\d.]+)\s*/\s*([\d.]+)\s*", value) if isinstance(value, str) else None
        try:
            return float(found[1]) / float(found[2]) if found else value
        except (ValueError, ZeroDivisionError):
            raise ValueError("it is a number or a fraction such as 1/255") from None

    @model_validator(mode="before")
    @classmethod
    def _flatten_is_a_pooling(cls, values: Any) -> Any:
        if not isinstance(values, dict) or "flatten" not in values:
            return values
        told, others = values["flatten"], {key: value for key, value in values.items() if key != "flatten"}
        if not isinstance(told, bool):
            raise ValueError(f"flatten is {told!r}; it must be true or false")
        if others.setdefault("pooling", "flatten" if told else "average") != ("flatten" if told else "average"):
            raise ValueError(
                f"flatten is {str(told).lower()} and pooling is {others['pooling']}, which differ. Leave one of them out"
            )
        return others


UNFREEZE_WORDS = ("head", "half", "all")


class FineTuneSettings(Part):
    """How much of a pretrained network trains."""

    unfreeze: str | None = None  # head, half, all, a share, a number of stages, a layer, or last 3 layers
    views: int | None = Field(
        None, ge=0, le=64
    )  # augmented views a picture that are cached; 0: none, every view is new
    # Where the classifier begins: as the one on the frozen network, or at random, as in tutorials.
    head: Literal["probe", "random"] = "probe"
    # Of boxes, what comes before: epochs of the detector on the frozen backbone, and views of each picture that it learns from.
    first_epochs: int | None = Field(None, ge=1, le=10_000)
    first_views: int | None = Field(None, ge=1, le=64)
    # The statistics of the stages that train. Those of the batch differ from those that the probe was fitted under.
    batch_norm: Literal["train", "frozen"] = "frozen"

    @field_validator("unfreeze", mode="before")
    @classmethod
    def _number_as_text(cls, value: Any) -> Any:
        return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


class GramSettings(Part):
    """Which n-grams the first classifier of texts counts; cross-validation chooses what is left open."""

    # How many in a row: 1-2, 2-5, 3, or none; left open as the texts' writing system suggests.
    words: str | None = None
    characters: str | None = None
    least: int = Field(2, ge=1, le=1_000_000)  # training texts that must have an n-gram for it to count
    most: int = Field(400_000, ge=1, le=10_000_000)  # n-grams that count, the most frequent ones
    by_class: bool | None = None  # whether each class sees an n-gram on the scale of how much it tells for that class

    @field_validator("words", "characters", mode="before")
    @classmethod
    def _lengths(cls, value: Any) -> Any:
        told = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if isinstance(told, str) and not re.fullmatch(r"none|[1-9](-[1-9])?", told):
            raise ValueError("it must be a length from 1 to 9, such as 2, lengths such as 1-3, or none")
        return told

    @model_validator(mode="after")
    def _something_counts(self) -> GramSettings:
        if self.words == self.characters == "none":
            raise ValueError("words and characters are both none, and nothing would count. Leave one of them out")
        return self


class ProbeSettings(Part):
    """The classifier on the frozen network, of one class a picture or a set, or of texts by their n-grams; cross-validation
    chooses what is left open.
    """

    strength: float | None = Field(None, gt=0, le=1e6)  # of the penalty, relative to the mean loss
    # How much the stages of the network count beside its last layer, as training/weighing.py has it.
    weighing: Literal["last", "alike", "fourth_root", "square_root"] | None = None
    grams: GramSettings = GramSettings()  # of texts

    @property
    def told(self) -> dict[str, Any]:
        """What the fits take for it: the only strength and the only weighing that they try."""
        given = {"strengths": self.strength, "weighings": self.weighing}
        return {name: (value,) for name, value in given.items() if value is not None}


class KFoldSettings(Part):
    """Every picture tested once, by a network that has seen neither it nor a copy of it."""

    folds: int | None = Field(None, ge=2, le=100)  # None: no K folds, unless a column gives them
    repeats: int = Field(1, ge=1, le=100)  # other folds each time
    # What becomes model.onnx: one network trained on all but a validation split, or the mean of the K in one file.
    keep: Literal["one", "ensemble"] = "one"


class SplitSettings(Part):
    """How what is learned from is split, where it does not say it itself."""

    # Train, validation and test, such as 80/10/10; None: 70/10/20.
    shares: tuple[float, float, float] | None = None
    validation: float | None = Field(None, gt=0, lt=0.9)  # of what is train: 5% or 0.05
    test_from: Literal["validation"] | None = None  # a fifth of the validation split that was given becomes the test
    seed: int | None = Field(None, ge=0, lt=2**32)  # None: the run's
    limit: int | None = Field(None, ge=2)  # so many pictures at most, drawn at random; None: all

    @field_validator("shares", mode="before")
    @classmethod
    def _three_shares(cls, value: Any) -> Any:
        if value is None:
            return None
        parts = re.split(r"[/,:]", value) if isinstance(value, str) else value
        try:
            numbers = [float(str(part).strip().removesuffix("%")) for part in parts]
        except (TypeError, ValueError):
            numbers = []
        if len(numbers) != 3 or min(numbers) <= 0:
            raise ValueError("it is three numbers above 0, of train, validation and test, such as 80/10/10")
        whole = 100.0 if max(numbers) >= 10 else 1.0 if max(numbers) < 1 else sum(numbers)  # per cent, shares, parts
        if abs(sum(numbers) - whole) > 0.01 * whole:
            raise ValueError(
                f"its numbers add up to {sum(numbers):g}, and train, validation and test are {whole:g} together, such as 80/10/10"
            )
        return tuple(number / sum(numbers) for number in numbers)

    @field_validator("validation", mode="before")
    @classmethod
    def _a_share(cls, value: Any) -> Any:
        if isinstance(value, str) and value.strip().endswith("%"):
            try:
                return float(value.strip().removesuffix("%")) / 100
            except ValueError:
                raise ValueError("it is a share such as 5% or 0.05") from None
        return value

    @model_validator(mode="after")
    def _one_thing_says_it(self) -> SplitSettings:
        if self.shares is not None and self.validation is not None:
            raise ValueError("shares and validation both say how large validation is. Leave one of them out")
        return self

    @property
    def terms(self) -> SplitTerms:
        """As the data room takes them."""
        return SplitTerms(shares=self.shares, validation=self.validation, test_from=self.test_from, seed=self.seed)


class ReadingSettings(Part):
    """How what is learned from is read, where it does not say it itself."""

    encoding: str | None = Field(None, min_length=1)  # of a text table
    path_column: str | None = Field(None, min_length=1)  # names of columns, or their numbers from 1
    text_column: str | None = Field(None, min_length=1)  # of a table that holds the texts themselves
    label_column: str | None = Field(None, min_length=1)
    split_column: str | None = Field(None, min_length=1)
    group_column: str | None = Field(None, min_length=1)
    fold_column: str | None = Field(None, min_length=1)  # its values are the folds of --kfold
    root: str | None = Field(None, min_length=1)  # the folder that a table's paths count from
    extension: str | None = Field(None, min_length=1)  # of paths that are written without one
    label_from: str | None = Field(None, min_length=1)  # a regular expression that finds the class in a path
    classes: str | None = Field(None, min_length=1)  # of masks: names of their values, or a file with them
    ignore_label: str | None = Field(None, min_length=1)  # of masks: what counts nowhere
    train_split: str | None = Field(
        None, min_length=1
    )  # the given split to learn from: dev, where none is for training
    merge_names: bool = False  # names of classes that are nearly the same are one class

    @field_validator(
        "path_column",
        "text_column",
        "label_column",
        "split_column",
        "group_column",
        "fold_column",
        "ignore_label",
        mode="before",
    )
    @classmethod
    def _number_as_text(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("classes", mode="before")
    @classmethod
    def _names_as_text(cls, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return ",".join(map(str, value))
        return os.fspath(value) if isinstance(value, os.PathLike) else value

    @field_validator("root", mode="before")
    @classmethod
    def _path_as_text(cls, value: Any) -> Any:
        return os.fspath(value) if isinstance(value, os.PathLike) else value
