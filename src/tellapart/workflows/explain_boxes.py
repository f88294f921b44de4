"""Why a model finds a box. In: OpenRun, paths, which box. Out: Explanation, files. Next: explain_parts.py.

The picture is shown to model.onnx through random masks (explanation/masking.py); the heat is drawn with the box, and measured as
other heatmaps are, by how surely the box is still found.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.drawing.boxes import DrawnBox, Sides, draw_boxes
from tellapart.drawing.explain_sheet import Panel, draw_explanation
from tellapart.drawing.lettering import Say
from tellapart.drawing.png import write_png
from tellapart.errors import SettingsError
from tellapart.explanation.faithfulness import Faithfulness, chance, faithfulness
from tellapart.explanation.files import Files
from tellapart.explanation.masking import MASKS, BoxTarget, Find, found_again, masked_heat
from tellapart.explanation.overlay import overlay
from tellapart.explanation.seeing import SeenPart
from tellapart.reporter import Reporter, counted
from tellapart.runs.explained import DrawnHeatmap, Explained, Explanation
from tellapart.runs.open import OpenRun
from tellapart.runtime import BATCH, cores
from tellapart.storage import own_folder
from tellapart.workflows.explain_each import explain_each, paths_with_files
from tellapart.workflows.explain_seen import Looked, look

METHOD = "masks"
_NO_BETTER = "The heatmap does no better than chance here: do not rely on it."
_FOOT = (
    "Deletion: how surely the box is found (its class's score times IoU), on average, while the hottest pixels are taken away; low "
    "is good. Insertion: while they come back over a blurred picture; high is good."
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Told:
    """One box that the model tells of a picture."""

    label: str
    score: float
    sides: Sides  # in pixels of the upright picture
    number: int  # of its class


def finds_boxes(opened: OpenRun) -> bool:
    """Whether the model finds things, of which one can be explained."""
    return "boxes" in opened.manifest.record.promised


def explain_boxes(
    opened: OpenRun,
    pictures: Sequence[str],
    *,
    box: int,
    methods: Sequence[str],
    layer: str | None,
    class_name: str | None,
    out: Path | None,
    force: bool,
    reporter: Reporter,
    tell: Callable[[Explained], None],
    say: Say = str,
) -> Explanation:
    """Draw the heat of the `box`-th box of each picture, from 1, the most certain first; with `class_name` of that class.

    A picture that cannot be read, or has no such box, is passed over with its reason. `tell` hears of each when it is done.
    Raises: SettingsError, ModelFileError, DataError, StorageError.
    """
    _check(methods, layer)
    if class_name is not None:
        opened.class_index(class_name)
    return explain_each(
        paths_with_files(pictures, out, force=force),
        partial(_explain_one, opened, box=box, class_name=class_name, say=say),
        skipped={},
        reporter=reporter,
        tell=tell,
    )


def _check(methods: Sequence[str], layer: str | None) -> None:
    other = next((name for name in methods if name not in (METHOD, "all")), None)
    if other is not None:
        raise SettingsError(
            f"--method {other} explains what a model says of a whole picture, and this one finds boxes. Leave --method out: a box "
            "is explained by random masks."
        )
    if layer is not None:
        raise SettingsError(f"--layer {layer} is given, but random masks look at no layer. Leave --layer out.")


def _explain_one(opened: OpenRun, path: str, files: Files, *, box: int, class_name: str | None, say: Say) -> Explained:
    find = partial(_find, opened)
    looked = look(opened, path, find)
    told = _told(opened, looked, class_name)
    if box > len(told):
        return Explained(path=path, error=_no_such_box(len(told), box, class_name))
    chosen = told[box - 1]
    seen = looked.around(chosen.sides)
    target = BoxTarget.of_source(chosen.sides, seen.place, chosen.number)
    heat, drawn, random = _heat(opened, seen, target, files, find=find)
    others = [one for one in told if one is not chosen and _is_in(one.sides, seen.shown)]
    marked = [_drawn(one, seen, named=one is chosen) for one in (chosen, *others)]
    laid = np.asarray(draw_boxes(overlay(seen.large, seen.lay(heat)), marked[:1]))
    write_png(files.overlay(METHOD), laid)
    found = Explained(
        path=path,
        label=chosen.label,
        probability=chosen.score,
        named={one.label: max(other.score for other in told if other.label == one.label) for one in told},
        target=chosen.label,
        target_probability=chosen.score,
        drawn=(drawn,),
        chance=random,
        best=METHOD if drawn.faithfulness.beats(random) else "",
        sheet=files.sheet,
        box=chosen.sides,
        which=box,
        boxes=len(told),
    )
    write_png(files.sheet, _sheet(found, np.asarray(draw_boxes(seen.large, marked)), laid, say))
    return found


def _heat(
    opened: OpenRun, seen: SeenPart, target: BoxTarget, files: Files, *, find: Find
) -> tuple[NDArray[np.float32], DrawnHeatmap, Faithfulness]:
    """The heat [S, S] of a box, written as an array; what is told of it, measured; and what chance reaches."""
    began = time.monotonic()
    heat = masked_heat(seen.image, target, find=find, background=opened.background)
    seconds = time.monotonic() - began
    own_folder(files.folder)
    files.write_array(METHOD, heat)

    def predict(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return found_again(find(images), target)[:, None]

    random = chance(seen.image, 0, predict=predict, background=opened.background)
    drawn = DrawnHeatmap(
        method=METHOD,
        overlay=files.overlay(METHOD),
        array=files.array(METHOD),
        faithfulness=faithfulness(seen.image, heat, 0, predict=predict, background=opened.background),
        seconds=seconds,
        note=f"{MASKS} random masks" if heat.any() else "hiding any part of the picture changes nothing",
    )
    return heat, drawn, random


def _told(opened: OpenRun, looked: Looked, class_name: str | None) -> list[_Told]:
    """The boxes that are told of a picture, the most certain first; with `class_name` those of that class."""
    classes = opened.manifest.classes
    return [
        _Told(label=label, score=score, sides=sides, number=classes.index(label))
        for label, score, sides in looked.answer.told
        if class_name in (None, label)
    ]


def _find(opened: OpenRun, images: NDArray[np.uint8]) -> Mapping[str, NDArray[Any]]:
    """What the file finds in pictures uint8 [N, S, S, 3], on all cores."""
    names = tuple(name for name in ("boxes", "scores", "labels") if name in opened.model.session.outputs)
    parts = [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
    with ThreadPoolExecutor(cores(), thread_name_prefix="explain") as pool:
        found = list(pool.map(lambda part: opened.model.compute(part, names), parts))
    return {name: np.concatenate([one[name] for one in found]) for name in names}


def _no_such_box(count: int, wanted: int, class_name: str | None) -> str:
    of_class = "" if class_name is None else f" of class {class_name}"
    if not count:
        return f"nothing{of_class} is found in it, so there is no box to explain"
    return (
        f"{counted(count, 'thing')}{of_class} {'is' if count == 1 else 'are'} found in it, so there is no box {wanted}"
    )


def _is_in(sides: Sides, shown: Sides) -> bool:
    """Whether any of a box is shown."""
    return sides[0] < shown[2] and sides[2] > shown[0] and sides[1] < shown[3] and sides[3] > shown[1]


def _drawn(one: _Told, seen: SeenPart, *, named: bool) -> DrawnBox:
    """A box on what a person is shown."""
    sides = seen.onto_large(one.sides)
    return DrawnBox(sides=sides, label=one.label, number=one.number, score=one.score, named=named)


def _sheet(found: Explained, whole: NDArray[np.uint8], laid: NDArray[np.uint8], say: Say) -> Any:
    assert found.chance is not None
    (drawn,) = found.drawn
    measured = drawn.faithfulness
    random = f"Random heatmaps reach {found.chance.deletion:.2f} and {found.chance.insertion:.2f} here."
    return draw_explanation(
        title=Path(found.path).name,
        head=[found.said],
        panels=[
            Panel(title="What is found", picture=whole),
            Panel(
                title=f"What box {found.which} rests on",
                picture=laid,
                lines=(f"deletion {measured.deletion:.2f}, insertion {measured.insertion:.2f}", drawn.note),
            ),
        ],
        thumbs=[],
        foot=[_FOOT, random] if found.best else [_FOOT, random, _NO_BETTER],
        say=say,
    )
