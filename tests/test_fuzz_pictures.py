"""Thousands of damaged picture files: each is read or refused with a reason, quickly and in little memory.

The decoders are C code, so the files are fed to them in a process of its own, which may crash without taking the tests
along. For a longer search: `python tests/test_fuzz_pictures.py SEED COUNT`.
"""

from __future__ import annotations

import io
import json
import resource
import subprocess
import sys
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, features

from tellapart.errors import PictureError
from tellapart.preprocessing import Preprocessing, decode, prepare

FILES = 4_000
MEGABYTES = 1_500

INTERESTING = (0, 1, 2, 3, 4, 7, 8, 16, 31, 32, 64, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2**24, 2**31 - 1)
INTERESTING += (2**31, 2**32 - 1)

Random = np.random.Generator


def encoded(image: Image.Image, format_: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format_, **options)
    return stream.getvalue()


def originals() -> dict[str, bytes]:
    """Sound files of every format that we read, and of the ways to store one."""
    random = np.random.default_rng(7)
    noise = np.clip(np.add.outer(np.arange(24) * 4, np.arange(32) * 4)[..., None] + random.integers(0, 60, 3), 0, 255)
    rgb = Image.fromarray(noise.astype(np.uint8))
    rgba = rgb.copy()
    rgba.putalpha(rgb.convert("L"))
    exif = Image.Exif()
    exif[0x0112] = 6
    grey16 = Image.fromarray((noise[..., 0] * 257).astype(np.uint16))
    frames: dict[str, Any] = {"save_all": True, "append_images": [rgb.rotate(180)]}
    files = {
        "JPEG": encoded(rgb, "JPEG", exif=exif),
        "JPEG progressive": encoded(rgb.resize((640, 480)), "JPEG", progressive=True, quality=20),
        "JPEG CMYK": encoded(rgb.convert("CMYK"), "JPEG"),
        "MPO": encoded(rgb, "MPO", **frames),
        "PNG": encoded(rgba, "PNG", exif=exif),
        "PNG palette": encoded(rgb.quantize(16), "PNG", transparency=3, bits=4),
        "PNG 16": encoded(grey16, "PNG"),
        "APNG": encoded(rgb, "PNG", **frames),
        "GIF": encoded(rgb.quantize(16), "GIF", transparency=3),
        "GIF animated": encoded(rgb, "GIF", **frames),
        "BMP": encoded(rgb, "BMP"),
        "BMP palette": encoded(rgb.quantize(16), "BMP"),
        "DIB": encoded(rgb, "DIB"),
        "PPM": encoded(rgb, "PPM"),
        "PGM text": b"P2 4 2 255\n" + b" ".join(b"%d" % value for value in range(0, 240, 30)) + b"\n",
        "PGM 16": encoded(Image.fromarray(noise[..., 0].astype(np.int32) * 257), "PPM"),
        "PFM": encoded(Image.fromarray(noise[..., 0].astype(np.float32)), "PPM"),
        "TIFF": encoded(rgba, "TIFF", exif=exif),
        "TIFF LAB": encoded(Image.fromarray(noise.astype(np.uint8), "LAB"), "TIFF"),
        "TIFF 16": encoded(grey16, "TIFF"),
        "TIFF float": encoded(Image.fromarray(noise[..., 0].astype(np.float32)), "TIFF"),
        "ICO": encoded(rgba, "ICO", sizes=[(16, 16), (24, 24)]),
        "ICO bitmap": encoded(rgba, "ICO", sizes=[(16, 16)], bitmap_format="bmp"),
        "PCX": encoded(rgb, "PCX"),
        "SGI": encoded(rgb, "SGI"),
        "QOI": encoded(rgba, "QOI"),
    }
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits", "group4"):
        if features.check("libtiff"):
            image = rgb.convert("1") if compression == "group4" else rgb
            files[f"TIFF {compression}"] = encoded(image, "TIFF", compression=compression)
    if features.check("webp"):
        files["WEBP"] = encoded(rgba, "WEBP", exif=exif)
        files["WEBP lossless"] = encoded(rgba, "WEBP", lossless=True)
        files["WEBP animated"] = encoded(rgb, "WEBP", **frames)
    if features.check("jpg_2000"):
        files["JPEG2000"] = encoded(rgb, "JPEG2000", tile_size=(16, 16))
        files["JPEG2000 stream"] = encoded(rgba, "JPEG2000", no_jp2=True)
    if features.check("avif"):
        files["AVIF"] = encoded(rgba, "AVIF", exif=exif, speed=10)
    return files


def flip_bits(data: bytearray, random: Random, other: bytes) -> bytearray:
    for at in random.integers(0, len(data), random.integers(1, 9)):
        data[at] ^= 1 << int(random.integers(8))
    return data


def truncate(data: bytearray, random: Random, other: bytes) -> bytearray:
    return data[: int(random.integers(1, max(2, len(data))))]


def splice(data: bytearray, random: Random, other: bytes) -> bytearray:
    """A piece of another file, put in or written over."""
    start = int(random.integers(0, len(other)))
    piece = other[start : start + int(random.integers(1, 64))]
    at = int(random.integers(0, len(data)))
    data[at : at + (len(piece) if random.random() < 0.5 else 0)] = piece
    return data


