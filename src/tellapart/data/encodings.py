"""The text of a table in whatever encoding it was saved. In: bytes. Out: Text. Next: plausible_words.py.

UTF-8, and UTF-16 with its mark, are known. Anything else is a guess, which is told with an example, or asked where several are
about as good: names that are files on the disk count first, then how many words could be words. charset-normalizer judges what is
left by language: of lists of names alone it takes cats for other things (the bytes of 猫 for 챔).
"""

from __future__ import annotations

import codecs
import contextlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from tellapart.data.plausible_words import are_of_one_language, is_plausible
from tellapart.errors import DataError, SettingsError

# Of two that read a text alike, the first is named.
GUESSED = (
    *("cp1252", "gb18030", "cp950", "cp932", "euc_jp", "cp949", "cp1251", "koi8_r", "cp1250", "cp1253"),
    *("cp1254", "cp1255", "cp1256", "cp1257", "cp874", "cp850", "cp852", "cp866", "mac_roman"),
)

_NUL = re.compile("\0")
_HALVES = re.compile("[\ud800-\udfff]")
_MOST_NULS = 0.01  # of the characters of what is still a text
_ESCAPE = "\x1b"
_LANGUAGE_BYTES = 65536  # of words, from which a language is told
_MOST_WORDS = 2000
_SHOWN = 6  # encodings that a question names
_MARGIN = 0.25  # of plausible words, by which a guess must be ahead
_LANGUAGE_MARGIN = 0.2  # of charset-normalizer's coherence
_ASCII_BREAK = re.compile(r"[\x00-/:-@\[-`{-\x7f]+")
_CELL_BREAK = re.compile('[,;\t|\r\n"]+')

IsFile = Callable[[str], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """What a file says, and what was guessed to read it."""

    text: str
    note: str = ""  # a sentence; "" where nothing was guessed
    encoding: str = ""  # that was guessed; "" where nothing was


@dataclass(frozen=True, slots=True)
class _Guess:
    encoding: str
    text: str
    words: tuple[str, ...]  # different ones that are not ASCII
    files: int  # cells that are files on the disk
    plausible: float  # share of the words


def known_encoding(name: str) -> str:
    """The name if Python knows it as an encoding of text. Raises: SettingsError."""
    try:
        known = codecs.lookup(name)
        "".encode(name)
    except (LookupError, ValueError):
        known = None
    if known is None:
        raise SettingsError(
            f"the encoding is {name!r}, which is not known. Use a name such as utf-8, cp1252, gb18030 or shift_jis."
        )
    return known.name


def read_text(path: Path, data: bytes, encoding: str | None, is_file: IsFile) -> Text:
    """The text of `data`, in the encoding that was told or that is found; `is_file` says whether a cell names a file.

    Raises: DataError where the bytes do not fit, are no text, or may be read in two ways; SettingsError for no encoding.
    """
    if encoding is not None:
        return Text(text=_told(path, data, known_encoding(encoding)))
    for known, mark in (("utf-16", codecs.BOM_UTF16_LE), ("utf-16", codecs.BOM_UTF16_BE), ("utf-8-sig", b"")):
        if data.startswith(mark):
            try:
                text = data.decode(known)
            except UnicodeDecodeError:
                text = "\0"
            if "\0" not in text:
                escaped = _escaped(data) if _ESCAPE in text else None
                return (
                    Text(text=text)
                    if escaped is None
                    else Text(text=escaped.text, note=_note(path, escaped), encoding=escaped.encoding)
                )
            if mark:
                raise _no_text(path, data)
    return _guess(path, data, is_file)


def known_text(path: str, data: bytes, *, which: str = "names classes") -> str:
    """The text of a file of which no flag tells the encoding: UTF-8, or UTF-16 with its mark. `which` says what the file does.

    Raises: DataError for any other: a guess may give two classes one name, or find no picture of a list.
    """
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"the file {path!r}, which {which}, is not in UTF-8 (line {line}). Save it as UTF-8, so that they are read as "
            "they are meant."
        ) from None


def _told(path: Path, data: bytes, encoding: str) -> str:
    try:
        text = data.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"the table {str(path)!r} is not in {encoding}: byte {data[error.start]:#04x} in line {line} means nothing there. Give "
            "another --encoding, or save the table again as UTF-8."
        ) from None
    if "\0" in text:
        raise _no_text(path, data)
    return text.removeprefix("\ufeff")


def _guess(path: Path, data: bytes, is_file: IsFile) -> Text:
    wide = _wide(data)
    if wide is not None:
        return Text(text=wide.text, note=_note(path, wide), encoding=wide.encoding)
    if b"\0" in data:
        raise _no_text(path, data)
    _check_nearly_utf8(path, data)
    guesses = _distinct(filter(None, (_try(data, encoding, is_file) for encoding in GUESSED)))
    best = max(guesses, key=_rank, default=None)
    if best is None or (not best.files and best.plausible < 0.5):
        raise _no_text(path, data)
    rivals = [guess for guess in guesses if guess is not best and _is_rival(guess, best)]
    if rivals:
        best, rivals = _by_language([best, *rivals])
    if rivals:
        readings = ", ".join(_differently([best, *rivals][:_SHOWN]))
        raise DataError(
            f"the table {str(path)!r} is not in UTF-8, and may be in more than one encoding: {readings}. Say which with "
            f"--encoding, such as --encoding {best.encoding}."
        )
    return Text(text=best.text, note=_note(path, best), encoding=best.encoding)


