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


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskNaming:
    """What the values mean."""

    classes: tuple[str, ...]  # in order, those that occur
    names: tuple[tuple[str, ...], ...]  # of each mask, the class of each value; "" counts nowhere
    notes: tuple[str, ...] = ()  # how that was found out, in sentences
    absent: tuple[str, ...] = ()  # classes that were named and never occur


def name_values(source: Path, masks: Sequence[SeenValues], told: ToldValues) -> MaskNaming:
    """Name the values of all masks alike. Raises: DataError where a value has no name, or there are too many."""
    notes: list[str] = []
    uncounted = told.uncounted
    coloured = _are_colours(source, masks, told, notes)
    values = [_as_colours(mask) if coloured else mask.values for mask in masks]
    totals: Counter[int] = Counter()
    first: dict[int, Path] = {}
    for mask, own in zip(masks, values, strict=True):
        for value, pixels in zip(own, mask.pixels, strict=True):
            totals[value] += pixels
            first.setdefault(value, mask.path)
    finder = _Finder(source, totals, first, told, coloured)
    meaning = finder.meaning()
    meaning = {value: "" if name in uncounted.names else name for value, name in meaning.items()}
    occurring = {name for value, name in meaning.items() if name and totals[value]}
    if len(occurring) > MOST_CLASSES:
        raise DataError(
            f"the masks of {source} have {len(occurring)} different values; the limit is {MOST_CLASSES} classes. If they number "
            "things, say which values are which class with --classes, such as background=0,cell=1-65535."
        )
    return MaskNaming(
        classes=tuple(finder.in_order(occurring)),
        names=tuple(tuple(meaning[value] for value in own) for own in values),
        notes=(*notes, *finder.notes, *_about_ignored(source, meaning, totals, uncounted, coloured)),
        absent=tuple(name for name in told.names if name not in occurring and name not in uncounted.names),
    )


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
        totals: Mapping[int, int],
        first: Mapping[int, Path],
        told: ToldValues,
        coloured: bool,
    ) -> None:
        self.source, self.totals, self.first = source, totals, first
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

    def in_order(self, occurring: set[str]) -> Iterator[str]:
        """As told; else what is black or 0 first, then sorted."""
        if self.names:
            return (name for name in self.names if name in occurring)
        return iter(sorted(occurring, key=lambda name: (name != BACKGROUND, _number_or_name(name))))

    def _names_as_told(self) -> Mapping[int, str]:
        return self.told.colours if self.coloured else self.told.numbers

    def _by_order(self) -> dict[int, str]:
        """The told names by the numbers of the values, or by their order where there are as many."""
        if self.black_and_white and len(self.names) <= 2:
            self.names = self.names if len(self.names) == 2 else (BACKGROUND, *self.names)
            return {0: self.names[0], 255: self.names[1]}
        names, values = self.names, self.values
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
            kind = "colours" if self.coloured else "values"
            self.notes.append(
                f"{self.source}: masks of {len(self.values)} {kind} ({self._list(self.values)}) whose names are not known; a file "
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
