"""What both sides of a comparison are asked. In: Sides, pictures. Out: Questions that neither learned from. Next: compare.py."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tellapart.data.examples import Example, ReadOptions, known_classes
from tellapart.data.names import known_as, renamed
from tellapart.data.readers import READERS
from tellapart.data.survey import Examined
from tellapart.errors import DataError, TellapartError
from tellapart.features.caching import open_cache
from tellapart.reporter import Reporter, counted
from tellapart.runs.open import OpenRun
from tellapart.runs.run_texts import texts_by_content
from tellapart.workflows.compare_sides import Question, Side, item_of
from tellapart.workflows.learning.examine import examine


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CommonPicture:
    """The pictures that both are asked."""

    sides: Sequence[Side]
    items: Sequence[Question]
    seen: Mapping[str, int]  # side -> pictures left out since it has learned from them
    folds: bool = False  # the sides are what the networks of K folds said


def items_of(sides: Sequence[Side], pictures: Path | None, options: ReadOptions, reporter: Reporter) -> list[Question]:
    """The pictures to ask both, before those that one has learned from are left out.

    Of `pictures` all that can be read, else the test pictures of the runs. Raises: DataError where there is none.
    """
    if pictures is not None:
        with open_cache(reporter) as cache:
            examined = examine(pictures, cache=cache, reporter=reporter, options=options)
        return _examined_items(_called_as_known(examined, sides))
    runs, item = [side.run for side in sides if side.run is not None and side.run.lists_examples], item_of(sides)
    if not runs:
        raise DataError(
            f"neither side is a run with its list of {item}s, so there is no test split to compare on. Give labelled {item}s: "
            f"tellapart compare A B {item.upper()}S"
        )
    found = _once(
        example for run in runs for example in run.examples if example.split == "test" and not example.problem
    )
    return _with_texts(found, runs) if runs[0].manifest.pictures is None else found


def _with_texts(items: Sequence[Question], runs: Sequence[OpenRun]) -> list[Question]:
    """Those whose texts are where a run has them from. Raises: DataError where none is, and what reading them raises."""
    there: dict[str, str] = {}
    for run in runs:
        there |= texts_by_content(run)
    found = [replace(item, text=there[item.content_hash]) for item in items if item.content_hash in there]
    if items and not found:
        raise DataError(
            f"of {counted(len(items), 'test text')} none stands any more where the runs have them from, such as {items[0].path}. "
            "Give labelled texts: tellapart compare A B TEXTS"
        )
    return found


def of_folds(sides: Sequence[Side]) -> tuple[list[Side], list[Question]] | None:
    """Two runs with K folds as the tables of what their folds' networks said of pictures they had not seen, and these pictures.

    Of several answers to a picture, by repeats, the first. None where a side has no folds.
    Raises: DataError where the two share no picture with the same label.
    """
    told = []
    for side in sides:
        run = side.run
        if (
            run is None
            or not run.lists_examples
            or not (run.folder / "metrics.json").is_file()
            or "kfold" not in run.metrics
        ):
            return None
        told.append(_of_fold(run))
    first, second = told
    both = [key for key, (item, _) in first.items() if key in second and second[key][0].target == item.target]
    if not both:
        raise DataError(
            f"of {counted(len(first), item_of(sides))} that the folds of {sides[0].name} tested, those of {sides[1].name} tested "
            f"none with the same label. Give {item_of(sides)}s that are new to both."
        )
    items = [first[key][0] for key in both]
    tables = [{str(first[key][0].path): own[key][1] for key in both} for own in told]
    plain = [
        Side(name=side.name, run=None, predictor=None, table=table, learned={})
        for side, table in zip(sides, tables, strict=True)
    ]
    return plain, items


def questions(
    sides: Sequence[Side], pictures: Path | None, options: ReadOptions, reporter: Reporter, *, folds: bool
) -> CommonPicture:
    """What both are asked; where that may be, `folds` of two runs stand for pictures that neither has learned from.

    Raises: DataError where there is nothing to ask.
    """
    found = of_folds(sides) if folds and pictures is None else None
    if found is not None:
        items = _quoted(sides, found[1]) if item_of(sides) != "picture" else found[1]
        return CommonPicture(sides=found[0], items=items, seen={side.name: 0 for side in sides}, folds=True)
    items, seen = without_learned(sides, items_of(sides, pictures, options, reporter))
    return CommonPicture(sides=sides, items=items, seen=seen)


def _quoted(sides: Sequence[Side], items: Sequence[Question]) -> list[Question]:
    """With their texts, as far as these can be read again; they are shown, and nobody is asked."""
    there: dict[str, str] = {}
    for side in sides:
        if side.run is not None:
            with contextlib.suppress(TellapartError):
                there |= texts_by_content(side.run)
    return [replace(item, text=there.get(item.content_hash, "")) for item in items]


def _of_fold(run: OpenRun) -> dict[str, tuple[Question, str]]:
    """Content -> the picture, and the first answer to it."""
    examples = {example.path: example for example in run.examples if not example.problem}
    found: dict[str, tuple[Question, str]] = {}
    for path, answer in zip(run.predictions.paths, run.predictions.answers, strict=True):
        if path in examples:
            (item,) = _once([examples[path]])
            found.setdefault(item.content_hash or str(path), (item, answer))
    return found


def _once(examples: Iterable[Example]) -> list[Question]:
    """Each content once."""
    found: dict[str, Question] = {}
    for one in examples:
        item = Question(path=one.path, target=one.target, group=one.group, content_hash=one.content_hash)
        found.setdefault(one.content_hash or str(one.path), item)
    return list(found.values())


def _called_as_known(examined: Examined, sides: Sequence[Side]) -> Examined:
    """The pictures with their classes called as the models call them, where they nearly are."""
    manifests = [side.predictor.manifest for side in sides if side.predictor is not None]
    classes = {name for manifest in manifests for name in manifest.classes}
    merged = {old: new for manifest in manifests for old, new in manifest.data.merged.items()}
    named = known_as(known_classes(entry.target for entry in examined.listing.entries), classes, merged)
    return replace(examined, listing=renamed(examined.listing, named)) if named else examined


def _examined_items(examined: Examined) -> list[Question]:
    rows = zip(examined.listing.entries, examined.inspections, examined.audit.groups, strict=True)
    items = [
        Question(
            path=entry.path,
            target=entry.target,
            group=group,
            content_hash=inspection.content_hash,
            text=entry.text,
        )
        for entry, inspection, group in rows
        if not inspection.problem
    ]
    if not items:
        item = READERS[examined.listing.task].words.item
        raise DataError(f"{examined.listing.source} holds no {item} that can be read. `tellapart check` says why.")
    return items


def without_learned(sides: Sequence[Side], items: Sequence[Question]) -> tuple[list[Question], dict[str, int]]:
    """Those that no side was trained or tuned on, and how many each side was. Raises: DataError where none is left."""
    seen = {side.name: sum(map(side.saw, items)) for side in sides}
    left = [item for item in items if not any(side.saw(item) for side in sides)]
    item = item_of(sides)
    if not items:
        raise DataError(
            f"the runs keep no test {item}s to compare on: after K folds every {item} is learned from. Compare two runs with K "
            f"folds of one class a {item}, or give labelled {item}s that are new to both."
        )
    if not left:
        first = max(seen, key=lambda name: seen[name])
        raise DataError(
            f"of {counted(len(items), item)} none is left that neither side has learned from ({first} has from "
            f"{seen[first]:,}). Give {item}s that are new to both."
        )
    return left, seen
