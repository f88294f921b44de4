"""Does the learning curve keep its promise? In: sets of pictures. Out: JSON lines. Next: docs/results.md.

The curve is drawn from half of the pictures, and says what the error will be with all of them; the truth is the error of
classifiers that learned from all of them, judged by pictures that they did not see. How often the truth lies in the 95 % band is
counted over many ways to take the half.

    python benchmarks/next_point.py DATA/sign_digits DATA/cats_dogs_1400 solar --halves 20
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from engines import pictures

from tellapart.data.content import content_hash
from tellapart.data.examples import PictureFile
from tellapart.data.inspection import TARGET
from tellapart.decoding import decode
from tellapart.errors import PictureError
from tellapart.evaluation.learning_curve import fit_power_law
from tellapart.features.backbone import prepare_backbone
from tellapart.features.caching import open_cache
from tellapart.features.embedding import embed_pictures
from tellapart.reporter import Silent
from tellapart.storage import cache_folder
from tellapart.training.growing import grow


def embedded(source: str, keep: Path) -> tuple[np.ndarray, np.ndarray]:
    """The last layer of every picture [N, D], identical ones once, and the numbers of their classes [N]."""
    path = keep / f"{Path(source).name}.npz"
    if not path.exists():
        paths, labels = pictures(source)
        hashes: dict[str, int] = {}
        for row, one in enumerate(paths):
            try:
                hashes.setdefault(content_hash(decode(one.read_bytes(), target=TARGET)), row)
            except PictureError:
                continue
        ready = prepare_backbone("tf_efficientnet_lite0", cache=cache_folder(), weights=None).wait()
        files = [PictureFile(path=paths[row], file_hash="", content_hash=one) for one, row in hashes.items()]
        with open_cache() as cache:
            vectors = embed_pictures(files, ready, "cpu", cache, Silent()).vectors[:, sum(ready.stages) :]
        keep.mkdir(parents=True, exist_ok=True)
        np.savez(path, vectors=vectors, labels=labels[list(hashes.values())])
    found = np.load(path)
    return found["vectors"], found["labels"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("sources", nargs="+", help="folders of class folders, or solar")
    parser.add_argument("--halves", type=int, default=20)
    parser.add_argument("--keep", type=Path, default=Path("/tmp/next_point"), help="where embeddings are kept")
    arguments = parser.parse_args()
    for source in arguments.sources:
        vectors, labels = embedded(source, arguments.keep)
        classes = int(labels.max()) + 1
        alone = [""] * len(labels)
        inside, told, truths = 0, [], []
        whole = grow(vectors, labels, alone, class_count=classes, repeats=arguments.halves, shares=(1.0,), seed=1)
        truth = None if whole is None else float(whole.errors[-1].mean())
        for seed in range(arguments.halves):
            half = np.sort(np.random.default_rng(seed).permutation(len(labels))[: len(labels) // 2])
            curve = grow(vectors[half], labels[half], alone[: len(half)], class_count=classes, seed=seed)
            if curve is None or truth is None or whole is None:
                break
            band = fit_power_law(curve.sizes, curve.errors, judged=sum(curve.judged), seed=seed).error(whole.sizes[-1])
            inside += band.low <= truth <= band.high
            told.append(band.value)
            truths.append(band.high - band.low)
        record = {
            "set": Path(source).name,
            "pictures": len(labels),
            "halves": len(told),
            "inside": inside,
            "truth": truth,
        }
        record |= {"told": float(np.mean(told)) if told else None, "width": float(np.mean(truths)) if told else None}
        print(json.dumps(record), flush=True)


if __name__ == "__main__":
    main()
