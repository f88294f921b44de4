"""Which model and which pictures a command line means. In: arguments, standard input. Out: a model, items. Next: rows.py."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import click

from tellapart.answers.formats import FORMAT_OF_EXTENSION
from tellapart.answers.given import GivenItem
from tellapart.answers.items import PathItem, expand, is_address
from tellapart.errors import DataError, StorageError
from tellapart.preprocessing import MAX_FILE_BYTES
from tellapart.sources.reading import ENDINGS
from tellapart.sources.remote.addresses import looks_like_address
from tellapart.storage import storage_errors

LATEST = Path("runs", "latest")  # of the folder that one stands in
_STANDARD_INPUT = "-"
_BARREN = "holds no picture"
_OF_A_RUN = ("model.onnx", "recipe.toml", "unfinished.json", "latest")

_LIST = ".txt"  # may be a table too, but a list of paths is more usual
_HEAD = 512  # bytes that tell a picture from a list
_NO_TEXT = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|\A\xff\xd8|\AP[1-7]\s")


def choose_model(arguments: tuple[str, ...], *, listed: bool) -> tuple[str, tuple[str, ...], bool]:
    """Model, pictures, and whether nobody named the model: then it is the newest run's. Raises: UsageError."""
    named = bool(arguments) and not _is_pictures(arguments[0])
    paths = arguments[1:] if named else arguments
    if named and (paths or listed):
        return arguments[0], paths, False
    if named:
        raise click.UsageError(
            f"{arguments[0]} is taken for the model, and no picture is named. Name pictures after it."
        )
    if not paths and not listed:
        raise click.UsageError("Missing argument 'PATH...'. Name pictures, with a model before them.")
    if (LATEST / "model.onnx").is_file():
        return str(LATEST), paths, True
    what = f"{paths[0]} is taken for pictures" if paths else "--list names pictures"
    example = shlex.quote(paths[0]) if paths else "--list FILE"
    raise click.UsageError(
        f"{what}, and no model is named; there is no {LATEST} here either, which is taken then. Name a model first: "
        f"tellapart predict MODEL {example}. To make one: tellapart train FOLDER."
    )


def items(
    paths: Iterable[str], list_file: Path | None, own: list[str] | None = None, notes: list[str] | None = None
) -> Iterator[PathItem | GivenItem]:
    """Every picture that is meant, as it comes; `own` hears of our folders that are passed over, `notes` how a list was read.

    Behind what a named folder holds stands an item that says it holds none: with_barren keeps its row where that is so.
    Raises: StorageError, DataError.
    """
    for path in paths:
        if path == _STANDARD_INPUT:
            yield from _from_standard_input(own)
            continue
        yield from expand([path], own, tolerant=True)
        if os.path.isdir(path):
            yield PathItem(path=path, named=True, error=_BARREN)
    if list_file == Path(_STANDARD_INPUT):
        yield from _from_standard_input(own)
    elif list_file is not None:
        yield from _from_list(list_file, own, [] if notes is None else notes)


def with_barren(answers: Iterable[Any], paths: Iterable[str], unread: Callable[[str, str], Any]) -> Iterator[Any]:
    """The answers; of those that say a folder holds no picture the true ones; `unread` makes another of a reason and a path.

    Where nothing at all was answered, and no folder says why, there are none: the command says so as a whole.
    """
    ahead = [path for path in paths if os.path.isdir(path)]
    barren: list[Any] = []  # before anything else was answered
    alone, filled = True, False
    for answer in answers:
        if ahead and answer.path == ahead[0] and answer.error == _BARREN:
            was_filled, filled, folder = filled, False, ahead.pop(0)
            if was_filled:
                continue
            if why := why_barren(folder):
                answer = unread(why, folder)
            elif alone:
                barren.append(answer)
                continue
        elif ahead:
            filled = filled or answer.path.startswith(os.path.join(ahead[0], ""))
        if alone:
            yield from barren
            alone = False
        yield answer


