"""Which classifier of texts is kept. In: Validated candidates. Out: Choice. Next: testing.py.

A later one must beat the one kept so far by more than chance, as evaluation/choosing.py has it; then the mean of both must. They
are compared on the validation texts, and on those training texts that both held out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset
from tellapart.evaluation.choosing import Choice, Validated, only
from tellapart.tasks.text.averaging import MeanOfTwo
from tellapart.tasks.text.candidates import TextCandidate, judged_rows, validate

TextChoice = Choice[TextCandidate]
_WORTH = 0.01  # of the log loss, what a mean must gain: a file of two networks answers no sooner than the slower one


class _Compared(NamedTuple):
    """Two candidates on the n texts that neither had learned from."""

    texts: int
    gain: float  # of the other, in nats a text
    error: float  # of that, one standard error
    losses: tuple[float, float]
    right: tuple[float, float]  # shares

    def wins(self, worth: float = 0.0) -> bool:
        """Whether the other is better by more than chance."""
        return self.gain > max(self.error, worth * self.losses[0]) and self.right[1] >= self.right[0]


def choose_text(first: TextChoice, other: Validated[TextCandidate], dataset: Dataset) -> TextChoice:
    """The one kept so far, `other`, or the mean of both: the simpler, unless one is better by more than chance.

    A mean that was kept is averaged no further: then it is one or the other.
    """
    kept, begun = first.winner, first.winner
    found, told = [*first.compared, other], [_compared(begun, other, dataset)]
    kept = other if told[0].wins() else begun
    if not isinstance(begun.candidate, MeanOfTwo):
        mean = validate(MeanOfTwo.of(begun, other), dataset)
        kept = mean if _compared(kept, mean, dataset).wins(_WORTH) else kept
        found.append(mean)
        told.append(_compared(begun, mean, dataset))
    names = [one.candidate.called for one in found[-len(told) :]]
    reason = _reason(kept.candidate.called, begun.candidate.called, names, told)
    rest = [one for one in found if one is not kept]
    return Choice(winner=kept, reason=f"{first.reason} {reason}".strip(), compared=(kept, *rest))


def choose_texts(candidates: Sequence[Validated[TextCandidate]], dataset: Dataset) -> TextChoice:
    """One of several, or the mean of two of them; the simplest first."""
    choice = only(candidates[0])
    for other in candidates[1:]:
        choice = choose_text(choice, other, dataset)
    return choice


def _compared(simpler: Validated[TextCandidate], other: Validated[TextCandidate], dataset: Dataset) -> _Compared:
    """Both on the texts that both were judged on."""
    own, others = (judged_rows(one.candidate, dataset) for one in (simpler, other))
    rows, at, there = np.intersect1d(own.rows, others.rows, return_indices=True)
    losses = simpler.calibration.losses[at], other.calibration.losses[there]
    right: list[float] = []
    for logits in (own.logits[at], others.logits[there]):
        right.append(float((logits.argmax(axis=1) == dataset.targets[rows]).mean()))
    gains: NDArray[np.float64] = losses[0] - losses[1]
    return _Compared(
        texts=len(rows),
        gain=float(gains.mean()),
        error=float(gains.std(ddof=1) / np.sqrt(len(gains))) if len(gains) > 1 else np.inf,
        losses=(float(losses[0].mean()), float(losses[1].mean())),
        right=(right[0], right[1]),
    )


def _reason(kept: str, begun: str, names: Sequence[str], told: Sequence[_Compared]) -> str:
    """A sentence with the figures of all of them."""
    first = told[0]
    others = " and ".join(
        f"{one.losses[1]:.3f} and {100 * one.right[1]:.1f} % for the {name}"
        for name, one in zip(names, told, strict=True)
    )
    return (
        f"Kept the {kept}: on {first.texts:,} texts that none had learned from, log loss and accuracy are "
        f"{first.losses[0]:.3f} and {100 * first.right[0]:.1f} % for the {begun}, {others}."
    )
