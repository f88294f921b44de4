"""Whether and how to calibrate, by cross-validation. In: logits [N, K], labels [N]. Out: ClassCalibration. Next: chance.py."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tellapart.evaluation.calibration import NEAR, USUAL, check_some, fit_class_biases, fit_temperature, softmax
from tellapart.evaluation.intervals import Groups, group_numbers

Doubles = NDArray[np.float64]
Method: TypeAlias = Literal["none", "kept", "temperature", "temperature and biases"]
Fit = Callable[[NDArray[np.floating], NDArray[np.integer]], "tuple[float, Doubles]"]

FOLDS = 10
FEWEST = 50  # pictures that can choose; of fewer one that is wrong decides all
_MOST_CELLS = 10_000_000  # pictures x classes that one fit looks at
_SMALLEST = 1e-12  # probability whose logarithm is taken


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassCalibration:
    """Probabilities are softmax((logits + biases) / temperature)."""

    method: Method
    temperature: float  # 1 with "none"
    biases: Doubles  # [K], 0 but with "temperature and biases"
    trials: Mapping[Method, float]  # mean log loss in nats of pictures that it was not fitted on
    losses: Doubles  # [N], the same of each picture, of `method`

    def logits(self, logits: NDArray[np.floating]) -> Doubles:
        """Calibrated logits [n, K]."""
        return np.asarray((logits.astype(np.float64) + self.biases) / self.temperature)

    def as_json(self) -> dict[str, Any]:
        """For metrics.json."""
        return {
            "method": self.method,
            "temperature": self.temperature,
            "biases": self.biases.tolist() if self.biases.any() else None,
            "pictures": len(self.losses),
            "trials": dict(self.trials),
        }


def choose_calibration(
    logits: NDArray[np.floating],
    labels: NDArray[np.integer],
    groups: Groups | None,
    *,
    with_biases: bool,
    known: float | None = None,
    seed: int = 0,
) -> ClassCalibration:
    """The one of nothing, a temperature, and a temperature with biases under which held-out pictures are most probable.

    `logits` [N, K] of pictures that the classifier was not trained on, `labels` [N] in 0..K-1, `groups` [N]: a group is held out
    whole, in ten folds (of very many classes in fewer). What is simpler wins a tie, so what is taken is never worse than the
    logits as they are on the pictures that it is judged by. Fewer than 50 pictures cannot choose: one that is wrong would
    decide all. Of so few the last of the three that is allowed is fitted, and the priors of calibration.py keep it in bounds.
    `known` is a temperature that was found for nearly these logits before, by more pictures perhaps: it stands in the place of
    nothing, others are looked for near it, and it is what so few pictures leave as it is. A hundred pictures that are all told
    right would else make every later probability 0 or 1, though a thousand said otherwise before.
    Raises: DataError without pictures.
    """
    check_some(labels)
    before, deviation = (1.0, USUAL) if known is None else (known, NEAR)
    logits = logits if known is None else logits / known
    fits: dict[Method, Fit] = {"none" if known is None else "kept": _nothing}
    fits["temperature"] = functools.partial(_temperature, deviation=deviation)
    if with_biases:
        fits["temperature and biases"] = functools.partial(_temperature_and_biases, deviation=deviation)
    folds = int(np.clip(2 * _MOST_CELLS // max(logits.size, 1), 2, FOLDS))
    fold_of = deal(group_numbers(groups, len(labels)), folds, np.random.default_rng(seed))
    losses = {method: _held_out(fit, logits, labels, fold_of) for method, fit in fits.items()}
    trials = {method: float(found.mean()) for method, found in losses.items()}
    method: Method = "kept" if known is not None else list(fits)[-1]
    if len(labels) >= FEWEST:
        method = min(trials, key=trials.__getitem__)
    temperature, biases = fits[method](logits, labels)
    return ClassCalibration(
        method=method, temperature=before * temperature, biases=before * biases, trials=trials, losses=losses[method]
    )


def deal(groups: NDArray[np.int64], folds: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """The fold of each picture [N] in 0..folds-1: whole groups [N], as many in each."""
    numbers = np.unique(groups, return_inverse=True)[1]
    return np.asarray(generator.permutation(numbers.max(initial=0) + 1)[numbers] % folds, dtype=np.int64)


def log_losses(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> Doubles:
    """Log loss [N] in nats of each picture, of calibrated logits [N, K]."""
    own = np.take_along_axis(softmax(logits), labels[:, None].astype(np.int64), axis=1)[:, 0]
    return np.asarray(-np.log(np.maximum(own, _SMALLEST)))


def _held_out(
    fit: Fit, logits: NDArray[np.floating], labels: NDArray[np.integer], fold_of: NDArray[np.int64]
) -> Doubles:
    """Log loss [N] of each picture, by what was fitted on the other folds; of a single group, by nothing."""
    losses = np.empty(len(labels))
    for fold in np.unique(fold_of).tolist():
        out = fold_of == fold
        temperature, biases = (fit if not out.all() else _nothing)(logits[~out], labels[~out])
        losses[out] = log_losses((logits[out] + biases) / temperature, labels[out])
    return losses


def _nothing(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> tuple[float, Doubles]:
    return 1.0, np.zeros(logits.shape[1])


def _temperature(
    logits: NDArray[np.floating], labels: NDArray[np.integer], *, deviation: float
) -> tuple[float, Doubles]:
    some = _spread(logits)
    return fit_temperature(logits[some], labels[some], deviation=deviation), np.zeros(logits.shape[1])


def _temperature_and_biases(
    logits: NDArray[np.floating], labels: NDArray[np.integer], *, deviation: float
) -> tuple[float, Doubles]:
    some = _spread(logits)
    return fit_class_biases(logits[some], labels[some], deviation=deviation)


def _spread(logits: NDArray[np.floating]) -> slice:
    """All pictures, or of very many classes so many of them, evenly spread, that a fit takes no longer than a second or two."""
    return slice(None, None, max(1, logits.size // _MOST_CELLS))
