"""A model or a finished run, each part read when it is first asked for. In: a path. Out: OpenRun. Next: reading.py.

Shapes: N pictures, S side of the picture, K classes, D embedding.
"""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import Manifest, Model, open_model, read_manifest
from tellapart.data.examples import Example
from tellapart.data.examples_csv import read_examples
from tellapart.data.targets import KINDS
from tellapart.errors import DataError, MissingExtra, ModelFileError, SettingsError
from tellapart.explanation.activation import ClassActivation
from tellapart.explanation.decomposition import StageMaps
from tellapart.explanation.graph import LOGITS, Graph
from tellapart.explanation.layers import Layer, feature_maps, find_layer, read_layers
from tellapart.explanation.methods import Subject
from tellapart.models.symmetry import VIEWS
from tellapart.preprocessing import Preprocessing
from tellapart.records import LINES, ROWS
from tellapart.runs.answered_boxes import BoxTable, read_box_lines
from tellapart.runs.answered_masks import MaskTable, read_mask_lines
from tellapart.runs.moved import find_moved, with_new_paths
from tellapart.runs.reading import PredictionTable, read_json, read_predictions
from tellapart.runs.run import MARKER
from tellapart.runtime import BATCH, cores
from tellapart.settings.reading import make_settings, read_recipe
from tellapart.settings.tree import TrainSettings
from tellapart.sources.reading import exists

if TYPE_CHECKING:
    from tellapart.models.staged import StagedNetwork

MODEL, WEIGHTS, RECIPE, EXAMPLES = "model.onnx", "weights.safetensors", "recipe.toml", "examples.csv"
AnyTable = TypeVar("AnyTable", PredictionTable, BoxTable, MaskTable)
_NAMED = 10  # classes that a message lists
_ALIKE = 0.01  # of the largest logit; more means that the weights are another network's
_ALIKE_IN_INTEGERS = (
    0.5  # the same where the file computes in 8 bits, and the weights are those of the network before that
)
_INSTEAD = "From model.onnx alone there are gradcam, gradcam++, scorecam, stages and occlusion"


