"""The learning curve of a run's pictures. In: EmbeddedExamples, classes. Out: PictureCurve. Next: workflows/next_point.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tellapart.data.targets import class_numbers
from tellapart.evaluation.learning_curve import PowerLaw, fit_power_law
from tellapart.runs.embeddings import EmbeddedExamples, draw
from tellapart.training.growing import Grown, grow


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PictureCurve:
    """The learning curve of the classifier on the frozen network, and where it leads."""

    grown: Grown
    law: PowerLaw
    classes: Mapping[str, PowerLaw]  # of the share of each class that is missed


def draw_curve(
    embedded: EmbeddedExamples,
    classes: Sequence[str],
    *,
    most: int,
    repeats: int,
    seed: int,
    advance: Callable[[int], None] | None = None,
) -> PictureCurve | None:
    """The curve of at most `most` pictures, drawn by `seed`; None where a class is too small for one."""
    rows = draw(range(len(embedded.examples)), most, seed=seed)
    chosen = [embedded.examples[row] for row in rows]
    grown = grow(
        embedded.vectors[rows],
        class_numbers([example.target for example in chosen], classes),
        [example.group for example in chosen],
        class_count=len(classes),
        repeats=repeats,
        seed=seed,
        advance=advance,
    )
    return None if grown is None else curve_of(grown, classes, seed=seed)


def curve_of(grown: Grown, classes: Sequence[str], *, seed: int) -> PictureCurve:
    """The laws that the errors follow, of all classes and of each."""
    return PictureCurve(
        grown=grown,
        law=fit_power_law(grown.sizes, grown.errors, judged=sum(grown.judged), seed=seed),
        classes={
            name: fit_power_law(grown.sizes, grown.missed[:, :, number], judged=max(1, grown.judged[number]), seed=seed)
            for number, name in enumerate(classes)
        },
    )
