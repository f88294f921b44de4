"""What other machines look at and embed, taken in here. In: what comes back. Out: inspections, a fuller cache. Next: embedding.py.

Workers get files and give back what the same functions make of them there; what is kept of it is what this machine would keep. So
all that comes after, copies joined by their hashes and the classifier among it, is the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from tellapart.data.examples import Inspection, PictureFile
from tellapart.data.inspection import MANY, for_path, inspect_bytes_of, worth_keeping
from tellapart.data.known_hashes import KnownHashes
from tellapart.data.remembered import Memory, decode_kept, encode, memory_key
from tellapart.data.thumbnails import Shelf
from tellapart.features.backbone import ReadyBackbone
from tellapart.features.cache import Cache
from tellapart.features.engine import CpuEngine, open_engine
from tellapart.features.extract import KIND, Features, extract, tag_of
from tellapart.features.landmark_store import LandmarkStore

_LOOKED_UP = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenAfar:
    """What a worker saw in some files."""

    inspections: Sequence[Inspection]  # in the order of the paths, whatever these are called
    kept: Mapping[str, Mapping[str, bytes]]  # kind -> key -> what belongs into the cache besides


class Afar(Protocol):
    """Other machines."""

    def look(self, paths: Sequence[Path], *, landmarks: bool) -> Iterator[tuple[int, SeenAfar]]:
        """Where each piece of the paths begins, and what was seen of it; as they come."""

    def embed(
        self, pictures: Sequence[PictureFile], backbone: ReadyBackbone, engine: CpuEngine
    ) -> Iterator[tuple[int, Features]]:
        """The same of embeddings on a CPU."""


class _Kept:
    """A cache that hands on what is put into it."""

    def __init__(self) -> None:
        self.kinds: dict[str, dict[str, bytes]] = {}

    def put_many(self, kind: str, items: Mapping[str, bytes]) -> None:
        self.kinds.setdefault(kind, {}).update(items)


def look_at_files(paths: Sequence[Path], *, landmarks: bool) -> SeenAfar:
    """What a worker does with a piece of the paths."""
    kept = _Kept()
    with LandmarkStore(kept) as store:
        found = [inspect_bytes_of(path, store.keep if landmarks else None) for path in paths]
    return SeenAfar(inspections=found, kept=kept.kinds)


def embed_files(pictures: Sequence[PictureFile], backbone: ReadyBackbone, engine: CpuEngine) -> Features:
    """What a worker does with a piece of the pictures."""
    return extract(
        pictures,
        engine=open_engine(backbone, "cpu", engine),
        preprocessing=backbone.preprocessing,
        embedding=backbone.embedding,
        fingerprint=backbone.identity,
        stages=backbone.stages,
        cache=None,
    )


def inspect_afar(
    paths: Sequence[Path],
    afar: Afar,
    *,
    cache: Cache,
    memory: Memory,
    landmarks: bool,
    advance: Callable[[int], None],
    many: int = MANY,
) -> list[Inspection]:
    """What `inspect_all` gives. Pictures in shards that stayed as they were are not sent out."""
    hashes = KnownHashes(paths, memory)
    shelf = Shelf() if len(paths) >= many else None
    found: dict[int, Inspection] = {}

    def take(place: int, inspection: Inspection) -> None:
        if shelf is not None and inspection.thumbnail:
            inspection = replace(inspection, thumbnail=shelf.keep(bytes(inspection.thumbnail)))
        found[place] = inspection

    for place, inspection in _remembered(paths, hashes, memory):
        take(place, inspection)
    advance(len(found))
    rest = [place for place in range(len(paths)) if place not in found]
    for start, seen in afar.look([paths[place] for place in rest], landmarks=landmarks):
        for kind, items in seen.kept.items():
            cache.put_many(kind, items)
        learnt = {}
        for place, inspection in zip(rest[start:], seen.inspections, strict=False):
            if worth_keeping(inspection):
                learnt[memory_key(inspection.file_hash)] = encode(inspection)
            take(place, for_path(inspection, paths[place]) if inspection.file_hash else inspection)
        memory.put_many(learnt)
        advance(len(seen.inspections))
    whole = [found[place] for place in range(len(paths))]
    hashes.learn(whole)
    return whole


def _remembered(paths: Sequence[Path], hashes: KnownHashes, memory: Memory) -> Iterator[tuple[int, Inspection]]:
    known = [(place, hashes.of(place)) for place in range(len(paths)) if hashes.of(place)]
    for start in range(0, len(known), _LOOKED_UP):
        piece = known[start : start + _LOOKED_UP]
        values = memory.get_many([memory_key(file_hash) for _, file_hash in piece])
        for place, file_hash in piece:
            value = values.get(memory_key(file_hash))
            inspection = None if value is None else decode_kept(value, file_hash)
            if inspection is not None:
                yield place, for_path(inspection, paths[place])


def embed_afar(
    pictures: Sequence[PictureFile],
    backbone: ReadyBackbone,
    engine: CpuEngine,
    afar: Afar,
    *,
    cache: Cache,
    advance: Callable[[int], None],
) -> int:
    """Put embeddings into the cache that it does not have, each content once; who embeds next finds them. How many they were.

    What cannot be read there is left out: here it is read once more, and says why.
    """
    first = {picture.content_hash: picture for picture in reversed(pictures) if picture.file_hash}
    name = open_engine(backbone, "cpu", engine).name
    tag = tag_of(backbone.preprocessing, backbone.identity, name, backbone.stages)
    there = cache.get_many(KIND, [tag + content for content in first])
    missing = [picture for content, picture in first.items() if tag + content not in there]
    advance(len(pictures) - len(missing))
    computed = 0
    for _, features in afar.embed(missing, backbone, engine):
        tag = tag_of(backbone.preprocessing, backbone.identity, features.engine, backbone.stages)
        items = {
            tag + content: features.vectors[row].tobytes()
            for row, content in enumerate(features.content_hashes)
            if row not in features.problems
        }
        cache.put_many(KIND, items)
        computed += len(items)
        advance(len(features.content_hashes))
    return computed
