"""Pictures opened and embedded by a cluster, for one who audits or trains. In: a Spread. Out: Afar. Next: spread.py."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from tellapart.data.examples import PictureFile
from tellapart.features.afar import SeenAfar, embed_files, look_at_files
from tellapart.features.backbone import ReadyBackbone
from tellapart.features.engine import CpuEngine
from tellapart.features.extract import Features
from tellapart.workflows.scaling.spread import Spread

_Item = TypeVar("_Item")
_PIECE = 128  # files that a worker takes at once at most; what comes out does not depend on it
_LEAST = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class _Embedding:
    """What every worker is given that embeds."""

    backbone: ReadyBackbone
    network: bytes
    engine: CpuEngine


@dataclass(frozen=True, slots=True, kw_only=True)
class AfarBy:
    """Other machines, by a Spread."""

    spread: Spread
    workers: int

    def look(self, paths: Sequence[Path], *, landmarks: bool) -> Iterator[tuple[int, SeenAfar]]:
        """Where each piece begins, and what was seen of it."""
        size = self._size(len(paths))
        for number, seen in self.spread(_looking, landmarks, _pieces(paths, size)):
            yield number * size, seen

    def embed(
        self, pictures: Sequence[PictureFile], backbone: ReadyBackbone, engine: CpuEngine
    ) -> Iterator[tuple[int, Features]]:
        """The same of embeddings."""
        if not pictures:
            return
        size = self._size(len(pictures))
        given = _Embedding(backbone=backbone, network=backbone.network.read_bytes(), engine=engine)
        for number, features in self.spread(_embedding, given, _pieces(pictures, size)):
            yield number * size, features

    def _size(self, count: int) -> int:
        """Small enough that a few hundred keep every worker busy."""
        return max(_LEAST, min(_PIECE, count // (4 * self.workers)))


def _pieces(items: Sequence[_Item], size: int) -> list[Sequence[_Item]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def _looking(landmarks: bool) -> Callable[[Sequence[Path]], SeenAfar]:
    return lambda paths: look_at_files(paths, landmarks=landmarks)


def _embedding(given: _Embedding) -> Callable[[Sequence[PictureFile]], Features]:
    file = tempfile.NamedTemporaryFile(suffix=".onnx")  # noqa: SIM115  # for as long as the worker lives
    file.write(given.network)
    file.flush()
    backbone = replace(given.backbone, network=Path(file.name))

    def embed(pictures: Sequence[PictureFile]) -> Features:
        assert not file.closed
        return embed_files(pictures, backbone, given.engine)

    return embed
