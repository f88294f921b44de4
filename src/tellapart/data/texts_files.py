"""Texts that are files, decoded together. In: paths. Out: texts, a note. Next: texts_folder.py."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from tellapart.data.encodings import known_encoding, read_text
from tellapart.errors import DataError, PictureError
from tellapart.sources.reading import read_bytes

_MOST_GUESSED = 1_000_000  # bytes from which an encoding is guessed


def line_of(file: Path, number: int) -> Path:
    """Where a text stands that is a line of a file, or a row of a table: reviews.csv:17."""
    return file.with_name(f"{file.name}:{number}")  # not Path(...), which would take the whole path apart for each


def read_texts(paths: Iterable[Path], encoding: str | None) -> tuple[dict[Path, str], tuple[str, ...]]:
    """The texts of files, by their paths, without those that cannot be read; and what was guessed for that, in sentences.

    Files that are not in UTF-8 are in one encoding, told or guessed from all of them together. Raises: DataError where it
    may be several, or the bytes do not fit what was told; SettingsError for no encoding.
    """
    told = None if encoding is None else known_encoding(encoding)
    texts: dict[Path, str] = {}
    others: dict[Path, bytes] = {}
    for path in paths:
        try:
            data = read_bytes(path)
        except (PictureError, OSError, ValueError):
            continue  # whoever looks at each of them says why
        try:
            texts[path] = data.decode("utf-8-sig" if told in (None, "utf-8") else told or "")
        except UnicodeDecodeError as error:
            if told is not None:
                raise DataError(
                    f"the text {str(path)!r} is not in {told}: byte {data[error.start]:#04x} means nothing there. Give another "
                    "--encoding, or save it again as UTF-8."
                ) from None
            others[path] = data
    if not others:
        return texts, ()
    found, note = _guess(list(others), list(others.values()))
    return texts | {path: data.decode(found, "replace") for path, data in others.items()}, (note,)


def _guess(paths: Sequence[Path], contents: Sequence[bytes]) -> tuple[str, str]:
    """The encoding of all of them, and a sentence. Raises: DataError where it may be several."""
    sample = bytearray()
    for data in contents:
        if len(sample) < _MOST_GUESSED:
            sample += data.replace(b"\0", b" ") + b"\n"
    read = read_text(paths[0], bytes(sample), None, lambda cell: False)
    more = f" (and {len(paths) - 1:,} more)" if len(paths) > 1 else ""
    return read.encoding or "utf-8", f"{read.note}{more}"
