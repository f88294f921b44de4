"""Which test pictures are shown under their masks, and what is said. In: OpenRun. Out: ShownMasks. Next: facts.py.

Each is a strip of three: what is true, what is told, and where they differ. Masks are read one picture at a time.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.answers.mask_files import IGNORED
from tellapart.bundle import SegmentationRecord
from tellapart.drawing.boxes import Window, window_around
from tellapart.drawing.mask_overlay import lay_difference, lay_mask, with_legend
from tellapart.errors import PictureError
from tellapart.preprocessing import decode
from tellapart.reporting.facts import CaptionLine, Shown
from tellapart.reporting.phrases import Phrases
from tellapart.reporting.pictures import address
from tellapart.runs.answered_masks import MaskDoubt, MaskLine
from tellapart.runs.open import OpenRun
from tellapart.sources.reading import read_bytes
from tellapart.tasks.segmentation.facts import MaskDoubtsPart, ShownMasks

_SIDE, _LEAST = 264, 220  # pixels of the longer side of one of the three
_SAMPLE, _WORST, _BEST, _DOUBTS = 6, 6, 3, 12
_GAP = 6
_NAMED = 12  # classes that a legend lists
_WHOLE_SIZE = 1_000_000  # pixels of a side for which no JPEG is decoded at a reduced scale
_DOUBTED = {"missing": "masks_doubt_missing", "surplus": "masks_doubt_surplus", "swapped": "masks_doubt_swapped"}


def shown_part(run: OpenRun, phrases: Phrases) -> ShownMasks:
    """A random sample of the test pictures, those with the lowest IoU, those with the highest."""
    lines = run.mask_predictions.lines
    order = sorted(
        (number for number, line in enumerate(lines) if line.iou is not None), key=lambda at: lines[at].iou or 0.0
    )
    sample = np.random.default_rng(run.settings.seed).permutation(len(lines))[:_SAMPLE].tolist()
    return ShownMasks(
        sample=[_picture(run, one, phrases) for one in sample],
        worst=[_picture(run, one, phrases) for one in order[:_WORST]],
        best=[_picture(run, one, phrases) for one in order[::-1][:_BEST]],
        n=len(lines),
    )


def doubts_part(run: OpenRun, phrases: Phrases) -> MaskDoubtsPart:
    """The regions of the test split whose labels the model, which has not seen them, takes for wrong; the weightiest first."""
    lines = run.mask_predictions.lines
    found = [(number, doubt) for number, line in enumerate(lines) for doubt in line.doubts]
    found.sort(key=lambda one: -one[1].certainty * math.sqrt(one[1].pixels))
    return MaskDoubtsPart(
        n=len(lines),
        counts=Counter(doubt.fault for _, doubt in found).most_common(),
        shown=[_doubted(run, number, doubt, phrases) for number, doubt in found[:_DOUBTS]],
    )


def _picture(run: OpenRun, number: int, phrases: Phrases) -> Shown:
    line = run.mask_predictions.lines[number]
    figures = phrases(
        "masks_picture",
        iou=phrases.percent(line.iou),
        dice=phrases.percent(line.dice),
        confidence=phrases.percent(line.confidence),
    )
    return _shown(run, number, line, (CaptionLine(text=figures),), None)


def _doubted(run: OpenRun, number: int, doubt: MaskDoubt, phrases: Phrases) -> Shown:
    line = run.mask_predictions.lines[number]
    left, top, right, bottom = (float(side) for side in doubt.box)
    caption = (
        CaptionLine(text=phrases("labelled"), name=doubt.label, bad=True),
        CaptionLine(
            text=phrases(_DOUBTED[doubt.fault]), name=doubt.suggested, share=phrases.percent(doubt.certainty, 0)
        ),
    )
    window = window_around((left, top, right, bottom), width=line.width, height=line.height)
    return _shown(run, number, line, caption, window)


def _shown(run: OpenRun, number: int, line: MaskLine, caption: tuple[CaptionLine, ...], window: Window | None) -> Shown:
    table = run.mask_predictions
    path = table.paths[number]
    pixels = _pixels(run, number)
    if pixels is None:
        return Shown(name=path.name, picture=None, label=path.name, caption=caption)
    strip = _strip(run, pixels, *table.masks(number), window)
    return Shown(name=path.name, picture=address(strip), label=path.name, caption=caption)


def _pixels(run: OpenRun, number: int) -> NDArray[np.uint8] | None:
    """A picture as the network reads it, whole; None where it is gone or another one now."""
    table, read_as = run.mask_predictions, run.preprocessing
    line = table.lines[number]
    try:
        data = read_bytes(table.paths[number])
        image = decode(data, target=_WHOLE_SIZE, span=read_as.value_range, colour=read_as.colour).image
    except (OSError, PictureError):
        return None
    return np.asarray(image) if image.size == (line.width, line.height) else None


def _strip(
    run: OpenRun,
    pixels: NDArray[np.uint8],
    truth: NDArray[np.uint8],
    answer: NDArray[np.uint8],
    window: Window | None,
) -> Image.Image:
    """Truth, answer and difference side by side, of the whole picture or of a part of it."""
    record = run.manifest.record_of(SegmentationRecord)
    height, width = truth.shape
    left, top, right, bottom = window or (0, 0, width, height)
    part = np.s_[top:bottom, left:right]
    seen, true, told = pixels[part], truth[part], answer[part]
    step = max(1, math.ceil(max(true.shape) / (2 * _SIDE)))  # of large pictures every so many pixels are enough
    seen, true, told = seen[::step, ::step], true[::step, ::step], told[::step, ::step]
    panels: Sequence[NDArray[np.uint8]] = (
        lay_mask(seen, true, record.colours, background=record.background),
        lay_mask(seen, told, record.colours, background=record.background),
        lay_difference(seen, true, told, background=record.background),
    )
    scale = (
        min(max(_LEAST / max(true.shape), 1.0), 8.0) if max(true.shape) < _LEAST else min(1.0, _SIDE / max(true.shape))
    )
    size = (max(1, round(true.shape[1] * scale)), max(1, round(true.shape[0] * scale)))
    sheet = Image.new("RGB", (3 * size[0] + 2 * _GAP, size[1]), (255, 255, 255))
    for place, panel in enumerate(panels):
        kind = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BOX
        sheet.paste(Image.fromarray(panel).resize(size, kind), (place * (size[0] + _GAP), 0))
    there = sorted(set(np.unique(true).tolist()) | set(np.unique(told).tolist()))
    named = [number for number in there if number not in (record.background, IGNORED)]
    return with_legend(sheet, [(run.classes[number], record.colours[number]) for number in named[:_NAMED]])
