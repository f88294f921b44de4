"""What may reach a terminal. In: text with names of strangers. Out: the same, with nothing that steers it. Next: speaking.py.

Names of files, arrays and classes come from archives and tables of strangers. A terminal obeys some characters in them: it would
clear itself, change its title or colours, or show a name backwards.
"""

from __future__ import annotations

import re
from typing import Any, TextIO

# Controls but for a line's end and a tab (ECMA-48's C0, DEL and C1), and what turns the direction of letters (UAX 9).
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def harmless(text: str) -> str:
    r"""The text with characters that steer a terminal as codes, `\u001b`, which JSON reads as the characters themselves."""
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


class Screen:
    """A text stream on which no name steers the terminal."""

    def __init__(self, stream: TextIO) -> None:
        self.exact = stream  # for what draws by such characters itself, or is read by a program

    def write(self, text: str) -> int:
        """Write it, made harmless."""
        self.exact.write(harmless(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write each."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        if name in ("exact", "buffer"):  # click would write to the bytes below us where a locale knows ASCII alone
            raise AttributeError(name)
        return getattr(self.exact, name)
