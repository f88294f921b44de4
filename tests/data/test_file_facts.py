"""data/file_facts.py: what a header says, against files that were written so."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import ExifTags, Image

from tellapart.data.file_facts import CONTAINER, fact_names, read_facts
from tellapart.errors import PictureError


def _jpeg(path: Path, **how: object) -> Path:
    picture = Image.effect_noise((60, 40), 50).convert("RGB")
    picture.save(path, **how)
    return path


def test_size_and_compression_of_a_jpeg(tmp_path: Path) -> None:
    fine = read_facts(_jpeg(tmp_path / "fine.jpg", quality=95, subsampling=0))
    coarse = read_facts(_jpeg(tmp_path / "coarse.jpg", quality=60, subsampling=2, progressive=True))
    assert fine.of("size") == (60.0, 40.0, 1.5)
    assert fine.of("format") == ("JPEG",)
    assert fine.of("mode") == ("RGB",)
    assert (fine.facts["subsampling"], coarse.facts["subsampling"]) == ("4:4:4", "4:2:0")
    assert (fine.facts["progressive"], coarse.facts["progressive"]) == (None, "yes")
    with Image.open(tmp_path / "coarse.jpg") as picture:
        tables = picture.quantization  # type: ignore[attr-defined]
    assert coarse.of("compression")[:2] == (sum(tables[0]), sum(tables[1]))
    assert fine.facts["bytes a pixel"] == (tmp_path / "fine.jpg").stat().st_size / 2400


def test_the_camera_and_the_day_are_read_of_exif(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = "Maker", "One\0"
    exif[ExifTags.Base.Software], exif[ExifTags.Base.Orientation] = "Program", 6
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2020:02:03 23:59:59"
    facts = read_facts(_jpeg(tmp_path / "a.jpg", exif=exif, dpi=(72, 72)))
    assert facts.of("camera")[:4] == ("Maker", "One", "Program", "6")
    assert facts.of("date") == (737458.0,)  # the day alone
    assert facts.facts["resolution"] is not None


def test_what_a_file_does_not_say_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("L", (3, 2)).save(path)
    facts = read_facts(path)
    assert facts.of("compression") == (None, None, None, None)
    assert facts.of("camera") == (None,) * 6
    assert facts.of("date") == (None,)
    assert facts.of("mode") == ("L",)


def test_a_broken_date_is_none(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.DateTime] = "0000:00:00 00:00:00"
    assert read_facts(_jpeg(tmp_path / "a.jpg", exif=exif)).of("date") == (None,)


@pytest.mark.parametrize(
    ("name", "pattern", "number", "length"),
    [
        ("IMG_0042.jpg", "IMG_9.jpg", 42.0, 8.0),
        ("Cat.12.jpg", ".9.jpg", 12.0, 3.0),  # the class is in the name since somebody wrote it there
        ("Y1 - copy 3.JPG", "Y9 - copy 9.JPG", 3.0, 11.0),
        ("d41d8cd98f00b204.jpg", "#.jpg", 204.0, 16.0),
        ("photo.jpg", "photo.jpg", None, 5.0),
    ],
)
def test_names_become_patterns(tmp_path: Path, name: str, pattern: str, number: float | None, length: float) -> None:
    assert read_facts(_jpeg(tmp_path / name, format="JPEG"), ("cat", "dog", "")).of("name") == (pattern, number, length)


def test_every_fact_is_of_one_kind(tmp_path: Path) -> None:
    facts = read_facts(_jpeg(tmp_path / "a.jpg")).facts
    names = [name for kind in (*CONTAINER, "bytes", "name") for name in fact_names(kind)]
    assert sorted(names) == sorted(facts)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\xff\xd8\xff\xe0 cut"])
def test_what_is_no_picture_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(PictureError, match="its header cannot be read"):
        read_facts(tmp_path / "a.jpg")
