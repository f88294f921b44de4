"""Which strength of the penalty to try, in which order, and when to stop. In: held-out losses. Out: trials. Next: probe.py.

The strength lambda is relative to the mean loss. Trials go from strong to weak, end once the held-out loss has failed to
fall twice in a row, and go on past either end of the given strengths while the best is there. Over 10,000 pictures the
trials see 10,000 of them, in three folds, and the last fit takes lambda x (10,000 / N) ^ 3/4: from 300 to 50,000 pictures
the best lambda of three of our four sets fell with a power of N from 0.6 to 1.1, of one not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain

import numpy as np

# Lambda, as in Probe.strength: from 1 down to 0.0003. The best was between 0.1 and 0.0003 on all sets that we tried.
STRENGTHS: tuple[float, ...] = tuple(float(10.0**exponent) for exponent in np.arange(0.0, -4.0, -0.5))
DEFAULT_STRENGTH = STRENGTHS[4]  # 0.01, taken where nothing can be held out

SEARCH_ROWS = 10_000  # the strength is chosen on no more pictures than this, then in three folds
SEARCH_FOLDS = 3
SEARCH_OUTPUTS = 3_000_000  # pictures x folds x classes; with many classes fewer folds are held out
SEARCH_TOLERANCE = 1e-4  # nats, of the distance to the minimum
_CARRY_OVER = 0.75  # the best strength falls with this power of the number of pictures
_LEAST_GAIN, _LEAST_SHARE = 1e-4, 0.005  # in nats and of the least loss so far; less is no reason to go on
LEAST, _STRONGEST = 1e-6, 1e4


def try_strengths(
    held_out_loss: Callable[[float, bool], float],
    path: Sequence[float],
    advance: Callable[[int], None],
    *,
    weakest: float = LEAST,
) -> dict[float, float]:
    """Held-out losses by strength: down `path`, from strong to weak, two or more, and past its ends where the best is there.

    `held_out_loss(strength, cold)` fits and scores; `cold` is True where no fit with a strength near by came just before.
    `advance(1)` follows each trial.
    """
    trials: dict[float, float] = {}
    weaker = _continue(path[-1], path[-1] / path[-2], lambda strength: strength >= weakest)
    _sweep(held_out_loss, chain(path, weaker), trials, advance)
    if min(trials, key=trials.__getitem__) == path[0]:
        stronger = _continue(path[0], path[0] / path[1], lambda strength: strength <= _STRONGEST)
        _sweep(held_out_loss, stronger, trials, advance)
    return trials


def best_strength(trials: Mapping[float, float], path: Sequence[float], *, searched: int, fitted: int) -> float:
    """The strength with the least held-out loss of `searched` pictures, carried over to a fit on all `fitted` of them.

    Where none was tried it is the only one of `path`, or the one that is taken where nothing can be held out.
    """
    if not trials:
        return path[0] if len(path) == 1 else DEFAULT_STRENGTH
    best = min(trials, key=trials.__getitem__)
    return float(best * (searched / fitted) ** _CARRY_OVER)


def _sweep(
    held_out_loss: Callable[[float, bool], float],
    path: Iterable[float],
    trials: dict[float, float],
    advance: Callable[[int], None],
) -> None:
    failures = 0
    for turn, strength in enumerate(path):
        loss = held_out_loss(strength, turn == 0)
        least = min(trials.values(), default=1e300)
        failures = failures + 1 if loss > least - max(_LEAST_GAIN, _LEAST_SHARE * least) else 0
        trials[strength] = loss
        advance(1)
        if failures == 2:
            return


def _continue(last: float, ratio: float, within: Callable[[float], bool]) -> Iterator[float]:
    while within(last := last * ratio):
        yield last
