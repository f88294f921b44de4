"""Does `check` on shards stay small and linear? In: numbers of pictures. Out: seconds and peak memory, a JSON line for each number.

Makes shards of 10,000 pictures of 28 x 28 pixels each (smooth noise, all different but for one in a hundred, which is a copy), in
ten classes, and runs `tellapart check` on them twice with a fresh cache, and once more after one shard was added:

    python benchmarks/shards.py /tmp/shards --numbers 10000 100000
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from scale import measure

EACH = 10_000
CLASSES = 10
SIDE = 28


def make_shard(path: Path, number: int) -> None:
    """Write a shard of EACH pictures, the same for the same number."""
    generator = np.random.default_rng(number)
    data = b""
    with tarfile.open(path.with_suffix(".part"), "w") as archive:
        for index in range(EACH):
            label = index % CLASSES
            if index % 100 != 99:
                coarse = Image.fromarray(generator.integers(0, 256, (7, 7), dtype=np.uint8))
                smooth = np.asarray(coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC), dtype=np.float64)
                stream = io.BytesIO()
                pixels = np.clip(smooth * (0.5 + 0.05 * label), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(stream, "PNG")
                data = stream.getvalue()
            for ending, content in (("png", data), ("cls", f"class {label}".encode())):
                info = tarfile.TarInfo(f"{number * EACH + index:09d}.{ending}")
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    path.with_suffix(".part").replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--numbers", type=int, nargs="+", default=[10_000, 100_000])
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    tellapart = [sys.executable, "-m", "tellapart.cli.main"]
    for number in arguments.numbers:
        made = [arguments.folder / f"shard-{shard:06d}.tar" for shard in range(number // EACH + 1)]
        for shard, path in enumerate(made):
            if not path.exists():
                make_shard(path, shard)
        cache = tempfile.mkdtemp(prefix="tellapart-shards-")
        environment = os.environ | {"TELLAPART_CACHE": cache}
        last = number // EACH - 1
        command = [*tellapart, "check", f"{arguments.folder}/shard-{{000000..{last:06d}}}.tar", "--json", "--quiet"]
        more = [*command[:-3], command[-3].replace(f"{last:06d}}}", f"{last + 1:06d}}}"), *command[-2:]]
        try:
            record: dict[str, object] = {"number": number, "check": measure(command, environment)}
            record["check again"] = measure(command, environment)
            record["with one shard more"] = measure(more, environment)
            print(json.dumps(record), flush=True)
        finally:
            shutil.rmtree(cache, ignore_errors=True)


if __name__ == "__main__":
    main()
