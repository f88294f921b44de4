"""Where a mask is uncertain, why a part of it is told. In: OpenRun, paths. Out: Explanation, files. Next: explain_parts.py.

Each picture gets its mask, a map of how uncertain each pixel is, and the heat of one connected part in the tile around it: by
gradients where the run's weights are there, else by covering.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.answers.answering import Answering
from tellapart.answers.items import read_file
from tellapart.answers.mask_files import Painted, PaintsMasks
from tellapart.answers.table import ANSWERINGS
from tellapart.answers.tiling import cut_picture, merged, merging_of
from tellapart.drawing.boxes import DrawnBox, draw_boxes
from tellapart.drawing.explain_sheet import Panel, draw_explanation
from tellapart.drawing.lettering import Say
from tellapart.drawing.mask_overlay import lay_mask
from tellapart.drawing.png import write_png
from tellapart.errors import BackboneError, MissingExtra, ModelFileError, SettingsError
from tellapart.explanation.faithfulness import Faithfulness, Predict, chance, faithfulness
from tellapart.explanation.files import Files
from tellapart.explanation.occlusion import occlusion
from tellapart.explanation.overlay import overlay
from tellapart.reporter import Reporter
from tellapart.runs.explained import DrawnHeatmap, Explained, Explanation
from tellapart.runs.open import WEIGHTS, OpenRun
from tellapart.runtime import BATCH
from tellapart.storage import own_folder
from tellapart.tasks.table import task_of
from tellapart.tiling import Beyond, cut_part
from tellapart.workflows.explain_each import explain_each, paths_with_files
from tellapart.workflows.mask_regions import UNCERTAIN, MaskRegion, no_such_part, region_at, regions_of

GRADIENTS, COVERING = "gradcam", "occlusion"
_SIDE = 448  # pixels of the longer side of what is drawn
_NO_BETTER = "The heatmap does no better than chance here: do not rely on it."
_FOOT = (
    "Uncertainty: one less the probability of the class that is told. Deletion: the class's mean probability in the part while the "
    "hottest pixels are taken away; low is good. Insertion: while they come back over a blurred picture; high is good."
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Answer:
    """What is said of one picture."""

    image: Image.Image
    painted: Painted
    uncertain: NDArray[np.float32]  # [H, W], in [0, 1]
    beyond: Beyond

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """Those of the picture, [H, W, 3]."""
        return np.asarray(self.image)


def makes_masks(opened: OpenRun) -> bool:
    """Whether the model tells each pixel's class."""
    return isinstance(ANSWERINGS[opened.manifest.task], PaintsMasks)


def explain_masks(
    opened: OpenRun,
    pictures: Sequence[str],
    *,
    part: int,
    methods: Sequence[str],
    layer: str | None,
    class_name: str | None,
    out: Path | None,
    force: bool,
    reporter: Reporter,
    tell: Callable[[Explained], None],
    say: Say = str,
) -> Explanation:
    """Draw mask, uncertainty and the heat of the `part`-th part of each picture, from 1, the largest first; with `class_name` of
    that class.

    A picture that cannot be read is passed over with its reason. `tell` hears of each when it is done.
    Raises: SettingsError, ModelFileError, DataError, StorageError.
    """
    method = _method(opened, methods, layer, reporter)
    target = None if class_name is None else opened.class_index(class_name)
    return explain_each(
        paths_with_files(pictures, out, force=force),
        partial(_explain_one, opened, method=method, part=part, target=target, say=say),
        skipped={},
        reporter=reporter,
        tell=tell,
    )


