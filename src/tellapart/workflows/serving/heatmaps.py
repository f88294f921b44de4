"""A heatmap over a picture, for the server. In: a version, a picture file, what it is of. Out: PNG. Next: word_colours.py.

Of a class: Grad-CAM, one run of the network, where the package that reads graphs is installed and the network has a last map;
occlusion, with ONNX Runtime alone and some 170 runs, elsewhere. Of a box: random masks, as `tellapart explain --box` has them, on
one core and not for longer than others should wait for theirs.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.tiling import cut_picture, in_tiles, merging_of
from tellapart.drawing.boxes import DrawnBox, draw_boxes
from tellapart.drawing.png import encode_png
from tellapart.errors import MissingExtra, ModelFileError
from tellapart.explanation.activation import ClassActivation
from tellapart.explanation.laying import as_seen, onto
from tellapart.explanation.masking import BoxTarget, masked_heat
from tellapart.explanation.occlusion import occlusion
from tellapart.explanation.overlay import overlay
from tellapart.explanation.seeing import SIDE, SeenPart, Sides, seen_around, seen_whole
from tellapart.preprocessing import decode_for, prepare
from tellapart.runs.open import OpenRun
from tellapart.runtime import BATCH
from tellapart.serving.opened import Version
from tellapart.serving.service import Explain, ToExplain
from tellapart.workflows.serving.word_colours import WordColours

MOST_SECONDS = 20.0  # of masks for one box; a large network tries fewer of them


def make_explainer(now: Callable[[], float] = time.monotonic) -> Explain:
    """A function that draws heatmaps; it keeps what it prepared for a version as long as the version lives. `now` in seconds."""
    activations: weakref.WeakKeyDictionary[Version, ClassActivation | None] = weakref.WeakKeyDictionary()
    one_at_a_time = threading.Lock()
    words = WordColours()

    def explain(version: Version, data: bytes, shown: ToExplain) -> bytes | Mapping[str, Any]:
        """Raises: PictureError."""
        if version.takes_texts:
            return words.explain(version, data, shown)
        if shown.sides is not None:
            return _with_box(version, _seen(version, data, shown.sides), shown, shown.sides, now)
        preprocessing = version.model.preprocessing
        decoded = decode_for(data, preprocessing, max_pixels=version.max_pixels)
        image = prepare(decoded.image, preprocessing)
        with one_at_a_time:
            if version not in activations:
                activations[version] = _open(version)
            activation = activations[version]
        if activation is not None:
            heat = activation(image[None], np.array([shown.label]))[0]
        else:
            probabilities = _every_part(version, ("probabilities",))
            heat = occlusion(
                image,
                shown.label,
                predict=lambda part: probabilities(part)["probabilities"],
                background=_mean_of(image),
            )
        picture = as_seen(decoded.image, preprocessing, side=preprocessing.size)
        return encode_png(overlay(picture, onto(heat, decoded.image, preprocessing)))

    return explain


def _seen(version: Version, data: bytes, sides: Sides) -> SeenPart:
    """What the network is shown for a box."""
    inputs, most = version.model.preprocessing, version.max_pixels
    if in_tiles(inputs):
        beyond = merging_of(version.answering).beyond
        return seen_around(sides, cut_picture(data, inputs, max_pixels=most, beyond=beyond), inputs)
    return seen_whole(decode_for(data, inputs, target=SIDE, max_pixels=most), inputs)


def _with_box(version: Version, seen: SeenPart, shown: ToExplain, sides: Sides, now: Callable[[], float]) -> bytes:
    """The heat of a box and its line, in the colour of its class."""
    end = now() + MOST_SECONDS
    heat = masked_heat(
        seen.image,
        BoxTarget.of_source(sides, seen.place, shown.label),
        find=_every_part(version, ("boxes", "scores", "labels")),
        background=np.rint(255 * np.array(version.model.preprocessing.mean)).astype(np.uint8),
        enough=lambda: now() >= end,
    )
    label = version.classes[shown.label]
    drawn = DrawnBox(sides=seen.onto_large(sides), label=label, number=shown.label, score=shown.score)
    return encode_png(np.asarray(draw_boxes(overlay(seen.large, seen.lay(heat)), [drawn])))


def _open(version: Version) -> ClassActivation | None:
    if not version.unchanged:
        return None
    try:
        return OpenRun(version.model.path).activation
    except (MissingExtra, ModelFileError):
        return None


def _mean_of(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(np.rint(image.mean(axis=(0, 1))), dtype=np.uint8)


def _every_part(
    version: Version, names: Sequence[str]
) -> Callable[[NDArray[np.uint8]], dict[str, NDArray[np.float32]]]:
    """What computes the outputs `names` that the file has, of inputs [N, ...], some after the others: each [N, ...]."""

    def compute(images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        starts = range(0, len(images), BATCH)
        parts = [version.model.compute(images[start : start + BATCH], names) for start in starts]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    return compute
