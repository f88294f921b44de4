"""Every phrase that people read on a page, in two languages. In: a language, a key. Out: a sentence. Next: figures.py.

The report takes its words from here, and so will the web page; a test sees to it that no language lacks any.
"""

from __future__ import annotations

import functools
import importlib.resources
import locale
import os
import tomllib
from collections.abc import Mapping
from typing import Any, Literal

Language = Literal["en", "zh"]

LANGUAGES: tuple[Language, ...] = ("en", "zh")


class Phrases:
    """The phrases of one language."""

    def __init__(self, language: Language) -> None:
        self.language: Language = language
        self._table = table()

    def __call__(self, key: str, **values: Any) -> str:
        """The phrase with its values filled in; numbers are grouped by thousands. Raises: KeyError for an unknown key."""
        shown = {name: f"{value:,}" if isinstance(value, int) else value for name, value in values.items()}
        return self._table[key][self.language].format(**shown)

    def named(self, name: str) -> str:
        """A figure's name in the language, or as its task gave it."""
        return self(name) if name in self._table else name

    def percent(self, share: float | None, digits: int = 1) -> str:
        """A share in [0, 1] as a percentage; a dash where there is none."""
        if share is None:
            return "–"
        return f"{100 * share:.{digits}f}{'%' if self.language == 'zh' else chr(0xA0) + '%'}"

    def joined(self, names: list[str]) -> str:
        """Names in a row, as the language puts them."""
        return ("、" if self.language == "zh" else ", ").join(names)

    def duration(self, seconds: float) -> str:
        """A time as people say it."""
        minutes, rest = divmod(round(seconds), 60)
        if not minutes:
            return self("seconds", n=rest)
        return (
            self("minutes", n=minutes) if rest == 0 or minutes >= 10 else self("minutes_seconds", n=minutes, rest=rest)
        )


@functools.cache
def table() -> Mapping[str, Mapping[str, str]]:
    """Key -> language -> phrase with {values}: phrases.toml."""
    text = importlib.resources.files("tellapart.reporting").joinpath("phrases.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def language_of(asked: str | None) -> Language:
    """The language asked for, or with None the system's: Chinese where this process's locale says so, otherwise English."""
    if asked is not None:
        return "zh" if asked == "zh" else "en"
    for name in ("LC_ALL", "LC_MESSAGES", "LANGUAGE", "LANG"):
        value = os.environ.get(name)
        if value:
            return "zh" if value.lower().startswith("zh") else "en"
    # On Windows and macOS a program often has none of these.
    return "zh" if (locale.getlocale()[0] or "").lower().startswith(("zh", "chinese")) else "en"
