"""A run's pictures that lie elsewhere now. In: their paths, a folder. Out: old path -> new one. Next: reading.py."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tellapart.errors import SettingsError
from tellapart.sources.braces import expand_braces, is_pattern
from tellapart.sources.reading import exists


def find_moved(paths: Sequence[Path], data: str | None, folder: Path) -> dict[str, str]:
    """Where each of the pictures lies below `folder`: as below `data`, or below what all of them lay in; those that are there.

    `data` is the folder or table that was learned from; None where nobody knows. Of a pattern, {000..099}, its folder
    counts. Raises: SettingsError where none is there.
    """
    if is_pattern(str(folder)):
        folder = Path(os.path.commonpath([os.path.dirname(file) for file in expand_braces(str(folder))]))
    roots = [] if data is None else [Path(data), Path(data).parent]
    if paths:
        roots.append(Path(os.path.commonpath([path.parent for path in paths])))
    best: dict[str, str] = {}
    for root in roots:
        below = {path: folder / path.relative_to(root) for path in paths if path.is_relative_to(root)}
        found = {str(path): str(new) for path, new in below.items() if exists(new)}
        best = found if len(found) > len(best) else best
    if not best and paths:
        root = next((one for one in roots if paths[0].is_relative_to(one)), paths[0].parent)
        raise SettingsError(
            f"none of the run's {len(paths):,} pictures lies in {folder} as it lay in {root}: there is no "
            f"{folder / paths[0].relative_to(root)}. Give the folder that holds now what {root} held."
        )
    return best


def with_new_paths(value: Any, moved: Mapping[str, str]) -> Any:
    """A JSON value in which every string that is an old path is the new one."""
    if isinstance(value, str):
        return moved.get(value, value)
    if isinstance(value, dict):
        return {key: with_new_paths(inner, moved) for key, inner in value.items()}
    return [with_new_paths(inner, moved) for inner in value] if isinstance(value, list) else value
