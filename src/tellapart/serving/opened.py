"""One version of a model, opened, tried and ready to be asked. In: a file. Out: Version. Next: repository.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.answering import Answering, Output, Placement
from tellapart.answers.table import ANSWERINGS
from tellapart.answers.text import prepare_texts
from tellapart.answers.tiling import Check, in_tiles, merged, merging_of
from tellapart.bundle import Model, open_model
from tellapart.errors import ModelFileError, TellapartError
from tellapart.serving.batches import OutputColumns
from tellapart.serving.engines import EngineChoice
from tellapart.serving.gallery import NAME, Gallery, read_gallery
from tellapart.serving.pictures import IMAGE, TEXT, Picture, make_ready, make_tiles, text_of
from tellapart.serving.statistics import Statistics
from tellapart.serving.versions import Found
from tellapart.texts.inputs import TextInputs, as_input

_USUAL = EngineChoice()
TEXTS_A_PICTURE = 16  # at least; half of what is best answered together, which of n-grams and words is 64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, weakref_slot=True)
class Version:
    """One opened version of a model; a Network for the batcher. `decide` makes answers of what `run` gives."""

    name: str
    number: int
    model: Model
    max_pixels: int
    stamp: tuple[int, int, int]  # of the file that it was opened from
    gallery: Gallery | None = None  # training pictures to show beside an answer, where it was shipped with some
    statistics: Statistics = field(default_factory=Statistics)
    outputs: list[Output] = field(init=False)  # the tensors that it answers with

    def __post_init__(self) -> None:
        manifest, outputs = self.model.manifest, self.model.session.outputs
        told = self.answering.describe(manifest.record, classes=manifest.classes, outputs=outputs)
        object.__setattr__(self, "outputs", told)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the probabilities."""
        return self.model.manifest.classes

    @property
    def answering(self) -> Answering[Any, Any]:
        """How its task prepares, decides and tells."""
        return ANSWERINGS[self.model.manifest.task]

    @property
    def explainable(self) -> bool:
        """Whether a heatmap can be drawn: of what is said of a picture as a whole, or of a box; of a text, its words coloured."""
        outputs = self.model.session.outputs
        return "boxes" in outputs or ("probabilities" in outputs and not self.answering.local)

    @property
    def unchanged(self) -> bool:
        """Whether its file is still the one that it was opened from; what is read of another would be of another network."""
        status = self.model.path.stat() if self.model.path.exists() else None
        return status is not None and (status.st_mtime_ns, status.st_size, status.st_ino) == self.stamp

    @property
    def takes_texts(self) -> bool:
        """Whether it answers texts, and no pictures."""
        return self.model.manifest.pictures is None

    @property
    def many(self) -> int:
        """How many of its inputs count as one picture; see Network."""
        return max(TEXTS_A_PICTURE, self.together // 2) if self.takes_texts else 1

    @property
    def item(self) -> str:
        """What it takes, in a word: picture, text."""
        return self.answering.item

    @property
    def together(self) -> int:
        """So many inputs cost little more than one; see Network."""
        inputs = self.model.inputs
        return inputs.at_once if isinstance(inputs, TextInputs) else 1

    @property
    def input(self) -> str:
        """What the protocols call its only input."""
        return TEXT if self.takes_texts else IMAGE

    @property
    def tiled(self) -> bool:
        """Whether a picture is answered in tiles."""
        return not self.takes_texts and in_tiles(self.model.preprocessing)

    def prepare(self, picture: Picture) -> tuple[NDArray[Any], Placement]:
        """A picture to the network's input, mostly uint8 [S, S, 3], and the way back. Raises: PictureError."""
        return make_ready(picture, self.answering, self.model.inputs, max_pixels=self.max_pixels)

    def run(self, inputs: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Inputs [N, ...] to what the task reads, each [N, ...], and the embedding where there is a gallery."""
        beside = () if self.gallery is None else ("embedding",)
        return self.model.compute(inputs, (*self.answering.outputs, *beside))

    def run_texts(self, texts: Sequence[str]) -> dict[str, NDArray[Any]]:
        """The same of N texts, none of which is refused. Raises: ValueError for a model of pictures."""
        inputs = self.model.inputs
        if not isinstance(inputs, TextInputs):
            raise ValueError(f"{self.model.path} takes no texts")
        return self.run(as_input(texts, inputs))

    def run_columns(self, inputs: Sequence[Any]) -> OutputColumns:
        """What the task reads of N texts, and why those were not read that could not be."""
        read = prepare_texts(list(map(text_of, inputs)), self.model.inputs)
        arrays = self.run_texts(read.texts) if read.texts else {}
        return OutputColumns(arrays=arrays, beside=read.places, errors=read.errors)

    def run_tiles(self, picture: Picture, check: Check) -> tuple[dict[str, NDArray[Any]], Placement]:
        """What the task reads of a picture in tiles, put together, each array [...], and the way back.

        Raises: PictureError; what `check` raises, which is called before each batch of tiles.
        """
        inputs, record = self.model.preprocessing, self.model.manifest.record
        cut = make_tiles(picture, self.answering, inputs, max_pixels=self.max_pixels)
        merging = merging_of(self.answering).merging(cut.whole, inputs, record)
        arrays = merged(cut, self.run, merging, check=check)
        return {name: array[0] for name, array in arrays.items()}, cut.whole

    def decide(self, arrays: Mapping[str, NDArray[Any]], places: Sequence[Placement]) -> Sequence[Any]:
        """What `run` gave of N inputs, each [N, ...], to the task's N answers."""
        manifest = self.model.manifest
        decided: Sequence[Any] = self.answering.decide(arrays, places, manifest.record, classes=manifest.classes)
        return decided


def open_version(
    name: str, found: Found, *, max_pixels: int, say: Callable[[str], None], engine: EngineChoice = _USUAL
) -> Version:
    """Open a version and try it; `say` is told of another engine, and of training pictures that are not its own.

    Raises: ModelFileError, StorageError.
    """
    model = open_model(found.file, lambda data, manifest, path: engine.open(data, manifest, path, say))
    version = Version(
        name=name,
        number=found.number,
        model=model,
        max_pixels=max_pixels,
        stamp=found.stamp,
        gallery=_open_gallery(model, say),
    )
    _warm_up(version, found.file)
    return version


def _open_gallery(model: Model, say: Callable[[str], None]) -> Gallery | None:
    """The gallery beside a model, if it has a fitting one; a wrong one is no reason not to serve."""
    path = model.path.parent / NAME
    if not path.exists():
        return None
    if model.manifest.pictures is not None and in_tiles(model.preprocessing):
        say(
            f"no training pictures are shown: {model.path} looks at tiles, and has no embedding of a picture. Remove {path}."
        )
        return None
    if "embedding" not in model.session.outputs:
        say(f"no training pictures are shown: {model.path} tells no embedding to compare them by. Remove {path}.")
        return None
    backbone = model.manifest.backbone
    length = backbone.embedding - sum(backbone.stages)
    try:
        return read_gallery(path, model=model.path, classes=len(model.manifest.classes), length=length)
    except TellapartError as error:
        say(f"no training pictures are shown: {error}")
        return None


def _first_answer(version: Version) -> dict[str, NDArray[Any]]:
    """What the network says of a black picture, or of a text of one word."""
    if version.takes_texts:
        return version.run_texts(["word"])
    size = version.model.preprocessing.size
    return version.run(np.zeros((1, size, size, 3), dtype=np.uint8))


def _warm_up(version: Version, file: Path) -> None:
    """The first run is slow, and shows whether the network works. Raises: ModelFileError."""
    try:
        arrays = _first_answer(version)
        fits = version.answering.fits(arrays, version.classes)
    except Exception as error:
        raise ModelFileError(
            f"{file} fails on its first {version.item} ({type(error).__name__}). Train it again."
        ) from error
    if not fits:
        raise ModelFileError(f"{file} gives no answers with its {len(version.classes)} classes. Train it again.")
