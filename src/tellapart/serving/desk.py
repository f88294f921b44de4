"""Pictures that wait for labels: what was said, what is next, what is taken back. In: pictures. Out: labels. Next: desk_app.py.

The table on disk is changed first, so that what the desk says is kept is kept. Pictures are known by number, from 0.
"""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tellapart.data.to_label import ToLabel
from tellapart.errors import SettingsError
from tellapart.serving.desk_table import LabelTable
from tellapart.serving.refusals import NotAllowed, Refusal, Unknown

MOST_CLASSES = 10_000
LONGEST_NAME = 200  # characters of a class's name
_NAMED = 10  # classes that a message lists
_TOLD = 100  # pictures that cannot be labelled, of which the page hears


@dataclass(frozen=True, slots=True, kw_only=True)
class _Before:
    """What was known of a picture before a step, by which the step is taken back."""

    number: int
    labels: tuple[str, ...] | None
    skipped: bool


class Desk:
    """Pictures, classes, and what a person has said so far; safe for several threads."""

    def __init__(
        self,
        pictures: Sequence[ToLabel],
        table: LabelTable,
        *,
        classes: Sequence[str],
        several: bool = False,
        new_classes: bool = False,
    ) -> None:
        """Go on with what the table has. Classes that stand there and are not among `classes` are added behind these."""
        self.pictures, self._table, self.several, self.new_classes = tuple(pictures), table, several, new_classes
        self.classes = list(classes)
        self.labels: dict[int, tuple[str, ...]] = {}
        self.skipped: set[int] = set()
        self.problems = {number: one.problem for number, one in enumerate(self.pictures) if one.problem}
        self._one_at_a_time = threading.Lock()
        number_of = {table.key(one.file): number for number, one in enumerate(self.pictures)}
        for key, names in table.known():
            if key in number_of:
                self.labels[number_of[key]] = names
                self.classes += [name for name in names if name not in self.classes]
        self._steps = [_Before(number=number, labels=None, skipped=False) for number in self.labels]

    def label(self, number: int, names: Sequence[str]) -> None:
        """Say what a picture shows: one class, or with `several` any number.

        Raises: Unknown for no picture; Refusal for what is no class; NotAllowed, StorageError where it cannot be kept.
        """
        with self._one_at_a_time:
            picture = self._picture(number)
            if number in self.problems:
                raise NotAllowed(f"{picture.name} cannot be labelled: {self.problems[number]}.")
            named = self._named(names)
            before = self._before(number)
            self._table.put(picture.file, named)
            self._steps.append(before)
            self.labels[number] = named
            self.skipped.discard(number)
            self.classes += [name for name in named if name not in self.classes]

    def skip(self, number: int) -> None:
        """Leave a picture for later; a label that it has stays. Raises: Unknown."""
        with self._one_at_a_time:
            self._picture(number)
            if number not in self.labels and number not in self.skipped:
                self._steps.append(self._before(number))
                self.skipped.add(number)

    def undo(self) -> int:
        """Take the last step back, those of an earlier desk too; gives the picture that it was about.

        Raises: NotAllowed where there is none; NotAllowed, StorageError where it cannot be kept.
        """
        with self._one_at_a_time:
            if not self._steps:
                raise NotAllowed("nothing was labelled or skipped yet, so there is nothing to take back.")
            step = self._steps[-1]
            file, now = self.pictures[step.number].file, self.labels.get(step.number)
            if step.labels is not None:
                self._table.put(file, step.labels)
                self.labels[step.number] = step.labels
            elif now is not None:
                self._table.remove(file)
                del self.labels[step.number]
            (self.skipped.add if step.skipped else self.skipped.discard)(step.number)
            self._steps.pop()
            return step.number

    def again(self) -> None:
        """Pictures that were skipped wait once more."""
        with self._one_at_a_time:
            self.skipped.clear()
            self._steps = [step for step in self._steps if step.labels is not None or step.number in self.labels]

    def set_aside(self, number: int, reason: str) -> None:
        """A picture that cannot be shown waits no more. Raises: Unknown."""
        with self._one_at_a_time:
            self._picture(number)
            self.problems.setdefault(number, reason)

    def next_open(self, after: int = -1) -> int | None:
        """The next picture that waits, the first ones again after the last; None where all are done."""
        count = len(self.pictures)
        numbers = (number % count for number in range(after + 1, after + 1 + count))
        done = (self.labels, self.skipped, self.problems)
        return next((one for one in numbers if not any(one in part for part in done)), None)

    def told(self) -> dict[str, Any]:
        """How far it is, as JSON."""
        return {
            "total": len(self.pictures),
            "labelled": len(self.labels),
            "skipped": len(self.skipped - self.labels.keys()),
            "unusable": len(self.problems.keys() - self.labels.keys()),
            "undo": bool(self._steps),
        }

    def told_problems(self) -> list[dict[str, Any]]:
        """The pictures that cannot be labelled, the first ones, as JSON."""
        found = sorted(number for number in self.problems if number not in self.labels)
        return [
            {"number": number, "name": self.pictures[number].name, "reason": self.problems[number]}
            for number in found[:_TOLD]
        ]

    def told_picture(self, number: int) -> dict[str, Any]:
        """One picture, as JSON. Raises: Unknown."""
        one = self._picture(number)
        labels = self.labels.get(number)
        return {
            "number": number,
            "name": one.name,
            "suggested": [name for name in one.suggested if name in self.classes],
            "probability": one.probability,
            "why": one.why,
            "labels": None if labels is None else list(labels),
            "skipped": number in self.skipped,
            "problem": self.problems.get(number, ""),
        }

    def _picture(self, number: int) -> ToLabel:
        if not 0 <= number < len(self.pictures):
            raise Unknown(f"there is no picture {number}; the desk has {len(self.pictures):,}, from 0.")
        return self.pictures[number]

    def _before(self, number: int) -> _Before:
        return _Before(number=number, labels=self.labels.get(number), skipped=number in self.skipped)

    def _named(self, names: Sequence[str]) -> tuple[str, ...]:
        """Raises: Refusal."""
        if not self.several and len(names) != 1:
            raise Refusal(
                f"{len(names)} classes were given; here a picture has one. Give one, or start with --several."
            )
        if len(set(names)) < len(names):
            raise Refusal("a class was given twice. Give each once.")
        unknown = [name for name in names if name not in self.classes]
        if unknown and not self.new_classes:
            more = len(self.classes) - _NAMED
            raise Refusal(
                f"{unknown[0][:100]!r} is none of the classes: {', '.join(self.classes[:_NAMED])}"
                f"{f' and {more:,} more' if more > 0 else ''}. Start with --new-classes to name others."
            )
        if len(self.classes) + len(unknown) > MOST_CLASSES:
            raise Refusal(f"there are {MOST_CLASSES:,} classes already, as many as a desk takes. Use one of them.")
        for name in unknown:
            if reason := no_class_name(name):
                raise Refusal(f"{name[:100]!r} cannot be a class: {reason}.")
        order = {name: place for place, name in enumerate(self.classes)}
        return tuple(sorted(names, key=lambda name: order.get(name, len(order))))


