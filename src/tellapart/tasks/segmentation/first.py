"""The first answer: a pixel probe on the frozen encoder. In: settings, Dataset. Out: PixelCandidate. Next: finishing.py.

Seconds on two cores; the same command gives the same weights, also of a run that was stopped.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tellapart.data.dataset import Dataset
from tellapart.features.backbone import ReadyBackbone
from tellapart.features.caching import row_limit_bytes
from tellapart.reporter import Reporter
from tellapart.settings.tree import TrainSettings
from tellapart.storage import cache_folder
from tellapart.tasks.segmentation.candidates import PixelCandidate
from tellapart.tasks.segmentation.crops import Crops
from tellapart.tasks.segmentation.finishing import exported
from tellapart.tasks.segmentation.probing import fit_pixel_probe
from tellapart.tasks.segmentation.sampled import FeatureFolder, chosen_rows
from tellapart.tasks.segmentation.starting import crop_side, new_probe, parts_of, tiled

_LOOKED_AT = 16  # pictures that say whether all are grey


def first_answer(
    settings: TrainSettings, dataset: Dataset, backbone: ReadyBackbone, work: Path, device: str, reporter: Reporter
) -> PixelCandidate:
    """Fit it, its encoder on `device` (cpu, cuda, mps), and write its files into `work`.

    Raises: BackboneError, DataError, StorageError.
    """
    preprocessing = tiled(backbone.preprocessing, settings)
    with reporter.step("Preparing the network", 1) as advance:
        network = new_probe(settings, len(dataset.classes), backbone).to(device)
        advance(1)
    crops = parts_of(
        dataset, "train", preprocessing, size=crop_side(preprocessing.size), augment=None, seed=settings.seed
    )
    encoder = f"{backbone.name} {backbone.fingerprint}"
    kept = FeatureFolder(folder=cache_folder(), limit_bytes=row_limit_bytes(), encoder=encoder)
    with reporter.step("Fitting the pixel probe", len(chosen_rows(crops, seed=settings.seed))) as advance:
        details = fit_pixel_probe(network, crops, seed=settings.seed, advance=advance, kept=kept)
    details["grey"] = all_grey(crops)
    return exported(
        network.to("cpu"),
        strategy="probe",
        name=backbone.name,
        source=backbone.weights_source,
        weights_license=backbone.weights_license,
        preprocessing=preprocessing,
        details=details,
        folder=work,
        pretrained=backbone,
    )


def all_grey(crops: Crops) -> bool:
    """Whether the first crops, of different pictures, have no colour."""
    rows = np.flatnonzero(crops.turn == 0)[:_LOOKED_AT]
    pixels, _ = crops.get(rows, 0)
    return not np.ptp(pixels, axis=3).any()
