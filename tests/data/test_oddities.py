"""What an audit says of odd, deep and elongated pictures. Expected measures of light and blur are CleanVision 0.3.7's."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tellapart.data.audit import audit_json, findings
from tellapart.data.examples import Entry, Listing
from tellapart.data.inspection import inspect_all
from tellapart.data.looks import kinds, look_at, size_limits
from tellapart.data.shapes import share_elongated
from tellapart.data.survey import Audit, build_audit
from tellapart.data.targets import ClassName

RANDOM = np.random.default_rng(0)


def textured(width: int = 96, height: int = 96) -> NDArray[np.uint8]:
    blocks = RANDOM.integers(0, 256, (-(-height // 8), -(-width // 8), 3), dtype=np.uint8)
    return np.kron(blocks, np.ones((8, 8, 1), dtype=np.uint8))[:height, :width]


def kinds_of(pixels: NDArray[np.uint8]) -> list[str]:
    image = Image.fromarray(pixels)
    return list(kinds(look_at(image, image.convert("L")), width=image.width, height=image.height, deep=False))


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (textured, []),
        (lambda: np.full((64, 64, 3), 130, dtype=np.uint8), ["one colour"]),
        (lambda: np.zeros((1, 1, 3), dtype=np.uint8), ["one colour"]),
        (lambda: textured(200, 60), ["odd shape"]),
        (lambda: textured(200, 80), []),
        (lambda: textured() // 5, ["dark"]),
        (lambda: 255 - textured() // 30, ["light"]),
        (
            lambda: np.repeat(np.where(np.arange(9216) < 800, 200, 40), 3).reshape(96, 96, 3).astype(np.uint8),
            ["low information"],
        ),
        (
            lambda: np.add.outer(*[np.linspace(0, 110, 96)] * 2)[..., None].repeat(3, axis=2).astype(np.uint8),
            ["blurry"],
        ),
    ],
)
def test_kinds_of_pictures(make: Callable[[], NDArray[np.uint8]], expected: list[str]) -> None:
    assert kinds_of(make()) == expected


def test_usual_sizes() -> None:
    assert size_limits([100.0] * 9) == pytest.approx((100 / 9, 900))
    # Sides 10, 20, 30, 40, 50: the box is from 20 to 40.
    assert size_limits([100, 400, 900, 1600, 2500]) == pytest.approx((0, 100**2))


def audited(folder: Path, pictures: dict[str, NDArray[Any]], **options: Any) -> Audit:
    entries = []
    for name, values in pictures.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values).save(path, **options)
        entries.append(Entry(path=path, target=ClassName(path.parent.name), split=None))
    entries.sort(key=lambda entry: entry.path)
    listing = Listing(
        source=folder, entries=tuple(entries), classes=tuple(sorted({e.path.parent.name for e in entries}))
    )
    return build_audit(listing, inspect_all([entry.path for entry in entries], workers=1))


def told(audit: Audit) -> str:
    return "\n".join(f"{one.severity}: {one.message}" for one in findings(audit))


def test_odd_pictures_are_named(tmp_path: Path) -> None:
    pictures = {f"a/{number}.png": textured() for number in range(20)}
    pictures |= {"a/dot.png": textured(1, 1), "b/long.png": textured(2000, 8), "b/night.png": textured() // 5}
    audit = audited(tmp_path, pictures)
    assert audit_json(audit)["odd"] == {
        "one colour": [str(tmp_path / "a/dot.png")],
        "odd shape": [str(tmp_path / "b/long.png")],
        "odd size": [str(tmp_path / "a/dot.png")],
        "dark": [str(tmp_path / "b/night.png")],
    }
    text = told(audit)
    assert "warning: one colour: 1 picture, such as a/dot.png; there is nothing to see in them." in text
    assert "note: dark: 1 picture, such as b/night.png" in text
    assert "3:2" not in text


def test_elongated_sets_are_told_and_are_not_odd(tmp_path: Path) -> None:
    audit = audited(tmp_path, {f"a/{number}.png": textured(400, 64) for number in range(6)})
    assert audit_json(audit)["elongated"] == 1
    assert (
        "warning: 100 % of the pictures are longer than 3:2; cropped to the middle, 84 % of such a picture is not seen."
        in told(audit)
    )
    assert "--set network.fit=squash" in told(audit)
    assert not audit_json(audit)["odd"]
    assert share_elongated([(512, 341), (341, 512), (600, 400), (610, 400), (1, 1)]) == 0.2


def test_deep_grey_has_one_range_for_the_data_set(tmp_path: Path) -> None:
    dark, bright = (np.arange(0, most, most // 100, dtype=np.uint16).reshape(-1, 10)[:10] for most in (1000, 4000))
    audit = audited(tmp_path, {"dark/1.png": dark, "bright/1.png": bright})
    assert audit.depths is not None
    assert audit.depths.span == (0, 4095)
    assert audit_json(audit)["depth"] | {"outside": 0} == {
        "pictures": 2,
        "windowed": 0,
        "lowest": 0,
        "highest": 3960,
        "range": [0, 4095],
        "outside": 0,
    }
    assert (
        "note: more than 8 bits a pixel: 2 pictures, values from 0 to 3960; all are read by one range, 0:4095"
        in told(audit)
    )


def test_deep_pictures_that_do_not_fit_and_hot_pixels_are_told(tmp_path: Path) -> None:
    hot = RANDOM.integers(0, 4000, (100, 100)).astype(np.uint16)
    hot[0, 0] = 65535
    tiny = RANDOM.integers(0, 200, (100, 100)).astype(np.uint16)
    text = told(audited(tmp_path, {"a/hot.png": hot, "a/tiny.png": tiny}))
    assert "warning: 2 pictures of more than 8 bits do not fit into the range of the others, such as a/hot.png" in text
    assert "a few pixels reach 65535, while 999 of 1,000 in every picture are at most 39" in text


def test_what_is_remembered_of_a_deep_picture_does_not_depend_on_others(tmp_path: Path) -> None:
    """Its hash is of the values; an 8-bit picture that looks the same stretched is no copy, and one of half the light neither."""
    values = RANDOM.integers(0, 4096, (64, 64)).astype(np.uint16)
    twice = values * 2  # stretched, it looks the same
    audit = audited(
        tmp_path,
        {"a/1.png": values, "a/2.png": twice, "a/3.tif": values, "a/4.png": (values // 16).astype(np.uint8)},
    )
    assert [[path.name for path in cluster] for cluster in audit.exact_copies] == [["1.png", "3.tif"]]


def test_colour_profiles_and_bands_are_told(tmp_path: Path) -> None:
    audit = audited(tmp_path, {"a/1.png": textured(), "a/2.png": textured()}, icc_profile=b"no profile")
    assert "warning: broken colour profiles, which are ignored: 2 pictures, such as a/1.png" in told(audit)
    tifffile = pytest.importorskip("tifffile")
    file = io.BytesIO()
    values = RANDOM.integers(0, 256, (16, 16, 7), dtype=np.uint8)
    tifffile.imwrite(file, values, photometric="minisblack", planarconfig="contig")
    path = tmp_path / "a" / "7.tif"
    path.write_bytes(file.getvalue())
    listing = Listing(source=tmp_path, entries=(Entry(path=path, target=ClassName("a"), split=None),), classes=("a",))
    audit = build_audit(listing, inspect_all([path], workers=1))
    assert (
        "note: pictures of which only a part is read: 1, their bands 1, 2 and 3 of 7 as red, green and blue."
        in told(audit)
    )
