"""Masks out of COCO's JSON: polygons and run lengths. In: BoxFiles, an image's id. Out: masks, pixels. Next: masks_labelme.py.

What is in no shape is background. Where shapes lie on each other the smaller one is seen, and crowds lie below all others.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.data.box_files import BoxFiles, class_name, number, read_json
from tellapart.data.boxes_coco import identity, is_coco, split_of_json
from tellapart.data.examples import Split
from tellapart.data.faults import FaultList
from tellapart.data.mask_drawing import Canvas
from tellapart.data.mask_fit import Size
from tellapart.data.mask_pixels import Values
from tellapart.data.mask_shapes import check_points, fill_polygon, fill_runs, read_runs
from tellapart.data.mask_targets import MaskFile, Painting
from tellapart.errors import PictureError
from tellapart.preprocessing import MAX_FILE_BYTES

_KEPT = 2  # files whose shapes stay in memory


@dataclass(frozen=True, slots=True)
class CocoImage:
    """One image of a JSON."""

    name: str  # file_name
    size: Size
    shapes: list[tuple[str, Any, bool]] = field(default_factory=list)  # class, segmentation, whether around a crowd
    lost: int = 0

    def digest(self) -> str:
        """SHA-256 of what says its mask, 64 hex digits."""
        said = json.dumps([self.size, self.shapes], sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(slots=True)
class CocoShapes:
    """The images of a JSON by their ids."""

    images: dict[str, CocoImage] = field(default_factory=dict)
    nameless: int = 0
    shapeless: int = 0


def list_coco(files: BoxFiles, faults: FaultList) -> dict[str, tuple[MaskFile, Split | None]]:
    """Every picture that a JSON lists with its mask, not yet drawn, and the split that the JSON's name says."""
    found: dict[str, tuple[MaskFile, Split | None]] = {}
    paths = [path for path in files.ending(".json") if open_coco(path) is not None]
    chosen = [path for path in paths if "instances" in os.path.basename(path).casefold()] or paths
    for path in chosen:
        content = open_coco(path)
        if content is None:
            continue
        split = split_of_json(path, files)
        faults.add("shape without class", path, content.nameless)
        faults.add("no shape", path, content.shapeless)
        for key, image in content.images.items():
            picture = files.picture(image.name, os.path.dirname(path))
            if picture is None:
                faults.add("no picture", path, detail=image.name[:200] or "an image without file_name")
            elif picture in found:
                faults.add("annotated twice", picture, detail=f"again in {os.path.basename(path)}")
            elif image.lost and not image.shapes:
                faults.add("none left", picture, detail=f"of {image.lost:,}")
            else:
                painting = Painting(values=(), pixels=(), form="coco", item=key)
                found[picture] = MaskFile(Path(path), painting=painting), split or files.split_of(picture)
    return found


def open_coco(path: str | Path) -> CocoShapes | None:
    """The shapes of a JSON; None where it is none of COCO's or cannot be read. The last ones stay in memory."""
    status = os.stat(path) if os.path.exists(path) else None
    return _open(str(path), 0 if status is None else status.st_mtime_ns, 0 if status is None else status.st_size)


@functools.lru_cache(maxsize=_KEPT)
def _open(path: str, changed: int, size: int) -> CocoShapes | None:
    content = read_json(path, FaultList(), MAX_FILE_BYTES)
    if not is_coco(content):
        return None
    found = CocoShapes()
    for one in content["images"]:
        if isinstance(one, dict):
            name = one.get("file_name")
            found.images[identity(one.get("id"))] = CocoImage(
                name if isinstance(name, str) else "", (_side(one.get("width")), _side(one.get("height")))
            )
    names = {
        identity(one.get("id")): class_name(one.get("name")) for one in content["categories"] if isinstance(one, dict)
    }
    lost: defaultdict[str, int] = defaultdict(int)
    for one in content["annotations"]:
        _add(one, names, found, lost)
    for key, count in lost.items():
        if (image := found.images.get(key)) is not None:
            found.images[key] = CocoImage(image.name, image.size, image.shapes, count)
    return found


def _add(one: object, names: Mapping[str, str], found: CocoShapes, lost: defaultdict[str, int]) -> None:
    """One annotation to its image."""
    if not isinstance(one, dict):
        found.nameless += 1
        return
    key, name, shape = (
        identity(one.get("image_id")),
        names.get(identity(one.get("category_id")), ""),
        one.get("segmentation"),
    )
    if not name:
        found.nameless += 1
        lost[key] += 1
    elif not shape or not isinstance(shape, list | dict):
        found.shapeless += 1
        lost[key] += 1
    elif (image := found.images.get(key)) is not None:
        image.shapes.append((name, shape, bool(one.get("iscrowd"))))


def find_image(path: Path, item: str) -> CocoImage:
    """One image of a JSON by its id. Raises: PictureError where it is not there, or the JSON is not."""
    content = open_coco(path)
    image = None if content is None else content.images.get(item)
    if image is None:
        raise PictureError(f"the JSON says nothing of an image {item!r}, or is not there")
    return image


def draw_image(image: CocoImage, picture: Size) -> Values:
    """An image's mask at the size that the JSON says, or else the picture's. Raises: PictureError for shapes that are none."""
    size = image.size if min(image.size) > 0 else picture
    canvas = Canvas(size)
    for name, shape, _ in sorted(image.shapes, key=lambda one: (not one[2], -_area(one[1]))):
        for part, corner in _filled(shape, size):
            canvas.draw(name, part, corner)
    return canvas.values()


def _area(shape: Any) -> float:
    """About how many pixels a shape has, without drawing it."""
    if isinstance(shape, dict):
        counts = shape.get("counts")
        runs = read_runs(counts) if isinstance(counts, str) else counts
        return float(sum(runs[1::2])) if isinstance(runs, list) and all(isinstance(one, int) for one in runs) else 0.0
    area = 0.0
    for points in map(_points, shape):
        following = np.roll(points, -1, axis=0)
        area += 0.5 * abs(float(np.sum(points[:, 0] * following[:, 1] - points[:, 1] * following[:, 0])))
    return area


def _filled(shape: Any, size: Size) -> Iterator[tuple[NDArray[np.bool_], tuple[int, int]]]:
    """The pixels of a shape, one polygon after the other, or its runs. Raises: PictureError for what is neither."""
    if isinstance(shape, dict):
        counts, told = shape.get("counts"), shape.get("size")
        if not isinstance(told, list) or [_side(one) for one in told] != [size[1], size[0]]:
            raise PictureError(f"run lengths for {told!s:.40} (height, width) in a picture of {size[0]} x {size[1]}")
        if isinstance(counts, str):
            counts = read_runs(counts)
        if not isinstance(counts, list) or not all(isinstance(one, int) and abs(one) < 1 << 40 for one in counts):
            raise PictureError("run lengths that are neither numbers nor a text")
        yield fill_runs(counts, size), (0, 0)
        return
    for ring in shape:
        yield fill_polygon(_points(ring), size)


def _points(ring: object) -> NDArray[np.float64]:
    if not isinstance(ring, list) or len(ring) % 2:
        raise PictureError("a polygon whose points are no pairs of numbers")
    flat: Sequence[float] = [number(value) for value in ring]
    points = np.array(flat, dtype=np.float64).reshape(-1, 2)
    check_points(points)
    return points


def _side(value: object) -> int:
    found = number(value)
    return int(found) if 0 < found < 1e6 and found == int(found) else 0
