"""Streams to a screen without what commands it. In: text. Out: the same, control characters as codes. Next: speaking.py.

A file, a label or a text may hold an escape sequence: sent to a terminal as it is, it could move the cursor, change the title or
hide what was said. All that is told goes through these streams; what a program reads (CSV into a pipe) does not.
"""

from __future__ import annotations

import re
import sys
from typing import Any, TextIO

# A line's end and a tab are what they are; so is the pair that ends a line of CSV.
_BELOW = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)")
# And what terminals follow besides: a second set of controls, and marks that turn the direction of writing.
_ALL = re.compile(f"{_BELOW.pattern}|[\x80-\x9f\u202a-\u202e\u2066-\u2069]")


def harmless(text: str, *, screen: bool = True) -> str:
    """A text with its control characters as codes, such as \\x1b.

    Without a `screen` those below a blank alone: of them JSON, which a program may read, has none.
    """
    return (_ALL if screen else _BELOW).sub(_code, text)


def _code(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


class PlainStream:
    """A text stream that hands on no control characters."""

    def __init__(self, stream: TextIO) -> None:
        self.unguarded = stream
        self._screen = stream.isatty()

    def write(self, text: str) -> int:
        """Hand a text on."""
        self.unguarded.write(harmless(text, screen=self._screen))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.unguarded, name)


def guard_streams() -> None:
    """From now on both streams are such."""
    sys.stdout, sys.stderr = (
        stream if stream is None or isinstance(stream, PlainStream) else PlainStream(stream)  # type: ignore[assignment]
        for stream in (sys.stdout, sys.stderr)
    )


def unguarded(stream: Any) -> Any:
    """The stream behind one that was guarded, or that speaks Chinese."""
    stream = getattr(stream, "untranslated", stream)
    return stream.unguarded if isinstance(stream, PlainStream) else stream
