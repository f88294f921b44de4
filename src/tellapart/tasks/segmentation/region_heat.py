"""What of a picture speaks for a class in a region. In: a run, pixels, a region. Out: heat. Next: sections.py.

Grad-CAM of a region: Vinogradova et al. 2020, Towards interpretable semantic segmentation via gradient-weighted class
activation mapping, arXiv 2002.11434, eq. 3, at the encoder's coarsest map. Shapes: S side of the picture, C h w of the map, K
classes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import Manifest
from tellapart.settings.tree import TrainSettings
from tellapart.tasks.segmentation.network import PixelNetwork
from tellapart.tasks.segmentation.rebuilding import rebuilt


def region_heat(
    weights: Path,
    manifest: Manifest,
    settings: TrainSettings,
    pixels: NDArray[np.uint8],
    target: int,
    region: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """Heat [h, w] in [0, 1] of class `target` in a region [S, S] of a picture uint8 [S, S, 3]; all 0 where nothing speaks for it.

    `weights` are those of a finished run. Raises: BackboneError where they do not fit.
    """
    return gradient_heat(rebuilt(weights, manifest, settings), pixels, target, region)


def gradient_heat(
    network: PixelNetwork, pixels: NDArray[np.uint8], target: int, region: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """The same of a network that is at hand."""
    import torch

    with torch.no_grad():
        *finer, coarsest = network.maps(torch.from_numpy(np.array(pixels))[None])
    coarsest = coarsest.detach().requires_grad_()
    with torch.enable_grad():
        logits = network.decode([*finer, coarsest])[0, target]
        said = logits[torch.from_numpy(region)].sum()
        (gradient,) = torch.autograd.grad(said, coarsest)
    weights = gradient.mean((2, 3), keepdim=True)
    heat = torch.relu((weights * coarsest).sum(1))[0].detach().numpy()
    largest = float(heat.max())
    return np.asarray(heat / largest if largest > 0 else np.zeros_like(heat), dtype=np.float32)
