"""Pictures with the pixels after each step, the input and the answers. In: Model, pictures. Out: files. Next: samples.py.

What another program makes of a picture is compared with these step by step, so that the first step that differs is known. Pixels
are in PPM files (Netpbm's P6: a line of text, then bytes), which need no library; arrays are raw float32, the lower byte first.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.answering import Placement
from tellapart.answers.pictures import place as placed
from tellapart.answers.table import ANSWERINGS
from tellapart.answers.tiling import CutPicture, merged, merging_of, tile_places
from tellapart.bundle import Model
from tellapart.export.golden_choice import GoldenPicture
from tellapart.export.specification import beyond_of
from tellapart.preprocessing import decode_for, prepare
from tellapart.storage import write_bytes, write_json

LIST = "list.txt"  # for languages without JSON: name, width, height, parts, file
_TILES = 2  # of a picture, whose pixels are kept


def write_golden(model: Model, pictures: Sequence[GoldenPicture], folder: Path) -> int:
    """Write the pictures, numbered, each in a folder of its own, and golden.json; how many there are.

    Raises: PictureError for one that cannot be read; StorageError.
    """
    rows = [_write_one(model, one, folder, f"{number:02}") for number, one in enumerate(pictures, start=1)]
    write_json(folder / "golden.json", {"pictures": rows})
    lines = [
        f"{row['name']} {row['decoded']['width']} {row['decoded']['height']} {len(row['parts'])} {row['source']['file']}\n"
        for row in rows
    ]
    write_bytes(folder / LIST, "".join(lines).encode())
    return len(rows)


def _write_one(model: Model, picture: GoldenPicture, folder: Path, name: str) -> dict[str, Any]:
    decoded = decode_for(picture.data, model.preprocessing)
    pixels = np.asarray(decoded.image)
    inputs, places = _inputs(model, decoded.image, decoded.width, decoded.height)
    own = folder / name
    source = f"source{Path(picture.name).suffix.lower()}"
    write_bytes(own / source, picture.data)
    outputs = _arrays(model, inputs[:1])
    answer = _answered(model, decoded.image, places, inputs)
    write_json(own / "answer.json", {key: value for key, value in answer.items() if key not in ("path", "error")})
    kept = {
        key: _write_array(own / f"{key}.bin", array[0], name)
        for key, array in outputs.items()
        if array[0].dtype.kind in "fi"
    }
    return {
        "name": name,
        "source": {
            "file": f"{name}/{source}",
            "format": decoded.format,
            "mode": decoded.mode,
            "sha256": _digest(picture.data),
            "made": picture.made,
        },
        "width": decoded.width,
        "height": decoded.height,
        "turned": decoded.turned,
        "decoded": _write_pixels(own / "decoded.ppm", pixels, name),
        "parts": [[one.left, one.top, one.right, one.bottom] for one in places],
        "inputs": [
            _write_pixels(own / f"input-{number}.ppm", one, name) for number, one in enumerate(inputs[:_TILES], start=1)
        ],
        "input_digests": [_digest(np.ascontiguousarray(one).tobytes()) for one in inputs],
        "outputs": kept,  # of the first input
        "answer": f"{name}/answer.json",
    }


def _inputs(model: Model, image: Any, width: int, height: int) -> tuple[NDArray[np.uint8], tuple[Placement, ...]]:
    """Every input of a picture, uint8 [T, S, S, 3], and which part of it each shows."""
    settings = model.preprocessing
    if settings.fit != "tile":
        return prepare(image, settings)[None], (placed(width, height, settings),)
    places = tile_places(width, height, settings)
    cut = _cut(model, image, places)
    return cut.tiles(0, len(places)), places


def _cut(model: Model, image: Any, places: tuple[Placement, ...]) -> CutPicture:
    whole = Placement(width=image.width, height=image.height, left=0, top=0, right=image.width, bottom=image.height)
    return CutPicture(
        whole=whole, places=places, image=image, inputs=model.preprocessing, beyond=beyond_of(model.manifest)
    )


def _arrays(model: Model, inputs: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
    return model.compute(inputs, ANSWERINGS[model.manifest.task].outputs)


def _answered(model: Model, image: Any, places: tuple[Placement, ...], inputs: NDArray[np.uint8]) -> dict[str, Any]:
    """What `tellapart predict` says of it."""
    manifest = model.manifest
    answering = ANSWERINGS[manifest.task]
    if model.preprocessing.fit == "tile":
        cut = _cut(model, image, places)
        merging = merging_of(answering).merging(cut.whole, model.preprocessing, manifest.record)
        arrays: Mapping[str, Any] = merged(cut, lambda tiles: _arrays(model, tiles), merging)
        places = (cut.whole,)
    else:
        arrays = _arrays(model, inputs)
    (answer,) = answering.decide(arrays, places, manifest.record, classes=manifest.classes)
    row: dict[str, Any] = answering.row(answer, top=len(manifest.classes), least=0.0 if answering.graded else None)
    return row


def _write_pixels(path: Path, pixels: NDArray[np.uint8], name: str) -> dict[str, Any]:
    height, width, _ = pixels.shape
    data = np.ascontiguousarray(pixels).tobytes()
    write_bytes(path, f"P6 {width} {height} 255\n".encode() + data)
    return {"file": f"{name}/{path.name}", "width": width, "height": height, "sha256": _digest(data)}


def _write_array(path: Path, array: NDArray[Any], name: str) -> dict[str, Any]:
    data = np.ascontiguousarray(array, dtype="<f4").tobytes()
    write_bytes(path, data)
    return {"file": f"{name}/{path.name}", "shape": list(array.shape), "sha256": _digest(data)}


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def read_golden(folder: Path) -> list[dict[str, Any]]:
    """The pictures of golden.json."""
    found: list[dict[str, Any]] = json.loads((folder / "golden.json").read_text(encoding="utf-8"))["pictures"]
    return found
