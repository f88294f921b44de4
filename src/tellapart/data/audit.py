"""What is wrong with a data set, in sentences. In: Audit. Out: list[Finding], JSON, or DataError. Next: split.py."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from tellapart.data.augmented import LEAST_SIDE, LONGEST_SHAPE
from tellapart.data.conflicts import LabelConflict
from tellapart.data.depth import depth_notes, depth_warnings
from tellapart.data.examples import SPLITS, short_path
from tellapart.data.names import name_warnings
from tellapart.data.oddities import oddity_notes, oddity_warnings
from tellapart.data.picture_groups import Leak
from tellapart.data.readers import READERS
from tellapart.data.survey import Audit, Sizes, build_audit
from tellapart.errors import DataError

__all__ = [
    "Audit",
    "Finding",
    "LabelConflict",
    "Leak",
    "Sizes",
    "audit_json",
    "build_audit",
    "check_strict",
    "check_trainable",
    "findings",
]

LEAST_PICTURES = len(SPLITS)  # different ones in a class
FEW_PICTURES = 20  # with fewer, the scores of the class say little
LARGE_IMBALANCE = 5.0

_NAMED = 5  # paths or classes that one sentence names

Severity = Literal["error", "warning", "note"]
_SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing to know about the data set."""

    severity: Severity
    message: str  # a sentence or two: value, rule, remedy


def audit_json(audit: Audit) -> dict[str, Any]:
    """Everything in the audit, ready for JSON: full lists, paths as strings, keys that stay the same."""
    return {
        "source": str(audit.source),
        "classes": list(audit.classes),
        "pictures": audit.pictures,
        "counts": {split: dict(by_class) for split, by_class in audit.counts.items()},
        "distinct": dict(audit.distinct),
        "imbalance": round(audit.imbalance, 3),
        "sizes": asdict(audit.sizes),
        "formats": dict(audit.formats),
        "modes": dict(audit.modes),
        "wrong_extensions": _strings(audit.wrong_extensions),
        "turned": _strings(audit.turned),
        "unreadable": [{"path": str(path), "reason": reason} for path, reason in audit.unreadable],
        "ignored": dict(audit.ignored),
        "duplicates": audit.duplicates,
        "exact_copies": [_strings(cluster) for cluster in audit.exact_copies],
        "near_copies": [_strings(cluster) for cluster in audit.near_copies],
        "augmented_copies": None
        if audit.augmented_copies is None
        else [_strings(cluster) for cluster in audit.augmented_copies],
        "augmented": None if audit.augmented_copies is None else len(audit.augmented_indices),
        "uncompared": _strings(audit.uncompared),
        "two_labels": [
            {"paths": _strings(conflict.paths), "labels": list(conflict.labels), "exact": conflict.exact}
            for conflict in audit.two_labels
        ],
        "leaks": [{"paths": _strings(leak.paths), "splits": list(leak.splits)} for leak in audit.leaks],
        "leaked": len(audit.leaked_indices),
        "notes": list(audit.notes),
        "findings": [{"severity": finding.severity, "message": finding.message} for finding in findings(audit)],
        **audit.oddities.as_json(),
        **({} if audit.depths is None else {"depth": audit.depths.as_json()}),
        **({} if audit.own is None else {"task": audit.task, audit.own.name: audit.own.record}),
    }


def findings(audit: Audit) -> list[Finding]:
    """All there is to know, errors first, then warnings, then notes."""
    found = [
        *(Finding(severity="error", message=message) for message in _errors(audit)),
        *(Finding(severity="warning", message=message) for message in _leak_warnings(audit)),
        *(Finding(severity="warning", message=message) for message in _warnings(audit)),
        *(Finding(severity="note", message=message) for message in _notes(audit)),
    ]
    return sorted(found, key=lambda finding: _SEVERITIES.index(finding.severity))


def check_trainable(audit: Audit) -> None:
    """Raises: DataError when no picture can be read, or there is one class only, or a class is too small."""
    for message in _errors(audit):
        raise DataError(message)


