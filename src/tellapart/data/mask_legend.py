"""Which class each value of a data set's masks is. In: values of all masks, what was told. Out: MaskNaming. Next: mask_counts.py.

Values are numbers, unless a mask has colours, or palettes disagree on what a number looks like; then all are colours. What has no
name is called by its number or colour, and told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tellapart.data.mask_names import MOST_CLASSES, ToldValues, Uncounted
from tellapart.data.mask_targets import IGNORED
from tellapart.errors import DataError
from tellapart.reporter import counted

BACKGROUND, FOREGROUND = "background", "foreground"
MOST_COLOURS = 32  # that are taken for classes where nobody names them
_IGNORE = "__ignore__"  # LabelMe's name for what counts nowhere
_VOID = 0xE0E0C0  # Pascal VOC's colour of what counts nowhere
_SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenValues:
    """The values of one mask."""

    path: Path
    values: tuple[int, ...]  # numbers, or colours as 0xRRGGBB
    pixels: tuple[int, ...]  # of each
    coloured: bool = False
    palette: tuple[int, ...] = ()  # the colour of each value, where the file has a palette
    names: tuple[str, ...] = ()  # the class of each value, where it was named when it was drawn


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskNaming:
    """What the values mean."""

    classes: tuple[str, ...]  # in order, those that occur
    names: tuple[tuple[str, ...], ...]  # of each mask, the class of each value; "" counts nowhere
    notes: tuple[str, ...] = ()  # how that was found out, in sentences
    absent: tuple[str, ...] = ()  # classes that were named and never occur


def name_values(source: Path, masks: Sequence[SeenValues], told: ToldValues) -> MaskNaming:
    """Name the values of all masks alike. Raises: DataError where a value has no name, or there are too many."""
    drawn, others = [mask for mask in masks if mask.names], [mask for mask in masks if not mask.names]
    notes, meaning, coloured, values = list[str](), dict[int, str](), False, set[int]()
    names = told.names
    if others:
        notes += [f"{source}: the values are named by {told.where}."] * told.found
        coloured = _are_colours(source, others, told, notes)
        finder = _Finder(source, others, told, coloured)
        meaning = {value: "" if name in told.uncounted.names else name for value, name in finder.meaning().items()}
        names = finder.names
        notes += [*finder.notes, *_about_ignored(source, meaning, finder.totals, told.uncounted, coloured)]
        values = set(finder.totals)
    known = {*names, *(name for mask in drawn for name in mask.names)}
    notes += _never_there(source, told.uncounted, known, set() if coloured else values, values if coloured else set())
    aside = {*told.uncounted.names, _IGNORE}
    own = [
        tuple("" if name in aside else name for name in mask.names)
        if mask.names
        else tuple(meaning[value] for value in (_as_colours(mask) if coloured else mask.values))
        for mask in masks
    ]
    occurring = {
        name
        for mask, found in zip(masks, own, strict=True)
        for name, pixels in zip(found, mask.pixels, strict=True)
        if pixels
    } - {""}
    _check_drawn(source, drawn, occurring, told)
    _check_number(source, occurring)
    return MaskNaming(
        classes=tuple(_in_order(occurring, names)),
        names=tuple(own),
        notes=tuple(notes),
        absent=tuple(name for name in names if name not in occurring and name not in aside),
    )


def _check_drawn(source: Path, drawn: Sequence[SeenValues], occurring: set[str], told: ToldValues) -> None:
    """Raises: DataError where masks have names already, and other ones were told."""
    if drawn and told.names and not told.found and (others := sorted(occurring - set(told.names))):
        raise DataError(
            f"the masks of {source} show {others[0]!r}, and {told.where} has {', '.join(told.names[:_SHOWN])}. Name all their "
            f"classes, which says in which order they are, or leave some out with --ignore-label {others[0]!r}."
        )


def _check_number(source: Path, occurring: set[str]) -> None:
    """Raises: DataError for too many classes."""
    if len(occurring) > MOST_CLASSES:
        raise DataError(
            f"the masks of {source} have {len(occurring)} different values; the limit is {MOST_CLASSES} classes. If they number "
            "things, say which values are which class with --classes, such as background=0,cell=1-65535."
        )


def _in_order(occurring: set[str], names: Sequence[str]) -> list[str]:
    """As told; then what is black or 0, then the others, sorted."""
    rest = sorted(occurring.difference(names), key=lambda name: (name != BACKGROUND, _number_or_name(name)))
    return [*(name for name in names if name in occurring), *rest]


def shown(value: int, coloured: bool) -> str:
    """A value as a person writes it."""
    return f"#{value:06x}" if coloured else str(value)


def _are_colours(source: Path, masks: Sequence[SeenValues], told: ToldValues, notes: list[str]) -> bool:
    if any(mask.coloured for mask in masks):
        return True
    known: dict[int, int] = {}
    palettes = [mask for mask in masks if mask.palette]
    if told.colours:
        return True
    for mask in palettes:
        for value, colour in zip(mask.values, mask.palette, strict=True):
            if known.setdefault(value, colour) != colour:
                notes.append(
                    f"{source}: the palettes of the masks differ ({value} is {shown(known[value], True)} and, in {mask.path.name}, "
                    f"{shown(colour, True)}), so their colours are read, not their numbers."
                )
                return True
    return False


def _as_colours(mask: SeenValues) -> tuple[int, ...]:
    """The colours of a mask's values; a number without palette is a grey."""
    if mask.coloured:
        return mask.values
    return mask.palette or tuple(min(value, 255) * 0x010101 for value in mask.values)