def cut_out(data: bytearray, random: Random, other: bytes) -> bytearray:
    at = int(random.integers(0, len(data)))
    del data[at : at + int(random.integers(1, 32))]
    return data or bytearray(b"\0")


def edit_number(data: bytearray, random: Random, upto: int) -> bytearray:
    width = int(random.choice([1, 2, 4]))
    at = int(random.integers(0, max(1, min(upto, len(data)) - width)))
    value = int(random.choice(INTERESTING)) % 256**width
    data[at : at + width] = value.to_bytes(width, "little" if random.random() < 0.5 else "big")
    return data


def edit_header(data: bytearray, random: Random, other: bytes) -> bytearray:
    return edit_number(data, random, 64)


def edit_field(data: bytearray, random: Random, other: bytes) -> bytearray:
    return edit_number(data, random, len(data))


def edit_chunk_length(data: bytearray, random: Random, other: bytes) -> bytearray:
    """The length before a four-letter name (PNG, JPEG2000, AVIF), after it (RIFF), or after 0xff (JPEG)."""
    places = [at for at in range(4, len(data) - 8) if data[at : at + 4].isalpha()]
    places += [at + 6 for at in range(len(data) - 8) if data[at] == 0xFF and data[at + 1] not in (0, 0xFF)]
    if not places:
        return edit_field(data, random, other)
    at = int(random.choice(places)) + int(random.choice([-4, 4]))
    value = int(random.choice(INTERESTING)) % 2**32
    data[at : at + 4] = value.to_bytes(4, "little" if random.random() < 0.3 else "big")
    return data


MUTATIONS: tuple[Callable[[bytearray, Random, bytes], bytearray], ...] = (
    flip_bits,
    truncate,
    splice,
    cut_out,
    edit_header,
    edit_field,
    edit_chunk_length,
)


def mend_checksums(data: bytes) -> bytes:
    """A PNG's checksums made right again, since the decoder looks at nothing behind a wrong one."""
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        return data
    mended, at = bytearray(data), 8
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        mended[end : end + 4] = zlib.crc32(data[at + 4 : end]).to_bytes(4, "big") if end + 4 <= len(data) else b""
        at = end + 4
    return bytes(mended)


def feed(seed: int, count: int) -> dict[str, Any]:
    """Mutate and read `count` files; what came of them."""
    random = np.random.default_rng(seed)
    files = originals()
    names = sorted(files)
    outcome: Counter[str] = Counter()
    for number in range(count):
        name = names[number % len(names)]
        data = bytearray(files[name])
        for mutation in random.integers(0, len(MUTATIONS), random.integers(1, 3)):
            data = MUTATIONS[mutation](data, random, files[names[int(random.integers(len(names)))]])
        damaged = mend_checksums(bytes(data)) if random.random() < 0.5 else bytes(data)
        outcome[f"{name}: {read(damaged, number)}"] += 1
    return {"outcome": outcome, "megabytes": peak_megabytes()}


def read(data: bytes, number: int) -> str:
    try:
        decoded = decode(data, target=224)
    except PictureError as error:
        return "refused" if len(str(error).splitlines()) == 1 else f"refused with {str(error)!r}"
    assert decoded.image.mode == "RGB", f"file {number}: {decoded.image.mode}"
    assert min(decoded.width, decoded.height) > 0, f"file {number}: {decoded.width} x {decoded.height}"
    result = prepare(decoded.image, Preprocessing(size=32))
    assert (result.shape, result.dtype) == ((32, 32, 3), np.uint8), f"file {number}: {result.shape}"
    return "read"


def peak_megabytes() -> int:
    """The most memory that this process has had. On Linux getrusage tells the parent's too, where that is larger."""
    status = Path("/proc/self/status")
    if status.exists():
        return (
            int(next(line for line in status.read_text().splitlines() if line.startswith("VmHWM")).split()[1]) // 1024
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # kibibytes, but bytes on macOS
    return peak // 2 ** (20 if sys.platform == "darwin" else 10)


def test_every_original_is_sound() -> None:
    assert {name: read(data, 0) for name, data in originals().items()} == dict.fromkeys(originals(), "read")


@pytest.mark.parametrize("seed", [20_240])
def test_damaged_pictures_are_read_or_refused(seed: int) -> None:
    command = [sys.executable, "-X", "faulthandler", __file__, str(seed), str(FILES)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert finished.returncode == 0, finished.stderr[-3000:]
    report = json.loads(finished.stdout)
    outcome = Counter(report["outcome"])
    kinds = {f"{name}: {result}" for name in originals() for result in ("read", "refused")}
    assert set(outcome) <= kinds, "a reason is missing or has several lines"
    assert outcome.total() == FILES
    assert report["megabytes"] < MEGABYTES
    # The damage is neither so slight that nothing is refused, nor so great that little more than the signature is read.
    assert min(outcome[f"{name}: refused"] for name in originals()) >= 10
    assert sum(outcome[f"{name}: read"] for name in originals()) >= FILES / 4


if __name__ == "__main__":
    print(json.dumps(feed(int(sys.argv[1]), int(sys.argv[2]))))
