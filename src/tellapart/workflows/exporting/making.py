"""One format of one model: made, run on the test split, compared, put in its place. In: ExportJob. Out: Exported. Next: card.py."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from tellapart.errors import ExportError
from tellapart.export.begun import begun_folder, take_place
from tellapart.export.graph_cuts import suppresses
from tellapart.export.plain import relative_differences
from tellapart.export.process import tool_process
from tellapart.export.table import ExportStep, Format
from tellapart.export.tools import size_of
from tellapart.reporter import percent
from tellapart.storage import storage_errors, write_json
from tellapart.workflows.exporting.card import CARD, Exported, Port
from tellapart.workflows.exporting.job import ExportJob
from tellapart.workflows.rating.changed import changed
from tellapart.workflows.rating.rated import Rated, rate
from tellapart.workflows.rating.timing import Milliseconds, many_at_once

REFUSED = ".refused"  # what the folder of a format is called besides that changes too many answers
_WRONG = 1e-2  # the same, from which on a layer has become another
_FAR = 1e-3  # of an output's largest number; what computes in float32 is nearer
_LOOKED_AT = 4  # pictures whose outputs are compared number by number
Finish: TypeAlias = Callable[[Path], None]
_BLOCK = 32  # pictures that a runtime is given at once


def export_one(
    job: ExportJob, form: Format, exports: Path, *, most_flipped: float | None, finish: Finish | None = None
) -> Exported:
    """Make one format in a folder of `exports`, in place of an earlier one; with a card, and what `finish` adds to the folder.

    Where more of the answers change than `most_flipped`, a share in [0, 1], or what computes in float32 is far off all the same,
    the folder is called otherwise, and an earlier one stays. None and 1: nothing is refused.
    Raises: ExportError, StorageError.
    """
    home = exports / form.name
    with begun_folder(home) as begun:
        exported, apart = _made(job, form, begun)
        why = _wrong(form, exported, apart, most_flipped)
        if why:
            home = exports / f"{form.name}{REFUSED}"
        name = _keep_versions(home, begun) if form.numbered and not why else exported.path.name
        path = home / name
        exported = replace(exported, path=path, folder=home, refused=why)
        write_json(begun / CARD, _without_nan(exported.card()))
        if finish is not None:
            finish(begun)
        take_place(begun, home)
    return exported


def _wrong(form: Format, exported: Exported, apart: dict[str, float], most_flipped: float | None) -> str:
    """Why a format is refused; "" where it is not."""
    change = exported.change
    if most_flipped is None or most_flipped >= 1:
        return ""
    if change is not None and change.share > most_flipped:
        told = f"{change.flipped:,} of {change.of:,} answers changed, {percent(change.share)}"
        return f"{told}; at most {percent(most_flipped)} may"
    name, share = max(apart.items(), key=lambda item: item[1], default=("", 0.0))
    if form.exact and share > _WRONG:
        return (
            f"it computes in float32, and {name!r} differs by {100 * share:.2g} % of its largest number; at most "
            f"{100 * _WRONG:g} % may (--most-flipped 100% takes it)"
        )
    return ""


def _made(job: ExportJob, form: Format, folder: Path) -> tuple[Exported, dict[str, float]]:
    """The format in a folder, and how far its outputs are from the graph's, as shares of their largest numbers."""
    began = time.perf_counter()
    graph = job.feed.graph(job.model, form)
    names, shapes = job.feed.shapes(graph)
    options = job.options | {"outputs": names, "shapes": [[1, *shape[1:]] for shape in shapes], "batch": form.batch}
    target = folder / form.file
    rated: Rated | None = None
    apart: dict[str, float] = {}
    with tempfile.TemporaryDirectory(dir=job.work) as name:
        work = Path(name)
        _convert(job, form, graph, target, options, work)
        seconds = time.perf_counter() - began
        if form.runtime is not None:
            rated, apart = _rated(job, form, form.runtime, target, options, work, graph)
    at_once: int | str = "N" if form.batch is None else form.batch
    exported = Exported(
        format=form.name,
        path=target,
        folder=folder,
        rated=rated,
        before=job.before,
        change=None if rated is None else changed(job.before, rated, job.asked, job.run.manifest, seed=job.seed),
        megabytes=_megabytes(folder),
        inputs=[job.feed.port(form, at_once)],
        outputs=[
            Port(name=name, type="float32" if name != "labels" else "int64", shape=(at_once, *shape[1:]))
            for name, shape in zip(names, shapes, strict=True)
            if name not in job.feed.constant
        ],
        versions={name: version for tool in form.tools for name, version in job.environments[tool].versions.items()},
        notes=[*_notes(job, form), *_far(form, apart)],
        model_sha256=job.digest,
        seconds=seconds,
    )
    return exported, apart


