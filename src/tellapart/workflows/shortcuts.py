"""Is it the object, or the camera? In: audited pictures. Out: Shortcuts. Next: cli/shortcuts.py.

Everything is guessed of pictures that were not learned from, nor a copy of them: by trees from facts of the files, by the probe
from parts of the pixels. Chance and the whole picture stand beside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tellapart.data.examples import PictureFile, ReadOptions, picture_file
from tellapart.data.file_facts import CONTAINER, FactKind, FileFacts, read_all_facts
from tellapart.data.survey import Examined
from tellapart.data.targets import class_numbers
from tellapart.errors import DataError, SettingsError
from tellapart.evaluation.shortcuts import BalancedAccuracy, balanced, strongest
from tellapart.features.backbone import PendingBackbone, ReadyBackbone, prepare_backbone
from tellapart.features.cache import Cache
from tellapart.features.caching import open_cache
from tellapart.features.engine import Engine, choose_device, open_engine
from tellapart.features.extract import Features, extract
from tellapart.features.partial import PartName, Plainly, partial_engines
from tellapart.reporter import Reporter
from tellapart.storage import cache_folder
from tellapart.tasks.table import task_of
from tellapart.threads import let_waiting_threads_sleep
from tellapart.training.fact_trees import Guessed, guess_classes, guess_from_files
from tellapart.training.folds import number_groups
from tellapart.training.out_of_fold import out_of_fold
from tellapart.workflows.learning.examine import Look, examine
from tellapart.workflows.learning.value_range import cropped_backbone

Part = PartName | Literal["whole"]
FACTS: Mapping[str, tuple[FactKind, ...]] = {"file": CONTAINER, "bytes": ("bytes",), "name": ("name",)}

MOST = 3_000  # pictures that are looked at; more would make the intervals no narrower than anybody needs
_FOUND = ReadOptions()
_FOLDS = 5
_STRENGTH = 1e-2  # of the penalty; one that was chosen by the same pictures would make chance look like a find
_LEAST_A_CLASS = 2  # groups: one to learn from, one to ask


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Asked:
    """The N pictures that are looked at."""

    pictures: Sequence[PictureFile]
    facts: Sequence[FileFacts]
    labels: NDArray[np.int64]  # [N]
    groups: Sequence[str]  # [N]
    classes: tuple[str, ...]
    seed: int

    def judge(self, guesses: NDArray[np.integer]) -> BalancedAccuracy:
        """What guesses [N] are worth."""
        return balanced(guesses, self.labels, self.groups, class_count=len(self.classes), seed=self.seed)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shortcuts:
    """What tells the class besides the object."""

    asked: Asked
    left_out: int  # pictures beyond MOST, or of a class that is too small
    files: Mapping[str, tuple[BalancedAccuracy, Guessed]]  # by FACTS
    parts: Mapping[Part, tuple[BalancedAccuracy, NDArray[np.int64]]]  # with the guesses [N]

    def kinds(self, name: str) -> list[FactKind]:
        """The kinds of fact that tell the class, what tells most first; none where they tell no more than chance."""
        told, guessed = self.files[name]
        return strongest({kind: guessed.drops[kind] for kind in FACTS[name]}) if told.tells else []

    def as_json(self) -> dict[str, Any]:
        """One JSON-ready object."""
        files = {
            name: told.as_json()
            | {"facts": [{"fact": kind, "drop": round(guessed.drops[kind], 4)} for kind in self.kinds(name)]}
            | {"classes": self._recalls(guessed.guesses)}
            for name, (told, guessed) in self.files.items()
        }
        parts = {
            str(part): told.as_json() | {"classes": self._recalls(guesses)}
            for part, (told, guesses) in self.parts.items()
        }
        return {"pictures": len(self.asked.labels), "left_out": self.left_out, **files, **parts}

    def _recalls(self, guesses: NDArray[np.int64]) -> dict[str, float]:
        """The share of each class that was guessed right."""
        labels = self.asked.labels
        return {
            name: round(float((guesses[labels == number] == number).mean()), 4)
            for number, name in enumerate(self.asked.classes)
        }


def check_shortcuts(
    pictures: Path,
    *,
    corrections: Path | None = None,
    deep: bool = False,
    backbone: str = "tf_efficientnet_lite0",
    weights: Path | None = None,
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    seed: int = 0,
    reporter: Reporter,
    options: ReadOptions = _FOUND,
) -> tuple[Examined, Shortcuts]:
    """Audit pictures as `check` does, and guess their classes from what is not the object.

    Raises: as find_shortcuts; StorageError.
    """
    let_waiting_threads_sleep()
    with open_cache(reporter) as cache:
        pending = prepare_backbone(backbone, cache=cache_folder(), weights=weights)
        try:
            look: Look = "always" if deep else "known"
            examined = examine(
                pictures, corrections=corrections, cache=cache, reporter=reporter, options=options, look=look
            )
            found = find_shortcuts(
                examined, pending, device=choose_device(device), seed=seed, cache=cache, reporter=reporter
            )
            return examined, found
        finally:
            pending.cancel()


def find_shortcuts(
    examined: Examined,
    pending: PendingBackbone,
    *,
    device: str,
    seed: int,
    cache: Cache,
    reporter: Reporter,
) -> Shortcuts:
    """Guess the classes of pictures from what is not the object.

    Raises: SettingsError where a picture has more than one class; DataError where fewer than two classes have two pictures that
    are no copies of each other; BackboneError.
    """
    if task_of(examined.listing.task).direct is not None:
        raise SettingsError(
            "--shortcuts looks at what pictures show besides the object, and these are texts. Leave it out: the report of a "
            "training names the n-grams that speak for each class."
        )
    if task_of(examined.listing.task).encode is not class_numbers:
        raise SettingsError(
            f"shortcuts are looked for where each picture has one class, and the task here is {examined.listing.task}. Leave "
            "--shortcuts out."
        )
    asked, left_out = _ask(examined, seed=seed, reporter=reporter)
    files: dict[str, tuple[BalancedAccuracy, Guessed]] = {}
    with reporter.step("Guessing from the files", _FOLDS * len(FACTS)) as advance:
        for name, kinds in FACTS.items():
            guessed = guess_from_files(asked.facts, kinds, asked.labels, asked.groups, seed=seed, advance=advance)
            files[name] = asked.judge(guessed.guesses), guessed
    usable = [index for index, one in enumerate(examined.inspections) if not one.problem]
    parts = _judge_parts(asked, cropped_backbone(examined, usable, pending, reporter), device, cache, reporter)
    return Shortcuts(asked=asked, left_out=left_out, files=files, parts=parts)


def _ask(examined: Examined, *, seed: int, reporter: Reporter) -> tuple[Asked, int]:
    """Read the facts of the pictures that are looked at; how many are not."""
    usable = [index for index, one in enumerate(examined.inspections) if not one.problem]
    entries, inspections = examined.listing.entries, examined.inspections
    names = [entries[index].target.text for index in usable]
    groups = [examined.audit.groups[index] for index in usable]
    kept = _kept(names, groups)
    classes = tuple(sorted({names[row] for row in kept}))
    if len(classes) < 2:
        raise DataError(
            f"{examined.listing.source} has {len(classes)} class{'' if len(classes) == 1 else 'es'} with two pictures that are no "
            "copies of each other; shortcuts can be looked for between two. Add pictures, or leave --shortcuts out."
        )
    rows = sorted(np.random.default_rng(seed).permutation(kept)[:MOST].tolist()) if len(kept) > MOST else kept
    pictures = [picture_file(entries[usable[row]], inspections[usable[row]]) for row in rows]
    with reporter.step("Reading what the files say", len(pictures)) as advance:
        facts = read_all_facts([picture.path for picture in pictures], classes, advance=advance)
    there = [place for place, found in enumerate(facts) if found is not None]
    rows, pictures = [rows[place] for place in there], [pictures[place] for place in there]
    asked = Asked(
        pictures=pictures,
        facts=[found for found in facts if found is not None],
        labels=class_numbers([entries[usable[row]].target for row in rows], classes),
        groups=[groups[row] for row in rows],
        classes=classes,
        seed=seed,
    )
    return asked, len(usable) - len(rows)


def _kept(names: Sequence[str], groups: Sequence[str]) -> list[int]:
    """The rows of classes that have pictures of two groups."""
    numbers = number_groups(groups, len(groups))
    distinct: dict[str, set[int]] = {}
    for name, number in zip(names, numbers.tolist(), strict=True):
        distinct.setdefault(name, set()).add(number)
    return [row for row, name in enumerate(names) if len(distinct[name]) >= _LEAST_A_CLASS]


def _judge_parts(
    asked: Asked, backbone: ReadyBackbone, device: str, cache: Cache, reporter: Reporter
) -> dict[Part, tuple[BalancedAccuracy, NDArray[np.int64]]]:
    """What the probe says of each part, and of the whole, of pictures that it has not seen."""
    whole, seen = open_engine(backbone, device), backbone.preprocessing
    found: dict[Part, tuple[BalancedAccuracy, NDArray[np.int64]]] = {}
    engines: list[tuple[Part, Engine]] = [("whole", whole), *partial_engines(whole).items()]
    for part, engine in engines:
        plain = isinstance(engine, Plainly)
        with reporter.step(_TITLES[part], len(asked.pictures)) as advance:
            features = extract(
                asked.pictures,
                engine=engine,
                preprocessing=seen
                if part == "whole"
                else replace(seen, fit="squash", crop=1.0),  # a border is one of all
                embedding=engine.length if isinstance(engine, Plainly) else backbone.embedding,
                fingerprint="pixels" if plain else backbone.fingerprint,
                stages=() if plain else backbone.stages,
                cache=cache,
                advance=advance,
            )
        start = 0 if plain else sum(backbone.stages)
        guesses = _by_trees(asked, features) if part == "marks" else _guesses(asked, features, start)
        found[part] = asked.judge(guesses), guesses
    return found


_TITLES: Mapping[Part, str] = {
    "whole": "Looking at whole pictures",
    "border": "Looking at borders",
    "masked": "Looking around the middle",
    "marks": "Looking for marks at the edge",
    "thumbnail": "Looking at thumbnails",
    "colour": "Looking at colours",
}


def _by_trees(asked: Asked, features: Features) -> NDArray[np.int64]:
    """The same by trees, which see a single cell where a sum over all cells does not; what could not be read is a gap."""
    columns = features.vectors.T.astype(object)
    columns[:, list(features.problems)] = None
    guessed = guess_classes({"cells": columns.tolist()}, asked.labels, asked.groups, seed=asked.seed, shuffles=0)
    return guessed.guesses


def _guesses(asked: Asked, features: Features, start: int) -> NDArray[np.int64]:
    """Classes [N] by classifiers that saw neither the picture nor its group, -1 where none could be had."""
    guesses = np.full(len(asked.labels), -1, dtype=np.int64)
    rows = np.array([row for row in range(len(asked.labels)) if row not in features.problems], dtype=np.int64)
    probabilities = out_of_fold(
        features.vectors[rows, start:],
        asked.labels[rows],
        [asked.groups[row] for row in rows],
        class_count=len(asked.classes),
        strength=_STRENGTH,
        folds=_FOLDS,
        seed=asked.seed,
        class_weights="balanced",
    )
    judged = np.isfinite(probabilities).all(axis=1)
    guesses[rows[judged]] = probabilities[judged].argmax(axis=1)
    return guesses
