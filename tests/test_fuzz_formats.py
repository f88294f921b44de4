"""Damaged DICOM, HEIC, JPEG XL, raw TIFF, colour profiles and parquet tables of pictures: read or refused with a reason.

As test_fuzz_pictures.py, whose ways to damage they share: in a process of its own, with bounds on time and memory, and with a look
at what was written. For a longer search: `python -m tests.test_fuzz_formats SEED COUNT`.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pylibjxl
import pytest
from PIL import Image

from tellapart.answers.given import deep_png
from tellapart.answers.items import expand, read_item
from tellapart.data.listing import read_listing
from tellapart.errors import PictureError, TellapartError

from .test_colour_profiles import P3, profile
from .test_fuzz_pictures import MUTATIONS, Random, encoded, mend_checksums, peak_megabytes, read
from .test_picture_formats import dicom, raw_file, tiff

MEGABYTES = 3_000  # the limits let a TIFF hold 2 GiB of values
HERE = Path(__file__).resolve().parent


def originals() -> dict[str, bytes]:
    """Sound files of what the extras read, and of what is refused by its kind."""
    random = np.random.default_rng(3)
    deep = random.integers(0, 4096, (24, 32)).astype(np.uint16)
    rgb = random.integers(0, 256, (24, 32, 3), dtype=np.uint8)
    return {
        "DICOM": dicom(deep.astype(np.int16), WindowCenter=2000, WindowWidth=3000, RescaleSlope=1, RescaleIntercept=-5),
        "DICOM deep": dicom(deep, BitsStored=12, HighBit=11),
        "DICOM colour": dicom(rgb),
        "HEIC": (HERE / "files" / "two_colours.heic").read_bytes(),
        "JPEG XL": pylibjxl.encode(rgb),
        "PNG 16 colour": deep_png(np.dstack([deep] * 3)),
        "TIFF bands": tiff(random.integers(0, 256, (24, 32, 13), dtype=np.uint8), planarconfig="contig"),
        "TIFF planes": tiff(np.stack([deep] * 3), planarconfig="separate", photometric="rgb"),
        "TIFF packed": tiff(deep.astype(np.float64), compression="zlib"),
        "camera raw": raw_file("<", first=1, below=32803),
    }


def damaged(data: bytes, random: Random, other: bytes) -> bytes:
    changed = bytearray(data)
    for mutation in random.integers(0, len(MUTATIONS), random.integers(1, 3)):
        changed = MUTATIONS[mutation](changed, random, other)
    return bytes(changed)


def with_profile(icc: bytes, number: int) -> bytes:
    """A picture that carries a profile, which is damaged before it is put in: checksums are right."""
    image = Image.new(("RGB", "L", "CMYK")[number % 3], (20, 10), 90)
    return encoded(image, "JPEG" if number % 2 or image.mode == "CMYK" else "PNG", icc_profile=icc)


def parquet(random: Random) -> bytes:
    """A table of pictures, as Hugging Face keeps them, of one of several kinds."""
    pictures = [encoded(Image.new("RGB", (9, 9), (shade, 0, 0)), "PNG") for shade in range(0, 120, 20)]
    rows: list[Any] = [{"bytes": data, "path": f"{number}.png"} for number, data in enumerate(pictures)]
    file = io.BytesIO()
    table = pa.table({"image": pictures if random.random() < 0.3 else rows, "label": [0, 1] * 3})
    if random.random() < 0.3:
        with pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
    else:
        pq.write_table(table, file, row_group_size=2, compression=str(random.choice(["none", "snappy", "zstd"])))
    return file.getvalue()


def read_table(data: bytes, folder: Path) -> str:
    """A table read for a training, and for a prediction; every picture of it asked for."""
    path = folder / "train-00000-of-00001.parquet"
    path.write_bytes(data)
    outcome = "read"
    try:
        asked = [entry.path for entry in read_listing(folder).entries]
        items = list(expand([str(path)]))
    except TellapartError as error:
        return "refused" if len(str(error)) < 2_000 else "refused at length"
    for item in items:
        try:
            read_item(item)
        except PictureError as error:
            outcome = "a picture refused" if len(str(error)) < 2_000 else "refused at length"
    assert len(asked) <= len(items), "more pictures than rows"
    return outcome


def feed(seed: int, count: int) -> dict[str, Any]:
    """Damage and read `count` files of each group; what came of them, and what lies about afterwards."""
    random = np.random.default_rng(seed)
    files, icc = originals(), profile(P3, 2.2)
    names = sorted(files)
    outcome: Counter[str] = Counter()
    for number in range(count):
        name = names[number % len(names)]
        data = damaged(files[name], random, files[names[int(random.integers(len(names)))]])
        outcome[f"{name}: {read(mend_checksums(data), number)}"] += 1
        if number % 3 == 0:
            outcome[f"profile: {read(with_profile(damaged(icc, random, data), number), number)}"] += 1
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for _ in range(count // 5):
            table = parquet(random)
            outcome[f"table: {read_table(damaged(table, random, icc), Path(folder))}"] += 1
        left = sorted(path.name for path in Path(folder).rglob("*"))
        os.chdir(HERE)
    return {"outcome": outcome, "megabytes": peak_megabytes(), "left": left}


def test_every_original_is_sound(tmp_path: Path) -> None:
    found = {name: read(data, 0) for name, data in originals().items()}
    assert found == dict.fromkeys(originals(), "read") | {"camera raw": "refused"}
    assert all(read(with_profile(profile(P3, 2.2), number), 0) == "read" for number in range(6))
    assert {read_table(parquet(np.random.default_rng(seed)), tmp_path) for seed in range(8)} == {"read"}


@pytest.mark.parametrize(("seed", "count"), [(20_261, 600), pytest.param(20_262, 1_800, marks=pytest.mark.long)])
def test_damaged_files_are_read_or_refused(seed: int, count: int) -> None:
    command = [sys.executable, "-X", "faulthandler", "-m", "tests.test_fuzz_formats", str(seed), str(count)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False, cwd=HERE.parent)
    assert finished.returncode == 0, finished.stderr[-3000:]
    report = json.loads(finished.stdout)
    outcome = Counter(report["outcome"])
    kinds = {f"{name}: {result}" for name in (*originals(), "profile") for result in ("read", "refused")}
    kinds |= {f"table: {result}" for result in ("read", "refused", "a picture refused")}
    assert set(outcome) <= kinds, "a reason is missing, has several lines or is too long"
    assert outcome.total() == count + count // 3 + count // 5
    assert report["megabytes"] < MEGABYTES
    assert report["left"] == ["train-00000-of-00001.parquet"], "nothing else is written"
    # The damage is neither so slight that nothing is refused, nor so great that little more than the signature is read.
    assert min(outcome[f"{name}: refused"] for name in originals() if name != "PNG 16 colour") >= count // 180
    assert outcome["profile: read"] > count // 6, "a broken profile is told and ignored"
    assert min(outcome["table: read"], outcome["table: refused"], outcome["table: a picture refused"]) >= count // 180


if __name__ == "__main__":
    print(json.dumps(feed(int(sys.argv[1]), int(sys.argv[2]))))
