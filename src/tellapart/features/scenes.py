"""What is known about moved copies in a set of pictures. In: PictureFiles. Out: Known. Next: scene_search.py.

What was found about a set of pictures is kept in the cache; so are the landmarks of each, so that a set that grew costs only
what is new, and the comparison. To ask for it costs nothing, not even the library of local features.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from tellapart.data.augmented import Scenes
from tellapart.data.examples import PictureFile
from tellapart.features.cache import Cache

LANDMARKS, SCENES = "landmarks", "scenes"  # kinds of what is kept

_FORMAT = 5  # raise it when landmarks or what they come to change
_AT_ONCE = 500
# One module under several names; who has two of them at once must not be told what the other one found.
_PACKAGES = ("opencv-python-headless", "opencv-python", "opencv-contrib-python-headless", "opencv-contrib-python")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the cache knows about a set of pictures."""

    scenes: Scenes | None  # what an earlier search found
    whole: bool  # all that is slow about a search is there


def look_up(pictures: Sequence[PictureFile], cache: Cache) -> Known:
    """What the cache knows about these pictures."""
    contents = sorted({picture.content_hash for picture in pictures})
    value = cache.get_many(SCENES, [_key(contents)]).get(_key(contents))
    known = None if value is None else _read(value, contents)
    if known is not None:
        return Known(scenes=known, whole=True)
    for start in range(0, len(contents), _AT_ONCE):
        keys = [landmarks_key(content) for content in contents[start : start + _AT_ONCE]]
        if len(cache.get_many(LANDMARKS, keys)) < len(keys):
            return Known(scenes=None, whole=False)
    return Known(scenes=None, whole=True)


def remember(scenes: Scenes, contents: Sequence[str], cache: Cache) -> None:
    """Keep what was found about these contents, sorted. Raises: StorageError."""
    cache.put_many(SCENES, {_key(contents): json.dumps(scenes.pairs).encode()})


def landmarks_key(content: str) -> str:
    """The key that the landmarks of a content are kept under."""
    return f"{_version()}:{content}"


@functools.cache
def _version() -> str:
    """What the landmarks and what they come to depend on; asked without importing the library, where that can be."""
    return f"{_FORMAT}-opencv-{opencv_version(_PACKAGES)}"


def opencv_version(packages: Sequence[str]) -> str:
    """The versions of those of the packages that are installed; of the module itself, where it came under another name."""
    found = []
    for package in packages:
        with contextlib.suppress(PackageNotFoundError):
            found.append(version(package))
    if found:
        return "+".join(found)
    import cv2

    return str(cv2.__version__)


def _key(contents: Sequence[str]) -> str:
    return f"{_version()}:{hashlib.sha256(''.join(contents).encode()).hexdigest()}"


def _read(value: bytes, contents: Sequence[str]) -> Scenes | None:
    """What was kept, if it speaks of these contents."""
    known = set(contents)
    try:
        scenes = Scenes(pairs=tuple((str(first), str(second)) for first, second in json.loads(value)))
    except (ValueError, TypeError):
        return None
    named = {content for pair in scenes.pairs for content in pair}
    return scenes if named <= known else None
