"""Where a run's network looked, laid over its pictures. In: OpenRun, paths, classes. Out: addresses. Next: parts.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.errors import ModelFileError, PictureError
from tellapart.explanation.overlay import overlay
from tellapart.preprocessing import Preprocessing, load
from tellapart.reporting.album import LARGE_SIDE
from tellapart.reporting.facts import Shown
from tellapart.reporting.pictures import address
from tellapart.runs.open import OpenRun
from tellapart.sources.reading import read_bytes


def with_heat(
    run: OpenRun, shown: Sequence[Shown], paths: Sequence[Path], classes: NDArray[np.int64]
) -> tuple[list[Shown], bool]:
    """The same pictures [n], each with Grad-CAM for its class of `classes` [n]; and whether the network has a map for it."""
    heats = _heats(run, paths, classes)
    if heats is None:
        return list(shown), False
    return [replace(one, heat=heat) for one, heat in zip(shown, heats, strict=True)], True


def _heats(run: OpenRun, paths: Sequence[Path], classes: NDArray[np.int64]) -> list[str | None] | None:
    """Overlays; None where a picture is gone, or for all where the network has no map to take them from."""
    images = [_read(path, run.preprocessing) for path in paths]
    there = [number for number, image in enumerate(images) if image is not None]
    if not there:
        return None
    usable = [image for image in images if image is not None]
    try:
        heatmaps = run.activation(np.stack(usable), classes[there])
    except ModelFileError:
        return None
    heats: list[str | None] = [None] * len(paths)
    for number, image, heatmap in zip(there, usable, heatmaps, strict=True):
        laid = Image.fromarray(overlay(image, heatmap))
        heats[number] = address(laid.resize((LARGE_SIDE, LARGE_SIDE), Image.Resampling.LANCZOS))
    return heats


def _read(path: Path, preprocessing: Preprocessing) -> NDArray[np.uint8] | None:
    try:
        return load(read_bytes(path), preprocessing)
    except (OSError, PictureError):
        return None
