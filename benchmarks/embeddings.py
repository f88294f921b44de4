"""Do decoding and network overlap? In: a folder of pictures. Out: wall time against CPU time, as one JSON line.

The promise: wall time is at most 1.2 x (CPU seconds of decoding + network) / cores. CPU seconds are measured first, one
picture after the other on one thread, so they hold none of the threads' own overhead. Run it alone on the machine:

    python benchmarks/embeddings.py PICTURES
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from tellapart.data.examples import PictureFile
from tellapart.data.folder import scan
from tellapart.data.inspection import inspect_all
from tellapart.features.backbone import prepare_backbone
from tellapart.features.engine import open_engine
from tellapart.features.extract import extract
from tellapart.preprocessing import load
from tellapart.runtime import BATCH, cores
from tellapart.storage import cache_folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--backbone", default="tf_efficientnet_lite0")
    parser.add_argument("--sample", type=int, default=200, help="pictures whose CPU seconds are measured one by one")
    arguments = parser.parse_args()
    backbone = prepare_backbone(arguments.backbone, cache=cache_folder(), weights=None).wait()
    engine = open_engine(backbone, "cpu")
    paths = [entry.path for entry in scan(arguments.pictures).entries]
    inspections = inspect_all(paths, workers=cores())
    pictures = [
        PictureFile(path=path, file_hash=inspection.file_hash, content_hash=str(index))
        for index, (path, inspection) in enumerate(zip(paths, inspections, strict=True))
        if not inspection.problem
    ]
    sample = pictures[:: max(1, len(pictures) // arguments.sample)]
    started = time.process_time()
    images = [load(picture.path.read_bytes(), backbone.preprocessing) for picture in sample]
    decoding = (time.process_time() - started) / len(sample)
    engine.embed(np.stack(images[:BATCH]))
    started = time.process_time()
    for start in range(0, len(images), BATCH):
        engine.embed(np.stack(images[start : start + BATCH]))
    network = (time.process_time() - started) / len(sample)
    wall_started, cpu_started = time.perf_counter(), time.process_time()
    extract(
        pictures,
        engine=engine,
        preprocessing=backbone.preprocessing,
        embedding=backbone.embedding,
        fingerprint=backbone.fingerprint,
        cache=None,
    )
    wall, cpu = time.perf_counter() - wall_started, time.process_time() - cpu_started
    ideal = (decoding + network) * len(pictures) / cores()
    record = {
        "pictures": len(pictures),
        "cores": cores(),
        "decode_ms": round(decoding * 1000, 2),
        "network_ms": round(network * 1000, 2),
        "wall_s": round(wall, 2),
        "cpu_s": round(cpu, 2),
        "ideal_s": round(ideal, 2),
        "ratio": round(wall / ideal, 3),
        "pictures_per_second": round(len(pictures) / wall, 1),
    }
    print(json.dumps(record))


if __name__ == "__main__":
    main()
