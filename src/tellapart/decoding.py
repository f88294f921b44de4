"""The bytes of a picture file become upright RGB, the same way everywhere. In: bytes. Out: Decoded. Next: preprocessing.py.

Which format it is, what its values and colours mean, which way is up. Whatever is wrong becomes a PictureError.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from PIL import Image, UnidentifiedImageError

from tellapart.colour_profiles import BROKEN, to_srgb
from tellapart.deep_pictures import FULL, deep_colour, deep_grey, is_deep_colour, is_deep_grey, raw_mode
from tellapart.deep_values import Deep, Span, as_text, outside
from tellapart.errors import PictureError, one_line
from tellapart.picture_files import check_camera_raw, is_dicom, is_tiff, open_picture, other_than_picture

if TYPE_CHECKING:
    from tellapart.raw_pictures import Raw

# Pillow warns about oddities in files (corrupt EXIF, palette transparency) that are either harmless here or
# become a PictureError below. A filter at import, since warnings.catch_warnings is not safe between threads.
warnings.filterwarnings("ignore", module=r"PIL\..*")
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

Colour: TypeAlias = Literal["srgb", "stored"]  # stored: colour profiles are not followed
Reading: TypeAlias = Span | Literal["own"] | None  # which values of more than 8 bits become black and white

MAX_PIXELS = 170_000_000  # just under the count at which Pillow itself refuses; 510 MB once decoded
MAX_FILE_BYTES = 512 * 1024 * 1024
UNKNOWN_FORMAT = "not a picture in a known format"
FIRST_OF_SEVERAL = "first page or frame of several"

_DRAFT_FACTOR = 2
_STILL = frozenset(("JPEG", "MPO"))  # beside its picture an MPO holds previews, or what the other eye sees
_BITS_TAG, _ORIENTATION_TAG, _SAMPLES_TAG, _PLANES_TAG = 0x0102, 0x0112, 0x0115, 0x011C
_UPRIGHT: Mapping[int, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decoded:
    """An upright RGB picture and what its file said."""

    image: Image.Image  # mode RGB; of a large JPEG it may be smaller than width x height
    width: int  # pixels of the stored picture, upright
    height: int
    format: str  # Pillow's name, from the content: JPEG, PNG ...
    mode: str  # Pillow's mode as stored: RGB, L, RGBA, P ...
    turned: bool  # EXIF says that the stored pixels do not stand upright
    deep: Deep | None = None  # of a picture of more than 8 bits: its values, not yet turned
    profile: str = ""  # the colour profile that was followed, or BROKEN; "" for none or one that changes nothing
    bands: str = ""  # which of many bands, or that only the first page or frame was taken, in words

    def remark(self, span: Span | None) -> str:
        """What a person should know of how the picture was read with that range; "" where there is nothing."""
        found = [f"its {self.bands}"] if self.bands else []
        if self.profile == BROKEN:
            found.append("its colour profile is broken and was ignored")
        if self.deep is not None:
            depth = self.deep.depth()
            if span is not None:
                found.append(outside(depth, span))
            elif not depth.windowed:
                found.append(
                    "it has more than 8 bits, and the model knows no range for such pictures: "
                    f"{as_text(self.deep.usual)} was taken"
                )
        return "; ".join(one for one in found if one)


def decode(
    data: bytes,
    *,
    target: int,
    max_pixels: int = MAX_PIXELS,
    span: Reading = None,
    colour: Colour = "srgb",
) -> Decoded:
    """Decode the bytes of a picture file to upright RGB.

    `target` is the side in pixels that the picture will be resized to: a JPEG may be decoded at a reduced scale,
    never with its shorter side below twice `target`. Alpha is composited on white, and of an animation the first frame is
    taken. Orientation follows EXIF 2.32, tag 274. Of more than 8 bits, the values of `span` become black and white; "own":
    those that the picture itself holds; None: those that the file's kind of numbers can hold. `colour` "srgb" follows
    colour profiles.
    `max_pixels`, at most MAX_PIXELS, is compared with what the header says, before anything is decoded.
    Raises: PictureError with the reason when the bytes are no picture, damaged, or over the limits.
    """
    if not data:
        raise PictureError("empty file")
    if len(data) > MAX_FILE_BYTES:
        raise PictureError(f"file of {len(data):,} bytes; the limit is {MAX_FILE_BYTES:,}. Store it smaller")
    try:
        return _decode(data, target, max_pixels, span, colour)
    except PictureError:
        raise
    except UnidentifiedImageError:
        what = other_than_picture(data)
        raise PictureError(f"{UNKNOWN_FORMAT}, but {what}" if what else UNKNOWN_FORMAT) from None
    except Image.DecompressionBombError:
        raise PictureError(f"more than {MAX_PIXELS:,} pixels, the limit. Store it smaller") from None
    except MemoryError:
        raise PictureError("not enough memory to decode it") from None
    # Decoders answer damaged bytes with many kinds of exception; each of them means: cannot be read.
    except Exception as error:
        raise PictureError(f"damaged or truncated ({_one_line(error)})") from None


def check_pixels(width: int, height: int, *, most: int) -> None:
    """Raises: PictureError when a picture has more than `most` pixels."""
    if width * height > most:
        raise PictureError(f"{width:,} x {height:,} pixels; the limit is {most:,} in all. Store it smaller")


def _decode(data: bytes, target: int, max_pixels: int, span: Reading, colour: Colour) -> Decoded:
    if is_dicom(data) or is_tiff(data):
        raw = _read_raw(data, max_pixels)
        if raw is not None:
            return _decoded_raw(raw, span)
    image = open_picture(data)
    width, height = image.size
    check_pixels(width, height, most=max_pixels)
    format_name, mode, stored = str(image.format), image.mode, raw_mode(image)
    several = _has_several(open_picture(data) if format_name == "GIF" else image)  # a GIF is sought through for it
    image.draft(None, (target * _DRAFT_FACTOR, target * _DRAFT_FACTOR))
    image.load()
    upright = _UPRIGHT.get(_orientation(image))
    deep = _deep(image, data, stored, span)
    if deep is None:
        rgb, profile = _to_rgb(image, colour)
    else:
        rgb, profile = _shown(deep, span), ""
    if upright is not None:
        rgb = rgb.transpose(upright)
        if upright in (_UPRIGHT[5], _UPRIGHT[6], _UPRIGHT[7], _UPRIGHT[8]):
            width, height = height, width
    return Decoded(
        image=rgb,
        width=width,
        height=height,
        format=format_name,
        mode=mode if deep is None or mode not in ("RGB", "RGBA") else f"{mode};16",
        turned=upright is not None,
        deep=deep,
        profile=profile,
        bands=_bands(image) or (FIRST_OF_SEVERAL if several else ""),
    )


def _read_raw(data: bytes, max_pixels: int) -> Raw | None:
    """DICOM, or a TIFF that Pillow cannot read; None for one that it can."""
    from tellapart.raw_pictures import read_dicom, read_tiff

    def check(width: int, height: int) -> None:
        check_pixels(width, height, most=max_pixels)

    if is_dicom(data):
        return read_dicom(data, check)
    check_camera_raw(data)
    try:
        image = open_picture(data)
    except UnidentifiedImageError:
        return read_tiff(data, check)
    tags: Mapping[int, Any] = getattr(image, "tag_v2", {})
    # Of planes of 16 bits Pillow would take the low byte of a value for the next pixel.
    return read_tiff(data, check) if tags.get(_PLANES_TAG) == 2 and max(tags.get(_BITS_TAG, (8,))) > 8 else None


def _decoded_raw(raw: Raw, span: Reading) -> Decoded:
    if raw.deep is not None:
        image = _shown(raw.deep, span)
    elif raw.image is not None:
        image = raw.image.convert("RGB")
    else:
        raise PictureError("a picture without pixels")
    return Decoded(
        image=image,
        width=raw.width,
        height=raw.height,
        format=raw.format,
        mode=raw.mode,
        turned=False,
        deep=raw.deep,
        bands=raw.bands,
    )


def _deep(image: Image.Image, data: bytes, stored: str, span: Reading) -> Deep | None:
    """The values of a loaded picture of more than 8 bits; None for others, and for colours whose high bytes are enough."""
    if is_deep_grey(image):
        return deep_grey(image)
    if span in (None, FULL) or not is_deep_colour(stored):
        return None
    return deep_colour(image, data, stored)


def _shown(deep: Deep, span: Reading) -> Image.Image:
    if span == "own":
        depth = deep.depth()
        span = (depth.low, depth.high) if depth.high > depth.low else deep.usual
    return Image.fromarray(deep.scaled(deep.usual if span is None else span)).convert("RGB")


def _has_several(image: Image.Image) -> bool:
    """Whether the file holds further pages or frames."""
    if image.format in _STILL:
        return False
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # of damaged bytes any kind: what comes after the first one is no picture
        return False


def _bands(image: Image.Image) -> str:
    """Which bands of a TIFF with more than Pillow has a mode for were taken."""
    samples = int(getattr(image, "tag_v2", {}).get(_SAMPLES_TAG, 1))
    taken = len(image.getbands())
    return f"bands 1, 2 and 3 of {samples} as red, green and blue" if samples > max(3, taken) else ""


def _orientation(image: Image.Image) -> int:
    # Asked after load(): Pillow turns TIFF itself and then drops the tag. Damaged EXIF does not spoil the pixels.
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:
        return 1


def _to_rgb(image: Image.Image, colour: Colour) -> tuple[Image.Image, str]:
    """A loaded picture of at most 8 bits a channel in RGB, and the profile that was followed."""
    profile = image.info.get("icc_profile") if colour == "srgb" else None
    if image.mode == "RGB" and "transparency" not in image.info:
        return to_srgb(image, profile) if profile else (image, "")
    if image.mode == "LAB":
        return _from_lab(image), ""
    if image.mode in ("CMYK", "L") and profile and "transparency" not in image.info:
        converted, name = to_srgb(image, profile)
        return converted.convert("RGB"), name
    if image.mode == "La":
        image = image.convert("LA")  # the one way out of La that Pillow has
    if "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "RGBa"):
        with_alpha = image if image.mode == "RGBA" else image.convert("RGBA")
        on_white = Image.new("RGB", image.size, "white")
        opaque, name = _opaque(image, with_alpha, profile)
        on_white.paste(opaque, mask=with_alpha)
        return on_white, name
    rgb = image.convert("RGB")
    return to_srgb(rgb, profile) if profile and image.mode == "P" else (rgb, "")


def _opaque(image: Image.Image, with_alpha: Image.Image, profile: bytes | None) -> tuple[Image.Image, str]:
    """The colours of a picture with alpha, which is left as it is, and the profile that was followed."""
    if not profile:
        return with_alpha, ""
    grey = image.mode in ("LA", "L")
    converted, name = to_srgb(with_alpha.convert("L" if grey else "RGB"), profile)
    if converted.mode == "L" or name in ("", BROKEN):
        return with_alpha, name
    return converted, name


def _from_lab(image: Image.Image) -> Image.Image:
    from PIL import ImageCms

    converted = ImageCms.profileToProfile(
        image, ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), outputMode="RGB"
    )
    if converted is None:
        raise PictureError("the LAB colours cannot be converted")
    return converted


def _one_line(error: Exception) -> str:
    text = one_line(error, most=120)
    return text or type(error).__name__
