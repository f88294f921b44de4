"""How far a detector is from another one. In: what both say of a batch. Out: a distance a picture. Next: unused.py.

Nearly all places show nothing, and there a box means nothing: a place counts as much as the teacher is sure that something is
there. Source: Yang et al. 2023, arXiv 2308.14286 (each class of a dense teacher for itself, weighed).

Shapes: B pictures, P places, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

from tellapart.training.distilling import Lore

_LEAST_SIDES = 1.0  # pixels, width and height of a box together, by which its distance is divided


def boxes_distance(said: Sequence[Tensor], taught: Sequence[Tensor], lore: Lore) -> Tensor:
    """Of logits [B, P, K] and boxes [B, P, 4] to a teacher's, float32 [B].

    The divergence of the scores, summed over the places, for each thing that the teacher sees; and how far the four sides are,
    for each pixel of width and height, the mean over the places as they count. Raises: ValueError for other shapes.
    """
    (scores, boxes), (wanted, told) = said, taught
    if scores.shape != wanted.shape or boxes.shape != told.shape:
        raise ValueError(f"scores {list(scores.shape)} and a teacher's {list(wanted.shape)}; give alike ones")
    heat = lore.temperature
    scores, wanted = scores.float() / heat, wanted.float() / heat
    chance = wanted.sigmoid()
    cross = functional.binary_cross_entropy_with_logits(scores, chance, reduction="none")
    own = functional.binary_cross_entropy_with_logits(wanted, chance, reduction="none")
    sure = taught[0].float().sigmoid().amax(2)  # [B, P]
    things = sure.sum(1).clamp_min(1.0)
    seen = (cross - own).sum((1, 2)) / things * heat**2
    width, height = (told[..., 2] - told[..., 0]).float(), (told[..., 3] - told[..., 1]).float()
    sides = (width.clamp_min(0) + height.clamp_min(0)).clamp_min(_LEAST_SIDES)
    off = (boxes.float() - told.float()).abs().sum(2) / sides
    return seen + (off * sure).sum(1) / things