def _method(opened: OpenRun, methods: Sequence[str], layer: str | None, reporter: Reporter) -> str:
    """The one that is taken: by gradients where that can be had and nothing else is asked for."""
    other = next((name for name in methods if name not in (GRADIENTS, COVERING, "all")), None)
    if other is not None:
        raise SettingsError(
            f"--method {other} explains what a model says of a whole picture, and this one makes masks. Take {GRADIENTS} or "
            f"{COVERING}."
        )
    if layer is not None:
        raise SettingsError(
            f"--layer {layer} is given, but a mask's part is explained at the encoder's last map. Leave --layer out."
        )
    if COVERING in methods and GRADIENTS not in methods:
        return COVERING
    can = task_of(opened.manifest.task).region_heat is not None and (opened.folder / WEIGHTS).is_file()
    if not can and GRADIENTS in methods:
        raise SettingsError(
            f"--method {GRADIENTS} needs the weights of the run, {opened.folder / WEIGHTS}. Give the run's folder, or take "
            f"{COVERING}."
        )
    if not can:
        reporter.say("Covering is taken: gradients need the run's folder with its weights.")
    return GRADIENTS if can else COVERING


def _explain_one(
    opened: OpenRun, path: str, files: Files, *, method: str, part: int, target: int | None, say: Say
) -> Explained:
    answered = _answer(opened, path)
    painted, pixels = answered.painted, answered.pixels
    own_folder(files.folder)
    heat_of_all = _as_heat(answered.uncertain, len(painted.colours))
    write_png(files.overlay(UNCERTAIN), _reduced(overlay(pixels, heat_of_all)))
    files.write_array(UNCERTAIN, answered.uncertain)
    regions = regions_of(painted, target)
    if part > len(regions):
        of_class = None if target is None else opened.manifest.classes[target]
        return Explained(path=path, error=no_such_part(len(regions), part, of_class))
    region = region_at(painted, regions[part - 1], opened.preprocessing.size)
    tile = cut_part(answered.image, region.tile, opened.preprocessing, answered.beyond)
    predict = partial(_in_part, opened, region)
    drawn, random, laid = _draw(opened, tile, region, files, method, predict)
    probability = float(predict(tile[None])[0, region.label])
    name = opened.manifest.classes[region.label]
    found = Explained(
        path=path,
        label=name,
        probability=probability,
        named={name: probability},
        target=name,
        target_probability=probability,
        drawn=(drawn,),
        chance=random,
        best=method if drawn.faithfulness.beats(random) else "",
        sheet=files.sheet,
        box=(region.tile.left, region.tile.top, region.tile.right, region.tile.bottom),
        which=part,
        boxes=len(regions),
        noun="part",
    )
    write_png(files.sheet, _sheet(found, pixels, painted, answered.uncertain, region, laid, say))
    return found


def _answer(opened: OpenRun, path: str) -> _Answer:
    """What the model says of a whole picture. Raises: PictureError."""
    answering: Answering[Any, Any] = ANSWERINGS[opened.manifest.task]
    inputs, manifest = opened.preprocessing, opened.manifest
    beyond = merging_of(answering).beyond
    cut = cut_picture(read_file(path), inputs, beyond=beyond)
    arrays = merged(
        cut,
        lambda tiles: opened.model.compute(tiles, answering.outputs),
        merging_of(answering).merging(cut.whole, inputs, manifest.record),
    )
    (answer,) = answering.decide(arrays, [cut.whole], manifest.record, classes=manifest.classes)
    if not isinstance(answering, PaintsMasks):
        raise ValueError(f"a model of {manifest.task} makes no masks")
    uncertain = np.asarray(1 - arrays["certainty"][0].astype(np.float32) / 255, dtype=np.float32)
    return _Answer(image=cut.image, painted=answering.painted(answer), uncertain=uncertain, beyond=beyond)


