"""Gradients of a class, by torch. In: a network, a picture. Out: maps and gradients; a heatmap. Next: faithfulness.py.

Shapes: S side of the picture, C H W channels, height and width of a map.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import ModelFileError, SettingsError
from tellapart.explanation.activation import scaled
from tellapart.runtime import BATCH

if TYPE_CHECKING:
    from tellapart.models.staged import StagedNetwork

_PATH_STEPS = 32  # between the background and the picture
_SMOOTH = 1 / 100  # of the side: single pixels are noise, which nobody can read
_HOTTEST = 99.5  # percent; beyond it single pixels would take all of the scale


def last_map_gradients(
    network: StagedNetwork, image: NDArray[np.uint8], target: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The map that the stages end with, and the gradient of class `target`'s logit in it, both float32 [C, H, W].

    `image` is uint8 [S, S, 3]. Raises: ModelFileError when the stages end with a transformer's tokens.
    """
    import torch

    network.eval()
    means: list[torch.Tensor] = []
    with torch.no_grad():
        maps = network.run_stages(torch.tensor(image)[None], 0, len(network.stages), means)
    if maps.ndim != 4 or maps[0].numel() <= maps.shape[1]:
        raise ModelFileError(
            "the network ends with no map of positions. Take occlusion, or choose a layer that gives maps with --layer."
        )
    with torch.enable_grad():
        maps.requires_grad_(True)
        if network.stages[-1][-1] in network.joined:  # that mean is of the very map
            means[-1] = network.mean_over_places(maps)
        logit = network.classifier(network.finish(maps, means))[0, target]
        (gradients,) = torch.autograd.grad(logit, maps)
    return maps[0].detach().numpy(), gradients[0].numpy()


def layer_gradients(
    network: StagedNetwork, layer: str, image: NDArray[np.uint8], target: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What module `layer` gives, and the gradient of class `target`'s logit in it, both float32 [C, H, W].

    Raises: SettingsError when torch has no such module, or it gives no map.
    """
    import torch

    network.eval()
    caught: list[Any] = []
    handle = find_module(network, layer).register_forward_hook(lambda module, inputs, output: caught.append(output))
    try:
        with torch.enable_grad():
            logit = network(torch.tensor(image)[None])[0, target]
            if len(caught) != 1 or getattr(caught[0], "ndim", 0) != 4:
                raise SettingsError(
                    f"layer {layer!r} gives no map of positions. `--layers` lists what each layer gives."
                )
            if not caught[0].requires_grad:
                raise SettingsError(f"layer {layer!r} comes before anything that can be learned. Choose a later one.")
            (gradients,) = torch.autograd.grad(logit, caught[0])
    finally:
        handle.remove()
    return caught[0][0].detach().numpy(), gradients[0].numpy()


def find_module(network: StagedNetwork, layer: str) -> Any:
    """The module of a layer in the list of `--layers`.

    The file that predicts pads some convolutions in a step of its own, so that `conv_stem` is `conv_stem.1` there.
    Raises: SettingsError.
    """
    found: Any = network
    for root in (network.trunk, network):
        for name in (layer, layer.rpartition(".")[0]):
            if name:
                try:
                    found = root.get_submodule(name)
                except AttributeError:
                    continue
                return found
    raise SettingsError(f"layer {layer!r} is no module of the network in torch. Choose another one of `--layers`.")


def integrated_gradients(
    network: StagedNetwork, image: NDArray[np.uint8], target: int, *, background: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """What each pixel adds to class `target`'s logit on the way from a plain `background`: float32 [S, S] in [0, 1].

    The contributions of the colours are added up, smoothed a little, and what speaks against the class is cut off.
    Source: Sundararajan et al. 2017, arXiv 1703.01365, eq. 1; captum computes it.
    """
    import torch
    from captum.attr import IntegratedGradients
    from scipy.ndimage import gaussian_filter

    network.eval()
    forward: Callable[..., Any] = network
    plain = np.broadcast_to(background, image.shape).astype(np.float32)
    found = IntegratedGradients(forward).attribute(
        torch.from_numpy(image.astype(np.float32))[None],
        baselines=torch.from_numpy(plain)[None],
        target=target,
        n_steps=_PATH_STEPS,
        internal_batch_size=BATCH,
    )
    parts = found[0].detach().numpy().sum(-1).astype(np.float32)
    positive = np.maximum(gaussian_filter(parts, _SMOOTH * len(image)), 0)
    return scaled(np.minimum(positive, np.percentile(positive, _HOTTEST)))