def check_strict(audit: Audit) -> None:
    """Raises: DataError that lists the first unreadable pictures, if there are any."""
    if audit.unreadable:
        listed = "".join(f"\n  {path}: {reason}" for path, reason in audit.unreadable[:_NAMED])
        more = len(audit.unreadable) - _NAMED
        raise DataError(
            f"unreadable: {_items(audit, len(audit.unreadable))}; --strict allows none. "
            f"Repair or remove them, or leave --strict out:{listed}"
            + (f"\n  ... and {more:,} more" if more > 0 else "")
        )


def _errors(audit: Audit) -> Iterator[str]:
    if not audit.pictures:
        if audit.unreadable:
            path, reason = audit.unreadable[0]
            yield (
                f"none of the {_items(audit, len(audit.unreadable))} in {audit.source} can be read; the first, {path}, because: "
                f"{reason}." + (" Check that they are pictures in a known format." if _files(audit) else "")
            )
        else:
            yield f"{audit.source} holds no {_item(audit)} that can be read. {READERS[audit.task].words.no_picture}"
        return
    reader = READERS[audit.task]
    if not audit.classes:
        yield f"{audit.source} names no class: no {_item(audit)} has a {reader.words.one}. Add {reader.words.several}."
    elif len(audit.classes) < reader.least_classes:
        yield (
            f"{audit.source} has only one class, {audit.classes[0]!r}; telling apart needs two. "
            f"{reader.words.lone_class}"
        )
    small = {label: number for label, number in audit.distinct.items() if number < LEAST_PICTURES}
    if small:
        yield (
            f"{_named_counts(small)}: fewer different {_item(audit)}s than {LEAST_PICTURES}, which train, validation and test "
            f"need (copies, and {_item(audit)}s of one group, count once). Add {_item(audit)}s of these classes, or remove the "
            "classes."
        )


def _leak_warnings(audit: Audit) -> Iterator[str]:
    if audit.leaks:
        kinds = sorted({_split_names(leak) for leak in audit.leaks})
        tested = len(audit.leaked_indices)
        yield (
            f"LEAK: your own splits separate copies or grouped {_item(audit)}s ({_count(len(audit.leaks), 'cluster')}; "
            f"{'; '.join(kinds)}), such as {_such_as(audit, audit.leaks[0].paths)}. "
            + (
                f"The test score is too good by what is known of {_count(tested, f'test {_item(audit)}')}, so it is reported "
                "with and without; better move each cluster into one split."
                if tested
                else "The validation score becomes too good; move each cluster into one split."
            )
        )
    words = READERS[audit.task].words
    for exact in (True, False):
        conflicts = [conflict for conflict in audit.two_labels if conflict.exact == exact]
        if conflicts:
            first = conflicts[0]
            labels = words.between.join(label or "none" for label in sorted(set(first.labels)))
            said, clusters = (
                words.contradiction.format("exactly" if exact else "nearly"),
                _count(len(conflicts), "cluster"),
            )
            such = _such_as(audit, first.paths)
            # Each a whole sentence, as the table of phrases has it.
            yield (
                f"{said} ({clusters}), such as {such} ({labels}). Only one can be right; correct or remove the others."
                if exact
                else f"{said} ({clusters}), such as {such} ({labels}). Check which is right, and correct or remove the others."
            )


def _warnings(audit: Audit) -> Iterator[str]:
    if audit.unreadable and audit.pictures:
        path, reason = audit.unreadable[0]
        yield (
            f"set aside because unreadable: {_items(audit, len(audit.unreadable))}, such as {_short(audit, path)} ({reason}). "
            "Repair or remove them; --strict makes this an error."
        )
    if audit.depths is not None:
        yield from depth_warnings(
            audit.depths, _short(audit, next((path for path, _ in audit.depths.outside), audit.source))
        )
    reader = READERS[audit.task]
    if audit.own is not None:
        yield from audit.own.target_warnings
    yield from oddity_warnings(audit.oddities, functools.partial(_short, audit), cropped=reader.of_whole_pictures)
    few = {label: number for label, number in audit.distinct.items() if LEAST_PICTURES <= number < FEW_PICTURES}
    if few:
        yield (
            f"{_named_counts(few)}: fewer different {_item(audit)}s than {FEW_PICTURES}, so the scores of these classes will be "
            f"uncertain. Add {_item(audit)}s."
        )
    yield from name_warnings(audit.classes)
    if audit.own is not None:
        yield from audit.own.class_warnings
    if audit.imbalance > LARGE_IMBALANCE:
        yield (
            f"the largest class has {audit.imbalance:.1f} times as many {_item(audit)}s as the smallest; over "
            f"{LARGE_IMBALANCE:.0f} the small ones are easily overlooked. "
            f"Add {_item(audit)}s of them{reader.words.rare_class}"
        )
    for split in SPLITS:
        missing = [label for label, number in audit.counts.get(split, {}).items() if not number]
        if missing and audit.pictures:
            yield (
                f"your {split} split has no {_item(audit)}s of {_named(map(repr, missing))}; every class should be in it. "
                "Add some, or give no splits and let tellapart make them."
            )