class _Finder:
    """The class of each value."""

    def __init__(
        self,
        source: Path,
        masks: Sequence[SeenValues],
        told: ToldValues,
        coloured: bool,
    ) -> None:
        self.source = source
        self.totals: Counter[int] = Counter()
        self.first: dict[int, Path] = {}  # value -> a mask that has it
        for mask in masks:
            for value, pixels in zip(_as_colours(mask) if coloured else mask.values, mask.pixels, strict=True):
                self.totals[value] += pixels
                self.first.setdefault(value, mask.path)
        totals = self.totals
        self.told, self.names, self.coloured = told, told.names, coloured
        uncounted = told.uncounted
        self.notes: list[str] = []
        self.black_and_white = not coloured and 255 in totals and set(totals) <= {0, 255} and not uncounted.told
        self.aside = uncounted.colours if coloured else uncounted.numbers
        if not uncounted.told and not self.black_and_white:
            named = self._names_as_told()
            self.aside = frozenset({_VOID if coloured else IGNORED}) - frozenset(named)
        self.values = sorted(value for value in totals if value not in self.aside)

    def meaning(self) -> dict[int, str]:
        """Value -> class, "" for what counts nowhere. Raises: DataError."""
        found = dict.fromkeys(self.aside & set(self.totals), "")
        if not self.names:
            return found | self._unnamed()
        names = self._names_as_told() or self._by_order()
        nameless = [value for value in self.values if value not in names]
        if nameless:
            raise self._more_than_named(nameless, names)
        return found | {value: names[value] for value in self.values}

    def _names_as_told(self) -> Mapping[int, str]:
        return self.told.colours if self.coloured else self.told.numbers

    def _by_order(self) -> dict[int, str]:
        """The told names by the numbers of the values, or by their order where there are as many."""
        if self.black_and_white and len(self.names) <= 2:
            self.names = self.names if len(self.names) == 2 else (BACKGROUND, *self.names)
            return {0: self.names[0], 255: self.names[1]}
        names, values = self.names, self.values
        if self.coloured and self.told.found:
            self.notes.append(f"{self.source}: the masks are colours, of which {self.told.where} says nothing.")
            self.names = ()
            return self._unnamed()
        if self.coloured:
            raise DataError(
                f"the masks of {self.source} are colours ({self._list(values)}), and {self.told.where} has names alone. Say which "
                f"is which, such as --classes {','.join(f'{name}=#rrggbb' for name in names[:2])}."
            )
        if values and values[-1] < len(names):
            return dict(enumerate(names))
        if len(values) == len(names):
            pairs = ", ".join(f"{value} is {name!r}" for value, name in zip(values, names, strict=True))
            self.notes.append(f"{self.source}: the values are named in their order: {pairs}.")
            return dict(zip(values, names, strict=True))
        return dict(enumerate(names))

    def _unnamed(self) -> dict[int, str]:
        if self.black_and_white:
            self.notes.append(
                f"{self.source}: masks of 0 and 255, read as {BACKGROUND} and {FOREGROUND}; --classes names them."
            )
            return {0: BACKGROUND, 255: FOREGROUND}
        if self.coloured and len(self.values) > MOST_COLOURS:
            raise DataError(
                f"the masks of {self.source} have {len(self.values)} colours ({self._list(self.values)}); up to {MOST_COLOURS} are "
                "taken for classes. Name them in a file such as classes.txt with a line `red green blue name` for each, or with "
                "--classes."
            )
        found = {value: shown(value, self.coloured) for value in self.values}
        if 0 in found:
            found[0] = BACKGROUND
        if self.values:
            number = counted(len(self.values), "colour" if self.coloured else "value")
            self.notes.append(
                f"{self.source}: masks of {number} ({self._list(self.values)}) whose names are not known; a file "
                "classes.txt beside the masks, or --classes, names them."
            )
        return found

    def _more_than_named(self, nameless: Sequence[int], names: Mapping[int, str]) -> DataError:
        several, value = "s" * (len(nameless) > 1), shown(nameless[0], self.coloured)
        known = list(dict.fromkeys(names.values()))
        there = f"{counted(len(known), 'name')} ({', '.join(known[:_SHOWN])}{' ...' * (len(known) > _SHOWN)})"
        return DataError(
            f"the masks of {self.source} have the value{several} {self._list(nameless)}, such as {self.first[nameless[0]].name}, "
            f"and {self.told.where} has {there}. Name each value, from 0 on, or leave some out with --ignore-label {value}."
        )

    def _list(self, values: Sequence[int]) -> str:
        listed = ", ".join(shown(value, self.coloured) for value in values[:_SHOWN])
        return listed + (f" and {len(values) - _SHOWN:,} more" if len(values) > _SHOWN else "")


