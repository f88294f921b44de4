"""Where a run's network looked, laid over its pictures. In: OpenRun, paths, classes. Out: addresses. Next: parts.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.errors import ModelFileError, PictureError
from tellapart.explanation.laying import as_seen, onto
from tellapart.explanation.overlay import overlay
from tellapart.preprocessing import Preprocessing, decode_for, prepare
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
    pictures = [_read(path, run.preprocessing) for path in paths]
    there = [number for number, picture in enumerate(pictures) if picture is not None]
    if not there:
        return None
    usable = [picture for picture in pictures if picture is not None]
    try:
        heatmaps = run.activation(np.stack([prepare(one, run.preprocessing) for one in usable]), classes[there])
    except ModelFileError:
        return None
    heats: list[str | None] = [None] * len(paths)
    for number, picture, heatmap in zip(there, usable, heatmaps, strict=True):
        heats[number] = address(_laid(picture, heatmap, run.preprocessing))
    return heats


def _laid(picture: Image.Image, heatmap: NDArray[np.float32], preprocessing: Preprocessing) -> Image.Image:
    """The heat on what the network saw, in the picture's own shape."""
    seen = as_seen(picture, preprocessing, side=preprocessing.size)
    laid = Image.fromarray(overlay(seen, onto(heatmap, picture, preprocessing)))
    factor = LARGE_SIDE / max(laid.size)
    size = max(1, round(laid.width * factor)), max(1, round(laid.height * factor))
    return laid.resize(size, Image.Resampling.LANCZOS)


def _read(path: Path, preprocessing: Preprocessing) -> Image.Image | None:
    try:
        return decode_for(read_bytes(path), preprocessing).image
    except (OSError, PictureError):
        return None
