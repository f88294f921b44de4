"""Damaged and odd masks in every form: each is read or refused in words, and what is read keeps its promises."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import math
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tellapart.data.box_files import BoxFiles
from tellapart.data.examples import Inspection, Listing, ReadOptions
from tellapart.data.listing import read_listing
from tellapart.data.mask_class_files import read_class_file, told_values
from tellapart.data.mask_counts import count_masks, mask_lines, mask_notes, mask_warnings
from tellapart.data.mask_lists import read_lists
from tellapart.data.mask_names import read_names, read_uncounted
from tellapart.data.mask_pairs import find_pairs
from tellapart.data.mask_pixels import read_values
from tellapart.data.mask_settling import settle_masks
from tellapart.data.mask_shapes import fill_polygon, fill_runs, read_runs
from tellapart.data.mask_targets import IGNORED, MaskFile
from tellapart.data.masks import read_mask
from tellapart.errors import PictureError, TellapartError
from tests.data.mask_data import write_picture

quick = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
ODD: tuple[Any, ...] = (
    *(None, True, -1, 0, 7, 10**12, 0.5, math.nan, math.inf, "", "x", "a.jpg", "../../etc/passwd", "/etc/passwd", "\0"),
    *(
        [],
        {},
        [[]],
        [1, 2],
        [[1, 2], [3, 4]],
        [[0, 0, 6, 0, 6, 8]],
        {"counts": [96], "size": [8, 12]},
        {"counts": "P0"},
    ),
)
COCO = {
    "images": [
        {"id": 0, "file_name": "a.jpg", "width": 12, "height": 8},
        {"id": 1, "file_name": "b.jpg", "width": 12, "height": 8},
    ],
    "annotations": [
        {"id": 0, "image_id": 0, "category_id": 1, "segmentation": [[0, 0, 6, 0, 6, 8]], "iscrowd": 0},
        {
            "id": 1,
            "image_id": 0,
            "category_id": 2,
            "segmentation": {"counts": [8, 80, 8], "size": [8, 12]},
            "iscrowd": 1,
        },
        {"id": 2, "image_id": 1, "category_id": 2, "segmentation": [[1, 1, 9, 1, 9, 7, 1, 7]]},
    ],
    "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
}
LABELME = {
    "imagePath": "a.jpg",
    "imageWidth": 12,
    "imageHeight": 8,
    "shapes": [
        {"label": "cat", "points": [[0, 0], [6, 0], [6, 8]], "shape_type": "polygon"},
        {"label": "dog", "points": [[1, 1], [5, 5]], "shape_type": "rectangle"},
        {"label": "hen", "points": [[6, 4], [8, 4]], "shape_type": "circle"},
        {"label": "__ignore__", "points": [[6, 4], [8, 6]], "shape_type": "mask", "mask": "aaaa"},
    ],
}


def changed(value: Any, draw: random.Random, chance: float) -> Any:
    """The same with some of what is in it exchanged for something odd, or left out."""
    if draw.random() < chance:
        return draw.choice(ODD)
    if isinstance(value, dict):
        return {key: changed(inner, draw, chance) for key, inner in value.items() if draw.random() > chance / 4}
    return [changed(inner, draw, chance) for inner in value] if isinstance(value, list) else value


def check(folder: Path, **told: str | None) -> Listing | None:
    """Read and settle a folder: refused in words, or every mask is what its target says."""
    try:
        listing = read_listing(folder, ReadOptions(**{"task": "segmentation", **told}))  # type: ignore[arg-type]
        inspections = [Inspection(file_hash="a" * 64, width=12, height=8) for _ in listing.entries]
        listing, inspections = settle_masks(listing, inspections)
    except TellapartError:
        return None
    for entry in listing.entries:
        assert entry.path.is_relative_to(folder)
        assert isinstance(entry.target, MaskFile)
        assert MaskFile.read(entry.target.text) == entry.target
        mask = read_mask(entry.target, listing.classes)
        assert (mask.shape, mask.dtype) == ((8, 12), np.uint8)
        for number, name in enumerate(listing.classes):
            assert np.count_nonzero(mask == number) == entry.target.areas.get(name, 0)
        assert mask[mask != IGNORED].max(initial=0) < max(1, len(listing.classes))
    counts = count_masks(listing.entries, inspections, listing.classes, listing.faults, listing.absent)
    json.dumps(counts.as_json())
    for words in (*mask_warnings(counts, str), *mask_notes(counts, str), *mask_lines(counts)):
        assert words
    return listing


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("masks")
    for number, name in enumerate("ab"):
        write_picture(folder / f"{name}.jpg", seed=number)
    return folder


@quick
@given(seed=st.integers(0, 2**32), form=st.sampled_from(["coco", "labelme"]))
def test_shapes(pictures: Path, seed: int, form: str) -> None:
    draw = random.Random(seed)
    path = pictures / "a.json"
    content = changed(COCO if form == "coco" else LABELME, draw, draw.choice((0.02, 0.1, 0.3)))
    text = json.dumps(content)
    if draw.random() < 0.2:
        place = draw.randrange(len(text) + 1)
        text = text[:place] + draw.choice(("", "}", "\0", '"', "é")) + text[place + draw.randrange(9) :]
    path.write_text(text, encoding="utf-8")
    os.utime(path, ns=(seed, seed))  # another file for whoever keeps the last ones
    try:
        check(pictures, ignore_label=draw.choice((None, "none", "cat", "255")))
    finally:
        path.unlink()


def test_shapes_that_are_whole_are_read(pictures: Path) -> None:
    """So that the search above does not search nothing."""
    for content in (COCO, LABELME):
        path = pictures / "a.json"
        path.write_text(json.dumps(content).replace("aaaa", png()))
        os.utime(path, ns=(1 + len(content), 1))
        listing = check(pictures)
        path.unlink()
        assert listing is not None
        assert {"background", "cat", "dog"} <= set(listing.classes)


def png() -> str:
    buffer = io.BytesIO()
    Image.new("L", (2, 2), 1).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


@quick
@given(seed=st.integers(0, 2**32), kind=st.sampled_from(["PNG", "TIFF", "BMP", "GIF", "PPM"]))
def test_files_of_pixels(seed: int, kind: str) -> None:
    draw = random.Random(seed)
    shape = draw.choice([(8, 12), (8, 12, 3), (1, 1), (3, 70)])
    pixels = np.random.default_rng(seed).integers(0, draw.choice([2, 3, 40, 256]), shape, dtype=np.uint8)
    image = Image.fromarray(pixels)
    if image.mode == "L":
        image = image.convert(draw.choice(["L", "1"] if kind == "PPM" else ["L", "P", "1"]))
    buffer = io.BytesIO()
    image.save(buffer, kind)
    data = bytearray(buffer.getvalue())
    for _ in range(draw.choice([0, 1, 5, 40])):
        data[draw.randrange(len(data))] = draw.randrange(256)
    data = data[: draw.choice([len(data), len(data) // 2])]
    try:
        found = read_values(bytes(data))
    except PictureError:
        return
    assert found.indices.dtype == np.uint8
    assert list(found.values) == sorted(set(found.values))
    assert found.indices.max() < len(found.values) <= 256
    assert not found.palette or len(found.palette) == len(found.values)


@quick
@given(text=st.text(st.characters(codec="utf-8"), max_size=60), told=st.booleans())
def test_names_of_classes(pictures: Path, text: str, told: bool) -> None:
    path = pictures / "classes.txt"
    path.write_text(text, encoding="utf-8")
    try:
        for read in (
            read_names,
            lambda text: read_class_file(str(path)),
            lambda text: told_values(ReadOptions(), [str(path)], str(pictures)),
        ):
            try:
                found = read(text)
            except TellapartError:
                continue
            if found is not None:
                assert "" not in found.names or not found.names
                assert set(found.numbers.values()) | set(found.colours.values()) <= set(found.names)
        read_uncounted(text)
    finally:
        path.unlink()


LINES = st.lists(
    st.text(st.sampled_from("ab0123456789 ,:;#\t=-"), max_size=16)
    | st.sampled_from(["0 0 0 x", "x,1", "a:1,2,3::", "name,r,g,b"]),
    max_size=6,
)


@quick
@given(lines=LINES)
def test_files_of_names(pictures: Path, lines: list[str]) -> None:
    path = pictures / "classes.txt"
    path.write_text("\n".join(lines))
    try:
        found = read_class_file(str(path))
        assert found is None or (found.names and "" not in found.names)
    except TellapartError:
        pass
    finally:
        path.unlink()


NAME = st.text(st.sampled_from("ab_-. 1"), min_size=1, max_size=6).map(lambda name: name.strip(". ") or "x")
FOLDER = st.sampled_from(["images", "masks", "label", "train", "val", "trainannot", "cell", "wall", "标注", "color"])


@quick
@given(
    names=st.lists(
        st.tuples(st.lists(FOLDER, max_size=3), NAME, st.sampled_from([".png", ".jpg", ".txt"])), max_size=14
    )
)
def test_pairs_by_names(names: list[tuple[list[str], str, str]]) -> None:
    paths = {"/root/" + "/".join([*folders, name + end]) for folders, name, end in names}
    try:
        found = find_pairs("/root", paths)
    except TellapartError:
        return
    used = [*found.masks.values(), *(path for parts in found.parts.values() for _, path in parts)]
    shown = [*found.masks, *found.parts]
    assert set(used) | set(shown) <= paths
    assert not set(found.masks) & set(found.parts)
    assert not set(shown) & set(found.without_mask)
    assert not set(used) & set(found.without_picture)
    # No file is a picture and a mask.
    assert not (set(shown) | set(found.without_mask)) & (set(used) | set(found.without_picture))


@quick
@given(text=st.text(st.sampled_from("ab.jpgpn/\\ \t,\n\0é"), max_size=80))
def test_lists(tmp_path: Path, text: str) -> None:
    path = tmp_path / "train.txt"
    path.write_text(text, encoding="utf-8")
    files = BoxFiles(str(tmp_path), [str(path), *(str(tmp_path / name) for name in ("a.jpg", "b.png", "images/a.jpg"))])
    found = read_lists(files)
    assert {*found.masks, *found.masks.values(), *found.listed} <= set(files.pictures)


@quick
@given(
    text=st.text(st.characters(min_codepoint=40, max_codepoint=120), max_size=30),
    points=st.lists(st.tuples(*[st.floats(allow_nan=True)] * 2), max_size=8),
)
def test_runs_and_points(text: str, points: list[tuple[float, float]]) -> None:
    with contextlib.suppress(PictureError):
        assert fill_runs(read_runs(text), (5, 4)).shape == (4, 5)
    with contextlib.suppress(PictureError):
        part, (left, top) = fill_polygon(np.array(points, dtype=np.float64).reshape(-1, 2), (5, 4))
        assert 0 <= left <= left + part.shape[1] <= 5
        assert 0 <= top <= top + part.shape[0] <= 4


KEYS = ("mask", "values", "pixels", "form", "item", "parts", "size", "turned", "digest", "more")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 300) | st.sampled_from(["", "coco", "parts", "x"]),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


@quick
@given(content=st.dictionaries(st.sampled_from(KEYS), JSON))
def test_texts_of_targets(content: dict[str, Any]) -> None:
    for more in (content, {"mask": "m.png", "values": ["a", ""], "pixels": [3, 4], **content}):
        try:
            found = MaskFile.read(json.dumps(more))
        except ValueError:
            continue
        assert MaskFile.read(found.text) == found
        assert found.said
