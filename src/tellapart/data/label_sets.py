"""What sets of classes add to an audit. In: targets, groups. Out: SetCounts, sentences. Next: audit.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tellapart.data.targets import ClassNames, Target

_NAMED = 5  # combinations or classes that one sentence names


@dataclass(frozen=True, slots=True, kw_only=True)
class SetCounts:
    """How the usable pictures' sets of classes are made up."""

    pictures: Mapping[str, int]  # split ("" for not given) -> usable pictures
    combinations: Mapping[str, int]  # text of a set of which all is known -> usable pictures, the most frequent first
    empty: int  # usable pictures that are known to show none of the classes
    unknown: Mapping[str, int]  # class -> usable pictures of which it is not known whether they show it
    absent: Mapping[
        str, int
    ]  # class -> usable pictures known not to show it, copies and pictures of one group counted once

    def as_json(self) -> dict[str, Any]:
        """One JSON-ready object."""
        return {
            "pictures": dict(self.pictures),
            "combinations": dict(self.combinations),
            "none_of_them": self.empty,
            "not_known": dict(self.unknown),
            "without": dict(self.absent),
        }


def count_sets(
    sets: Sequence[ClassNames], groups: Sequence[str], splits: Sequence[str], classes: Sequence[str]
) -> SetCounts:
    """Count the sets of N usable pictures, with the group and the given split ("" for none) of each."""
    whole = [target for target in sets if not target.unknown]
    combinations = Counter(target.text for target in whole)
    unknown = Counter(name for target in sets for name in target.unknown)
    without: dict[str, set[str]] = {name: set() for name in classes}
    for target, group in zip(sets, groups, strict=True):
        for name in set(classes).difference(target.names, target.unknown):
            without[name].add(group)
    return SetCounts(
        pictures=dict(sorted(Counter(splits).items())),
        combinations=dict(sorted(combinations.items(), key=lambda item: (-item[1], item[0]))),
        empty=combinations[""],
        unknown={name: unknown[name] for name in classes},
        absent={name: len(without[name]) for name in classes},
    )


def disagree(targets: Iterable[Target]) -> bool:
    """Whether two of the targets cannot both be right; what a set does not know contradicts nothing."""
    different = list(set(targets))
    for place, one in enumerate(different):
        for other in different[:place]:
            if not (isinstance(one, ClassNames) and isinstance(other, ClassNames)):
                return True
            if set(one.names).difference(other.names, other.unknown) or set(other.names).difference(
                one.names, one.unknown
            ):
                return True
    return False


def set_warnings(counts: SetCounts, *, least: int) -> Iterator[str]:
    """What may spoil the training or the test; `least` different pictures are what each split needs one of."""
    whole = sum(counts.pictures.values())
    told = {name: number for name, number in counts.absent.items() if counts.unknown[name] < whole}
    few = {name: number for name, number in told.items() if number < least}
    if few:
        named = ", ".join(f"{name!r} (all but {number})" for name, number in list(few.items())[:_NAMED])
        more = f" and {len(few) - _NAMED:,} more" if len(few) > _NAMED else ""
        yield (
            f"nearly every picture shows {named}{more}: fewer than {least} different ones do not, which train, validation and "
            "test need one of, so how well it is told apart can hardly be tested. Add pictures without it, or remove the class."
        )


def set_notes(counts: SetCounts) -> Iterator[str]:
    """What else there is to know."""
    if counts.combinations:
        listed = [f"{text or 'none of them'} ({number:,})" for text, number in counts.combinations.items()]
        more = f" and {len(listed) - _NAMED:,} more" if len(listed) > _NAMED else ""
        yield f"combinations of classes: {len(listed):,}, the most frequent {', '.join(listed[:_NAMED])}{more}."
    if counts.empty:
        yield f"none of the classes: {_count(counts.empty, 'picture')}; they teach what a picture without any of them looks like."
    unknown = {name: number for name, number in counts.unknown.items() if number}
    if unknown:
        first = max(unknown, key=lambda name: (unknown[name], name))
        yield (
            f"not known whether a class is shown: {_count(sum(unknown.values()), 'time')}, most often {first!r} "
            f"({unknown[first]:,}); this counts neither way."
        )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
