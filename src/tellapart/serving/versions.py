"""Which models and versions there are on disk. In: paths. Out: places and their versions. Next: repository.py.

A model is a model.onnx, a run's folder, or a folder of numbered versions (MODEL/1/model.onnx); a folder of models is a
repository. A name that a client sends is only ever looked up among those found here, never made into a path.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tellapart.errors import ModelFileError, SettingsError
from tellapart.storage import storage_errors

MODEL = "model.onnx"
LABELS = "labels.json"  # {"stable": 3, "canary": 4} beside the numbered versions
NAMES = "Letters, digits, _ . and - may be in it, at most 100, and a letter or digit first."
_NAME = re.compile(r"\w[\w.-]{0,99}")
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the versions of one model lie."""

    name: str
    path: Path  # a model.onnx, a run's folder, or a folder of numbered versions


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A version on disk, as it was when we looked."""

    number: int
    file: Path
    stamp: tuple[int, int, int]  # changes when the file does: modification time in ns, bytes, inode


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What the operator named: models, and folders in which models come and go."""

    models: tuple[Place, ...]
    roots: tuple[Path, ...] = ()

    def places(self) -> dict[str, Place]:
        """The models that there are now, by name."""
        found = {place.name: place for place in self.models}
        for root in self.roots:
            for folder in _folders(root):
                if _NAME.fullmatch(folder.name) and _holds_model(folder):
                    found.setdefault(folder.name, Place(name=folder.name, path=folder))
        return found

    def nameless(self) -> list[Path]:
        """Folders that hold a model whose name cannot be one, such as one with a blank."""
        folders = [folder for root in self.roots for folder in _folders(root)]
        return [one for one in folders if not _NAME.fullmatch(one.name) and _holds_model(one)]


def read_sources(arguments: Sequence[str]) -> Sources:
    """Models and repositories from `PATH` or `NAME=PATH`.

    Raises: ModelFileError where there is no model; SettingsError for a name that cannot be one, or two of one name.
    """
    models: dict[str, Place] = {}
    roots: list[Path] = []
    for argument in arguments:
        name, path = _split(argument)
        if path.is_dir() and not _holds_model(path):
            holding = [one for one in _folders(path) if _holds_model(one)]
            if name is not None or not holding:
                raise ModelFileError(
                    f"{path} holds no {MODEL}, neither itself nor in numbered folders (1, 2 ...). "
                    "Give a run's folder, a folder of versions, or a folder of such folders."
                )
            if not any(_NAME.fullmatch(one.name) for one in holding):
                _checked(holding[0].name, str(holding[0]))
            roots.append(path)
            continue
        if not path.exists():
            raise ModelFileError(f"there is no model at {path}. Give a {MODEL}, a run's folder, or a folder of models.")
        place = Place(name=_checked(name or _name_of(path), argument), path=path)
        if place.name in models:
            raise SettingsError(
                f"{argument} and {models[place.name].path} are both named {place.name!r}. Name one of them: NAME={path}"
            )
        models[place.name] = place
    return Sources(models=tuple(models.values()), roots=tuple(roots))


def find_versions(place: Place) -> dict[int, Found]:
    """The versions of a model that are on disk now, by number; a single file or run is version 1."""
    path = place.path
    if path.is_file():
        files = {1: path}
    elif (path / MODEL).exists():
        files = {1: path / MODEL}
    else:
        files = {int(folder.name): folder / MODEL for folder in _folders(path) if _NUMBER.fullmatch(folder.name)}
    found = {number: _look(number, file) for number, file in sorted(files.items())}
    return {number: one for number, one in found.items() if one is not None}


def read_labels(place: Place) -> Mapping[str, int]:
    """The labels of a model's versions. Raises: ModelFileError when labels.json is there but not of that form."""
    path = place.path / LABELS
    if not path.is_file():
        return {}
    with storage_errors(path):
        text = path.read_bytes()
    try:
        labels = json.loads(text)
    except ValueError:
        labels = None
    if not isinstance(labels, dict) or not all(type(number) is int for number in labels.values()):
        raise ModelFileError(f'{path} must hold names and version numbers, like {{"stable": 3, "canary": 4}}.')
    return labels


def _split(argument: str) -> tuple[str | None, Path]:
    name, mark, path = argument.partition("=")
    if mark and not Path(argument).exists():
        return name, Path(path)
    return None, Path(argument)


def _name_of(path: Path) -> str:
    if path.is_file():
        return path.absolute().parent.name if path.name == MODEL else path.stem
    return path.name or path.resolve().name


def _checked(name: str, argument: str) -> str:
    if not _NAME.fullmatch(name):
        better = shlex.quote(f"NAME={argument.partition('=')[2] or argument}")
        raise SettingsError(f"{name!r} cannot be a model's name. {NAMES} Give one: {better}")
    return name


def _holds_model(folder: Path) -> bool:
    if (folder / MODEL).is_file():
        return True
    return any(_NUMBER.fullmatch(inner.name) and (inner / MODEL).is_file() for inner in _folders(folder))


def _folders(folder: Path) -> Iterator[Path]:
    try:
        yield from sorted(inner for inner in folder.iterdir() if inner.is_dir())
    except OSError:
        return  # it vanished, or may not be read: there is nothing in it for us


def _look(number: int, file: Path) -> Found | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return Found(number=number, file=file, stamp=(status.st_mtime_ns, status.st_size, status.st_ino))
