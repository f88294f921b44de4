"""What a model takes, as every format gets it: pictures, or texts as numbers. In: OpenRun, Format. Out: Taking. Next: job.py.

N inputs, S side of a picture, H rows of numbers of a text, L numbers of the longest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import Manifest
from tellapart.export.assemble import sealed
from tellapart.export.plain import Shape, described, plain
from tellapart.export.table import Format
from tellapart.export.text_wording import without_cutting
from tellapart.preprocessing import mean_colour
from tellapart.runs.open import OpenRun
from tellapart.texts.inputs import TextInputs, as_input
from tellapart.workflows.exporting.card import Port

MOST_AT_ONCE = 4096  # inputs that a program of torch.export is made for
_SAMPLE = 7  # numbers of a text that stands for any other


class Taking(Protocol):
    """What a model takes."""

    @property
    def item(self) -> str:
        """What it answers, in a word."""
        ...

    @property
    def constant(self) -> Sequence[str]:
        """Outputs that are the same whatever goes in."""
        ...

    def graph(self, model: bytes, form: Format) -> bytes:
        """What a format's first step is given; with the manifest where the format keeps it. Raises: ExportError, StorageError."""
        ...

    def ready(self, inputs: NDArray[Any]) -> NDArray[Any]:
        """Inputs of an AskedSplit as the network takes them."""
        ...

    def shapes(self, graph: bytes) -> tuple[list[str], list[tuple[int, ...]]]:
        """The outputs of a graph by name, and the shape of each for one input."""
        ...

    def port(self, form: Format, number: int | str) -> Port:
        """The input."""
        ...

    def options(self) -> dict[str, Any]:
        """What converters and runtimes are told of it."""
        ...

    def notes(self, form: Format) -> list[str]:
        """What to know of it before one uses the file."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class PictureTaking:
    """A Taking of pictures, uint8 [N, S, S, 3]."""

    manifest: Manifest
    filling: Sequence[int]  # the colour around a picture that is padded
    item: str = "picture"

    @property
    def constant(self) -> Sequence[str]:
        """None."""
        return ()

    @property
    def _size(self) -> int:
        return self.manifest.preprocessing.size

    def graph(self, model: bytes, form: Format) -> bytes:
        """See Taking."""
        views = self.manifest.backbone.test_time_augmentation != "none"
        shape = form.shape(self._size, views=views)
        if form.sealed:
            # Pictures of any size stay welcome: nothing has to be told in numbers.
            return _sealed(plain(model, replace(shape, size=None)), self.manifest)
        found = plain(model, shape)
        return found if form.adapted is None else form.adapted(found, self._size)

    def ready(self, inputs: NDArray[Any]) -> NDArray[Any]:
        """See Taking."""
        return np.asarray(inputs)

    def shapes(self, graph: bytes) -> tuple[list[str], list[tuple[int, ...]]]:
        """See Taking."""
        return described(graph)

    def port(self, form: Format, number: int | str) -> Port:
        """See Taking."""
        if form.planes:
            return Port(name="image", type="float32", shape=(number, 3, self._size, self._size))
        return Port(name="image", type="uint8", shape=(number, self._size, self._size, 3))

    def options(self) -> dict[str, Any]:
        """See Taking."""
        manifest, inputs = self.manifest, self.manifest.preprocessing
        return {
            "input": "image",
            "type": "uint8",
            "shape": [1, self._size, self._size, 3],
            "free": {"0": ["N", MOST_AT_ONCE]},
            "size": self._size,
            "classes": list(manifest.classes),
            # Classes that exclude each other, of the picture as a whole: what other formats call a classifier.
            "one_class": manifest.record.ending[-1].operator == "Softmax" and not manifest.record.free_size,
            "fit": inputs.fit,
            "crop": inputs.crop,
            "interpolation": inputs.interpolation,
            "filling": list(self.filling),
        }

    def notes(self, form: Format) -> list[str]:
        """See Taking."""
        found = []
        if self.manifest.record.free_size and not form.sealed:
            found.append(
                f"It takes pictures of {self._size} x {self._size} pixels alone; model.onnx takes others, too."
            )
        if form.planes:
            found.append("It takes planes of red, green and blue, float32 from 0 to 255, in place of rows of pixels.")
        return found


@dataclass(frozen=True, kw_only=True, eq=False)
class TextTaking:
    """A Taking of texts, int32 [N, H, L]."""

    manifest: Manifest
    inputs: TextInputs
    item: str = "text"

    @property
    def constant(self) -> Sequence[str]:
        """The vocabularies."""
        return [name for name in self.manifest.record.promised if name not in ("probabilities", "novelty")]

    def graph(self, model: bytes, form: Format) -> bytes:
        """See Taking. What others run has no vocabulary in it: the numbers of a text are made before it."""
        if form.sealed:
            return model  # folded it could be larger: weights that are kept in fewer bytes would be worked out in it
        shape = Shape(size=None, suppressed=form.suppressed, simple=form.simple, without=tuple(self.constant))
        return without_cutting(plain(model, shape))

    def ready(self, inputs: NDArray[Any]) -> NDArray[Any]:
        """See Taking."""
        return as_input([str(one) for one in inputs.tolist()], self.inputs)

    def shapes(self, graph: bytes) -> tuple[list[str], list[tuple[int, ...]]]:
        """See Taking."""
        return described(graph, np.zeros((1, self.inputs.height, _SAMPLE), dtype=np.int32))

    def port(self, form: Format, number: int | str) -> Port:
        """See Taking."""
        return Port(name=self.manifest.record.takes, type="int32", shape=(number, self.inputs.height, "L"))

    def options(self) -> dict[str, Any]:
        """See Taking."""
        return {
            "input": self.manifest.record.takes,
            "type": "int32",
            "shape": [1, self.inputs.height, _SAMPLE],
            "free": {"0": ["N", MOST_AT_ONCE], "2": ["L", 2**20]},
            "classes": list(self.manifest.classes),
        }

    def notes(self, form: Format) -> list[str]:
        """See Taking."""
        return ["How a text becomes numbers: proof/texts.json and the samples beside it."]


def _sealed(graph: bytes, manifest: Manifest) -> bytes:
    import onnx

    return sealed(onnx.load_model_from_string(graph), manifest)


def feed_of(run: OpenRun) -> Taking:
    """What a run's model takes."""
    inputs = run.model.inputs
    if isinstance(inputs, TextInputs):
        return TextTaking(manifest=run.manifest, inputs=inputs)
    return PictureTaking(manifest=run.manifest, filling=mean_colour(run.preprocessing))
