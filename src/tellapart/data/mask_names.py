"""What a user says of masks' values: their classes, and which count nowhere. In: text. Out: ToldValues. Next: mask_legend.py.

names in order           background,crack,spall
names with their values  road=0,person=24-25,sky=#4682b4
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tellapart.errors import SettingsError

MOST_CLASSES = 254  # numbers of 8 bits, but for what counts nowhere and one to spare
_COLOUR = re.compile(r"#?([0-9a-f]{6})", re.IGNORECASE)
_RANGE = re.compile(r"(\d{1,10})(?:-(\d{1,10}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncounted:
    """What counts nowhere: values, colours and names of classes."""

    told: bool = False  # False: 255, where it may be meant so
    numbers: frozenset[int] = frozenset()
    colours: frozenset[int] = frozenset()
    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldValues:
    """Names of values, as they were told."""

    names: tuple[str, ...] = ()  # the classes in order, each once
    numbers: Mapping[int, str] = field(default_factory=dict)  # number -> class, where values were told
    colours: Mapping[int, str] = field(default_factory=dict)  # 0xRRGGBB -> class, where colours were told
    where: str = ""  # who said it: --classes, or a file
    found: bool = False  # nobody told the file; it lay beside the masks
    uncounted: Uncounted = field(default_factory=Uncounted)

    @property
    def plain(self) -> bool:
        """Whether only names were told, so that the numbers count from 0."""
        return bool(self.names) and not self.numbers and not self.colours


def read_names(text: str, where: str = "--classes") -> ToldValues:
    """Names between commas, each with its value where one is told. Raises: SettingsError for what is none."""
    parts = [part.strip() for part in text.split(",")]
    if any("=" in part for part in parts):
        pairs = [part.rpartition("=")[::2] for part in parts]
        return with_values([(name.strip(), value.strip()) for name, value in pairs], where)
    return with_names(parts, where)


def with_names(names: Sequence[str], where: str) -> ToldValues:
    """Names in the order of their numbers. Raises: SettingsError where one is empty or there twice, or there are too many."""
    found = [unicodedata.normalize("NFC", name) for name in names]
    _check(found, where)
    twice = sorted({name for name in found if found.count(name) > 1})
    if twice:
        raise SettingsError(
            f"{where} names the class {twice[0]!r} twice; each value needs a name of its own. Rename one."
        )
    return ToldValues(names=tuple(found), where=where)


def with_values(pairs: Sequence[tuple[str, str]], where: str) -> ToldValues:
    """Names with numbers, from-to ranges or colours #rrggbb. Raises: SettingsError for what is neither, or said of two classes."""
    numbers: dict[int, str] = {}
    colours: dict[int, str] = {}
    names = dict.fromkeys(unicodedata.normalize("NFC", name) for name, _ in pairs)
    _check(list(names), where)
    for name, value in pairs:
        own = unicodedata.normalize("NFC", name)
        colour, span = _COLOUR.fullmatch(value), _RANGE.fullmatch(value)
        if span is not None and not value.startswith("#"):
            first, last = int(span[1]), int(span[2] or span[1])
            found: dict[int, str] = dict.fromkeys(range(first, min(last, first + 65_535) + 1), own)
            known = numbers
        elif colour is not None:
            found, known = {int(colour[1], 16): own}, colours
        else:
            raise SettingsError(
                f"{where} says {value[:40]!r} of the class {own!r}, which is neither a number, a range such as 1-20 nor a colour "
                "such as #ff0000. Correct it."
            )
        for number, other in found.items():
            if known.setdefault(number, other) != other:
                raise SettingsError(
                    f"{where} says {value!r} of the classes {known[number]!r} and {other!r}; a value is one class. Correct one."
                )
    if numbers and colours:
        raise SettingsError(f"{where} has numbers and colours; masks have either. Use one of the two.")
    return ToldValues(names=tuple(names), numbers=numbers, colours=colours, where=where)


def _check(names: Sequence[str], where: str) -> None:
    if not names or any(not name for name in names):
        raise SettingsError(
            f"{where} has a class without a name. Write names between commas, such as background,crack."
        )
    if len(names) > MOST_CLASSES:
        raise SettingsError(f"{where} names {len(names):,} classes; the limit is {MOST_CLASSES}. Join some of them.")


def read_uncounted(text: str | None) -> Uncounted:
    """Values, colours and names of classes between commas, or `none`; None: nobody said."""
    if text is None:
        return Uncounted()
    numbers, colours, names = set[int](), set[int](), set[str]()
    for part in (part.strip() for part in text.split(",")):
        if part.removeprefix("-").isdecimal() and len(part) <= 10:
            numbers.add(int(part))
        elif part.startswith("#") and (found := _COLOUR.fullmatch(part)):
            colours.add(int(found[1], 16))
        elif part and part.casefold() != "none":
            names.add(unicodedata.normalize("NFC", part))
    return Uncounted(told=True, numbers=frozenset(numbers), colours=frozenset(colours), names=frozenset(names))
