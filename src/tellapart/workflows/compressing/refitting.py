"""A classifier fitted anew to what a smaller network gives. In: Compressible. Out: Compressible. Next: concluding.py.

What was fitted to a float network's embedding in a few seconds is fitted in as few to that of its integers, and forgives part of
what they lose. A network that was trained with gradients keeps the classifier that it was trained with.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, cast

import numpy as np

from tellapart.errors import DataError
from tellapart.evaluation.choosing import LinearCandidate, choose
from tellapart.features.embedding import Embedded, embed_pictures
from tellapart.workflows.compressing.compressible import MOVED, Compressible

_PROBE = "probe"


def with_own_classifier(work: Compressible) -> Compressible:
    """The same with a classifier of its own, where one is fitted in seconds and does better on validation by more than chance.

    Raises: DataError where a picture can no longer be read.
    """
    if work.task.quick is None or work.run.manifest.strategy != _PROBE:
        return work
    embedded = _embedded(work)
    fitted = work.task.quick(work.run.settings, work.dataset, embedded)
    kept: Any = replace(cast("LinearCandidate", work.candidate), embeddings=embedded.rows)  # nothing is computed twice
    before, after = (work.task.validate(one, work.dataset) for one in (kept, fitted))
    if choose(before, after).winner is before:
        return replace(work, candidate=kept)
    step = work.steps[-1]
    anew = f"its classifier fitted anew (log loss {before.losses.mean():.3f}, then {after.losses.mean():.3f})"
    step = step.model_copy(update={"told": f"{step.told}; {anew}"})
    return replace(work, candidate=fitted, steps=(*work.steps[:-1], step))


def _embedded(work: Compressible) -> Embedded:
    """What the smaller network gives of all pictures."""
    backbone, began = work.candidate.backbone, time.monotonic()
    features = embed_pictures(work.dataset.pictures, backbone, "cpu", None, work.reporter)
    if features.problems:
        row, problem = next(iter(features.problems.items()))
        raise DataError(f"{work.dataset.pictures[row].path}: {problem}. {MOVED}")
    return Embedded(
        backbone=backbone,
        vectors=np.asarray(features.vectors),
        computed=len(features.vectors),
        reused=0,
        seconds=time.monotonic() - began,
        pace=None,
    )
