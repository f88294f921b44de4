"""A heatmap over a picture, for the server. In: an opened version, a picture file, a class. Out: PNG. Next: workflows/serve.py.

Grad-CAM, one run of the network, where the package that reads graphs is installed and the network has a last map; occlusion,
with ONNX Runtime alone and some 170 runs, elsewhere.
"""

from __future__ import annotations

import threading
import weakref

import numpy as np
from numpy.typing import NDArray

from tellapart.drawing.png import encode_png
from tellapart.errors import MissingExtra, ModelFileError
from tellapart.explanation.activation import ClassActivation
from tellapart.explanation.laying import as_seen, onto
from tellapart.explanation.occlusion import occlusion
from tellapart.explanation.overlay import overlay
from tellapart.preprocessing import decode_for, prepare
from tellapart.runs.open import OpenRun
from tellapart.runtime import BATCH
from tellapart.serving.opened import Version
from tellapart.serving.service import Explain


def make_explainer() -> Explain:
    """A function that draws heatmaps; it keeps what it prepared for a version as long as the version lives."""
    activations: weakref.WeakKeyDictionary[Version, ClassActivation | None] = weakref.WeakKeyDictionary()
    one_at_a_time = threading.Lock()

    def explain(version: Version, data: bytes, target: int) -> bytes:
        """Raises: PictureError."""
        preprocessing = version.model.preprocessing
        decoded = decode_for(data, preprocessing, max_pixels=version.max_pixels).image
        image = prepare(decoded, preprocessing)
        with one_at_a_time:
            if version not in activations:
                activations[version] = _open(version)
            activation = activations[version]
        if activation is not None:
            heat = activation(image[None], np.array([target]))[0]
        else:
            background = np.rint(image.mean(axis=(0, 1))).astype(np.uint8)
            heat = occlusion(image, target, predict=lambda images: _predict(version, images), background=background)
        picture = as_seen(decoded, preprocessing, side=preprocessing.size)
        return encode_png(overlay(picture, onto(heat, decoded, preprocessing)))

    return explain


def _open(version: Version) -> ClassActivation | None:
    status = version.model.path.stat() if version.model.path.exists() else None
    # The file may be another by now than the one that serves; its heatmap would be of another network.
    same = status is not None and (status.st_mtime_ns, status.st_size, status.st_ino) == version.stamp
    if not same:
        return None
    try:
        return OpenRun(version.model.path).activation
    except (MissingExtra, ModelFileError):
        return None


def _predict(version: Version, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    parts = [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
    return np.concatenate([version.model.compute(part, ("probabilities",))["probabilities"] for part in parts])