def _convert(job: ExportJob, form: Format, graph: bytes, target: Path, options: dict[str, Any], work: Path) -> None:
    """One step after another, each in its tool's own process. Raises: ExportError, StorageError."""
    source = _source(job, graph)
    with job.reporter.step(f"Converting to {form.name}", None):
        for number, step in enumerate(form.steps):
            last = number == len(form.steps) - 1
            made = target if last else work / f"step-{number}-{form.file}"
            with tool_process(step, job.environments[step.tool], work) as process:
                process.convert(source, made, options)
            source = made


def _far(form: Format, apart: dict[str, float]) -> list[str]:
    """Outputs that are further from the graph's than float32 makes them."""
    return [
        f"It computes in float32, and still {name!r} differs by {100 * share:.2g} % of its largest number: the converter has made "
        "something else of a layer. Look at it before you use it."
        for name, share in apart.items()
        if form.exact and share > _FAR
    ]


def _source(job: ExportJob, graph: bytes) -> Path:
    """A graph as a file; formats that are given the same share it, and what converters keep beside it."""
    folder = job.work / f"graph-{hashlib.sha256(graph).hexdigest()[:16]}"
    path = folder / "graph.onnx"
    if not path.is_file():
        with storage_errors(path):
            folder.mkdir(exist_ok=True)
            path.write_bytes(graph)
    return path


def _rated(
    job: ExportJob, form: Format, step: ExportStep, path: Path, options: dict[str, Any], work: Path, graph: bytes
) -> tuple[Rated, dict[str, float]]:
    """The file on the whole test split, in a process of its own, and how long it takes; how far outputs are from the graph's.

    Raises: ExportError, StorageError.
    """
    with tool_process(step, job.environments[step.tool], work) as process:
        process.load(path, options)
        rated = rate(
            lambda inputs: process.compute(job.feed.ready(inputs)),
            job.asked,
            job.run.manifest,
            megabytes=_megabytes(path.parent),
            timed=False,
            batch=_BLOCK,
            seed=job.seed,
            reporter=job.reporter,
            said=f"Testing {form.name}",
        )
        for name, values in rated.outputs.items():
            if values.dtype.kind == "f" and not np.isfinite(values).all():
                raise ExportError(f"{form.name} gives numbers that are none (NaN) for {name!r}. Choose another format.")
        many = many_at_once(job.asked.inputs)
        one, sixteen = process.milliseconds(job.feed.ready(job.asked.inputs[:many]), at_once=many)
        few = job.feed.ready(job.asked.inputs[:_LOOKED_AT])
        apart = relative_differences(
            graph, few, {name: one for name, one in process.compute(few).items() if name not in job.feed.constant}
        )
    return replace(rated, milliseconds=Milliseconds(one=one, sixteen=sixteen, at_once=many)), apart


def _notes(job: ExportJob, form: Format) -> list[str]:
    """What to know before one uses the file."""
    notes = job.feed.notes(form)
    if form.runtime is None:
        notes.append(
            "Written, not run: nothing here can run it. Compare its answers with model.onnx's where it will be used."
        )
    if form.batch is not None:
        notes.append(f"It takes {form.batch} picture at a time.")
    if not form.suppressed and suppresses(job.model):
        notes.append(
            "It gives boxes and scores of every place: its runtime has no operator that leaves out boxes on others. Do that with "
            "the limits in the manifest, as answers/boxes.py does."
        )
    for name in form.without:
        notes.append(f"It lacks the output {name!r}: its runtime has no operators for that.")
    return notes


def _keep_versions(home: Path, begun: Path) -> str:
    """Call the new version by the next number, which it gives; earlier ones stay beside it, as TensorFlow Serving reads them."""
    with storage_errors(home):
        earlier = sorted(int(one.name) for one in home.iterdir() if one.name.isdigit()) if home.is_dir() else []
        for number in earlier:
            shutil.copytree(home / str(number), begun / f"{number}.kept", copy_function=_link)
        if earlier:
            os.replace(begun / "1", begun / str(earlier[-1] + 1))
        for number in earlier:
            os.replace(begun / f"{number}.kept", begun / str(number))
    return str(earlier[-1] + 1 if earlier else 1)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _megabytes(folder: Path) -> float:
    return size_of(folder) / 1e6


def _without_nan(value: Any) -> Any:
    """JSON has no number for what is not defined."""
    if isinstance(value, dict):
        return {name: _without_nan(one) for name, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_without_nan(one) for one in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
