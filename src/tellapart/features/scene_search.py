"""Which pictures are moved copies of one another, worked out once. In: PictureFiles. Out: Scenes. Next: data/landmarks.py."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from tellapart.data.augmented import Scenes
from tellapart.data.examples import PictureFile
from tellapart.data.landmark_votes import find_candidates
from tellapart.data.landmarks import Landmarks, find_landmarks, no_landmarks, pack, unpack
from tellapart.data.remembered import TARGET
from tellapart.data.same_scene import LEAST_LIKE, in_place, looks_original, measure_overlap, same_scene
from tellapart.data.template import find_template
from tellapart.data.turned import Pose, same_when_turned
from tellapart.errors import PictureError
from tellapart.features.cache import Cache
from tellapart.features.scenes import LANDMARKS, landmarks_key, remember
from tellapart.preprocessing import decode
from tellapart.threads import as_they_come, in_order

_PER_UNIT = 32
_WRITE_EVERY = 256
_FIXED_SHARE = 0.14  # pairs that lie on each other and are no copies, for each picture

_Found = Mapping[str, Landmarks]


class _Compared(NamedTuple):
    pose: Pose
    rows: tuple[int, int]  # the likelier original first
    placed: bool  # they lie exactly on each other
    same: bool  # as the landmarks tell


def search(
    pictures: Sequence[PictureFile], *, cache: Cache, workers: int, advance: Callable[[int], None] | None = None
) -> Scenes:
    """Find the pairs of contents that show one scene, moved, mirrored or recoloured; each content is looked at once.

    `advance` is told how many pictures have their landmarks. A picture that can no longer be read has none.
    """
    files = {picture.content_hash: picture for picture in pictures}
    contents = sorted(files)  # so that neither names nor order decide anything
    found = _landmarks(files, contents, cache, workers, advance)
    listed = [found[content] for content in contents]
    with threadpool_limits(
        limits=1, user_api="blas"
    ):  # the threads are ours; two kinds of them only wait for each other
        pairs = _pairs(listed, workers)
    scenes = Scenes(pairs=tuple((contents[first], contents[second]) for first, second in pairs))
    remember(scenes, contents, cache)
    return scenes


def _pairs(listed: Sequence[Landmarks], workers: int) -> list[tuple[int, int]]:
    """Rows of those that show one scene, the likelier original first."""
    template = find_template([landmarks.relief for landmarks in listed])
    candidates = find_candidates(listed, thorough=template.taken_alike, workers=workers)
    tasks = list(zip(candidates.pairs.tolist(), candidates.mirrored.tolist(), strict=True))
    units = [tasks[start : start + _PER_UNIT] for start in range(0, len(tasks), _PER_UNIT)]

    def compare(unit: list[tuple[list[int], bool]]) -> list[_Compared]:
        compared = []
        for (first, second), mirrored in unit:
            overlap = measure_overlap(listed[first], listed[second], template, mirrored=mirrored)
            if overlap is None or overlap.likeness < LEAST_LIKE:
                continue
            original = looks_original(listed[first], listed[second], overlap)
            compared.append(
                _Compared(
                    pose=Pose(first=first, second=second, mirrored=mirrored, turns=overlap.turns),
                    rows=(first, second) if original else (second, first),
                    placed=in_place(overlap),
                    same=same_scene(overlap, mirrored=mirrored),
                )
            )
        return compared

    with contextlib.closing(in_order(units, compare, workers=workers, name="compare")) as results:
        found = [one for result in results for one in result]
    thumbnails = np.array([landmarks.thumbnail for landmarks in listed], dtype=np.uint8)
    whole = dict(
        zip(_placed(found), same_when_turned(thumbnails, [found[one].pose for one in _placed(found)]), strict=True)
    )
    fixed = _is_fixed(found, whole, len(listed))
    return [
        one.rows
        for number, one in enumerate(found)
        if whole.get(number, False) or (one.same and not (one.placed and fixed))
    ]


def _placed(found: Sequence[_Compared]) -> list[int]:
    return [number for number, one in enumerate(found) if one.placed]


def _is_fixed(found: Sequence[_Compared], whole: Mapping[int, bool], number: int) -> bool:
    """Whether these are things of one shape in one place (cells, parts before one camera), which lie on each other anyway."""
    alike = [found[place].pose for place, same in whole.items() if not same]
    return sum(not (pose.mirrored or pose.turns) for pose in alike) > _FIXED_SHARE * number


def _landmarks(
    files: Mapping[str, PictureFile],
    contents: Sequence[str],
    cache: Cache,
    workers: int,
    advance: Callable[[int], None] | None,
) -> dict[str, Landmarks]:
    """Of every content; those that the cache does not have are made and kept."""
    found: dict[str, Landmarks] = {}
    for start in range(0, len(contents), 1000):
        keys = {landmarks_key(content): content for content in contents[start : start + 1000]}
        for key, value in cache.get_many(LANDMARKS, list(keys)).items():
            read = unpack(value)
            if read is not None:
                found[keys[key]] = read
    missing = [content for content in contents if content not in found]
    if advance is not None:
        advance(len(found))
    stop = threading.Event()

    def work(unit: list[str]) -> dict[str, Landmarks | None]:
        return {} if stop.is_set() else {content: _look(files[content]) for content in unit}

    units = [missing[start : start + _PER_UNIT] for start in range(0, len(missing), _PER_UNIT)]
    unsaved: dict[str, bytes] = {}
    try:
        with contextlib.closing(as_they_come(units, work, workers=workers, name="landmarks", stop=stop)) as results:
            for result in results:
                for content, seen in result.items():
                    found[content] = seen or no_landmarks()
                    if seen is not None and files[content].file_hash:
                        unsaved[landmarks_key(content)] = pack(seen)
                if advance is not None:
                    advance(len(result))
                if len(unsaved) >= _WRITE_EVERY:
                    cache.put_many(LANDMARKS, unsaved)
                    unsaved.clear()
    finally:
        cache.put_many(LANDMARKS, unsaved)
    return found


def _look(picture: PictureFile) -> Landmarks | None:
    """None where it cannot be read now: the next step says so."""
    try:
        decoded = decode(picture.read(), target=TARGET, span="own")  # as the audit does, so that both find the same
    except PictureError:
        return None
    return find_landmarks(decoded.image)
