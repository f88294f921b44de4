"""What proves an export, in a folder beside it. In: a model, pictures, languages. Out: Bundle. Next: export/specification.py.

The preprocessing as numbers, pictures with the pixels after each step, sample code, and tests that say which step differs first.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tellapart.bundle import Model, open_model
from tellapart.errors import DataError
from tellapart.export.begun import begun_folder, take_place
from tellapart.export.golden import write_golden
from tellapart.export.golden_choice import GoldenPicture, OfferedPicture, choose, completed, made_pictures
from tellapart.export.samples import check_languages, told_tests, write_samples
from tellapart.export.specification import specification
from tellapart.sources.reading import read_bytes
from tellapart.storage import check_free, check_replaceable, storage_errors, write_bytes, write_json

GOLDEN, MODEL, SPECIFICATION = "golden", "model.onnx", "preprocessing.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What was written."""

    folder: Path
    pictures: int
    made: bool  # the pictures show nothing: none of the user's is in the bundle
    languages: tuple[str, ...]


def write_bundle(
    model: Path, pictures: Sequence[Path], folder: Path, languages: Sequence[str], *, force: bool = False
) -> Bundle:
    """Write the bundle of a model.onnx, or of a run's folder, into `folder`.

    Ten of `pictures`, best of the test split, are in it as files, as pixels and as answers; without any, made ones are. An earlier
    bundle is replaced only where that is forced. Raises: SettingsError for a language without a sample or a filter that samples do
    not have; DataError where no picture can be read; ModelFileError, StorageError.
    """
    wanted = check_languages(languages)
    opened = open_model(model)
    told = specification(opened.manifest)
    check_free(folder, force=force)
    check_replaceable(folder, ours=SPECIFICATION)
    golden = _golden(opened, pictures)
    with begun_folder(folder) as begun:
        _write(begun, opened, told, golden, wanted)
        take_place(begun, folder)
    return Bundle(folder=folder, pictures=len(golden), made=not pictures, languages=tuple(wanted))


def _write(
    folder: Path, model: Model, told: dict[str, Any], golden: Sequence[GoldenPicture], languages: Sequence[str]
) -> None:
    file = model.path / MODEL if model.path.is_dir() else model.path
    with storage_errors(folder):
        shutil.copyfile(file, folder / MODEL)
    write_json(folder / SPECIFICATION, told)
    write_golden(model, golden, folder / GOLDEN)
    write_samples(languages, told, folder)
    write_bytes(folder / "README.md", _readme(model, len(golden), languages).encode())


def _golden(model: Model, pictures: Sequence[Path]) -> list[GoldenPicture]:
    size = model.preprocessing.size
    if not pictures:
        return made_pictures(size)
    found = choose([OfferedPicture(path.name, partial(read_bytes, path)) for path in pictures], size=size)
    if not found:
        raise DataError(
            f"none of the {len(pictures):,} pictures can be read, such as {pictures[0]}. Give others, or none for made ones."
        )
    return completed(found, size=size)


def _readme(model: Model, pictures: int, languages: Sequence[str]) -> str:
    """What a stranger finds in the folder."""
    tests = told_tests(languages)
    return f"""# {model.manifest.data.name}: the model, and the proof that it answers the same elsewhere

- `model.onnx`: the network, with everything after decoding and resizing in it.
- `preprocessing.json`: what happens before it, step by step, with numbers.
- `golden/`: {pictures} pictures, each with its pixels once decoded, the network's input, its outputs and the answer.
  `golden.json` lists them, and says which were `made` for the purpose. **The others are pictures of yours**: mind whom you pass
  them to.
- a folder a language: code that does the same, and a test of it.

## Test

{tests or "No sample was asked for (--for)."}

Your own program: have it write what it feeds to its network for `golden/01/source...` to `mine/01.bin`, as bytes or as float32,
and so on. Then `self_test --inputs mine` says whether it is right, and which of the usual faults it looks like.
"""