class OpenRun:
    """A model.onnx and, where it lies in a run's folder, what else the run left. The manifest is read at once."""

    def __init__(self, path: Path, *, pictures: Path | None = None) -> None:
        """`path` is a model file or a run's folder; `pictures` is where what it was trained on lies now, if it was moved.

        Raises: ModelFileError, StorageError; SettingsError when it is unfinished.
        """
        if (path / MARKER).exists() and not (path / MODEL).exists():
            raise SettingsError(
                f"the run {path} is unfinished and has no model yet. Go on with it: tellapart train --resume {path}"
            )
        self.file = path / MODEL if path.is_dir() else path
        self.folder = self.file.parent
        self._pictures = pictures
        self.manifest: Manifest = read_manifest(self.file)
        self.has_run = (self.folder / WEIGHTS).is_file() and importlib.util.find_spec("torch") is not None

    @cached_property
    def preprocessing(self) -> Preprocessing:
        """How its pictures are made ready. Raises: ModelFileError where it is of texts."""
        return self.manifest.preprocessing.plain()

    @cached_property
    def background(self) -> NDArray[np.uint8]:
        """The colour of nothing, uint8 [3]. Raises: ModelFileError where it is of texts."""
        mean = np.clip(np.array(self.preprocessing.mean), 0, 1)
        return np.asarray(np.rint(mean * 255), dtype=np.uint8)

    @property
    def data_now(self) -> Path | None:
        """Where what it was trained on lies now, if it was moved and that was told."""
        return self._pictures

    @property
    def classes(self) -> tuple[str, ...]:
        """Names, in the order of the probabilities."""
        return self.manifest.classes

    @property
    def lists_examples(self) -> bool:
        """Whether the run's list of pictures lies beside the model."""
        return (self.folder / EXAMPLES).is_file()

    @cached_property
    def model(self) -> Model:
        """The opened network. Raises: ModelFileError."""
        return open_model(self.file)

    @cached_property
    def recipe(self) -> dict[str, Any]:
        """The settings as they are written, unchecked; none where no recipe lies beside the model. Raises: SettingsError."""
        path = self.folder / RECIPE
        return read_recipe(path) if path.is_file() else {}

    @cached_property
    def settings(self) -> TrainSettings:
        """The settings that it was trained with. Raises: SettingsError."""
        path = self.folder / RECIPE
        if not path.is_file():
            raise SettingsError(
                f"{path} is not there; it tells how the network is built. Give the run's folder with all its files."
            )
        return make_settings(self.recipe)

    @cached_property
    def examples(self) -> Sequence[Example]:
        """Every picture of the data set, those with problems too. Raises: DataError."""
        path = self.folder / EXAMPLES
        if not self.lists_examples:
            raise DataError(f"{path} is not there, which lists the training pictures. Give the run's folder.")
        examples = read_examples(path, KINDS[self.manifest.task])
        if self._pictures is None or self.manifest.pictures is None:  # texts are known by their content
            return examples
        paths = dict.fromkeys(path for one in examples for path in (one.path, *one.target.files))
        moved = find_moved(list(paths), self.recipe.get("data"), self._pictures)
        return [
            replace(one, path=Path(moved.get(str(one.path), one.path)), target=one.target.elsewhere(moved))
            for one in examples
        ]

    @cached_property
    def _moved(self) -> dict[str, str]:
        """Old path -> new path, of the pictures that were moved."""
        if self._pictures is None or self.manifest.pictures is None:
            return {}
        before = read_examples(self.folder / EXAMPLES, KINDS[self.manifest.task])
        return {str(old.path): str(new.path) for old, new in zip(before, self.examples, strict=True)}

    @property
    def missing(self) -> int:
        """How many pictures are no longer where they were; texts are told by what the run kept of them."""
        if self.manifest.pictures is None:
            return 0
        return sum(not exists(example.path) for example in self.examples if not example.problem)

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """metrics.json. Raises: DataError, StorageError."""
        return read_json(self.folder / "metrics.json", "test")

    @cached_property
    def audit(self) -> dict[str, Any]:
        """audit.json. Raises: DataError, StorageError."""
        audit: dict[str, Any] = with_new_paths(read_json(self.folder / "audit.json", "counts"), self._moved)
        return audit

    @cached_property
    def predictions(self) -> PredictionTable:
        """The test split and what was said of it. Raises: DataError, StorageError."""
        return self._placed(read_predictions(self.folder / ROWS, self.classes), "rows")

    @cached_property
    def box_predictions(self) -> BoxTable:
        """The same of a run that finds boxes. Raises: DataError, StorageError."""
        return self._placed(read_box_lines(self.folder / LINES, self.classes), "lines")

    @cached_property
    def mask_predictions(self) -> MaskTable:
        """The same of a run that makes masks. Raises: DataError, StorageError."""
        return self._placed(read_mask_lines(self.folder / LINES), "lines")

    def _placed(self, table: AnyTable, parts: str) -> AnyTable:
        """The same with the paths of now. Raises: DataError where it has not as many `parts` as pictures were tested."""
        found, told = len(table.paths), self.metrics["test"].get("n")
        if found != told:
            raise DataError(
                f"{table.source} has {found:,} {parts}; metrics.json tells of {told} test pictures. "
                "Copy the whole run again, or train again."
            )
        return replace(table, paths=[self._now(one) for one in table.paths])

    def _now(self, path: Path) -> Path:
        return Path(self._moved.get(str(path), path))

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
        names = ("probabilities", "embedding")
        parts = [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
        with ThreadPoolExecutor(cores(), thread_name_prefix="explain") as pool:
            found = list(pool.map(lambda part: self.model.compute(part, names), parts))
        probabilities, embeddings = (np.concatenate([one[name] for one in found]) for name in names)
        return probabilities, embeddings

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
        return read_layers(self.graph, size=self.manifest.preprocessing.size)

    @cached_property
    def activation(self) -> ClassActivation:
        """Grad-CAM from the file. Raises: ModelFileError where the network has no last map."""
        return ClassActivation(self.graph)

    @cached_property
    def stage_maps(self) -> StageMaps:
        """The score as a sum over stages, from the file. Raises: ModelFileError where it is none."""
        return StageMaps(self.graph)

    @cached_property
    def network(self) -> StagedNetwork:
        """The network in torch, with the run's weights. Raises: ModelFileError without them, or when they are another's."""
        if not (self.folder / WEIGHTS).is_file():
            raise ModelFileError(
                f"{self.folder / WEIGHTS} is not there, and this method needs the network's weights. "
                f"Give the run's folder with all its files. {_INSTEAD}."
            )
        from tellapart.runs.network import rebuild_network  # needs torch

        network = rebuild_network(self.folder / WEIGHTS, self.manifest, lambda: self.settings)
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
            stage_maps=lambda: self.stage_maps,
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

        size = self.preprocessing.size
        image = np.random.default_rng(0).integers(0, 256, (1, size, size, 3), dtype=np.uint8)
        views = [
            np.flip(turned, axis=2) if mirrored else turned
            for turns, mirrored in VIEWS[self.manifest.backbone.test_time_augmentation]
            for turned in [np.rot90(image, turns, axes=(1, 2))]
        ]
        with (
            torch.inference_mode()
        ):  # the classifier is linear: of several views the file gives the mean of their logits
            given = network.eval()(torch.from_numpy(np.concatenate(views))).numpy().mean(axis=0, keepdims=True)
        (expected,) = self.graph.open([LOGITS]).run(image, [LOGITS])
        difference = float(np.abs(given - expected).max() / max(1.0, np.abs(expected).max()))
        compression = self.manifest.compression
        alike = _ALIKE_IN_INTEGERS if compression is not None and compression.integers else _ALIKE
        if not difference < alike:
            raise ModelFileError(
                f"{self.folder / WEIGHTS} gives logits that differ by {100 * difference:.2g} % from those of {self.file.name}; "
                f"the rule is under {100 * alike:g} %. The two are not of one run: copy both from it again."
            )
