"""Pictures whose right part is brighter, and an encoder that takes means. In: a folder. Out: Crops, a ProbeNetwork."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor, nn

from tellapart.data.examples import PictureFile
from tellapart.data.targets import MaskFile
from tellapart.preprocessing import Preprocessing
from tellapart.tasks.segmentation.crops import Crops, crops_of
from tellapart.tasks.segmentation.masks_of import MasksOf
from tellapart.tasks.segmentation.pictures import OpenedPictures
from tellapart.tasks.segmentation.probe_network import ProbeNetwork

SIDE = 64
CLASSES = ("background", "bright", "missing")


class Halves(nn.Module):
    """Maps of halves, quarters and so on of a picture: the mean colour of each place."""

    out_channels = (3, 3, 3, 3, 3, 3)

    def forward(self, images: Tensor) -> list[Tensor]:
        return [images, *(nn.functional.avg_pool2d(images, stride) for stride in (2, 4, 8, 16, 32))]


def crops_in(folder: Path, *, shown: tuple[int, ...] = (0, 1), count: int = 6) -> Crops:
    """Pictures whose right part is brighter, and their masks."""
    chance = np.random.default_rng(0)
    pictures, targets = [], []
    for number in range(count):
        mask = np.zeros((SIDE, SIDE), dtype=np.uint8)
        mask[:, int(chance.integers(40, 52)) :] = 1
        mask = np.asarray(shown, dtype=np.uint8)[mask]
        pixels = chance.integers(60, 120, (SIDE, SIDE, 3)) + 50 * (mask == 1)[..., None]
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
        Image.fromarray(mask).save(folder / f"{number}-mask.png")
        pictures.append(PictureFile(path=folder / f"{number}.png", file_hash="", content_hash=str(number)))
        targets.append(MaskFile(folder / f"{number}-mask.png"))
    opened = OpenedPictures(
        tuple(pictures),
        MasksOf(tuple(targets), CLASSES),
        class_count=3,
        preprocessing=Preprocessing(size=SIDE, fit="tile"),
    )
    return crops_of(opened, [(SIDE, SIDE)] * count, size=SIDE, augment=None, seed=0)


def network() -> ProbeNetwork:
    return ProbeNetwork(Halves(), class_count=3, preprocessing=Preprocessing(size=SIDE)).eval()
