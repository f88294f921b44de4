"""What of a picture speaks for a class in a region. In: a run, pixels, a region. Out: heat. Next: sections.py.

Grad-CAM of a region: Vinogradova et al. 2020, Towards interpretable semantic segmentation via gradient-weighted class
activation mapping, arXiv 2002.11434, eq. 3, at the encoder's coarsest map. Shapes: S side of the picture, C h w of the map, K
classes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import Manifest
from tellapart.errors import BackboneError
from tellapart.models.weights import read_weights
from tellapart.settings.tree import TrainSettings
from tellapart.tasks.segmentation.decoders import DEFAULT_DECODER, decoder_kind, make_network
from tellapart.tasks.segmentation.network import PixelNetwork
from tellapart.tasks.segmentation.probe_network import LinearProbe, ProbeNetwork, map_widths
from tellapart.tasks.segmentation.starting import PROBE, new_network


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


def rebuilt(weights: Path, manifest: Manifest, settings: TrainSettings) -> PixelNetwork:
    """The run's network in torch, in evaluation mode. Raises: BackboneError where the weights do not fit, SettingsError."""
    count, preprocessing = len(manifest.classes), manifest.preprocessing.plain()
    kept = read_weights(weights)
    network: PixelNetwork
    if manifest.strategy == "probe":
        whole: Any = make_network(decoder_kind(DEFAULT_DECODER), manifest.backbone.name, class_count=count)
        network = ProbeNetwork(whole.encoder, class_count=count, preprocessing=preprocessing)
    else:
        network = trained = new_network(settings, count, manifest.backbone.name, preprocessing)
        if any(name.startswith(PROBE) for name in kept):  # that its training began with
            trained.begin_with(LinearProbe(map_widths(trained.encoder), class_count=count))
    try:
        network.load_state_dict(kept)
    except RuntimeError as error:
        raise BackboneError(
            f"{weights} does not hold the weights of this model ({str(error).splitlines()[0]}). Copy the whole run again."
        ) from None
    return network.eval()


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
