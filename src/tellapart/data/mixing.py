"""Mix the pictures of a batch and their targets. In: Batch, or float [B, C, H, W] and targets. Out: both mixed. Next: loading.py.

Shapes: B pictures, K classes, C H W.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms import v2

from tellapart.data.batch import Batch


def mix_batch(batch: Batch, *, mixup: float, cutmix: float, class_count: int, seed: tuple[int, ...]) -> Batch:
    """A batch with pictures uint8 [B, S, S, 3] or activations float [B, C, H, W] or [B, T, C], mixed as `mix` does it.

    What comes out is float32, in the shape that went in; targets are float32 [B, K].
    """
    images: Tensor = batch.inputs
    pictures = not images.is_floating_point()
    if pictures:
        images = images.permute(0, 3, 1, 2)
    mixed, targets = mix(images.float(), batch.targets, mixup=mixup, cutmix=cutmix, class_count=class_count, seed=seed)
    return replace(batch, inputs=mixed.permute(0, 2, 3, 1) if pictures else mixed, targets=targets)


def mix(
    images: Tensor, targets: Tensor, *, mixup: float, cutmix: float, class_count: int, seed: tuple[int, ...]
) -> tuple[Tensor, Tensor]:
    """Mixup or cutmix a batch: images float [B, C, H, W] (or a stage's activations) and their targets -> float32 [B, K].

    Targets are classes int64 [B], or float [B, K] in [0, 1] of several classes a picture, where NaN is not known: a mixture
    of it with anything is not known either, unless its share is 0.
    `mixup` and `cutmix` are alphas of Beta distributions, 0 is off; with both on, each batch gets one of the two, with equal
    chances. Each picture is mixed with the one before it, so the batch must be in random order. A pure function of its
    arguments: the global random state is the same before and after.
    Raises: ValueError for pictures of whole numbers, which cannot be mixed, and for targets of another shape or type.
    Source: Zhang et al. 2017, arXiv 1710.09412; Yun et al. 2019, arXiv 1905.04899; torchvision's MixUp and CutMix.
    """
    if not images.is_floating_point():
        raise ValueError(f"only floating-point pictures can be mixed, got {images.dtype}")
    _check_targets(targets, len(images), class_count)
    if not targets.is_floating_point():
        return _mix(images, targets, mixup=mixup, cutmix=cutmix, class_count=class_count, seed=seed)
    # NaN would spread even at a share of 0, so what is not known is mixed in columns of its own.
    unknown = targets.isnan()
    columns = torch.cat([targets.masked_fill(unknown, 0.0), unknown], dim=1).float()
    mixed, both = _mix(images, columns, mixup=mixup, cutmix=cutmix, class_count=2 * class_count, seed=seed)
    soft, hidden = both.tensor_split(2, dim=1)
    return mixed, soft.masked_fill(hidden > 0, float("nan"))


def _check_targets(targets: Tensor, pictures: int, class_count: int) -> None:
    classes = targets.dtype == torch.int64 and targets.shape == (pictures,)
    if not classes and not (targets.is_floating_point() and targets.shape == (pictures, class_count)):
        raise ValueError(
            f"targets are {targets.dtype} {list(targets.shape)}; mixing {pictures} pictures of {class_count} classes takes "
            f"int64 [{pictures}] or float [{pictures}, {class_count}]"
        )


def _mix(
    images: Tensor, targets: Tensor, *, mixup: float, cutmix: float, class_count: int, seed: tuple[int, ...]
) -> tuple[Tensor, Tensor]:
    """Images, and targets int64 [B] or float [B, K] -> float32 [B, K]."""
    if images.dim() == 3 and not cutmix:
        # A transformer's tokens [B, T, C]; mixup does not care what the numbers mean, but torchvision wants pictures.
        mixed, soft = _mix(images[:, None], targets, mixup=mixup, cutmix=0.0, class_count=class_count, seed=seed)
        return mixed[:, 0], soft
    choices: list[torch.nn.Module] = []
    if mixup > 0:
        choices.append(v2.MixUp(alpha=float(mixup), num_classes=class_count))
    if cutmix > 0:
        choices.append(v2.CutMix(alpha=float(cutmix), num_classes=class_count))
    if not choices:
        whole = targets if targets.dim() == 2 else torch.nn.functional.one_hot(targets, class_count)
        return images, whole.float()
    state = int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])
    with torch.random.fork_rng(devices=[]):
        # torch.manual_seed would seed the GPU too, whose state is not put back.
        torch.default_generator.manual_seed(state)
        both: tuple[Tensor, Tensor] = v2.RandomChoice(choices)(images, targets)
    return both