def _in_part(opened: OpenRun, region: MaskRegion, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The mean probability of each class in the part, [N, K]."""
    found = []
    for start in range(0, len(images), BATCH):
        told = opened.model.compute(images[start : start + BATCH], ("probabilities",))["probabilities"]
        found.append(told[:, :, region.within].mean(2))
    return np.concatenate(found).astype(np.float32)


def _draw(
    opened: OpenRun, tile: NDArray[np.uint8], region: MaskRegion, files: Files, method: str, predict: Predict
) -> tuple[DrawnHeatmap, Faithfulness, NDArray[np.uint8]]:
    """The heat of a part, written; how faithful it is, what chance would be, and the tile with it."""
    began = time.monotonic()
    heat = _heat(opened, tile, region, method, predict)
    seconds = time.monotonic() - began
    laid = overlay(tile, heat)
    write_png(files.overlay(method), laid)
    files.write_array(method, heat)
    drawn = DrawnHeatmap(
        method=method,
        overlay=files.overlay(method),
        array=files.array(method),
        faithfulness=faithfulness(tile, heat, region.label, predict=predict, background=opened.background),
        seconds=seconds,
        note="" if heat.any() else "nothing in the picture speaks for the class there",
    )
    return drawn, chance(tile, region.label, predict=predict, background=opened.background), laid


def _heat(
    opened: OpenRun, tile: NDArray[np.uint8], region: MaskRegion, method: str, predict: Predict
) -> NDArray[np.float32]:
    by_gradients = task_of(opened.manifest.task).region_heat
    if method == COVERING or by_gradients is None:
        return occlusion(tile, region.label, predict=predict, background=opened.background)
    try:
        return by_gradients(
            opened.folder / WEIGHTS, opened.manifest, opened.settings, tile, region.label, region.within
        )
    except (BackboneError, MissingExtra, ImportError) as error:
        where = (
            "" if isinstance(error, BackboneError) else f"{opened.folder / WEIGHTS}: "
        )  # which names the file itself
        raise ModelFileError(f"{where}{error} Take --method {COVERING}.") from None


def _as_heat(uncertain: NDArray[np.float32], classes: int) -> NDArray[np.float32]:
    """Uncertainties as heat in [0, 1]: where all classes are as probable it is 1."""
    return np.asarray(np.clip(uncertain / (1 - 1 / classes), 0.0, 1.0), dtype=np.float32)


def _reduced(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """No larger than a sheet shows it."""
    image = Image.fromarray(pixels)
    image.thumbnail((2 * _SIDE, 2 * _SIDE))
    return np.asarray(image)


def _sheet(
    found: Explained,
    pixels: NDArray[np.uint8],
    painted: Painted,
    uncertain: NDArray[np.float32],
    region: MaskRegion,
    laid: NDArray[np.uint8],
    say: Say,
) -> Image.Image:
    assert found.chance is not None
    (drawn,) = found.drawn
    measured = drawn.faithfulness
    random = f"Random heatmaps reach {found.chance.deletion:.2f} and {found.chance.insertion:.2f} here."
    told = lay_mask(pixels, painted.mask, painted.colours, background=painted.background)
    ys, xs = np.nonzero(region.inside)
    # The colours of masks are those of boxes, without the background's.
    number = region.label - (painted.background is not None and painted.background < region.label)
    around = DrawnBox(
        sides=(float(xs.min()), float(ys.min()), float(xs.max()) + 1, float(ys.max()) + 1),
        label=found.target,
        number=number,
    )
    mean = float(uncertain.mean())
    return draw_explanation(
        title=Path(found.path).name,
        head=[found.said],
        panels=[
            Panel(title="What is told", picture=np.asarray(draw_boxes(told, [around], longest=2 * _SIDE))),
            Panel(
                title="How uncertain it is",
                picture=_reduced(overlay(pixels, _as_heat(uncertain, len(painted.colours)))),
                lines=(f"{100 * mean:.1f} % on average",),
            ),
            Panel(
                title=f"What part {found.which} rests on",
                picture=laid,
                lines=(f"deletion {measured.deletion:.2f}, insertion {measured.insertion:.2f}", drawn.note),
            ),
        ],
        thumbs=[],
        foot=[_FOOT, random] if found.best else [_FOOT, random, _NO_BETTER],
        say=say,
    )
