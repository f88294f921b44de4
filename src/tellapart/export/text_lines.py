"""texts.json and golden.json as lines, for languages without JSON at hand. In: their values. Out: texts. Next: samples.py.

A line is a word and what it tells, blanks between. Characters are their numbers in hexadecimal, several joined by dots; hashes are
hexadecimal as well, other numbers decimal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tellapart.export.unicode_table import ranges


def steps_as_lines(told: Mapping[str, Any]) -> str:
    """What texts.json tells of the steps: steps.txt. A line `part KIND FILE` begins what is told of a part."""
    return "\n".join(_steps(told)) + "\n"


def golden_as_lines(golden: Sequence[Mapping[str, Any]]) -> str:
    """What golden.json holds: golden.txt. A line `text` begins a text, and a line `part KIND` what a part makes of it."""
    return "\n".join(line for one in golden for line in _golden(one)) + "\n"


def _steps(told: Mapping[str, Any]) -> Iterator[str]:
    yield f"letters {told['letters']}"
    for name, value in told["constants"].items():
        yield f"of_{name} {int(value, 16):x}"
    unseen = re.compile(told["unseen"])
    every = (chr(code) for code in range(0x10000) if not 0xD800 <= code < 0xE000)
    yield from (f"unseen {first:x} {last:x}" for first, last in ranges(every, lambda one: bool(unseen.match(one))))
    for part in told["parts"]:
        yield f"part {part['kind']} {part['vocabulary']}"
        for name, value in part.items():
            if name == "chinese":
                yield from (f"chinese {first:x} {last:x}" for first, last in value)
            elif name == "within":
                yield f"within {_characters(value)}"
            elif name not in ("kind", "vocabulary"):
                yield " ".join([name, *(str(int(one)) for one in (value if isinstance(value, list) else [value]))])


def _golden(one: Mapping[str, Any]) -> Iterator[str]:
    yield f"text {_characters(one['text'])}"
    yield f"cleaned {_characters(one['cleaned'])}"
    for part in one["parts"]:
        yield f"part {part['kind']}"
        pieces = part["kind"] == "pieces"
        yield from (_line("found", map(_characters, block) if pieces else block) for block in part["found"])
        yield from (_line("tokens", map(str, row)) for row in part["tokens"])
    yield _line("probabilities", map(repr, one["probabilities"]))
    yield f"novelty {one['novelty']!r}"


def _characters(text: str) -> str:
    return ".".join(f"{ord(one):x}" for one in text)


def _line(word: str, values: Iterable[str]) -> str:
    return " ".join([word, *values])
