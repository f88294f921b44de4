"""The means of every stage beside the last layer. In: StagedNetwork. Out: the same, with a wider embedding. Next: tracing.py.

What the lower stages see (edges, textures, colours) is computed on the way to the last layer and thrown away; a linear classifier
that sees it too is better on most sets: Evci et al. 2022, Head2Toe, arXiv 2201.03529. docs/results.md has our figures.

Shapes: B batch, S side of the picture, C H W channels, height and width of a stage's output, D embedding.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tellapart.models.stage_finding import begins_stage
from tellapart.models.staged import StagedNetwork

_SAME = 1e-4  # relative; a mean that the last layer's embedding already is
_MOST = 8  # stages; of networks whose every block counts as one (ConvMixer, Xception) the embedding would be ten times as wide


def join_stages(network: StagedNetwork, size: int) -> tuple[int, ...]:
    """Let the embedding begin with the mean of each channel of every stage's output; returns their numbers of channels.

    `size` is S in pixels. Nothing changes, and () is returned, where the network is no chain of stages that give maps: a
    transformer's tokens, for example. A stage whose means the last layer is already (ResNet's fourth) is not joined. Of more
    than eight stages eight are, evenly spread, the last among them. The classifier begins anew, as torch makes it.
    """
    paths = [_end(stage) for stage in _spread(network.stages)] if len(network.stages) > 1 else []
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (1, size, size, 3), generator=generator, dtype=torch.uint8)
    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            joined = _joined(network, images, paths)
    finally:
        network.train(was_training)
    if joined:
        network.joined = joined
        network.embedding += sum(joined.values())
        network.classifier = nn.Linear(network.embedding, network.classifier.out_features)
    return tuple(joined.values())


def _spread(stages: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    count = min(_MOST, len(stages))
    return [stages[len(stages) * (number + 1) // count - 1] for number in range(count)]


def _end(stage: tuple[str, ...]) -> str:
    """Where a stage ends: with the last module that is named as one (what follows makes the embedding), or with the last."""
    named = [path for path in stage if begins_stage(path)]
    return named[-1] if named else stage[-1]


def _joined(network: StagedNetwork, images: Tensor, paths: list[str]) -> dict[str, int]:
    network.joined = dict.fromkeys(paths, 0)
    found: list[Tensor] = []
    try:
        last = network.run_stages(images, 0, len(network.stages), found) if paths else None
    except (IndexError, RuntimeError):  # no maps
        return {}
    finally:
        network.joined = {}
    embedding = network.embed(images)
    if last is None or last.ndim != 4:
        return {}
    return {path: means.shape[1] for path, means in zip(paths, found, strict=True) if not _same(means, embedding)}


def _same(means: Tensor, embedding: Tensor) -> bool:
    if means.shape != embedding.shape:
        return False
    return bool((means - embedding).abs().max() <= _SAME * embedding.abs().max())