def _notes(audit: Audit) -> Iterator[str]:
    if audit.duplicates:
        yield (
            f"exact copies of another {_item(audit)}: {audit.duplicates:,}, such as {_such_as(audit, audit.exact_copies[0])}; "
            "a split that tellapart makes keeps them together; they can be removed."
        )
    if audit.near_copies:
        yield (
            f"near-copies: {sum(map(len, audit.near_copies)):,} {_item(audit)}s in "
            f"{_count(len(audit.near_copies), 'cluster')}, such as {_such_as(audit, audit.near_copies[0])}; "
            "a split that tellapart makes keeps each cluster together."
        )
    if audit.augmented_copies:
        yield (
            f"augmented copies (the same picture turned, moved, cropped, mirrored or recoloured): "
            f"{_count(len(audit.augmented_indices), 'picture')} of {_count(len(audit.augmented_copies), 'original')}, such as "
            f"{_such_as(audit, audit.augmented_copies[0])}; a split that tellapart makes keeps them together and tests on the "
            "original alone. Which one that is, is told by what they show; better split first and augment later."
        )
    if audit.uncompared:
        yield (
            f"not looked at for augmented copies: {_count(len(audit.uncompared), 'picture')} under {LEAST_SIDE} pixels or longer "
            f"than {LONGEST_SHAPE:g} to 1, such as {_short(audit, audit.uncompared[0])}; there too little is left to tell a copy "
            "from a picture of the same kind. If you varied pictures before, give each and its copies one group in a table."
        )
    if audit.wrong_extensions:
        yield (
            f"extension of another format: {_count(len(audit.wrong_extensions), 'picture')}, such as "
            f"{_short(audit, audit.wrong_extensions[0])}; the content decides."
        )
    if audit.depths is not None:
        yield from depth_notes(audit.depths)
    yield from oddity_notes(audit.oddities, functools.partial(_short, audit))
    if audit.own is not None:
        yield from audit.own.notes
    if audit.ignored:
        yield f"left out: {_named(f'{reason} ({number:,})' for reason, number in audit.ignored.items())}."


def _split_names(leak: Leak) -> str:
    return " and ".join(split or "not given" for split in ("", *SPLITS) if split in leak.splits)


def _such_as(audit: Audit, paths: Sequence[Path]) -> str:
    return _named((_short(audit, path) for path in paths), most=2, joined=" = ")


def _short(audit: Audit, path: Path) -> str:
    return short_path(path, audit.source)


def _named_counts(counts: dict[str, int]) -> str:
    return f"{'class' if len(counts) == 1 else 'classes'} " + _named(
        f"{label!r} has {number}" for label, number in sorted(counts.items(), key=lambda item: (item[1], item[0]))
    )


def _named(names: Iterable[str], *, most: int = _NAMED, joined: str = ", ") -> str:
    listed = list(names)
    more = len(listed) - most
    return joined.join(listed[:most]) + (f" and {more:,} more" if more > 0 else "")


def _item(audit: Audit) -> str:
    return READERS[audit.task].words.item


def _items(audit: Audit, number: int) -> str:
    return _count(number, _item(audit))


def _files(audit: Audit) -> bool:
    """Whether what is looked at are files of pictures."""
    return READERS[audit.task].look is None


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _strings(paths: Iterable[Path]) -> list[str]:
    return [str(path) for path in paths]
