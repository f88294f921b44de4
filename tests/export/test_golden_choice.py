"""Which pictures prove an export. In: made pictures of every kind. Out: those that are taken."""

from __future__ import annotations

import io
from collections import Counter

import numpy as np
from PIL import Image

from tellapart.export.golden_choice import MOST, GoldenPicture, OfferedPicture, choose, completed, made_pictures
from tellapart.preprocessing import Preprocessing, decode_for


def offered(name: str, width: int, height: int, mode: str = "RGB", **more: object) -> OfferedPicture:
    file = io.BytesIO()
    Image.new(mode, (width, height)).save(file, "PNG" if name.endswith("png") else "JPEG", **more)
    return OfferedPicture(name, file.getvalue)


def names(pictures: list[GoldenPicture]) -> list[str]:
    return [one.name for one in pictures]


def test_each_kind_is_there_however_rare_and_the_rest_is_spread() -> None:
    exif = Image.Exif()
    exif[0x0112] = 8
    usual = [offered(f"{number:03}.jpg", 90, 60) for number in range(200)]
    rare = [
        offered("large.jpg", 300, 280),
        offered("turned.jpg", 90, 60, exif=exif),
        offered("grey.jpg", 90, 60, "L"),
        offered("clear.png", 90, 60, "RGBA"),
        offered("tall.jpg", 60, 90),
        offered("small.jpg", 40, 20),
    ]
    found = names(choose([*usual[:150], *rare, *usual[150:]], size=50))
    assert len(found) == MOST
    assert {one.name for one in rare} <= set(found)
    others = [int(name[:3]) for name in found if name[0].isdigit()]
    assert others[0] == 0
    assert others[-1] == 199


def test_made_pictures_stand_in_for_what_goes_wrong_first_and_is_not_there() -> None:
    own = [GoldenPicture(f"{number}.png", offered("a.png", 60, 50).read()) for number in range(10)]
    found = completed(own, size=50)
    assert names(found) == [*(f"{number}.png" for number in range(7)), "large.png", "large.jpg", "turned.jpg"]
    assert [one.made for one in found] == [False] * 7 + [True] * 3
    exif = Image.Exif()
    exif[0x0112] = 3
    large = GoldenPicture("large.jpg", offered("large.jpg", 230, 220, exif=exif).read())
    assert completed([large, *own[:9]], size=50) == [large, *own[:9]]
    assert names(completed([large._replace(data=offered("a.png", 230, 220).read()), *own[:3]], size=50))[4:] == [
        "large.jpg",  # a PNG is not decoded smaller
        "turned.jpg",
    ]


def test_what_is_damaged_or_too_large_is_passed_over() -> None:
    damaged = OfferedPicture("damaged.png", lambda: b"\x89PNG\r\n\x1a\n and no more")

    def gone() -> bytes:
        raise FileNotFoundError("gone.png")

    large = offered("large.png", 2500, 1700)
    assert names(choose([damaged, OfferedPicture("gone.png", gone), large, offered("one.png", 9, 9)], size=8)) == [
        "one.png"
    ]
    assert choose([], size=8) == []


def test_made_pictures_are_always_the_same_and_of_every_kind() -> None:
    found = made_pictures(48)
    assert found == made_pictures(48)
    decoded = [decode_for(one.data, Preprocessing(size=48)) for one in found]
    assert Counter(one.mode for one in decoded) == {"RGB": 8, "L": 1, "RGBA": 1}
    assert [one.turned for one in decoded].count(True) == 1
    # One JPEG is large enough to be decoded smaller.
    assert [one.width // one.image.width for one in decoded].count(2) == 1
    assert all(np.asarray(one.image).std() > 20 for one in decoded)
