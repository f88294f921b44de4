"""Mix the pictures of a batch and their targets. In: float [B, C, H, W], int64 [B]. Out: both mixed. Next: loading.py."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms import v2


def mix(
    images: Tensor, targets: Tensor, *, mixup: float, cutmix: float, class_count: int, seed: tuple[int, ...]
) -> tuple[Tensor, Tensor]:
    """Mixup or cutmix a batch: images float [B, C, H, W] (or a stage's activations), targets int64 [B] -> float32 [B, K].

    `mixup` and `cutmix` are alphas of Beta distributions, 0 is off; with both on, each batch gets one of the two, with equal
    chances. Each picture is mixed with the one before it, so the batch must be in random order. A pure function of its
    arguments: the global random state is the same before and after. Whole numbers cannot be mixed: ValueError.
    Source: Zhang et al. 2017, arXiv 1710.09412; Yun et al. 2019, arXiv 1905.04899; torchvision's MixUp and CutMix.
    """
    if not images.is_floating_point():
        raise ValueError(f"only floating-point pictures can be mixed, got {images.dtype}")
    if images.dim() == 3 and not cutmix:
        # A transformer's tokens [B, T, C]; mixup does not care what the numbers mean, but torchvision wants pictures.
        mixed, soft = mix(images[:, None], targets, mixup=mixup, cutmix=0.0, class_count=class_count, seed=seed)
        return mixed[:, 0], soft
    choices: list[torch.nn.Module] = []
    if mixup > 0:
        choices.append(v2.MixUp(alpha=float(mixup), num_classes=class_count))
    if cutmix > 0:
        choices.append(v2.CutMix(alpha=float(cutmix), num_classes=class_count))
    if not choices:
        return images, torch.nn.functional.one_hot(targets, class_count).float()
    state = int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])
    with torch.random.fork_rng(devices=[]):
        # torch.manual_seed would seed the GPU too, whose state is not put back.
        torch.default_generator.manual_seed(state)
        both: tuple[Tensor, Tensor] = v2.RandomChoice(choices)(images, targets)
    return both