def _no_text(path: Path, data: bytes) -> DataError:
    with contextlib.suppress(UnicodeDecodeError):
        text = data.decode("utf-8-sig", "surrogatepass")
        if 0 < text.count("\0") <= _MOST_NULS * len(text):
            return DataError(
                f"the table {str(path)!r} is text but for the character NUL, which no table has, first in line "
                f"{_line(text, _NUL)}. Take it out wherever it stands, or save the table again as CSV (UTF-8)."
            )
        if "\0" not in text and _HALVES.search(text):
            return DataError(
                f"the table {str(path)!r} is in UTF-8 but for halves of characters (surrogates), first in line "
                f"{_line(text, _HALVES)}. Save it again as UTF-8 from where it came, or take them out."
            )
    return DataError(
        f"{str(path)!r} is not a text table in an encoding that can be told. Save it again as CSV (UTF-8), or name its encoding "
        "with --encoding."
    )


def _line(text: str, pattern: re.Pattern[str]) -> int:
    """The line in which something stands first."""
    found = pattern.search(text)
    return text.count("\n", 0, found.start() if found else 0) + 1


def _note(path: Path, guess: _Guess) -> str:
    example = f", in which it says {guess.words[0]!r}" if guess.words else ""
    return f"{path}: not in UTF-8; read as {guess.encoding}, a guess{example}. If that is wrong, name the encoding with --encoding."


def _wide(data: bytes) -> _Guess | None:
    """UTF-16 without its mark: every other byte of ASCII is then 0."""
    for encoding, place in (("utf-16-le", 1), ("utf-16-be", 0)):
        head = data[:4096]
        if head[place::2].count(0) * 4 > len(head) and not head[1 - place :: 2].count(0):
            try:
                text = data.decode(encoding)
            except UnicodeDecodeError:
                continue
            if "\0" not in text:
                return _Guess(encoding, text, tuple(_words(text)), 0, 1.0)
    return None


def _escaped(data: bytes) -> _Guess | None:
    """ISO 2022, which says in ASCII between escapes what is beyond it; None for bytes with escapes that mean nothing there."""
    for encoding in ("iso2022_jp", "iso2022_kr"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if _ESCAPE not in text:
            return _Guess(encoding, text, tuple(_words(text)), 0, 1.0)
    return None


def _check_nearly_utf8(path: Path, data: bytes) -> None:
    """Raises: DataError where one broken place keeps a file from being UTF-8."""
    text = data.decode("utf-8", "replace")
    broken, whole = text.count("\ufffd"), sum(character > "\x7f" for character in text)
    if broken * 10 <= whole:  # the broken places are among the whole
        line = text.count("\n", 0, text.index("\ufffd")) + 1
        raise DataError(
            f"the table {str(path)!r} is in UTF-8 but for {broken:,} places, the first in line {line}. Mend them, or name another "
            "encoding with --encoding."
        )


def _try(data: bytes, encoding: str, is_file: IsFile) -> _Guess | None:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return None
    words = tuple(_words(text))
    plausible = sum(is_plausible(word, encoding) for word in words) / max(1, len(words))
    cells = [cell.strip() for cell in dict.fromkeys(_CELL_BREAK.split(text)) if not cell.isascii()]
    return _Guess(encoding, text, words, sum(map(is_file, cells[:_MOST_WORDS])), plausible)


def _distinct(guesses: Iterable[_Guess | None]) -> list[_Guess]:
    """Each text once, in the encoding to whose usual letters it keeps."""
    texts: dict[str, _Guess] = {}
    for guess in filter(None, guesses):
        known = texts.get(guess.text)
        if known is None or guess.plausible > known.plausible:
            texts[guess.text] = guess
    return list(texts.values())


def _rank(guess: _Guess) -> tuple[int, float]:
    return guess.files, guess.plausible


def _is_rival(guess: _Guess, best: _Guess) -> bool:
    return guess.files == best.files and best.plausible - guess.plausible < _MARGIN


def _by_language(guesses: list[_Guess]) -> tuple[_Guess, list[_Guess]]:
    """The guess that reads like a language, alone if it is clearly ahead of the others, and those that it is not ahead of."""
    fitting = [guess for guess in guesses if are_of_one_language(guess.words)]
    if len(fitting) == 1:
        return fitting[0], []
    ranked = sorted(((_coherence(guess), guess) for guess in guesses), key=lambda pair: -pair[0])
    if ranked[0][0] - ranked[1][0] >= _LANGUAGE_MARGIN:
        return ranked[0][1], []
    best, *others = sorted(guesses, key=lambda guess: guess not in fitting)  # the likelier ones are named first
    return best, others


def _coherence(guess: _Guess) -> float:
    """How much the words are a language's, in [0, 1], by the frequencies of letters."""
    from charset_normalizer import from_bytes

    data = " ".join(guess.words).encode(guess.encoding, "ignore")[:_LANGUAGE_BYTES]
    found = from_bytes(data, cp_isolation=[guess.encoding], threshold=1.0, language_threshold=0.0).best()
    shouted = all(
        map(str.isupper, guess.words)
    )  # small letters of KOI8 are large ones of cp1251: a list of these is rarer
    return 0.0 if found is None else float(found.coherence) / (1 + shouted)


def _differently(guesses: list[_Guess]) -> list[str]:
    """The first word that the guesses read differently, in the words of each."""
    lists = zip(*(guess.words for guess in guesses), strict=False)
    words = next((words for words in lists if len(set(words)) > 1), tuple(guess.words[0] for guess in guesses))
    return [f"{guess.encoding} ({word!r})" for guess, word in zip(guesses, words, strict=True)]


def _words(text: str) -> list[str]:
    words = dict.fromkeys(word for word in _ASCII_BREAK.split(text) if not word.isascii())
    return list(words)[:_MOST_WORDS]
