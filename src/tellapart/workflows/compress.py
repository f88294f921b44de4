"""A trained model made smaller and quicker. In: a run, what to do. Out: another run, before and after. Next: cli/compress.py.

What is done are steps from a network to a network (compressing/); what decides behind it is learned anew after the last one.
"""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from tellapart.errors import SettingsError
from tellapart.reporter import Reporter
from tellapart.runs.finished import open_finished
from tellapart.runs.open import MODEL
from tellapart.serving.engines import remember_quickest
from tellapart.workflows.compressing.compressible import Compressible, open_compressible
from tellapart.workflows.compressing.concluding import Compressed, check_out, conclude
from tellapart.workflows.compressing.integers import to_float16, to_int8
from tellapart.workflows.compressing.refitting import with_own_classifier
from tellapart.workflows.compressing.texts import compress_texts, refuse_others

Step = Callable[[Compressible], Compressible]


def compress(
    folder: Path,
    *,
    reporter: Reporter,
    int8: bool = False,
    float16: bool = False,
    most_lost: float | None = None,
    qat: bool = False,
    out: Path | None = None,
    pictures: Path | None = None,
    first: Sequence[Step] = (),
    prune: float | None = None,
    distill: Path | None = None,
    unlabelled: Sequence[str] = (),
    epochs: int | None = None,
) -> Compressed:
    """Make a finished run's model smaller, and write it as a run of its own, to `out` or beside it.

    `int8`: in 8-bit integers, within `most_lost` points of the validation figure, with `qat` as `to_int8` says. `float16`: weights
    that stay in float32 are kept in half the bytes. Before that: `prune` is the share of the multiply-adds that goes, `distill` a
    run or model file to learn from, with `unlabelled` pictures too, for `epochs` epochs. `first` are steps before all these;
    `pictures` is where the run's pictures lie now, if they were moved. Raises: SettingsError, DataError, CompressionMissed,
    TrainingError, ModelFileError, StorageError.
    """
    asked = (int8, float16, bool(first), prune is not None, distill is not None)
    _check_asked(any(asked), most_lost, prune, distill, unlabelled, epochs, qat and not int8)
    whole = folder.resolve()  # runs/latest is a link
    target = out or whole.with_name(f"{whole.name}-{'-'.join(_named(*asked))}")
    check_out(target)
    whole_run = open_finished(folder, pictures=pictures)
    if whole_run.manifest.pictures is None:
        told = {"qat": qat, "most_lost": most_lost}
        refuse_others({**told, "distill": distill, "unlabelled": unlabelled, "epochs": epochs})
        return compress_texts(whole_run, target, float16=float16, int8=int8, prune=prune, reporter=reporter)
    learned = [lambda one: _learned(one, target, prune, distill, unlabelled, epochs)] if any(asked[3:]) else []
    smaller = (
        [lambda one: with_own_classifier(to_int8(one, most_lost=most_lost, qat=qat, kept=_kept(target)))]
        if int8
        else []
    )
    steps = [*first, *learned, *smaller, *([to_float16] if float16 else [])]
    return _done(folder, target, steps, pictures, reporter)


def _done(folder: Path, target: Path, steps: Sequence[Step], pictures: Path | None, reporter: Reporter) -> Compressed:
    """The steps one after another, and the run that they make; what a stopped one would go on from goes away then."""
    with tempfile.TemporaryDirectory(prefix="tellapart-compress-") as work:
        opened = open_compressible(folder, Path(work), reporter, pictures=pictures)
        for step in steps:
            opened = step(opened)
        made = conclude(opened, target, pictures=pictures)
    remember_quickest(made.run / MODEL)
    shutil.rmtree(_kept(target), ignore_errors=True)
    return made


def _check_asked(
    anything: bool,
    most_lost: float | None,
    prune: float | None,
    distill: Path | None,
    unlabelled: Sequence[str],
    epochs: int | None,
    qat_alone: bool,
) -> None:
    """Raises: SettingsError for a number out of its range, or for what belongs to a step that was not asked for."""
    if qat_alone:
        raise SettingsError("--qat teaches weights to be rounded, and --int8 was not asked for. Give it, too.")
    if not anything:
        raise SettingsError(
            "nothing was asked for; a network is made smaller by --int8, --float16 or --prune, and better by --distill. Give one."
        )
    if prune is not None and not 0 < prune < 1:
        raise SettingsError(f"--prune is {prune:g}; it is a share of the multiply-adds between 0 and 1. Try 0.3.")
    if epochs is not None and prune is None and distill is None:
        raise SettingsError(
            "--epochs is of --prune and --distill, and neither was asked for. Give one, or leave it out."
        )
    if unlabelled and distill is None:
        raise SettingsError(
            "--unlabelled gives pictures for a teacher to judge, and there is none. Give --distill TEACHER too."
        )
    if most_lost is not None and not (math.isfinite(most_lost) and 0 <= most_lost <= 100):
        raise SettingsError(
            f"--most-lost is {most_lost:g}; it must be points from 0 to 100 that the validation figure may fall by, such as 0.2."
        )


def _learned(
    opened: Compressible,
    target: Path,
    prune: float | None,
    distill: Path | None,
    unlabelled: Sequence[str],
    epochs: int | None,
) -> Compressible:
    """The steps that train. What a killed one goes on from is kept beside the target, until that is whole."""
    from tellapart.features.caching import open_cache
    from tellapart.workflows.compressing.distilled import DistillTerms, to_distilled
    from tellapart.workflows.compressing.pruned import PruneTerms, to_pruned

    kept = _kept(target)
    if prune is not None:
        last = {} if epochs is None or distill is not None else {"last_epochs": epochs}
        opened = to_pruned(opened, PruneTerms(share=prune, **last), kept / "prune")
    if distill is not None:
        length = {} if epochs is None else {"epochs": epochs}
        with open_cache(opened.reporter) as cache:
            terms = DistillTerms(teacher=distill, unlabelled=tuple(unlabelled), **length)
            opened = to_distilled(opened, terms, kept / "distill", cache)
    return with_own_classifier(opened)


def _kept(target: Path) -> Path:
    return target.with_name(f".{target.name}-unfinished")


def _named(int8: bool, float16: bool, first: bool, pruned: bool, distilled: bool) -> list[str]:
    given = {"small": first, "pruned": pruned, "distilled": distilled, "int8": int8, "float16": float16}
    return [name for name, there in given.items() if there]
