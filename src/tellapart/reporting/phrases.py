"""Every phrase that people read on a page, in two languages. In: a language, a key. Out: a sentence. Next: figures.py.

The report takes its words from here, and so will the web page; a test sees to it that no language lacks any.
"""

from __future__ import annotations

import functools
import importlib.resources
import re
import tomllib
from collections.abc import Mapping
from typing import Any, Literal

from tellapart.bundle import Score
from tellapart.errors import SettingsError
from tellapart.language import system_language

Language = Literal["en", "zh"]

LANGUAGES: tuple[Language, ...] = ("en", "zh")

# Values that are shares come as numbers, and lists of names as lists, since languages write them differently.
_SHARES = (
    "accuracy",
    "low",
    "high",
    "share",
    "recall",
    "train",
    "validation",
    "measured",
    "wanted",
    "before",
    "after",
    "exact",
)


OF_TEXTS = "_of_texts"  # how keys end of phrases that texts have of their own
_TEXT = "text"
_INSTEAD = (
    (re.compile(r"(?<!\{)\bpicture"), "text"),
    (re.compile(r"\bPicture"), "Text"),
    (re.compile(r"\bPICTURE"), "TEXT"),
    (re.compile(r"张(?=[\u4e00-\u9fff]{0,6}图片)"), "条"),
    (re.compile(r"(?<=\}) ?张(?![\u4e00-\u9fff]{0,6}图片)"), " 条"),
    (re.compile("图片"), "文本"),
)


def of_texts(phrase: str) -> str:
    """A phrase about pictures, said of texts."""
    for pattern, instead in _INSTEAD:
        phrase = pattern.sub(instead, phrase)
    return phrase


class _Count(int):
    """A whole number in a phrase."""

    def __format__(self, words: str) -> str:
        one, _, more = words.partition("|")
        shown = format(int(self), ",")
        return f"{shown} {one if self == 1 else more}" if more else shown


class Phrases:
    """The phrases of one language, about pictures or about texts."""

    def __init__(self, language: Language, *, item: str = "picture") -> None:
        """`item`: what is classified, in a word: picture or text."""
        self.language: Language = language
        self._table = table()
        self._of_texts = item == _TEXT

    def __call__(self, key: str, **values: Any) -> str:
        """The phrase with its values filled in. Raises: KeyError for an unknown key.

        Whole numbers are grouped by thousands, shares (floats under the names of shares) are percentages, lists of names
        stand in a row. `{n:label is|labels are}` is the number with what stands beside one, or beside any other.
        """
        shown = {name: self._shown(name, value) for name, value in values.items()}
        return self._phrase(key).format(**shown)

    def _phrase(self, key: str) -> str:
        """A phrase of its own for texts, where there is one; else that for pictures, with texts in their place."""
        if not self._of_texts:
            return self._table[key][self.language]
        own = self._table.get(key + OF_TEXTS)
        return of_texts(self._table[key][self.language]) if own is None else own[self.language]

    def named(self, key: str) -> str:
        """What a figure is called; one that has no phrase has the words of its key."""
        return self(key) if key in self._table else key.replace("_", " ")

    def sentences(self, *texts: str) -> str:
        """Sentences after one another; Chinese has no space between them."""
        return ("" if self.language == "zh" else " ").join(text for text in texts if text)

    def interval(self, score: Score | None, *, share: bool = True) -> str:
        """The ends of a score's interval, as percentages or as numbers; a dash where there are none."""
        if score is None or score.low is None or score.high is None:
            return "–"
        if share:
            return f"{self.percent(score.low)} – {self.percent(score.high)}"
        return f"{score.low:.3f} – {score.high:.3f}"

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

    def _shown(self, name: str, value: Any) -> Any:
        if isinstance(value, int):
            return _Count(value)
        if isinstance(value, float) and name in _SHARES:
            return self.percent(value)
        return self.joined(value) if isinstance(value, list) else value


@functools.cache
def table() -> Mapping[str, Mapping[str, str]]:
    """Key -> language -> phrase with {values}: phrases.toml."""
    text = importlib.resources.files("tellapart.reporting").joinpath("phrases.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def language_of(asked: str | None) -> Language:
    """The language asked for, or with None the system's: Chinese where its locale says Simplified, else English.

    Raises: SettingsError for another one.
    """
    if asked is not None:
        if asked not in LANGUAGES:
            raise SettingsError(
                f"the language is {asked!r}; a report is in one of {', '.join(LANGUAGES)}. Give one of them."
            )
        return "zh" if asked == "zh" else "en"
    return system_language()
