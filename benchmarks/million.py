"""Does what needs every picture's features stay small? In: numbers of pictures. Out: seconds and peak memory, a JSON line for each.

    python benchmarks/million.py solver FEATURES.npz --numbers 10000 100000 1000000
    python benchmarks/million.py audit --numbers 10000 100000 1000000

`solver` fits the classifier on rows of 16 bits on disk. A million embeddings would take a day of this machine: they are those of
few real pictures (FEATURES.npz: `vectors` [n, D], `labels` [n]; `features` makes one) over and over, each with noise of half
its deviation. `audit` makes what a look at a picture gives without any picture (hashes, thumbnails of smooth noise, one in a
hundred a copy), and does all of `check` that follows. Each number is a process of its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

NOISE = 0.5
STRENGTH = 1e-2  # of the penalty; the search for it sees 10,000 pictures, however many there are
BLOCK = 4096
# [32, 7]: bicubic, from seven pixels to thirty-two
_WEIGHTS = np.stack(
    [
        np.asarray(Image.fromarray(row[None].repeat(7, 0)).resize((32, 7), Image.Resampling.BICUBIC))[0]
        for row in np.eye(7, dtype=np.float32)
    ],
    axis=1,
)


def features(folder: Path, out: Path) -> None:
    """Embeddings of a folder's pictures by the last layer of the shipped network."""
    from tellapart.data.examples import picture_file
    from tellapart.features.backbone import prepare_backbone
    from tellapart.features.caching import open_cache
    from tellapart.features.embedding import embed_pictures
    from tellapart.reporter import Silent
    from tellapart.storage import cache_folder
    from tellapart.workflows.check import check

    examined = check(folder, reporter=Silent())
    ready = prepare_backbone("tf_efficientnet_lite0", cache=cache_folder(), weights=None).wait()
    pairs = zip(examined.listing.entries, examined.inspections, strict=True)
    pictures = [picture_file(entry, one) for entry, one in pairs if not one.problem]
    with open_cache() as cache:
        found = embed_pictures(pictures, ready, "cpu", cache, Silent())
    number = {name: place for place, name in enumerate(examined.audit.classes)}
    named = [
        number[entry.target.text]
        for entry, one in zip(examined.listing.entries, examined.inspections, strict=True)
        if not one.problem
    ]
    np.savez(out, vectors=found.vectors[:, sum(ready.stages) :].astype(np.float16), labels=np.array(named))


def solver(given: Path, number: int) -> dict[str, object]:
    """One fit to `number` rows."""
    from tellapart.half_rows import half_rows
    from tellapart.training.probe import fit_probe

    with np.load(given) as arrays:
        real, labels = arrays["vectors"].astype(np.float32), arrays["labels"]
    generator = np.random.default_rng(0)
    spread = NOISE * real.std(axis=0)
    chosen = generator.integers(0, len(real), number)
    rows = half_rows(number, real.shape[1])
    for start in range(0, number, BLOCK):
        some = chosen[start : start + BLOCK]
        noise = generator.standard_normal((len(some), real.shape[1]), dtype=np.float32)
        for place, vector in enumerate(real[some] + spread * noise, start=start):
            rows[place] = vector
    made, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    found = fit_probe(
        rows, labels[chosen], groups=np.arange(number), class_count=int(labels.max()) + 1, seed=0, strengths=(STRENGTH,)
    )
    return {
        "file_gb": round(2 * number * real.shape[1] / 1e9, 3),
        "fit_processor_seconds": round(time.process_time() - began, 1),
        "iterations": found.iterations,
        "converged": found.converged,
        "peak_before_gb": round(made / 1e6, 3),
    }


def made_up(number: int, generator: np.random.Generator) -> Iterator[tuple[str, bytes, int]]:
    """Content hash, thumbnail and perceptual hash of smooth noise; every hundredth is that of the one before."""
    from tellapart.data.perceptual_hash import perceptual_hash

    last = ("", b"", 0)
    for start in range(0, number, BLOCK):
        coarse = generator.integers(0, 256, (BLOCK, 7, 7)).astype(np.float32)
        smooth = np.clip(np.einsum("xi,bij,yj->bxy", _WEIGHTS, coarse, _WEIGHTS, optimize=True), 0, 255).astype(
            np.uint8
        )
        for place in range(start, min(start + BLOCK, number)):
            if place % 100 != 99:
                pixels = smooth[place - start]
                last = generator.bytes(16).hex(), pixels.tobytes(), perceptual_hash(pixels)
            yield last


def audit(number: int) -> dict[str, object]:
    """Listing and inspections of `number` made-up pictures, and the audit of them."""
    from tellapart.data.examples import Inspection, Listing
    from tellapart.data.looks import Looks
    from tellapart.data.packed_entries import PackedEntries
    from tellapart.data.packed_inspections import PackedInspections
    from tellapart.data.survey import build_audit
    from tellapart.data.targets import ClassName
    from tellapart.data.thumbnails import Shelf

    generator = np.random.default_rng(0)
    entries, inspections, shelf = PackedEntries(), PackedInspections(number), Shelf()
    classes = [ClassName(f"class {label}") for label in range(10)]
    looks = Looks(brightest=0.9, darkest=0.1, entropy=6.0, edges=60.0, crowding=2.0, one_colour=False)
    for place, (content, pixels, hashed) in enumerate(made_up(number, generator)):
        entries.put(f"/shards/shard-{place // 10_000:06d}.tar/{place:09d}.png", classes[place % 10], None)
        inspections.append(
            Inspection(
                file_hash=generator.bytes(32).hex(),
                content_hash=content,
                perceptual_hash=hashed,
                thumbnail=shelf.keep(pixels),
                width=28,
                height=28,
                format="PNG",
                mode="L",
                looks=looks,
            )
        )
    made, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    listing = Listing(source=Path("/shards"), entries=entries, classes=tuple(one.name for one in classes))
    found = build_audit(listing, inspections)
    return {
        "audit_processor_seconds": round(time.process_time() - began, 1),
        "copies": found.duplicates,
        "near": len(found.near_copies),
        "peak_before_gb": round(made / 1e6, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("what", choices=["features", "solver", "audit"])
    parser.add_argument("given", type=Path, nargs="*")
    parser.add_argument("--numbers", type=int, nargs="+", default=[10_000, 100_000])
    arguments = parser.parse_args()
    if arguments.what == "features":
        features(*arguments.given)
        return
    if len(arguments.numbers) > 1:
        for number in arguments.numbers:
            given = [str(path) for path in arguments.given]
            subprocess.run([sys.executable, __file__, arguments.what, *given, "--numbers", str(number)], check=True)
        return
    work: Callable[..., dict[str, object]] = solver if arguments.what == "solver" else audit
    began, (number,) = time.perf_counter(), arguments.numbers
    record = {"number": number} | work(*arguments.given, number)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    record |= {
        "seconds": round(time.perf_counter() - began, 1),
        "processor_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_gb": round(usage.ru_maxrss / 1e6, 3),
    }
    print(json.dumps(record), flush=True)


if __name__ == "__main__":
    main()
