"""Pictures and texts become what is sent. In: paths, bytes, images, arrays, texts. Out: groups of items. Next: retries.py."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tellapart.answers import given
from tellapart.answers.formats import FORMAT_OF_EXTENSION
from tellapart.answers.given import GivenItem, PictureLike, encoded
from tellapart.answers.given_texts import gather_texts
from tellapart.answers.items import PathItem, read_item
from tellapart.errors import PictureError

MOST_PICTURES = 8  # of one request: as many as the server runs at once
MOST_TEXTS = 32  # of one request; those of all that a client has under way fit the server's usual queue
MOST_BYTES = 16 * 1024 * 1024  # of one request, unless one picture alone has more; the server takes 64 MiB by default


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A picture on its way to the server, or why it is not."""

    name: str  # its path; "" where it has none
    data: bytes = b""  # of a picture file, or of a text in UTF-8
    error: str = ""
    skip: bool = False  # nobody named it, and it is no picture: it gets no row


def gather(
    pictures: PictureLike | Sequence[PictureLike], *, allow_private: bool = False, texts: bool = False
) -> Iterator[Item]:
    """One item a picture, in order, of all that `tellapart.load(...).predict` takes; of `texts`, one a text.

    Raises: DataError for what is none.
    """
    for item in gather_texts(pictures) if texts else given.gather(pictures):
        yield read(item, allow_private=allow_private)


def read(source: PathItem | GivenItem, *, allow_private: bool = False) -> Item:
    """What was given, or the file behind a path or an address, as `tellapart predict` reads it."""
    if isinstance(source, GivenItem):
        return Item(name=source.path, data=encoded(source.data), error=source.error)
    try:
        data = read_item(source, allow_private=allow_private)
    except PictureError as error:
        return Item(name=source.path, error=str(error), skip=_unasked(source))
    if _unasked(source) and not _is_picture(data):
        return Item(name=source.path, error="not a picture in a known format", skip=True)
    return Item(name=source.path, data=data)


def group(items: Iterable[Item], *, most: int = MOST_PICTURES) -> Iterator[list[Item]]:
    """Items in lists, each for one request; those that are skipped are gone."""
    current: list[Item] = []
    size = 0
    for item in items:
        if item.skip:
            continue
        if current and (len(current) >= most or size + len(item.data) > MOST_BYTES):
            yield current
            current, size = [], 0
        current.append(item)
        size += len(item.data)
    if current:
        yield current


def _unasked(source: PathItem) -> bool:
    # A text file that lies in a folder of pictures is no news; one that the user named is.
    return not source.named and Path(source.path).suffix.lower() not in FORMAT_OF_EXTENSION


def _is_picture(data: bytes) -> bool:
    """Whether it claims to be one: a film in the folder should not travel to the server to be refused."""
    from PIL import Image

    try:
        Image.open(io.BytesIO(data)).close()
    except Exception:  # Pillow's readers answer strange bytes with many kinds of exception
        return False
    return True
