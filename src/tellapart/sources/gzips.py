"""Any place of a gzip file without unpacking all of it. In: a path. Out: Marks, a file that can seek. Next: tars.py.

The first walk remembers the decompressor's state every few megabytes; a later one starts from the nearest. A picture costs the
bytes between that mark and its end: slower than zip or plain tar, and told.
"""

from __future__ import annotations

import bisect
import io
import threading
import zlib
from typing import IO, NamedTuple

_CHUNK = 64 * 1024
_LEAST_APART = 1024 * 1024  # bytes of the unpacked stream
_MOST_LEFT = 32  # readers that wait for the next picture
_MOST_MARKS = 500  # some 40 kB each
_GZIP = 16 + zlib.MAX_WBITS


class GzipDamaged(Exception):
    """The stream ends early or breaks its rules."""


class _Mark(NamedTuple):
    unpacked: int  # how many bytes lie before it, unpacked
    packed: int  # the next byte of the file
    state: zlib._Decompress | None  # None: a new stream begins here


class Marks:
    """Where in a gzip file to start from; filled by the reader that first goes over it. Many readers may share it."""

    def __init__(self, size_bytes: int, most: int) -> None:
        """`size_bytes`: of the gzip file; `most`: the unpacked stream may not have more."""
        self.most = most
        self._marks = [_Mark(0, 0, None)]
        self._left: list[GzipReader] = []
        self._lock = threading.Lock()
        self._apart = max(_LEAST_APART, 4 * size_bytes // _MOST_MARKS)

    def before(self, place: int) -> _Mark:
        """The last mark that is not after a place of the unpacked stream."""
        return self._marks[bisect.bisect_right(self._marks, place, key=lambda mark: mark.unpacked) - 1]

    def reader(self, file: IO[bytes], place: int, *, most_bytes: int) -> GzipReader:
        """A reader of the opened file at a place of the unpacked stream: the one left nearest before it, or a new one."""
        with self._lock:
            near = [one for one in self._left if one.place <= place]
            best = max(near, key=lambda one: one.place, default=None)
            if best is not None and best.place >= self.before(place).unpacked:
                self._left.remove(best)
            else:
                best = None
        reader = GzipReader(file, self, most_bytes=most_bytes) if best is None else best
        reader.go_on(file)
        reader.seek(place)
        return reader

    def leave(self, reader: GzipReader) -> None:
        """Give a reader back, for who reads on behind its place."""
        reader.rest()
        with self._lock:
            self._left = [*self._left[-_MOST_LEFT:], reader]

    def pass_by(self, unpacked: int, packed: int, state: zlib._Decompress | None) -> None:
        """Remember a state if the last one is far enough back."""
        if unpacked - self._marks[-1].unpacked >= self._apart and len(self._marks) <= 2 * _MOST_MARKS:
            self._marks.append(_Mark(unpacked, packed, None if state is None else state.copy()))


class GzipReader:
    """A gzip file as a file that can be read from any place. Not for several threads; its Marks are."""

    def __init__(self, file: IO[bytes], marks: Marks, *, most_bytes: int, filling: bool = False) -> None:
        """`most_bytes` may be read at once; `filling`: this is the walk that sets the marks."""
        self._file, self._marks, self._most, self._filling = file, marks, most_bytes, filling
        self.place = 0  # of the next byte in the unpacked stream
        self._packed = 0
        self._start_from(_Mark(0, 0, None))

    def rest(self) -> None:
        """Let go of the file, and remember where in it to go on."""
        self._packed = self._file.tell()
        self._file = io.BytesIO()

    def go_on(self, file: IO[bytes]) -> None:
        """Take the file again."""
        file.seek(self._packed)
        self._file = file

    def tell(self) -> int:
        """The place of the next byte in the unpacked stream."""
        return self.place

    def seek(self, place: int) -> int:
        """Go to a place of the unpacked stream."""
        self.place = place
        return place

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; fewer only at the end. Raises: GzipDamaged; OSError."""
        if size > self._most:
            raise GzipDamaged(f"asks for {size:,} bytes at once")
        if self.place < self._first or self._marks.before(self.place).unpacked > self._first + len(self._held):
            self._start_from(self._marks.before(self.place))
        parts: list[bytes] = []
        wanted = size
        while wanted:
            inside = self.place - self._first
            part = self._held[inside : inside + wanted]
            if part:
                parts.append(part)
                self.place += len(part)
                wanted -= len(part)
            elif not self._advance():
                break
        return b"".join(parts)

    def _start_from(self, mark: _Mark) -> None:
        self._file.seek(mark.packed)
        self._state = None if mark.state is None else mark.state.copy()
        self._rest = b""  # read of the file, not yet unpacked
        self._first, self._held = mark.unpacked, b""
        self._end = mark.unpacked

    def _advance(self) -> bool:
        """Unpack the next part; False at the end."""
        data = self._rest or self._file.read(_CHUNK)
        if self._state is None:
            data = data.lstrip(b"\0") if self._end else data  # some writers fill up with zeros
        if not data:
            if self._state is not None:
                raise GzipDamaged("ends early")
            return False
        if self._state is None:
            self._state = zlib.decompressobj(_GZIP)
        try:
            part = self._state.decompress(data)
        except zlib.error as error:
            raise GzipDamaged(str(error)) from None
        self._rest = self._state.unused_data
        if self._state.eof:
            self._state = None
        kept = self._held[-512:]
        self._first, self._held = self._end - len(kept), kept + part
        self._end += len(part)
        if self._end > self._marks.most:
            raise GzipDamaged(f"would grow to more than {self._marks.most:,} bytes")
        if self._filling:
            self._marks.pass_by(self._end, self._file.tell() - len(self._rest), self._state)
        return True
