"""A classifier of texts, and how it does on the validation split. In: TextCandidate, Dataset. Out: Validated. Next: averaging.py.

Whatever learns texts gives a TextCandidate: by that door it is validated, compared, averaged with another, tested and written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import BackboneRecord
from tellapart.data.dataset import Dataset
from tellapart.evaluation.calibrating import choose_calibration
from tellapart.evaluation.choosing import Candidate, HeldOut, Validated
from tellapart.export.texts import TextGraph
from tellapart.texts.inputs import TextInputs

FIGURE = "accuracy"


class TextCandidate(Candidate, Protocol):
    """A trained classifier of texts, of the N rows of a data set; K classes."""

    @property
    def texts(self) -> Sequence[str]:
        """The N texts, as they were given."""
        ...

    @property
    def held_out(self) -> HeldOut | None:
        """Logits of training texts by fits that did not see them, to calibrate on; None where there are none."""
        ...

    @property
    def called(self) -> str:
        """What it is, in a sentence: classifier of n-grams."""
        ...

    @property
    def precision(self) -> float:
        """How exactly the file tells `unknown`."""
        ...

    @property
    def inputs(self) -> TextInputs:
        """How its file takes texts."""
        ...

    @property
    def graphs(self) -> Sequence[TextGraph]:
        """What makes its logits in the file: one, or several of which the mean counts, those of `inputs.parts`."""
        ...

    @property
    def records(self) -> Mapping[str, Any]:
        """What the record of its file says of these parts, by the names of TextRecord."""
        ...

    @property
    def described(self) -> BackboneRecord:
        """What its file says in the place of a backbone."""
        ...

    def logits(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Logits [n, K] of rows of the data set, before any calibration, as model.onnx will say."""
        ...

    def unknown(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """How unlike its training texts each is, [n] >= 0, before the scale that makes it novelty."""
        ...


class JudgedTexts(NamedTuple):
    """What a candidate says of n texts that it had not learned from."""

    rows: NDArray[np.int64]  # [n], of the data set
    logits: NDArray[np.float32]  # [n, K]


def judged_rows(candidate: TextCandidate, dataset: Dataset) -> JudgedTexts:
    """The validation texts, and then the training texts that were held out."""
    rows = dataset.rows["validation"]
    own, held_out = candidate.logits(rows), candidate.held_out
    if held_out is None:
        return JudgedTexts(rows, own)
    there = np.isfinite(held_out.logits).all(axis=1)
    logits = np.concatenate([own, held_out.logits[there].astype(own.dtype)])
    return JudgedTexts(np.concatenate([rows, held_out.rows[there]]), logits)


def validate(candidate: TextCandidate, dataset: Dataset) -> Validated[TextCandidate]:
    """Calibrate by the validation rows and what was held out of the training; score the validation rows."""
    count = len(dataset.rows["validation"])
    rows, logits = judged_rows(candidate, dataset)
    labels = dataset.targets[rows]
    calibration = choose_calibration(logits, labels, dataset.groups[rows], with_biases=False)
    return Validated(
        candidate=candidate,
        losses=calibration.losses[:count],
        figure_name=FIGURE,
        figure=float((logits[:count].argmax(axis=1) == labels[:count]).mean()),
        calibration=calibration,
        facts={
            "temperature": calibration.temperature,
            "calibration": calibration.as_json(),
            "called": candidate.called,
        },
    )