def count_rows(found: Iterable[PathItem | GivenItem]) -> int:
    """How many rows `items` and with_barren give: what says of a folder that holds pictures that it holds none is no row."""
    total, before = 0, ""
    for item in found:
        marks = isinstance(item, PathItem) and item.error == _BARREN
        total += not (marks and before.startswith(os.path.join(item.path, "")))
        before = item.path
    return total


def without_marks(found: Iterable[PathItem | GivenItem]) -> Iterator[PathItem]:
    """What `items` gives of files, without what it says of folders. Nothing may come from standard input."""
    for item in found:
        if isinstance(item, PathItem) and item.error != _BARREN:
            yield item


def why_barren(folder: str) -> str:
    """What check says of a folder whose files cannot be opened as arrays, such as pickles; "" for any other."""
    from tellapart.data.array_folders import find_array_files

    try:
        find_array_files(Path(folder))
    except (DataError, StorageError, OSError) as error:
        return str(error).removesuffix(".")
    return ""


def _is_pictures(argument: str) -> bool:
    """Whether the first argument names pictures and no model, which may be a file of any name or a run's folder."""
    if argument == _STANDARD_INPUT or is_address(argument) or looks_like_address(argument):
        return True
    path = Path(argument)
    if path.is_dir():
        return not any((path / name).exists() for name in _OF_A_RUN)
    return path.suffix.lower() in FORMAT_OF_EXTENSION or path.name.lower().endswith(ENDINGS)


def _from_list(list_file: Path, own: list[str] | None, notes: list[str]) -> Iterator[PathItem]:
    """The pictures of a list, or of a table's column of paths."""
    if list_file.suffix.lower() not in ("", _LIST):
        from tellapart.data.opening import is_table
        from tellapart.data.path_lists import read_paths  # a list needs none of what reads tables

        if is_table(list_file):
            listed = read_paths(list_file)
            notes.append(listed.note)
            yield from (PathItem(path=path, named=True) for path in listed.paths)
            return
    with storage_errors(list_file), list_file.open("rb") as file:
        head = file.peek(_HEAD)[:_HEAD]
        ended = _ends_with_nul(head)
        if not ended and _NO_TEXT.search(head):
            raise DataError(
                f"{str(list_file)!r} is no list of pictures: a path or address a line, in UTF-8, or a table. Save it so; a picture "
                "itself is named without --list."
            )
        yield from expand(_lines(file, b"\0" if ended else b"\n"), own, tolerant=True)


def _from_standard_input(own: list[str] | None) -> Iterator[PathItem | GivenItem]:
    """A picture's bytes, or a list of paths: a line each, or each with a NUL behind it."""
    with open(sys.stdin.fileno(), "rb", closefd=False) as stream:
        head = stream.peek(_HEAD)[:_HEAD]
        if _ends_with_nul(head):
            yield from expand(_lines(stream, b"\0"), own, tolerant=True)
        elif not _NO_TEXT.search(head):
            yield from expand(_lines(stream, b"\n"), own, tolerant=True)
        else:
            data = stream.read(MAX_FILE_BYTES + 1)
            large = f"file of more than {MAX_FILE_BYTES:,} bytes, which is the limit. Store it smaller"
            yield GivenItem(path=_STANDARD_INPUT, data=data, error=large if len(data) > MAX_FILE_BYTES else "")


def _ends_with_nul(head: bytes) -> bool:
    """Whether this begins a list as `find -print0` writes it: with the path of something that is there."""
    first, nul, _ = head.partition(b"\0")
    return bool(first and nul) and os.path.lexists(os.fsdecode(first))


def _lines(stream: BinaryIO, end: bytes) -> Iterator[str]:
    """What stands between the ends, as file names; the empty ones are left out."""
    first = True
    for line in stream if end == b"\n" else stream.read().split(end):
        text = line.removeprefix(b"\xef\xbb\xbf") if first else line
        first = False
        if name := text.rstrip(b"\r\n"):
            yield os.fsdecode(name)
