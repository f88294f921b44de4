"""Which unlabelled pictures to label next. In: a finished run, pictures. Out: NextPictures, a table. Next: cli/next.py.

Copies of what the run knows, and of each other, are left out first: a label for them would teach nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from glob import has_magic
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.formulas import csv_text
from tellapart.answers.items import expand, is_address
from tellapart.answers.predictor import Predictor
from tellapart.data.copies import find_copies
from tellapart.data.examples import Example, Inspection, PictureFile
from tellapart.data.inspection import inspect_all
from tellapart.data.targets import class_numbers, class_sets
from tellapart.errors import DataError, ModelFileError, SettingsError
from tellapart.evaluation.acquisition import OF_PROBABILITIES, STRATEGIES, Pool
from tellapart.explanation.graph import EMBEDDING, Graph
from tellapart.features.cache import Cache
from tellapart.features.caching import open_cache
from tellapart.features.embedding import embed_pictures
from tellapart.reporter import Reporter, counted
from tellapart.runs.embeddings import MOST_PICTURES, draw, embed_by_own, own_backbone
from tellapart.runs.open import OpenRun
from tellapart.runtime import cores
from tellapart.sources.reading import exists, split_path
from tellapart.storage import write_bytes
from tellapart.tasks.table import task_of
from tellapart.threads import let_waiting_threads_sleep
from tellapart.workflows.learning.examine import InspectionMemory

COLUMNS = ("path", "suggested", "probability", "why")
_FIGURES = "probabilities"  # of the network
_OF_CLASSES, _OF_OTHERS = "badge", "typiclust"  # what is taken unless a strategy is named; see docs/results.md
WHY: Mapping[str, str] = {
    "margin": "the model wavers",
    "entropy": "the model is unsure",
    "badge": "would change the model most",
    "coreset": "unlike what is known",
    "typiclust": "typical of a group without labels",
    "random": "by chance",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggested:
    """One picture to label."""

    path: Path
    label: str  # what the model says now; "" where it says no class
    probability: float | None

    def row(self, why: str, folder: Path | None = None) -> dict[str, Any]:
        """By COLUMNS; the path as a table in `folder` names it."""
        path = Path(os.path.abspath(self.path))
        if folder is not None and path.is_relative_to(folder):
            path = path.relative_to(folder)
        shown = "" if self.probability is None else round(self.probability, 4)
        return dict(zip(COLUMNS, (path.as_posix(), self.label, shown, why), strict=True))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NextPictures:
    """What to label, the first first, and what was not asked about."""

    strategy: str
    chosen: Sequence[Suggested]
    offered: int  # pictures that could be chosen
    unreadable: int
    known: int  # copies of labelled pictures, left out
    copies: int  # copies of each other, left out but for one each

    @property
    def why(self) -> str:
        """Why these, in words."""
        return WHY[self.strategy]

    def as_json(self) -> dict[str, Any]:
        """One JSON-ready object."""
        return {
            "strategy": self.strategy,
            "offered": self.offered,
            "left_out": {"unreadable": self.unreadable, "known": self.known, "copies": self.copies},
            "pictures": [
                {**one.row(self.why), "probability": None if one.probability is None else round(one.probability, 4)}
                for one in self.chosen
            ],
        }

    def write(self, path: Path) -> None:
        """The table, whole or not at all. Raises: StorageError."""
        folder = Path(os.path.abspath(path)).parent
        rows = [one.row(self.why, folder) for one in self.chosen]
        write_bytes(path, csv_text(COLUMNS, rows, line_end="\n").encode())


def next_pictures(
    path: Path,
    unlabelled: Sequence[str],
    *,
    count: int,
    strategy: str | None = None,
    pictures: Path | None = None,
    seed: int = 0,
    reporter: Reporter,
) -> NextPictures:
    """Choose at most `count` of the `unlabelled` pictures (files, folders, archives, globs) by one of STRATEGIES.

    `pictures` is where the run's own lie now, if they were moved.
    Raises: SettingsError for a strategy that is none, or cannot judge answers of this kind; DataError where no picture is left to
    choose; ModelFileError, StorageError.
    """
    let_waiting_threads_sleep()
    run = OpenRun(path, pictures=pictures)
    strategy = _check(run, strategy)
    for one in unlabelled:
        if not (os.path.lexists(one) or is_address(one) or has_magic(one) or split_path(one)):
            raise DataError(f"there is nothing at {one!r}. Check the path of the pictures.")
    found = [item.path for item in expand(unlabelled)]
    if not found:
        raise DataError(f"there are no files in {', '.join(unlabelled)}. Name pictures that are not labelled yet.")
    if any(is_address(one) for one in found):
        raise SettingsError("pictures on the web cannot be chosen from. Download them, and name their folder.")
    with open_cache(reporter) as cache:
        known = _known(run, reporter)
        offered, left_out = _offered(run, known, [Path(one) for one in found], cache, reporter)
        backbone = own_backbone(run)
        features = embed_pictures(
            [PictureFile(path=one, file_hash=seen.file_hash, content_hash=seen.content_hash) for one, seen in offered],
            backbone,
            "cpu",
            cache,
            reporter,
            title="Looking at new pictures",
        )
        learned, _ = embed_by_own(run, known, cache, reporter) if known else (features.vectors[:0], [])
    rows = np.flatnonzero(np.isfinite(features.vectors).all(axis=1))
    figures = _figures(run, [offered[row][0] for row in rows], features.vectors[rows], reporter)
    first = sum(run.manifest.backbone.stages)  # pictures that look alike are found by the last layer alone
    pool = Pool(
        embeddings=features.vectors[rows, first:],
        known=learned[:, first:],
        probabilities=figures,
        sets=_of_sets(run),
    )
    chosen = STRATEGIES[strategy](pool, count, np.random.default_rng(seed))
    return NextPictures(
        strategy=strategy,
        chosen=[_suggested(run, offered[rows[row]][0], None if figures is None else figures[row]) for row in chosen],
        offered=len(rows),
        **left_out,
    )


def _check(run: OpenRun, strategy: str | None) -> str:
    """The strategy that is taken. Raises: SettingsError."""
    judged = _of_one(run) or _of_sets(run)
    if strategy is None:
        return _OF_CLASSES if judged else _OF_OTHERS
    if strategy not in STRATEGIES:
        raise SettingsError(f"strategy {strategy!r} is none of {', '.join(STRATEGIES)}. Name one of them.")
    if strategy in OF_PROBABILITIES and not judged:
        others = ", ".join(name for name in STRATEGIES if name not in OF_PROBABILITIES)
        raise SettingsError(
            f"strategy {strategy!r} asks how sure a model is of a picture's class, and {run.file} is a model of "
            f"{run.manifest.task}. Take one of {others}."
        )
    return strategy


def _of_one(run: OpenRun) -> bool:
    return task_of(run.manifest.task).encode is class_numbers


def _of_sets(run: OpenRun) -> bool:
    return task_of(run.manifest.task).encode is class_sets


def _known(run: OpenRun, reporter: Reporter) -> list[Example]:
    """The labelled pictures that are where they were, at most 5,000. Raises: DataError."""
    usable = [example for example in run.examples if not example.problem and example.split]
    there = [example for example in draw(usable, MOST_PICTURES, seed=0) if exists(example.path)]
    gone = min(len(usable), MOST_PICTURES) - len(there)
    if gone:
        reporter.warn(
            f"{gone:,} of {min(len(usable), MOST_PICTURES):,} labelled pictures are no longer where they were, so that only "
            "their exact copies are known. Say where they are: --pictures FOLDER."
        )
    return there


def _offered(
    run: OpenRun, known: Sequence[Example], paths: Sequence[Path], cache: Cache, reporter: Reporter
) -> tuple[list[tuple[Path, Inspection]], dict[str, int]]:
    """The pictures to choose from, each content once and none that is known; how many were left out. Raises: DataError."""
    both = [*(example.path for example in known), *paths]
    with reporter.step("Checking pictures", len(both)) as advance:
        seen = inspect_all(both, workers=cores(), remembered=InspectionMemory(cache), advance=advance)
    contents = {example.content_hash for example in run.examples if example.split}
    taken: set[int] = set()
    copies = find_copies(seen)
    for cluster, inspection in zip(copies.cluster_of[: len(known)], seen[: len(known)], strict=True):
        taken |= {cluster} if not inspection.problem else set()
    found: list[tuple[Path, Inspection]] = []
    left_out = {"unreadable": 0, "known": 0, "copies": 0}
    mine: set[int] = set()
    for path, inspection, cluster in zip(paths, seen[len(known) :], copies.cluster_of[len(known) :], strict=True):
        if inspection.problem:
            left_out["unreadable"] += inspection.is_picture
        elif cluster in taken or inspection.content_hash in contents:
            left_out["known"] += 1
        elif cluster in mine:
            left_out["copies"] += 1
        else:
            mine.add(cluster)
            found.append((path, inspection))
    if not found:
        raise DataError(
            _nothing(len(paths), left_out, next((one.problem for one in seen[len(known) :] if one.problem), ""))
        )
    return found, left_out


def _nothing(number: int, left_out: Mapping[str, int], problem: str) -> str:
    others = number - sum(left_out.values())
    parts = (
        f"{left_out['known']:,} known already, or copies of what is",
        f"{left_out['unreadable']:,} unreadable",
        f"{others:,} no pictures",
    )
    found = ", ".join(one for one in parts if not one.startswith("0 "))
    first = f" ({problem})" if problem else ""
    return f"of {counted(number, 'file')} none is a picture to label: {found}{first}. Name pictures that are not labelled yet."


def _figures(
    run: OpenRun, paths: Sequence[Path], vectors: NDArray[np.float32], reporter: Reporter
) -> NDArray[np.float64] | None:
    """Probabilities [N, K] of pictures whose embeddings are `vectors`; None of a model that says no classes."""
    if not (_of_one(run) or _of_sets(run)):
        return None
    try:
        tail = Graph(run.file).open_tail(EMBEDDING, _FIGURES)
    except ModelFileError:  # what it says is not said of the embedding alone, as of a mean over several views
        return _asked(run, paths, reporter)
    answering: Any = tail  # its type speaks of pictures
    (found,) = answering.run(vectors, [_FIGURES])
    return np.asarray(found, dtype=np.float64)


def _asked(run: OpenRun, paths: Sequence[Path], reporter: Reporter) -> NDArray[np.float64]:
    found = []
    with reporter.step("Asking the model", len(paths)) as advance:
        for answer in Predictor(run.model).stream(item for path in paths for item in expand([str(path)])):
            found.append(np.asarray(answer.probabilities, dtype=np.float64))
            advance(1)
    return np.stack(found)


def _suggested(run: OpenRun, path: Path, figures: NDArray[np.float64] | None) -> Suggested:
    if figures is None or _of_sets(run):
        return Suggested(path=path, label="", probability=None)
    best = int(figures.argmax())
    return Suggested(path=path, label=run.classes[best], probability=float(figures[best]))
