"""Why a model says what it says of pictures. In: OpenRun, paths, methods. Out: Explanation, files. Next: runs/open.py."""

from __future__ import annotations

import contextlib
import difflib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.answers.items import read_file
from tellapart.answers.table import ANSWERINGS
from tellapart.drawing.explain_sheet import Panel, Strip, Thumb, draw_explanation
from tellapart.drawing.lettering import Say
from tellapart.drawing.png import write_png
from tellapart.errors import BackboneError, MissingExtra, ModelFileError, PictureError, SettingsError
from tellapart.explanation.faithfulness import chance, faithfulness
from tellapart.explanation.files import Files
from tellapart.explanation.laying import as_seen, onto
from tellapart.explanation.methods import EXPLAINERS, Subject
from tellapart.explanation.overlay import overlay
from tellapart.preprocessing import decode_for, prepare
from tellapart.reporter import Reporter
from tellapart.runs.explained import DrawnHeatmap, Explained, Explanation
from tellapart.runs.neighbourhood import Neighbour, Neighbourhood, open_neighbourhood
from tellapart.runs.open import OpenRun
from tellapart.storage import own_folder
from tellapart.threads import let_waiting_threads_sleep
from tellapart.workflows.explain_boxes import explain_boxes, finds_boxes
from tellapart.workflows.explain_each import explain_each, paths_with_files
from tellapart.workflows.explain_masks import explain_masks, makes_masks
from tellapart.workflows.explain_parts import Picture, draw_parts

