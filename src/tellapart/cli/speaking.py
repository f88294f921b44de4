"""Which language the screen speaks, and how. In: arguments, the environment, commands. Out: streams, helps. Next: translating.py.

Names of commands, options, settings and files are the same in every language, and so is what a program reads: JSON, CSV.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, TextIO

import click

from tellapart.cli.screen import Screen
from tellapart.language import OwnLanguage, is_simplified_chinese, system_language

OPTION = "--lang"
LANGUAGES = ("en", "zh")
HELP = ["-h", "--help"]
WIDTH = 56  # Chinese characters take two columns
_SAMPLE = "中文"


def language_asked(arguments: Sequence[str]) -> OwnLanguage:
    """What `tellapart --lang zh COMMAND` says, or TELLAPART_LANG, or the system's locale."""
    for place, argument in enumerate(arguments):
        if not argument.startswith("-"):
            break
        name, equals, value = argument.partition("=")
        if name == OPTION:
            told = value if equals else "".join(arguments[place + 1 : place + 2])
            return "zh" if is_simplified_chinese(told) else "en"
    return system_language()


class ChineseStream:
    """A text stream that says whole lines in Chinese, and hands on everything else as it is."""

    def __init__(self, stream: TextIO | Screen) -> None:
        self.untranslated = stream
        self._begun = ""

    def write(self, text: str) -> int:
        """Keep what is no whole line yet; lines of programs go on untouched."""
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            self.untranslated.write(_said(line) + "\n")
        return len(text)

    def flush(self) -> None:
        """Write what has been begun."""
        begun, self._begun = self._begun, ""
        if begun:
            self.untranslated.write(_said(begun))
        self.untranslated.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.untranslated, name)


def _said(line: str) -> str:
    from tellapart.cli.translating import translate

    return line if line[:1] in ("{", "[", '"') else translate(line)


def guard_screen(*, chinese: bool) -> None:
    """From now on no name steers the terminal, and both streams speak Chinese where that is asked for."""
    if not isinstance(sys.stdout, Screen | ChineseStream):
        sys.stdout, sys.stderr = Screen(sys.stdout), Screen(sys.stderr)
    if chinese and not isinstance(sys.stdout, ChineseStream):
        sys.stdout, sys.stderr = ChineseStream(sys.stdout), ChineseStream(sys.stderr)


def without_chinese() -> str:
    """The encoding of a stream that has no Chinese letters; "" where both have."""
    for stream in (sys.stdout, sys.stderr):
        encoding = getattr(stream, "encoding", None) or "utf-8"  # a stream of text alone has all letters
        try:
            _SAMPLE.encode(encoding)
        except (UnicodeEncodeError, LookupError):
            return str(encoding)
    return ""


def plain_output(*, for_program: bool) -> TextIO:
    """Standard output line by line, untranslated; for a program, which no terminal shows, to the letter."""
    screen: TextIO = getattr(sys.stdout, "untranslated", sys.stdout)
    return getattr(screen, "exact", screen) if for_program and not screen.isatty() else screen


def terminal() -> TextIO:
    """Standard error itself, for what draws there by the characters that steer it."""
    stream: Any = sys.stderr
    for wrapped in ("rich_proxied_file", "untranslated", "exact"):
        stream = getattr(stream, wrapped, stream)
    return stream  # type: ignore[no-any-return]


def speaks_chinese() -> bool:
    """Whether the screen does, also while a bar is drawn on it."""
    return any(isinstance(one, ChineseStream) for one in (sys.stderr, getattr(sys.stderr, "rich_proxied_file", None)))


def screen_language() -> OwnLanguage:
    """Of the screen."""
    return "zh" if speaks_chinese() else "en"


def said(text: str) -> str:
    """A sentence in the language of the screen, for what is drawn rather than written."""
    from tellapart.cli.translating import translate

    return translate(text) if speaks_chinese() else text


def said_word(word: str) -> str:
    """A word of ours that stands alone, as at the head of a column."""
    from tellapart.cli.translating import chinese_words

    return chinese_words().get(word, word) if speaks_chinese() else word


def said_cell(word: str, columns: int, *, of: str = "", right: bool = False) -> str:
    """A word of ours in a column of names or, at the `right` of it, figures, over so many columns of the terminal.

    There a Chinese letter takes two.

    A line is never translated for such a word, which is a name of somebody's as well: `of` says which of ours it is.
    """
    told = said_word(f"{of}: {word}").removeprefix(f"{of}: ") if of else said_word(word)
    blanks = " " * (columns - sum(1 + (ord(letter) > 0x2000) for letter in told))
    return blanks + told if right else told + blanks


def helped(command: click.Command) -> click.Command:
    """The command with its help in the language of the screen."""
    if not speaks_chinese():
        return command
    from tellapart.cli.translating import translate

    command.help = _paragraphs(command.help)
    command.epilog = _paragraphs(command.epilog)
    # That of help itself click makes when it is asked for.
    own = command.get_help_option(click.Context(command, help_option_names=HELP))
    for parameter in (*command.params, own):
        if isinstance(parameter, click.Option) and parameter.help:
            parameter.help = translate(parameter.help)
    return command


def _paragraphs(text: str | None) -> str | None:
    """A help is wrapped by click: its lines are joined before, as the table has them."""
    import inspect

    from tellapart.cli.translating import chinese_sentences, translate

    if not text:
        return text
    whole = chinese_sentences().get(text)
    if whole is not None:
        return whole
    parts = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(part if part.startswith("\b") else translate(" ".join(part.split("\n"))) for part in parts)