def _number_or_name(name: str) -> tuple[int, int, str]:
    return (0, int(name), "") if name.isdecimal() else (1, 0, name)


def _about_ignored(
    source: Path, meaning: Mapping[int, str], totals: Mapping[int, int], uncounted: Uncounted, coloured: bool
) -> Iterator[str]:
    aside = sorted(value for value, name in meaning.items() if not name)
    whole = sum(totals.values())
    if aside and whole:
        share = 100 * sum(totals[value] for value in aside) / whole
        listed = ", ".join(shown(value, coloured) for value in aside[:_SHOWN])
        remedy = "" if uncounted.told else "; --ignore-label says which does, or none"
        yield f"{source}: what has the value {listed} counts nowhere, {share:.3g} % of the pixels{remedy}."


def _never_there(
    source: Path, uncounted: Uncounted, names: set[str], numbers: set[int], colours: set[int]
) -> Iterator[str]:
    """What is to count nowhere, and which no mask shows and no class is called: a slip, most likely."""
    lacking = [
        *map(str, sorted(uncounted.numbers - numbers)),
        *(shown(value, True) for value in sorted(uncounted.colours - colours)),
        *map(repr, sorted(uncounted.names - names)),
    ]
    if lacking:
        yield f"{source}: --ignore-label {', '.join(lacking[:_SHOWN])}: no mask has that, so that nothing is left out for it."