ALL = "all"
SIDE = 448  # pixels, of an overlay
_THUMB = 256  # pixels, that a training picture is decoded to at least
NO_BETTER = "No heatmap does better than chance here: do not rely on them."
_FOOT = (
    "Deletion: the class's mean probability while the hottest pixels are taken away; low is good. Insertion: while they "
    "come back over a blurred picture; high is good."
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Looking:
    """What is the same for every picture."""

    opened: OpenRun
    subject: Subject
    methods: tuple[str, ...]
    every: bool  # methods that cannot be had are left out
    target: int | None  # None: each picture's most probable class
    neighbourhood: Neighbourhood | None
    neighbours: int
    skipped: dict[str, str]
    say: Say


def explain(
    opened: OpenRun,
    pictures: Sequence[str],
    *,
    methods: Sequence[str],
    layer: str | None,
    class_name: str | None,
    out: Path | None,
    neighbours: int,
    force: bool,
    reporter: Reporter,
    tell: Callable[[Explained], None],
    box: int | None = None,
    say: Say = str,
) -> Explanation:
    """Draw heatmaps of `pictures` (files, folders, globs) by `methods` (names of EXPLAINERS, or all; none: what fits).

    `layer` takes the place of the last map for the methods that look at one. `out` is a folder; None is a new one here.
    An earlier file is replaced only with `force`. A picture that cannot be read is passed over with its reason. `tell`
    hears of each picture when it is done. Of a model that finds boxes, `box` says which one, from 1, the most certain first;
    of one that makes masks which connected part, the largest first.
    Raises: SettingsError, ModelFileError, DataError, StorageError.
    """
    let_waiting_threads_sleep()
    _tell_integers(opened, reporter)
    told: dict[str, Any] = {"methods": methods, "layer": layer, "class_name": class_name, "out": out, "force": force}
    told |= {"reporter": reporter, "tell": tell, "say": say}
    if finds_boxes(opened):
        return explain_boxes(opened, pictures, box=box or 1, **told)
    if makes_masks(opened):
        return explain_masks(opened, pictures, part=box or 1, **told)
    if box is not None:
        raise SettingsError(f"--box {box} is given, but this model finds no boxes. Leave --box out.")
    return _explain_classes(opened, pictures, neighbours=neighbours, **told)


def _tell_integers(opened: OpenRun, reporter: Reporter) -> None:
    compression = opened.manifest.compression
    if compression is not None and compression.integers:
        reporter.say(
            "The model computes in 8-bit integers. What is read from its file is of these; where weights are asked for gradients, "
            "heat is that of the network before, whose answers are nearly the same."
        )


def _explain_classes(
    opened: OpenRun,
    pictures: Sequence[str],
    *,
    neighbours: int,
    methods: Sequence[str],
    layer: str | None,
    class_name: str | None,
    out: Path | None,
    force: bool,
    reporter: Reporter,
    tell: Callable[[Explained], None],
    say: Say,
) -> Explanation:
    """Of a model that says of a whole picture what it is; each picture's most probable class where no other is named."""
    target = None if class_name is None else opened.class_index(class_name)
    chosen = _choose(opened, methods, layer, reporter)
    places = paths_with_files(pictures, out, force=force)
    looking = _Looking(
        opened=opened,
        subject=opened.subject(layer),
        methods=chosen,
        every=ALL in methods,
        target=target,
        skipped={},
        neighbourhood=open_neighbourhood(opened, reporter) if neighbours else None,
        neighbours=neighbours,
        say=say,
    )
    return explain_each(places, partial(_explain_one, looking), skipped=looking.skipped, reporter=reporter, tell=tell)


def _choose(opened: OpenRun, methods: Sequence[str], layer: str | None, reporter: Reporter) -> tuple[str, ...]:
    for name in methods:
        if name not in (*EXPLAINERS, ALL):
            near = difflib.get_close_matches(name, EXPLAINERS, n=1)
            hint = f"Did you mean {near[0]}? " if near else ""
            raise SettingsError(f"there is no method {name!r}. {hint}Choose from {', '.join(EXPLAINERS)}, or all.")
    chosen = tuple(EXPLAINERS) if ALL in methods else tuple(dict.fromkeys(methods))
    if layer is not None:
        chosen = tuple(name for name in chosen or ("gradcam",) if EXPLAINERS[name].looks_at == "map")
        if not chosen:
            raise SettingsError(
                f"--layer {layer} is given, but {' and '.join(methods)} looks at no single layer. Take gradcam, or leave "
                "--layer out."
            )
    if chosen:
        return chosen
    try:
        opened.activation  # noqa: B018 - asked for to know whether it can be had
    except (ModelFileError, MissingExtra) as error:
        reporter.say(f"Occlusion is taken: {error}")
        return ("occlusion",)
    return ("gradcam",)


def _explain_one(looking: _Looking, path: str, place: Files) -> Explained:
    opened, subject = looking.opened, looking.subject
    preprocessing = opened.preprocessing
    decoded = decode_for(read_file(path), preprocessing, target=SIDE).image
    image = prepare(decoded, preprocessing)
    large = as_seen(decoded, preprocessing, side=max(SIDE, preprocessing.size))
    probabilities, embeddings = opened.run(image[None])
    row = probabilities[0]
    target = int(row.argmax()) if looking.target is None else looking.target
    drawn, panels, strip = _draw_all(looking, image, Picture(decoded, large), target, place)
    random = chance(image, target, predict=subject.predict, background=subject.background)
    best = max(drawn, key=lambda one: one.faithfulness.score)
    near, seen = looking.neighbourhood.of(embeddings[0], looking.neighbours) if looking.neighbourhood else ([], False)
    found = Explained(
        path=path,
        label=opened.manifest.classes[int(row.argmax())],
        probability=float(row.max()),
        named=_named(opened, row),
        target=opened.manifest.classes[target],
        target_probability=float(row[target]),
        drawn=tuple(drawn),
        chance=random,
        best=best.method if best.faithfulness.beats(random) else "",
        neighbours=tuple(near),
        seen=seen,
        sheet=place.sheet,
    )
    _write_sheet(found, [large, *panels], strip, looking)
    return found


def _named(opened: OpenRun, row: NDArray[np.float32]) -> dict[str, float]:
    """What the model answers by the probabilities [K] of a picture: one class, or those above their thresholds."""
    manifest, answering = opened.manifest, ANSWERINGS[opened.manifest.task]
    answers = answering.decide({"probabilities": row[None]}, (), manifest.record, classes=manifest.classes)
    return {name: float(row[manifest.classes.index(name)]) for name in answering.tally(answers).names}


def _draw_all(
    looking: _Looking, image: NDArray[np.uint8], picture: Picture, target: int, place: Files
) -> tuple[list[DrawnHeatmap], list[NDArray[np.uint8]], Strip | None]:
    drawn, panels, strip, subject = [], [], None, looking.subject
    for name in looking.methods:
        started = time.monotonic()
        try:
            heat = EXPLAINERS[name].explain(subject, image, target)
        except (BackboneError, ModelFileError, MissingExtra, SettingsError) as error:
            if not looking.every:
                raise
            looking.skipped[name] = str(error)
            continue
        seconds = time.monotonic() - started
        own = onto(heat.heatmap, picture.decoded, looking.opened.preprocessing)
        panels.append(overlay(picture.large, own))
        strip = strip if heat.told is None else draw_parts(heat.told, picture, looking.opened.preprocessing)
        own_folder(place.folder)
        write_png(place.overlay(name), panels[-1])
        place.write_array(name, heat.heatmap)
        measured = faithfulness(image, heat.heatmap, target, predict=subject.predict, background=subject.background)
        drawn.append(
            DrawnHeatmap(
                method=name,
                overlay=place.overlay(name),
                array=place.array(name),
                faithfulness=measured,
                seconds=seconds,
                note=heat.note if heat.heatmap.any() or heat.told else "nothing in the picture speaks for the class",
                parts={} if heat.told is None else heat.told.scores(),
            )
        )
    return drawn, panels, strip


def _write_sheet(
    found: Explained,
    pictures: Sequence[NDArray[np.uint8]],
    strip: Strip | None,
    looking: _Looking,
) -> None:
    """`pictures` are what the network sees and then the overlays."""
    layer = looking.subject.layer
    panels = [Panel(title="What the network sees", picture=pictures[0])]
    for one, picture in zip(found.drawn, pictures[1:], strict=True):
        figures = f"deletion {one.faithfulness.deletion:.2f}, insertion {one.faithfulness.insertion:.2f}"
        best = one.method == found.best
        mark = "; most faithful" if best and len(found.drawn) > 1 else ""
        method = EXPLAINERS[one.method]
        title = f"{method.title}{f' at {layer}' if layer and method.looks_at == 'map' else ''}{mark}"
        note = "" if one.parts else one.note  # the strip says it
        panels.append(Panel(title=title, picture=picture, lines=(figures, note), best=bool(mark)))
    head = [f"Predicted: {found.said}"]
    if found.explained_another:
        head.append(f"Explained: {found.target} {100 * found.target_probability:.1f} %")
    if found.seen:
        head.append("This very picture was trained on.")
    assert found.chance is not None
    random = f"Random heatmaps reach {found.chance.deletion:.2f} and {found.chance.insertion:.2f} here."
    sheet = draw_explanation(
        title=Path(found.path).name,
        head=head,
        panels=panels,
        strip=strip,
        thumbs=[_thumb(one, looking.opened) for one in found.neighbours],
        foot=[_FOOT, random] if found.best else [_FOOT, random, NO_BETTER],
        say=looking.say,
    )
    assert found.sheet is not None
    write_png(found.sheet, sheet)


def _thumb(one: Neighbour, opened: OpenRun) -> Thumb:
    picture = None
    with contextlib.suppress(PictureError):
        decoded = decode_for(read_file(str(one.path)), opened.preprocessing, target=_THUMB).image
        picture = Image.fromarray(as_seen(decoded, opened.preprocessing, side=opened.preprocessing.size))
    return Thumb(picture=picture, label=one.label, words=f"similarity {one.similarity:.2f}")
