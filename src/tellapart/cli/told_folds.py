"""K folds in words, for a terminal. In: TrainResult. Out: lines. Next: train.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tellapart.cli.tasks import item_of

if TYPE_CHECKING:
    from tellapart.runs.result import TrainResult

_SHOWN = 10  # folds whose figures are told


def told_metrics(result: TrainResult) -> Mapping[str, Any]:
    """metrics.json as a summary tells it: a picture that was tested several times is one."""
    if not result.folds:
        return result.metrics
    return {**result.metrics, "test": {**result.metrics["test"], "n": result.metrics["kfold"]["pictures"]}}


def fold_lines(result: TrainResult) -> list[str]:
    """What the figure is of, how it differs between folds, and what it says of the model that is kept; nothing without folds."""
    from tellapart.reporter import counted, percent

    if not result.folds:
        return []
    told = result.metrics["kfold"]
    times = "" if told["repeats"] == 1 else f", {told['repeats']} times with other folds"
    figures = [percent(one["value"]) for one in result.folds]
    more = f" and {len(figures) - _SHOWN} more" if len(figures) > _SHOWN else ""
    kept = (
        f"the mean of the {len(figures)} networks, of which each was tested alone"
        if told["kept"] == "ensemble"
        else "one more network, trained on all of them but a validation split and not tested itself"
    )
    pictures = counted(told["pictures"], item_of(result.task))
    return [
        "",
        f"{told['count']} folds: each of the {pictures} was tested by a network that had not seen it{times}.",
        f"By fold: {', '.join(figures[:_SHOWN])}{more}.",
        f"The model kept is {kept}: the figure of the folds stands for it.",
    ]


def picture_line(result: TrainResult) -> str:
    """How many pictures were learned from and tested."""
    learned = f"{result.n_train:,} train, {result.n_validation:,} validation"
    what = f"{item_of(result.task)}s"
    if not result.folds:
        return f"{what:<9} {learned}, {result.n_test:,} test"
    return f"{what:<9} {result.n_test:,} tested in folds; of the model kept {learned}"
