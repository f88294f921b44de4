"""Which pictures prove an export. In: the bytes of pictures, or none. Out: at most ten of them. Next: golden.py.

Those that go wrong first: over twice the network's input, turned by EXIF, grey, with transparency, of each format; then others,
evenly through the list. Where pictures may not leave the house, made ones stand in, of the same kinds; and where there are none of
those that go wrong first.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MOST = 10  # pictures
MOST_PIXELS = 4_000_000  # of one: its pixels are kept without loss
_LOOKED_AT = 300  # candidates
_ORIENTATION = 0x0112
# What goes wrong first, and the made picture that stands in where no other is of that kind.
_NEEDED: Mapping[str, frozenset[str]] = {
    "large.png": frozenset({"over 2 times"}),
    "large.jpg": frozenset({"JPEG", "over 4 times"}),  # these are decoded smaller
    "turned.jpg": frozenset({"turned"}),
}


class GoldenPicture(NamedTuple):
    """A picture that proves something."""

    name: str  # of its file
    data: bytes
    made: bool = False  # for the purpose; it shows nothing


class OfferedPicture(NamedTuple):
    """A picture that may be taken, not yet read."""

    name: str
    read: Callable[[], bytes]


def choose(sources: Sequence[OfferedPicture], *, size: int) -> list[GoldenPicture]:
    """At most ten pictures, one of each kind first; those that cannot be opened or are over four million pixels are passed over.

    `size` is the side of the network's input, in pixels. At most 300 are looked at, evenly through the list.
    """
    usable = [(one, kinds) for one in _spread(sources, _LOOKED_AT) if (kinds := _kinds(one, size))]
    found: list[OfferedPicture] = []
    seen: set[str] = set()
    for one, kinds in usable:
        if len(found) < MOST and not kinds <= seen:
            seen |= kinds
            found.append(one)
    others = [one for one, _ in usable if one not in found]
    return [GoldenPicture(one.name, one.read()) for one in (*found, *_spread(others, MOST - len(found)))]


def completed(pictures: Sequence[GoldenPicture], *, size: int) -> list[GoldenPicture]:
    """At most ten pictures: these, but for the last ones, where made ones must stand in for kinds that all lack.

    The kinds are those that programs of others get wrong first: over twice the network's `size`, a JPEG over four times as large,
    turned by EXIF.
    """
    kinds = [_kinds(OfferedPicture(one.name, partial(bytes, one.data)), size) for one in pictures]
    lacking = [name for name, needed in _NEEDED.items() if not any(needed <= own for own in kinds)]
    made = [one for one in made_pictures(size) if one.name in lacking]
    return [*pictures[: MOST - len(made)], *made]


def _spread(sources: Sequence[OfferedPicture], most: int) -> list[OfferedPicture]:
    places = np.linspace(0, len(sources) - 1, min(len(sources), most)).round().astype(int)
    return [sources[place] for place in places.tolist()]


def _kinds(source: OfferedPicture, size: int) -> frozenset[str]:
    """What is special about a picture; nothing where it cannot be taken."""
    try:
        image = Image.open(io.BytesIO(source.read()))
        turned = int(image.getexif().get(_ORIENTATION, 1)) > 1
    except Exception:  # damaged bytes are answered in many ways, and all mean: not this one
        return frozenset()
    if image.width * image.height > MOST_PIXELS:
        return frozenset()
    times = min(image.width, image.height) / size
    found = {str(image.format), f"mode {image.mode}", "tall" if image.height > image.width else "wide"}
    found |= {f"over {one} times" for one in (2, 4, 8) if times >= one} | ({"small"} if times < 1 else set())
    return frozenset(found | ({"turned"} if turned else set()))


def made_pictures(size: int) -> list[GoldenPicture]:
    """Ten pictures that show nothing and nobody, always the same: every kind that `choose` looks for."""
    return [GoldenPicture(name, data, made=True) for name, data in _made(size)]


def _made(size: int) -> Iterator[tuple[str, bytes]]:
    plan: Iterable[tuple[str, float, float, str, dict[str, object]]] = [
        ("same.png", 1, 1, "RGB", {}),
        ("wide.png", 2.6, 1.3, "RGB", {}),
        ("tall.png", 0.9, 3.1, "RGB", {}),
        ("large.png", 6.4, 6.2, "RGB", {}),
        ("small.png", 0.4, 0.3, "RGB", {}),
        ("grey.png", 1.7, 1.2, "L", {}),
        ("clear.png", 1.5, 1.6, "RGBA", {}),
        ("wide.jpg", 2.2, 1.4, "RGB", {"quality": 90}),
        ("large.jpg", 5.3, 4.1, "RGB", {"quality": 85}),
        ("turned.jpg", 2.4, 1.5, "RGB", {"quality": 95, "subsampling": 0, "exif": _turned()}),
    ]
    scale = min(size, 300)  # a larger network's pictures would be large files for no gain
    for number, (name, wide, high, mode, more) in enumerate(plan):
        pixels = _pattern(max(8, round(wide * scale)), max(8, round(high * scale)), number)
        shown = {"RGB": pixels[..., :3], "L": pixels[..., 0], "RGBA": pixels}[mode]
        file = io.BytesIO()
        Image.fromarray(shown).save(file, "JPEG" if name.endswith("jpg") else "PNG", **more)
        yield name, file.getvalue()


def _turned() -> Image.Exif:
    exif = Image.Exif()
    exif[_ORIENTATION] = 6
    return exif


def _pattern(width: int, height: int, number: int) -> NDArray[np.uint8]:
    """Waves that grow finer to the right, and a grain: uint8 [H, W, 4]. What filters do differently shows at once."""
    random = np.random.default_rng(number)
    across, down = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    phases = np.array([0.0, 1.1, 2.3, 3.7]) + number
    waves = np.sin(40 * across[..., None] ** 2 * (1 + number % 3) + 9 * down[..., None] + phases)
    return np.asarray(np.clip(128 + 90 * waves + random.normal(0, 12, (height, width, 4)), 0, 255).astype(np.uint8))
