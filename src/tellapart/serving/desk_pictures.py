"""Pictures as a browser can show them. In: a file that we can decode. Out: PNG or JPEG, upright. Next: desk.py.

Whatever the file is (TIFF, DICOM, HEIC, turned by EXIF, 16 bits), the page gets what our own decoding makes of it, so that a person
sees what a network sees. The last ones are kept, and those that come next are asked for ahead.
"""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections import OrderedDict
from dataclasses import dataclass

from PIL import Image

from tellapart.decoding import Reading, decode
from tellapart.errors import PictureError
from tellapart.sources.reading import read_bytes

SIDE = 1600  # pixels of the longer side that is shown, unless the whole picture is asked for
_LONGEST = (
    65_536  # pixels that a JPEG can have; one is decoded at a reduced scale only where it is larger than asked for
)
_LOSSLESS = 512 * 512  # pixels, up to which a picture is sent as it is
_KEPT = 64 * 1024 * 1024  # bytes of made pictures
_QUALITY = 92


@dataclass(frozen=True, slots=True, kw_only=True)
class MadePicture:
    """A picture as it goes to the browser."""

    data: bytes
    kind: str  # image/png or image/jpeg
    tag: str  # ETag: changes with the file


class PictureMaker:
    """Makes them, and keeps some; safe for several threads."""

    def __init__(self, *, span: Reading = "own", kept_bytes: int = _KEPT) -> None:
        """`span` is what is black and white in pictures of more than 8 bits; "own": by each picture itself."""
        self._span, self._most = span, kept_bytes
        self._made: OrderedDict[str, MadePicture] = OrderedDict()
        self._bytes, self._one_at_a_time = 0, threading.Lock()

    def tag(self, file: str, *, whole: bool = False) -> str:
        """What a browser knows a picture by; "" where the file is in an archive or not there."""
        try:
            status = os.stat(file)
        except (OSError, ValueError):
            return ""
        facts = (file, status.st_mtime_ns, status.st_size, whole, self._span)
        return f'"{hashlib.sha256(repr(facts).encode("utf-8", "surrogateescape")).hexdigest()[:32]}"'

    def make(self, file: str, *, whole: bool = False) -> MadePicture:
        """A file as PNG or JPEG, its longer side at most SIDE pixels, or `whole`. Raises: PictureError."""
        tag = self.tag(file, whole=whole)
        with self._one_at_a_time:
            if tag in self._made:
                self._made.move_to_end(tag)
                return self._made[tag]
        shown = _shown(_read(file), self._span, tag, whole=whole)
        with self._one_at_a_time:
            if tag and tag not in self._made:
                self._made[tag] = shown
                self._bytes += len(shown.data)
                while self._bytes > self._most:
                    _, gone = self._made.popitem(last=False)
                    self._bytes -= len(gone.data)
        return shown


def _read(file: str) -> bytes:
    try:
        return read_bytes(file)
    except (OSError, ValueError) as error:
        raise PictureError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _shown(data: bytes, span: Reading, tag: str, *, whole: bool) -> MadePicture:
    image = decode(data, target=_LONGEST if whole else SIDE, span=span).image
    if not whole:
        image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    if image.width * image.height <= _LOSSLESS:
        image.save(file, "PNG", compress_level=1)
        return MadePicture(data=file.getvalue(), kind="image/png", tag=tag)
    image.save(file, "JPEG", quality=_QUALITY, subsampling=0)
    return MadePicture(data=file.getvalue(), kind="image/jpeg", tag=tag)
