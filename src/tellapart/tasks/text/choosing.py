"""Which classifier of texts is kept. In: Validated candidates. Out: Choice. Next: testing.py.

A later one must beat the one kept so far by more than chance, as evaluation/choosing.py has it; then the mean of both must.
"""

from __future__ import annotations

import numpy as np

from tellapart.data.dataset import Dataset
from tellapart.evaluation.choosing import Choice, Validated, only
from tellapart.tasks.text.averaging import MeanOfTwo
from tellapart.tasks.text.candidates import TextCandidate, validate

TextChoice = Choice[TextCandidate]
_WORTH = 0.01  # of the log loss, what a mean must gain: a file of two networks answers no sooner than the slower one


def choose_text(first: TextChoice, other: Validated[TextCandidate], dataset: Dataset) -> TextChoice:
    """The one kept so far, `other`, or the mean of both: the simpler, unless one is better by more than chance.

    A mean that was kept is averaged no further: then it is one or the other.
    """
    kept, reasons = _better(first.winner, other)
    found = [*first.compared, other]
    if not isinstance(first.winner.candidate, MeanOfTwo):
        mean = validate(MeanOfTwo.of(first.winner, other), dataset)
        kept, reason = _better(kept, mean, worth=_WORTH)
        reasons = f"{reasons} {reason}"
        found.append(mean)
    rest = [one for one in found if one is not kept]
    return Choice(winner=kept, reason=" ".join(filter(None, (first.reason, reasons))), compared=(kept, *rest))


def choose_texts(candidates: list[Validated[TextCandidate]], dataset: Dataset) -> TextChoice:
    """One of several, or the mean of two of them; the simplest first."""
    choice = only(candidates[0])
    for other in candidates[1:]:
        choice = choose_text(choice, other, dataset)
    return choice


def _better(
    simpler: Validated[TextCandidate], other: Validated[TextCandidate], *, worth: float = 0.0
) -> tuple[Validated[TextCandidate], str]:
    """Which of two, and why, in a sentence."""
    gains = simpler.losses - other.losses
    gain = float(gains.mean())
    error = float(gains.std(ddof=1) / np.sqrt(len(gains))) if len(gains) > 1 else np.inf
    worse = gain <= 0 or other.figure < simpler.figure
    wins = gain > max(error, worth * float(simpler.losses.mean())) and not worse
    because = "is better" if wins else "is no better" if worse else "is hardly better"
    kept = other if wins else simpler
    return kept, (
        f"Kept the {kept.candidate.called}: on {len(gains):,} validation texts the {other.candidate.called} {because} "
        f"(log loss {other.losses.mean():.3f} against {simpler.losses.mean():.3f}, "
        f"accuracy {100 * other.figure:.1f} % against {100 * simpler.figure:.1f} %)."
    )
