"""How a picture is made ready, as a specification with numbers. In: Manifest. Out: JSON values. Next: golden.py.

What makes an exported model answer differently is nearly always what happens before the network. Whoever writes that part in
another language finds every step here, with the numbers of this model.
"""

from __future__ import annotations

from typing import Any

from tellapart.answers.table import ANSWERINGS
from tellapart.answers.tiling import MergesTiles
from tellapart.errors import SettingsError
from tellapart.manifest import Manifest
from tellapart.preprocessing import UNSCALED, Preprocessing
from tellapart.tiling import Beyond

SCHEMA = 1
DRAFT_SHARE = 2  # a JPEG is decoded smaller only while both sides stay this many times the network's
SUPPORT = {"bilinear": 1, "bicubic": 2, "lanczos": 3}  # pixels on each side of a new one's middle, at scale 1
PRECISION_BITS = 22  # of a weight after the point, in Pillow's resampling of 8-bit pictures
REDUCING_GAP = 3


def provable(manifest: Manifest) -> bool:
    """Whether there are samples that do the same: the model takes pictures, and resizes them by a filter that they have."""
    return manifest.pictures is not None and manifest.pictures.interpolation in SUPPORT


def specification(manifest: Manifest) -> dict[str, Any]:
    """What stands in preprocessing.json: the settings that our samples read, and every step in words and numbers.

    Raises: SettingsError for a filter that the samples do not have, or a model that takes no pictures.
    """
    if not provable(manifest):
        takes = (
            "no pictures" if manifest.pictures is None else f"pictures resized by {manifest.pictures.interpolation!r}"
        )
        raise SettingsError(
            f"the model takes {takes}; a bundle is made for pictures resized by {', '.join(SUPPORT)}. Choose another model."
        )
    inputs = manifest.preprocessing.plain()
    return {
        "schema": SCHEMA,
        "task": manifest.task,
        "classes": list(manifest.classes),
        "record": manifest.record.model_dump(mode="json"),
        "preprocessing": {**manifest.preprocessing.model_dump(mode="json"), **_tiles(inputs, beyond_of(manifest))},
        "input": {
            "name": "image",
            "shape": ["N", inputs.size, inputs.size, 3],
            "layout": "NHWC",
            "dtype": "uint8",
            "channels": "RGB",
            "range": [0, 255],
            "inside_the_network": {"formula": "(value / 255 - mean) / std", "mean": inputs.mean, "std": inputs.std},
        },
        "steps": [_decoding(inputs), _orientation(), _colours(inputs), *_fitting(inputs, beyond_of(manifest))],
    }


def beyond_of(manifest: Manifest) -> Beyond:
    """What the tiles of a small picture show beyond its edge."""
    answering = ANSWERINGS[manifest.task]
    return answering.beyond if isinstance(answering, MergesTiles) else "colour"


def _tiles(inputs: Preprocessing, beyond: Beyond) -> dict[str, Any]:
    return {"overlap": inputs.overlap, "scale": inputs.scale, "beyond": beyond}


def _decoding(inputs: Preprocessing) -> dict[str, Any]:
    whole = inputs.fit in UNSCALED
    return {
        "step": "decode",
        "says": "PNG and others: as they are. JPEG: libjpeg's accurate integer transform and its smooth upsampling of colours"
        + (
            "; always at full size."
            if whole
            else "; a large one at 1/2, 1/4 or 1/8 of its size, the smallest whose sides are at least `least_side` pixels. "
            "A decoder that cannot do that takes the mean of each block of pixels instead, which is a level or less away."
        ),
        "scales": [1] if whole else [1, 2, 4, 8],
        "least_side": DRAFT_SHARE * inputs.size,
    }


def _orientation() -> dict[str, Any]:
    return {"step": "orientation", "says": "Turned upright as EXIF tag 274 says, before anything else.", "tag": 274}


def _colours(inputs: Preprocessing) -> dict[str, Any]:
    deep = "what the kind of numbers holds" if inputs.value_range is None else list(inputs.value_range)
    return {
        "step": "colours",
        "says": "Red, green, blue from 0 to 255. Grey is repeated, transparency lies on white. "
        + ("An ICC profile is followed to sRGB." if inputs.colour == "srgb" else "ICC profiles are not followed.")
        + " Of more than 8 bits, the values of `black_to_white` become 0 to 255.",
        "channels": "RGB",
        "background": [255, 255, 255],
        "profiles": inputs.colour,
        "black_to_white": deep,
    }


def _fitting(inputs: Preprocessing, beyond: Beyond) -> list[dict[str, Any]]:
    return [_part(inputs, beyond), _filter(inputs)]


def _part(inputs: Preprocessing, beyond: Beyond) -> dict[str, Any]:
    size = inputs.size
    edge = max(size, int(size / inputs.crop))
    colour = [round(255 * one) for one in inputs.mean]
    says = {
        "crop": f"A square in the middle, {size}/{edge} of the shorter side, is made {size} x {size}: one resize of that part.",
        "squash": f"The whole picture ({size}/{edge} of each side, in the middle) is made {size} x {size}, whatever its shape.",
        "pad": f"The longer side becomes {size}, the other in proportion (rounded, halves to even); it lies in the middle of a "
        "square of `colour`, the odd pixel below and to the right.",
        "crop_or_pad": f"Nothing is scaled: of a side over {size} pixels the middle {size} are taken, a shorter one lies in the "
        "middle of a square of `colour`; an odd pixel is cropped, or padded, below and to the right.",
        "tile": f"Scaled by {inputs.scale:g}, cut into as few squares of {size} as cover it, evenly laid, neighbours sharing at "
        f"least {inputs.overlap} pixels; beyond a small picture is "
        + ("its mirror image." if beyond == "mirror" else "`colour`."),
    }[inputs.fit]
    return {"step": "part", "fit": inputs.fit, "says": says, "size": size, "resized_edge": edge, "colour": colour}


def _filter(inputs: Preprocessing) -> dict[str, Any]:
    kernels = {
        "bicubic": "1.5|x|^3 - 2.5|x|^2 + 1 up to 1; -0.5|x|^3 + 2.5|x|^2 - 4|x| + 2 up to 2 (Keys 1981, a = -0.5)",
        "bilinear": "1 - |x| up to 1",
        "lanczos": "sinc(x) sinc(x / 3) up to 3",
    }
    return {
        "step": "filter",
        "filter": inputs.interpolation,
        "kernel": kernels[inputs.interpolation],
        "support": SUPPORT[inputs.interpolation],
        "antialias": True,
        "precision_bits": PRECISION_BITS,
        "reducing_gap": None if inputs.fit in UNSCALED else REDUCING_GAP,
        "says": "Two passes with 8-bit rounding between: across, then down; down first where the height of the picture less "
        "the new one is more than twice that of its width (Pillow 13; earlier versions always go across first, which may "
        "differ by a level). Made smaller by s, the kernel is s times as wide. The part's sides are in single precision; "
        "weights sum to 1 and are rounded to whole numbers of 2^-22; a sum is rounded to the nearest level. A part "
        "2 x `reducing_gap` times as large as the new picture, or more, is first averaged in whole blocks (Pillow's reduce).",
    }