def no_class_name(name: str) -> str:
    """Why a text cannot be the name of a class, with the remedy; "" where it can."""
    if not name.strip():
        return "it is empty. Type a name"
    if name != name.strip() or not name.isprintable():
        return "it has blanks at its ends, or signs that cannot be seen. Leave them out"
    if len(name) > LONGEST_NAME:
        return f"it has {len(name):,} characters; at most {LONGEST_NAME} are taken. Shorten it"
    if name != unicodedata.normalize("NFC", name):
        return "it is not in Unicode's normal form C, in which classes are kept. Type it again"
    return ""


def checked_classes(names: Iterable[str], *, source: str) -> list[str]:
    """Names of classes that somebody gave, in normal form C, in order. Raises: SettingsError for what is none, or twice there."""
    found = [unicodedata.normalize("NFC", name.strip()) for name in names]
    for place, name in enumerate(found):
        if reason := no_class_name(name):
            raise SettingsError(f"{source} has {name[:100]!r}, which cannot be a class: {reason}.")
        if name in found[:place]:
            raise SettingsError(f"{source} names {name!r} twice. Name each class once.")
    if len(found) > MOST_CLASSES:
        raise SettingsError(f"{source} names {len(found):,} classes; a desk takes {MOST_CLASSES:,}. Name fewer.")
    return found
