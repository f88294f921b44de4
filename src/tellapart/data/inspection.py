"""Look at every file once: can it be read, what does it hold. In: paths. Out: Inspections. Next: packed_inspections.py."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from tellapart.answers.formats import FORMAT_OF_EXTENSION
from tellapart.data.content import content_hash
from tellapart.data.examples import Inspection
from tellapart.data.known_hashes import KnownHashes
from tellapart.data.looks import look_at
from tellapart.data.packed_inspections import PackedInspections
from tellapart.data.perceptual_hash import perceptual_hash
from tellapart.data.remembered import TARGET, Memory, decode_kept, encode, memory_key
from tellapart.data.thumbnails import Shelf
from tellapart.decoding import UNKNOWN_FORMAT, Decoded, decode
from tellapart.errors import PictureError
from tellapart.sources.reading import read_bytes

THUMBNAIL_SIDE = 32  # pixels


MANY = 20_000  # files, of which thumbnails would take much memory
_FILES_PER_TASK = 256
_BYTES_AT_ONCE = 32 * 1024 * 1024  # read ahead of a look-up, by each worker
_SMALL_BYTES = 4096
_SECONDS_BETWEEN_REPORTS = 0.1

_EMPTY = hashlib.sha256(b"").hexdigest()
_OUT_OF_MEMORY = "not enough memory to decode it"
_NO_PICTURE = (UNKNOWN_FORMAT, "empty file")  # how the reasons begin
_FAMILY: Mapping[str, str] = {"MPO": "JPEG", "DIB": "BMP"}
Seen = Callable[[Image.Image, Inspection], None]  # what else is made of a grey picture, while it is there
Shown = Callable[[Decoded, Inspection], None]  # the same of one in its colours

_TEXT_CONTROLS = frozenset(b"\t\n\r\f")


def inspect_file(path: Path) -> Inspection:
    """Read, decode and hash one file. Whatever is wrong with it becomes its `problem`: nothing is raised."""
    found = inspect_bytes_of(path)
    return for_path(found, path) if found.file_hash else found


def inspect_bytes_of(path: Path, seen: Seen | None = None) -> Inspection:
    """The same, whatever the file is called; `seen` is as for `inspect_all`."""
    content, file_hash = _hashed(path)
    if isinstance(content, str):
        return Inspection(file_hash="", problem=content)
    return _look(content, file_hash, seen)


def worth_keeping(inspection: Inspection) -> bool:
    """Whether another time the same bytes would tell the same."""
    return bool(inspection.file_hash) and inspection.problem != _OUT_OF_MEMORY


def inspect_all(
    paths: Sequence[Path],
    *,
    workers: int,
    remembered: Memory | None = None,
    advance: Callable[[int], None] | None = None,
    seen: Seen | None = None,
    shown: Shown | None = None,
    many: int = MANY,
) -> Sequence[Inspection]:
    """Inspect files on `workers` threads, in the order of `paths`; no pixels are kept.

    A file whose bytes are `remembered` under the SHA-256 of its bytes and a version is only read and hashed; of every other
    that can be decoded `seen` gets the picture in grey and `shown` in colour (as `decode` gives it for TARGET), on the
    worker's thread. From `many` files on their thumbnails lie on disk, and what
    was seen is packed.
    `advance` is called in the calling thread with the number of files that were finished since its last call.
    Raises: KeyboardInterrupt at once, after the files that are under way; what `remembered` and `advance` raise.
    """
    stop = threading.Event()
    turn = threading.RLock()
    shelf = Shelf() if len(paths) >= many else None
    # Small enough that a few hundred pictures keep every worker busy.
    size = max(1, min(_FILES_PER_TASK, len(paths) // (4 * workers)))
    hashes = KnownHashes(paths, remembered)
    tasks = [
        _Task(paths[start : start + size], remembered, turn, stop, seen, shown, shelf, hashes, start)
        for start in range(0, len(paths), size)
    ]
    executor = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="inspect")
    found: list[Inspection] | PackedInspections = [] if shelf is None else PackedInspections(len(paths))
    reported = 0
    try:
        for task, future in zip(tasks, [executor.submit(task.run) for task in tasks], strict=True):
            while not future.done():
                wait([future], timeout=_SECONDS_BETWEEN_REPORTS)
                finished = len(found) + sum(len(one.found) for one in tasks)
                if advance is not None and finished > reported:
                    advance(finished - reported)
                    reported = finished
            future.result()
            for inspection in task.found:
                found.append(inspection)
            task.found.clear()
    finally:
        stop.set()
        executor.shutdown(wait=True, cancel_futures=True)
    hashes.learn(found)
    if advance is not None and len(found) > reported:
        advance(len(found) - reported)
    return found


class _Task:
    """The files that one worker inspects, one after another."""

    def __init__(
        self,
        paths: Sequence[Path],
        remembered: Memory | None,
        turn: threading.RLock,
        stop: threading.Event,
        seen: Seen | None,
        shown: Shown | None,
        shelf: Shelf | None,
        hashes: KnownHashes,
        start: int,
    ) -> None:
        self.found: list[Inspection] = []  # in the order of paths
        self._paths = paths
        self._hashes, self._start = hashes, start  # the first of the paths among all
        self._remembered = remembered
        self._turn = turn  # held by the one worker that uses the memory or looks at small pictures
        self._stop = stop
        self._seen = seen
        self._shown = shown
        self._shelf = shelf

    def run(self) -> None:
        """Read as many files as fit in `_BYTES_AT_ONCE`, look them up together, decode the rest; repeat."""
        batch: list[tuple[Path, str, bytes | str]] = []
        held = 0
        for place, path in enumerate(self._paths, start=self._start):
            if self._stop.is_set():
                return
            known = self._hashes.of(place)
            content, file_hash = (b"", known) if known else _hashed(path)
            batch.append((path, file_hash, content))
            held += len(content)
            if held > _BYTES_AT_ONCE:
                self._inspect(batch, held)
                batch, held = [], 0
        self._inspect(batch, held)

    def _inspect(self, batch: Sequence[tuple[Path, str, bytes | str]], held: int) -> None:
        # A small picture's time goes to Python itself, where threads that run at once only slow each other down.
        with self._turn if held < _SMALL_BYTES * len(batch) else nullcontext():
            known = self._look_up([file_hash for _, file_hash, _ in batch if file_hash])
            learnt: dict[str, bytes] = {}
            for path, file_hash, content in batch:
                if self._stop.is_set():
                    break
                if file_hash not in known and not content and file_hash != _EMPTY:
                    content, file_hash = _hashed(path)  # its hash was known, and what it tells is not
                if isinstance(content, str):
                    self.found.append(Inspection(file_hash="", problem=content))
                    continue
                if file_hash not in known:
                    known[file_hash] = _look(content, file_hash, self._seen, self._shown)
                    if worth_keeping(known[file_hash]):
                        learnt[memory_key(file_hash)] = encode(known[file_hash])
                self.found.append(self._shelved(for_path(known[file_hash], path)))
            if self._remembered is not None and learnt:
                with self._turn:
                    self._remembered.put_many(learnt)

    def _shelved(self, inspection: Inspection) -> Inspection:
        if self._shelf is None or not inspection.thumbnail:
            return inspection
        return replace(inspection, thumbnail=self._shelf.keep(bytes(inspection.thumbnail)))

    def _look_up(self, file_hashes: Sequence[str]) -> dict[str, Inspection]:
        if self._remembered is None or not file_hashes:
            return {}
        with self._turn:
            values = self._remembered.get_many([memory_key(file_hash) for file_hash in file_hashes])
        known = {}
        for file_hash in file_hashes:
            value = values.get(memory_key(file_hash))
            inspection = None if value is None else decode_kept(value, file_hash)
            if inspection is not None:
                known[file_hash] = inspection
        return known


def _hashed(path: Path) -> tuple[bytes | str, str]:
    """The bytes of a file with their SHA-256, or why it cannot be read."""
    content = _read(path)
    return content, "" if isinstance(content, str) else hashlib.sha256(content).hexdigest()


def _read(path: Path) -> bytes | str:
    """The bytes of a file, or why it cannot be read."""
    try:
        return read_bytes(path)
    except PictureError as error:
        return str(error)
    except FileNotFoundError:
        return "there is no such file"
    except PermissionError:
        return "no permission to read it"
    except MemoryError:
        return "not enough memory to read it"
    except (OSError, ValueError) as error:
        return f"cannot be read ({getattr(error, 'strerror', None) or error})"


def _look(data: bytes, file_hash: str, seen: Seen | None = None, shown: Shown | None = None) -> Inspection:
    """What the bytes tell, whatever the file is called; `is_picture` says that they claim to be a picture."""
    try:
        # Deep values are stretched by the picture's own: what is remembered must not depend on the range of a data set.
        decoded = decode(data, target=TARGET, span="own")
    except PictureError as error:
        problem = str(error)
        return Inspection(
            file_hash=file_hash, problem=problem, is_picture=not problem.startswith(_NO_PICTURE) and not _is_text(data)
        )
    whole = decoded.image.convert("L")
    # Bilinear: a box would shift with the picture's size, and copies of another size would look different.
    grey = whole.resize((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.BILINEAR, reducing_gap=3.0)
    inspection = Inspection(
        file_hash=file_hash,
        content_hash=content_hash(decoded),
        perceptual_hash=perceptual_hash(np.asarray(grey)),
        thumbnail=grey.tobytes(),
        width=decoded.width,
        height=decoded.height,
        format=decoded.format,
        mode=decoded.mode,
        turned=decoded.turned,
        depth=None if decoded.deep is None else decoded.deep.depth(),
        looks=look_at(decoded.image, whole),
        profile=decoded.profile,
        bands=decoded.bands,
    )
    if seen is not None:
        seen(whole, inspection)
    if shown is not None:
        shown(decoded, inspection)
    return inspection


def for_path(inspection: Inspection, path: Path) -> Inspection:
    """What bytes told, with what depends on the name."""
    named = FORMAT_OF_EXTENSION.get(os.path.splitext(path)[1].lower())
    if inspection.problem:
        return replace(inspection, is_picture=inspection.is_picture or named is not None)
    if named is not None and named != _FAMILY.get(inspection.format, inspection.format):
        return replace(inspection, wrong_extension=True)
    return inspection


def _is_text(data: bytes) -> bool:
    """Whether damaged "picture" bytes are words that begin like one: "BMW ..." or "P1 ..."."""
    head = data[:4096]
    return not any(byte < 32 and byte not in _TEXT_CONTROLS for byte in head)
