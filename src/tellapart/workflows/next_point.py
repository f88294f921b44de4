"""What more pictures would bring. In: a finished run. Out: NextPoint. Next: cli/next.py.

The probe is fitted again on nested parts of the run's pictures, by their cached embeddings, and the law that its errors follow is
drawn on. What is told is of the probe: a network that is trained itself lies above it, and mostly as much above it later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tellapart.data.examples import Example
from tellapart.data.targets import class_numbers
from tellapart.errors import DataError, SettingsError
from tellapart.evaluation.learning_curve import Band, PowerLaw
from tellapart.features.caching import open_cache
from tellapart.reporter import Reporter
from tellapart.runs.embeddings import draw, embed_run
from tellapart.runs.more_pictures import draw_curve
from tellapart.runs.more_texts import count_run, draw_text_curve
from tellapart.runs.open import OpenRun
from tellapart.runs.run_texts import read_texts
from tellapart.tasks.table import task_of
from tellapart.threads import let_waiting_threads_sleep
from tellapart.training.growing import FEWEST, SHARES, Grown

MOST = 3_000  # pictures; more would take minutes and narrow little
_REPEATS = 4
_NAMED = 5  # classes that a message names


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NextPoint:
    """The learning curve of a run's probe, and where it leads."""

    grown: Grown
    law: PowerLaw
    classes: Mapping[str, PowerLaw]  # of the share of each class that is missed
    drawn: int  # pictures that the curve is of
    usable: int  # that the run has
    item: str = "picture"  # what they are, in a word

    @property
    def pictures(self) -> int:
        """How many were learned from at most."""
        return self.grown.sizes[-1]

    def as_json(self) -> dict[str, Any]:
        """One JSON-ready object; errors and gains are shares, with their 95 % bands."""
        return {
            "pictures": self.pictures,
            "drawn": self.drawn,
            "usable": self.usable,
            "curve": [
                {"pictures": size, "error": round(float(np.nanmean(errors)), 6)}
                for size, errors in zip(self.grown.sizes, self.grown.errors, strict=True)
            ],
            "gains": {str(times): _told(self.law.gain((times - 1) * self.pictures)) for times in (1.5, 2, 4)},
            "classes": {
                name: {"missed": _told(law.error(law.last)), "gain_with_twice_as_many": _told(law.gain(law.last))}
                for name, law in self.classes.items()
            },
        }

    @property
    def worth(self) -> bool:
        """Whether twice as many pictures would surely bring something."""
        return self.law.worth


def next_point(path: Path, *, pictures: Path | None = None, seed: int = 0, reporter: Reporter) -> NextPoint:
    """Draw the learning curve of a run's pictures; `pictures` is where they lie now, if they were moved.

    Raises: SettingsError for a run of another task; DataError where a class is too small for a curve.
    """
    let_waiting_threads_sleep()
    run = OpenRun(path, pictures=pictures)
    task = run.manifest.task
    if task_of(task).encode is not class_numbers:
        raise SettingsError(
            f"{path} is a run of {task}; the curve is drawn where each picture has one class. `tellapart report` shows what is "
            "missed."
        )
    if run.manifest.pictures is None:
        return _of_texts(path, run, seed=seed, reporter=reporter)
    with open_cache(reporter) as cache:
        embedded = embed_run(run, cache, reporter)
    drawn = min(MOST, len(embedded.examples))
    with reporter.step("Learning from fewer pictures", _REPEATS * len(SHARES)) as advance:
        curve = draw_curve(embedded, run.classes, most=MOST, repeats=_REPEATS, seed=seed, advance=advance)
    if curve is None:
        raise _too_few(path, embedded.examples, run.classes, seed=seed)
    return NextPoint(grown=curve.grown, law=curve.law, classes=curve.classes, drawn=drawn, usable=embedded.n_all)


def _of_texts(path: Path, run: OpenRun, *, seed: int, reporter: Reporter) -> NextPoint:
    """The same of texts, which are read again where they came from."""
    read = read_texts(run, most=MOST)
    if not read.examples:
        raise DataError(
            f"the texts of {path} could not be read again ({read.reason}). Say where they are: --pictures PATH."
        )
    with reporter.step("Learning from fewer texts", _REPEATS * len(SHARES)) as advance:
        given = count_run(run, read.texts)
        curve = draw_text_curve(given, read, run.classes, most=MOST, repeats=_REPEATS, seed=seed, advance=advance)
    if curve is None:
        raise _too_few(path, read.examples, run.classes, seed=seed, item="text")
    return NextPoint(
        grown=curve.grown,
        law=curve.law,
        classes=curve.classes,
        drawn=len(read.examples),
        usable=read.n_all,
        item="text",
    )


def _too_few(
    path: Path, examples: Sequence[Example], classes: Sequence[str], *, seed: int, item: str = "picture"
) -> DataError:
    """Which classes are too small for a curve, and how many pictures would do."""
    drawn = [examples[row] for row in draw(range(len(examples)), MOST, seed=seed)]
    groups = {name: set[str]() for name in classes}
    for place, example in enumerate(drawn):
        groups[example.target.text].add(example.group or str(place))
    few = sorted((len(own), name) for name, own in groups.items() if len(own) < FEWEST)
    of = f"{path}{f', of which {len(drawn):,} {item}s were drawn,' if len(drawn) < len(examples) else ''}"
    if not few:
        return DataError(
            f"{of} has groups that hold several classes, and a group is learned from or judged as a whole: of what is learned from "
            f"an eighth must be 2 {item}s of each class. Add {item}s of other groups."
        )
    told = ", ".join(f"{name!r} has {count:,}" for count, name in few[:_NAMED])
    more = f" and {len(few) - _NAMED:,} more are as small" if len(few) > _NAMED else ""
    return DataError(
        f"{of} has too few {item}s of some classes for a curve (copies, and {item}s of one group, count once): {told}{more}. "
        f"Each needs {FEWEST}: add {FEWEST - few[0][0]:,} of {few[0][1]!r}{' first' if len(few) > 1 else ''}."
    )


def _told(band: Band) -> dict[str, float]:
    return {name: round(getattr(band, name), 6) for name in ("value", "low", "high")}
