"""A model opened for explaining, each part when it is first asked for. In: a model or run. Out: OpenRun. Next: network.py.

Shapes: N pictures, S side of the picture, K classes.
"""

from __future__ import annotations

import difflib
import importlib.util
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import ClassificationRecord, open_model
from tellapart.errors import MissingExtra, ModelFileError, SettingsError
from tellapart.explanation.activation import ClassActivation
from tellapart.explanation.graph import Graph
from tellapart.explanation.layers import Layer, feature_maps, find_layer, read_layers
from tellapart.explanation.methods import Subject
from tellapart.runs.run import MARKER
from tellapart.runtime import BATCH, cores

if TYPE_CHECKING:
    from tellapart.models.staged import StagedNetwork

WEIGHTS = "weights.safetensors"
_NAMED = 10  # classes that a message lists
_ALIKE = 0.01  # of a probability; more means that the weights are another network's
_INSTEAD = "From model.onnx alone there are gradcam, gradcam++, scorecam and occlusion"


class OpenRun:
    """A model.onnx and, where it lies in a run's folder, what else the run left."""

    def __init__(self, path: Path) -> None:
        """Raises: ModelFileError, StorageError; SettingsError when the run is unfinished."""
        if (path / MARKER).exists() and not (path / "model.onnx").exists():
            raise SettingsError(
                f"the run {path} is unfinished and has no model yet. Go on with it: tellapart train --resume {path}"
            )
        self.file = path / "model.onnx" if path.is_dir() else path
        self.folder = self.file.parent
        self.model = open_model(self.file)
        self.manifest = self.model.manifest
        mean = np.array(self.model.preprocessing.mean)
        self.background: NDArray[np.uint8] = np.rint(np.clip(mean, 0, 1) * 255).astype(np.uint8)
        self.has_run = (self.folder / WEIGHTS).is_file() and importlib.util.find_spec("torch") is not None

    def class_index(self, name: str) -> int:
        """The column of a class. Raises: SettingsError with the names that are near."""
        classes = self.manifest.classes
        if name in classes:
            return classes.index(name)
        near = difflib.get_close_matches(name, classes, n=3, cutoff=0.5)
        hint = f"Did you mean {' or '.join(near)}? " if near else ""
        more = f" and {len(classes) - _NAMED:,} more" if len(classes) > _NAMED else ""
        raise SettingsError(
            f"the model knows no class {name!r}. {hint}Its classes are {', '.join(classes[:_NAMED])}{more}."
        )

    def run(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Probabilities [N, K] and embeddings [N, D] of uint8 pictures [N, S, S, 3], on all cores."""
        parts = [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
        with ThreadPoolExecutor(cores(), thread_name_prefix="explain") as pool:
            found = list(pool.map(self.model.run, parts))
        return np.concatenate([one[0] for one in found]), np.concatenate([one[1] for one in found])

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities [N, K] of uint8 pictures [N, S, S, 3], on all cores."""
        return self.run(images)[0]

    @cached_property
    def graph(self) -> Graph:
        """The network inside the file. Raises: MissingExtra without the package that reads it."""
        if importlib.util.find_spec("onnx") is None:
            raise MissingExtra("explain", "train", "onnx")
        return Graph(self.file)

    @cached_property
    def layers(self) -> list[Layer]:
        """The layers of the network, in order."""
        return read_layers(self.graph)

    @cached_property
    def activation(self) -> ClassActivation:
        """Grad-CAM from the file. Raises: ModelFileError where the network has no last map."""
        return ClassActivation(self.graph)

    @cached_property
    def network(self) -> StagedNetwork:
        """The network in torch, with the run's weights. Raises: ModelFileError without them, or when they are another's."""
        if not (self.folder / WEIGHTS).is_file():
            raise ModelFileError(
                f"{self.folder / WEIGHTS} is not there, and this method needs the network's weights. "
                f"Give the run's folder with all its files. {_INSTEAD}."
            )
        from tellapart.runs.network import rebuild_network

        network = rebuild_network(self.folder, self.manifest)
        self._check(network)
        return network

    def subject(self, layer: str | None) -> Subject:
        """What the methods ask of this model, at `layer` or the last map. Raises: SettingsError for an unknown layer."""
        chosen = None if layer is None else find_layer(self.layers, layer)
        if chosen is not None and chosen.tensor == self._last_tensor():
            chosen = None
        return Subject(
            predict=self.predict,
            background=self.background,
            activation=lambda: self.activation,
            network=lambda: self.network,
            has_run=self.has_run,
            layer=None if chosen is None else chosen.name,
            layer_maps=None if chosen is None else lambda image: feature_maps(self.graph, chosen, image),
        )

    def _last_tensor(self) -> str | None:
        try:
            return self.activation.last.tensor
        except ModelFileError:
            return None

    def _check(self, network: StagedNetwork) -> None:
        """The explanation of another network than the one that predicts would be worse than none."""
        import torch

        size = self.model.preprocessing.size
        temperature = self.manifest.record_of(ClassificationRecord).temperature
        image = np.random.default_rng(0).integers(0, 256, (1, size, size, 3), dtype=np.uint8)
        with torch.inference_mode():
            logits = network.eval()(torch.from_numpy(image)) / temperature
        difference = float(np.abs(torch.softmax(logits, 1).numpy() - self.model.run(image)[0]).max())
        if not difference < _ALIKE:
            raise ModelFileError(
                f"{self.folder / WEIGHTS} gives probabilities that differ by {difference:.2g} from those of {self.file.name}; "
                f"the rule is under {_ALIKE:g}. The two are not of one run: copy both from it again."
            )
