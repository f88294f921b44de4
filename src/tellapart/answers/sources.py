"""Answers beside the pictures that they are about. In: sources, what answers them. Out: pairs, bytes. Next: out_names.py."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from PIL import UnidentifiedImageError

from tellapart.answers.formats import FORMAT_OF_EXTENSION
from tellapart.answers.given import GivenItem, encoded
from tellapart.answers.items import PathItem, is_address, read_file, read_item
from tellapart.errors import DataError, PictureError
from tellapart.picture_files import open_picture

Source: TypeAlias = PathItem | GivenItem
Stream: TypeAlias = Callable[[Iterator[Source]], Iterator[Any]]  # pictures -> answers, in order

_USUAL = ".png"


def paired(sources: Iterable[Source], answer: Stream) -> Iterator[tuple[Any, Source]]:
    """Each answer with its source; sources without an answer, which are no pictures, are passed over."""
    waiting: deque[Source] = deque()

    def noted() -> Iterator[Source]:
        for source in sources:
            waiting.append(source)
            yield source

    for one in answer(noted()):
        while waiting[0].path != one.path:
            waiting.popleft()
        yield one, waiting.popleft()


def fetched(sources: Iterable[Source], *, allow_private: bool = False) -> Iterator[Source]:
    """The same, with what lies at addresses as it is now: asked for twice, it may be another picture."""
    for source in sources:
        if isinstance(source, PathItem) and is_address(source.path) and not os.path.lexists(source.path):
            try:
                yield GivenItem(path=source.path, data=read_item(source, allow_private=allow_private))
            except PictureError as error:
                yield GivenItem(path=source.path, error=str(error))
        else:
            yield source


def data_of(source: Source) -> bytes:
    """The bytes of a picture that was answered. Raises: DataError where they cannot be read again."""
    if isinstance(source, GivenItem):
        return encoded(source.data)
    try:
        return read_file(source.path)
    except PictureError as error:
        raise changed(source, str(error)) from None


def changed(source: Source, what: str) -> DataError:
    """The error for a picture that is no longer what was answered."""
    return DataError(
        f"{source.path} changed while it was predicted: {what}. Leave pictures alone until the command ends."
    )


def way_below(source: Source, folder: Path) -> str | None:
    """The way from a folder to a file in it, separated by /; None for what lies elsewhere, or in an archive."""
    if not isinstance(source, PathItem) or not os.path.isfile(source.path):
        return None
    path, root = os.path.abspath(source.path), os.path.abspath(folder).rstrip(os.sep) + os.sep
    return path.removeprefix(root).replace(os.sep, "/") if path.startswith(root) else None


def called_a_picture(name: str, source: Source) -> str:
    """The name, with the ending of the picture's format behind it where it has none of a picture. Raises: DataError."""
    if os.path.splitext(name)[1].lower() in FORMAT_OF_EXTENSION:
        return name
    try:
        kind = open_picture(data_of(source)).format
    except (UnidentifiedImageError, PictureError, OSError):  # what Pillow alone does not open: DICOM, many bands
        kind = None
    return name + next((ending for ending, one in FORMAT_OF_EXTENSION.items() if one == kind), _USUAL)
