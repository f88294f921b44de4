"""A learner that a teacher stands behind. In: a task's Learner, a Teacher. Out: DistillingLearner. Next: teachers.py.

It knows no task: the task's learner finds its own losses, and to them is added how far the network's outputs and embedding are
from the teacher's. Source: Hinton et al. 2015, arXiv 1503.02531; embeddings: Romero et al. 2015, arXiv 1412.6550.

Shapes: B items, K classes, T numbers of the teacher's embedding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from tellapart.models.overheard import Overheard
from tellapart.training.learner import Batch, Judged, Learner, Losses

# What becomes of the first output: probabilities that add up to 1 along axis 1, one for each class by itself, or nothing.
Ending = Literal["softmax", "sigmoid", "plain"]

TEACHER, EMBEDDING = "teacher_loss", "embedding_loss"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Taught:
    """What a teacher says of a batch."""

    outputs: tuple[Tensor, ...]  # float [B, ...] each, as the network's
    embedding: Tensor | None = None  # float [B, T]


class Teacher(Protocol):
    """Says what a network should say. Called once for each part of a batch, without gradients."""

    def __call__(self, batch: Batch) -> Taught:
        """Of a batch as the task's learner has prepared it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Lore:
    """How much the teacher's word counts."""

    ending: Ending = "softmax"
    temperature: float = 2.0  # that both logits are divided by; a high one tells more of the unlikely classes
    share: float = 0.5  # of the teacher in the loss, in [0, 1]; the labels have the rest
    embedding: float = 1.0  # weight of the embedding's distance; 0: it is not looked at
    labelled: int | None = None  # rows of the source below this have labels; None: all have


# How far outputs [B, ...] are from a teacher's, float32 [B]: what a network said, what it should say.
Distance: TypeAlias = Callable[[Sequence[Tensor], Sequence[Tensor], Lore], Tensor]


@dataclass(slots=True, kw_only=True, eq=False)
class DistillingLearner:
    """The task's learner, with what a teacher says beside the labels. The network it is given is an Overheard."""

    inner: Learner
    teacher: Teacher
    lore: Lore
    # [T], how much each number of the teacher's embedding varies; None: distances are relative to the embedding's length.
    spread: Tensor | None = None
    distance: Distance | None = None  # of the outputs; None: `outputs_loss`

    @property
    def parts(self) -> tuple[str, ...]:
        """The task's, and the two losses of the teacher; what unlabelled items say counts among the task's as 0."""
        return (*self.inner.parts, TEACHER, EMBEDDING)

    def prepare(self, batch: Batch, seed: int) -> Batch:
        """As the task's learner."""
        return self.inner.prepare(batch, seed)

    def losses(self, network: nn.Module, batch: Batch) -> Losses:
        """The sum of both; of an item without a label the teacher's alone. Raises: ValueError for outputs of other shapes."""
        if not isinstance(network, Overheard):
            raise ValueError(f"a {type(network).__name__} cannot be heard; give an Overheard")
        own = self.inner.losses(network, batch)
        heard, mapped = network.outputs, network.mapped()
        with torch.no_grad():
            taught = self.teacher(batch)
        said = (self.distance or outputs_loss)(heard, taught.outputs, self.lore)
        near = torch.zeros_like(said)
        if self.lore.embedding and taught.embedding is not None and mapped is not None:
            near = self._distance(mapped, taught.embedding)
        labels = torch.ones_like(said) if self.lore.labelled is None else (batch.rows < self.lore.labelled).to(said)
        items = (1 - self.lore.share) * labels * own.items + self.lore.share * said + self.lore.embedding * near
        parts = {name: values * labels for name, values in own.parts.items()}
        return replace(own, items=items, parts={**parts, TEACHER: said.detach(), EMBEDDING: near.detach()})

    def _distance(self, mapped: Tensor, taught: Tensor) -> Tensor:
        if self.spread is None:
            return square_loss(mapped, taught)
        return ((mapped.float() - taught.float()) / self.spread.to(mapped.device)).square().mean(1)

    def chunks(self, batch: Batch, count: int) -> Sequence[Batch]:
        """As the task's learner: the teacher judges each item by itself."""
        return self.inner.chunks(batch, count)

    def judge(self, network: nn.Module) -> Judged:
        """As the task's learner: epochs are compared by what is true, not by what a teacher says."""
        return self.inner.judge(network)


def outputs_loss(said: Sequence[Tensor], taught: Sequence[Tensor], lore: Lore) -> Tensor:
    """How far outputs [B, ...] are from a teacher's, float32 [B]; the first by their probabilities, others by squares.

    Raises: ValueError where they differ in number or shape.
    """
    shapes = [[tuple(one.shape) for one in side] for side in (said, taught)]
    if shapes[0] != shapes[1] or not shapes[0]:
        raise ValueError(
            f"the network gives outputs of the shapes {shapes[0]} and its teacher {shapes[1]}; give alike ones"
        )
    first = {"softmax": _softmax_loss, "sigmoid": _sigmoid_loss}.get(lore.ending)
    losses = [square_loss(one, other) for one, other in zip(said, taught, strict=True)][(0 if first is None else 1) :]
    if first is not None:
        losses.insert(0, first(said[0].float(), taught[0].float(), lore.temperature))
    return torch.stack(losses).sum(0)


def square_loss(said: Tensor, taught: Tensor) -> Tensor:
    """The squared distance of two [B, ...] relative to the teacher's square, float32 [B]."""
    one, other = said.float().flatten(1), taught.float().flatten(1)
    return (one - other).square().sum(1) / other.square().sum(1).clamp_min(1e-12)


def _softmax_loss(said: Tensor, taught: Tensor, temperature: float) -> Tensor:
    """Divergence of the probabilities along axis 1, times the temperature's square (Hinton et al. 2015, section 2.1)."""
    log_said, log_taught = (functional.log_softmax(one / temperature, dim=1) for one in (said, taught))
    divergence = (log_taught.exp() * (log_taught - log_said)).sum(1)
    return divergence.flatten(1).mean(1) * temperature**2 if divergence.ndim > 1 else divergence * temperature**2


def _sigmoid_loss(said: Tensor, taught: Tensor, temperature: float) -> Tensor:
    """The same of probabilities that stand each for itself, the mean over them."""
    said, taught = said / temperature, taught / temperature
    wanted = taught.sigmoid()
    cross = functional.binary_cross_entropy_with_logits(said, wanted, reduction="none")
    own = functional.binary_cross_entropy_with_logits(taught, wanted, reduction="none")
    return (cross - own).flatten(1).mean(1) * temperature**2
