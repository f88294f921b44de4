"""What a picture's file says without its pixels. In: bytes. Out: FileFacts. Next: training/fact_trees.py.

A class that was photographed with another camera, saved by another program or cut to another size can be told by these alone. What
only the container knows (size, format, compression, camera) stands apart from what the content moves, too (how many bytes a pixel
took), and from the name, which a network never sees.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from PIL import ExifTags, Image, JpegImagePlugin

from tellapart.errors import PictureError
from tellapart.runtime import cores
from tellapart.sources.reading import read_bytes
from tellapart.threads import as_they_come

FactKind = Literal["size", "format", "mode", "compression", "camera", "date", "bytes", "name"]

# What a model may have learned instead of the object; the others are told beside it.
CONTAINER: tuple[FactKind, ...] = ("size", "format", "mode", "compression", "camera", "date")

_FACTS: Mapping[FactKind, tuple[str, ...]] = {
    "size": ("width", "height", "aspect"),
    "format": ("format",),
    "mode": ("mode",),
    "compression": ("luminance table", "chroma table", "subsampling", "progressive"),
    "camera": ("maker", "model", "software", "orientation", "resolution", "profile"),
    "date": ("date",),
    "bytes": ("bytes a pixel",),
    "name": ("pattern", "number", "length"),
}
_SAMPLINGS = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}
_LETTERS = 60  # of a text that is kept; some programs write whole novels into a field
_DATES = (
    (ExifTags.Base.DateTimeOriginal, True),
    (ExifTags.Base.DateTimeDigitized, True),
    (ExifTags.Base.DateTime, False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """The facts of one file by name; a number, a text, or None where the file does not say."""

    facts: Mapping[str, float | str | None]

    def of(self, kind: FactKind) -> tuple[float | str | None, ...]:
        """Those of one kind, in a fixed order."""
        return tuple(self.facts[name] for name in _FACTS[kind])


def fact_names(kind: FactKind) -> tuple[str, ...]:
    """What the facts of a kind are called, in the order of FileFacts.of."""
    return _FACTS[kind]


def read_facts(path: Path, classes: Sequence[str] = ()) -> FileFacts:
    """The facts of a picture's file. Raises: PictureError where it cannot be read as a picture.

    `classes` are names that are taken out of the file's own: cat.1.jpg tells its class because somebody wrote it there.
    """
    try:
        data = read_bytes(path)
        with Image.open(io.BytesIO(data)) as picture:
            facts = _of_picture(picture, len(data))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise PictureError(f"its header cannot be read: {error}") from None
    return FileFacts(facts=facts | _of_name(path.name, classes))


def read_all_facts(
    paths: Sequence[Path], classes: Sequence[str], *, advance: Callable[[int], None] | None = None
) -> list[FileFacts | None]:
    """The same of many, on all cores; None where a header is of a format that only its own library reads, or broken."""
    found: list[FileFacts | None] = [None] * len(paths)

    def read(place: int) -> tuple[int, FileFacts | None]:
        try:
            return place, read_facts(paths[place], classes)
        except PictureError:
            return place, None

    for place, facts in as_they_come(range(len(paths)), read, workers=cores(), name="facts"):
        found[place] = facts
        if advance is not None:
            advance(1)
    return found


def _of_picture(picture: Image.Image, size: int) -> dict[str, float | str | None]:
    width, height = picture.size
    tables = getattr(picture, "quantization", None) or {}
    sampling = None
    if isinstance(picture, JpegImagePlugin.JpegImageFile):
        sampling = _SAMPLINGS.get(JpegImagePlugin.get_sampling(picture), "other")
    return {
        "width": float(width),
        "height": float(height),
        "aspect": width / height,
        "format": picture.format,
        "mode": picture.mode,
        "luminance table": _sum(tables.get(0)),
        "chroma table": _sum(tables.get(1)),
        "subsampling": sampling,
        "progressive": "yes" if picture.info.get("progressive") else None,
        "resolution": _text(picture.info.get("dpi")),
        "profile": "yes" if picture.info.get("icc_profile") else None,
        "bytes a pixel": size / (width * height),
        **_of_exif(picture),
    }


def _of_exif(picture: Image.Image) -> dict[str, float | str | None]:
    found: dict[str, float | str | None] = dict.fromkeys(("maker", "model", "software", "orientation", "date"))
    with contextlib.suppress(Exception):  # EXIF is written by thousands of programs; what is broken says nothing
        exif = picture.getexif()
        inner = exif.get_ifd(ExifTags.IFD.Exif)
        found["maker"], found["model"] = _text(exif.get(ExifTags.Base.Make)), _text(exif.get(ExifTags.Base.Model))
        found["software"] = _text(exif.get(ExifTags.Base.Software))
        found["orientation"] = _text(exif.get(ExifTags.Base.Orientation))
        dates = (_day((inner if nested else exif).get(tag)) for tag, nested in _DATES)
        found["date"] = next((date for date in dates if date is not None), None)
    return found


def _day(value: Any) -> float | None:
    """The day, from the year 1, of a date as EXIF writes it; the hour would tell the order within a series, too."""
    try:
        return float(datetime.strptime(str(value)[:10], "%Y:%m:%d").toordinal())
    except ValueError:
        return None


def _of_name(name: str, classes: Sequence[str]) -> dict[str, float | str | None]:
    stem = Path(name).stem
    for word in sorted(filter(None, classes), key=len, reverse=True):
        stem = re.sub(re.escape(word), "", stem, flags=re.IGNORECASE)
    numbers = re.findall(r"\d+", stem)
    pattern = re.sub(r"[0-9a-f]{8,}", "#", stem, flags=re.IGNORECASE)  # a hash says nothing of where it came from
    pattern = re.sub(r"\d+", "9", pattern)
    return {
        "pattern": pattern[:_LETTERS] + Path(name).suffix,
        "number": float(numbers[-1][:15]) if numbers else None,
        "length": float(len(stem)),
    }


def _sum(table: Sequence[int] | None) -> float | None:
    return None if table is None else float(sum(table))


def _text(value: Any) -> str | None:
    text = "" if value is None else str(value).strip("\0 ")
    return text[:_LETTERS] or None
