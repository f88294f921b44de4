"""Weights that know of their rounding. In: a float network, Int8, pictures. Out: the network with other weights. Next: noise.py.

The network of integers is run in torch as it will run, and its weights move until it gives what the float network gives: it needs
no label, and knows no task. What comes out is a float network again, of which integers are made as of any other.
Source: Jacob et al. 2018, arXiv 1712.05877; learning from the float network: Mishra & Marr 2018, arXiv 1711.05852.

Shapes: n pictures, S side.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tellapart.compression.counting import HEAVY
from tellapart.compression.int8 import Int8
from tellapart.compression.straight_through import ROUNDING
from tellapart.runtime import Session

# A graph, with operators beside the usual ones, as a torch module: `outputs` are the names of what it gives, and `learnable`
# makes the numbers of those names parameters.
AsModule = Callable[[bytes, Mapping[str, Any]], Any]

_HELD_OUT, _LEAST_HELD_OUT = 0.2, 4  # of the pictures, by which epochs are compared


@dataclass(frozen=True, slots=True, kw_only=True)
class AwareTerms:
    """How long weights move, and how far."""

    epochs: int = 3
    batch: int = 16
    rate: float = 1e-3  # of a tensor's root mean square, at the beginning; it falls along half a cosine
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Aware:
    """A network whose integers are nearer to the float network, and how near, before and after: relative mean squares."""

    network: bytes
    before: float
    after: float


def made_aware(
    network: bytes,
    integers: Int8,
    inputs: NDArray[np.uint8],
    as_module: AsModule,
    terms: AwareTerms = AwareTerms(),
    advance: Callable[[int], None] | None = None,
) -> Aware:
    """Move the weights of `network`, of which `integers` are made; `inputs` uint8 [n, S, S, 3], n at least 2.

    Of all epochs, and of the weights as they are, those stay whose integers are nearest to the float network on pictures that
    nothing was learned from. `advance` is told how many batches are done.
    """
    module = as_module(integers.learnable(), ROUNDING)
    weights: dict[str, nn.Parameter] = module.learnable(_weights(network))
    lesson = _Lesson(module, Session(network, source="the network"), np.random.default_rng(terms.seed), inputs, terms)
    optimizer = torch.optim.Adam(
        [
            {"params": [one], "lr": terms.rate * max(float(one.detach().square().mean().sqrt()), 1e-6)}
            for one in weights.values()
        ]
    )
    steps = terms.epochs * lesson.steps
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.5 * (1 + math.cos(math.pi * step / steps)))
    before = best = lesson.distance()
    kept = {name: one.detach().clone() for name, one in weights.items()}
    for _ in range(terms.epochs):
        for loss in lesson.epoch():
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            if advance is not None:
                advance(1)
        if (found := lesson.distance()) < best:
            best, kept = found, {name: one.detach().clone() for name, one in weights.items()}
    return Aware(network=_with_weights(network, kept), before=before, after=best)


def batches_of(count: int, terms: AwareTerms) -> int:
    """How many batches of `count` pictures all epochs have."""
    return terms.epochs * -(-(count - _held_out(count)) // terms.batch)


def _held_out(count: int) -> int:
    return min(count - 1, max(_LEAST_HELD_OUT, round(_HELD_OUT * count)))


class _Lesson:
    """The pictures, what the float network says of them, and how far the module is from that."""

    def __init__(
        self,
        module: Any,
        teacher: Session,
        random: np.random.Generator,
        inputs: NDArray[np.uint8],
        terms: AwareTerms,
    ) -> None:
        self._module, self._teacher, self._random, self._inputs, self._batch = (
            module,
            teacher,
            random,
            inputs,
            terms.batch,
        )
        order = random.permutation(len(inputs))
        held_out = _held_out(len(inputs))
        self._judged, self._rows = np.sort(order[:held_out]), order[held_out:]
        self._wanted = [self._says(part) for part in self._parts(self._judged)]
        # How much each output varies; a distance of 1 is that of who always says the mean.
        self._spread = [torch.cat(one).var(correction=0).clamp_min(1e-12) for one in zip(*self._wanted, strict=True)]

    @property
    def steps(self) -> int:
        """Batches of an epoch."""
        return len(self._parts(self._rows))

    def epoch(self) -> Iterator[Tensor]:
        """The loss of each batch, in an order of its own."""
        for part in self._parts(self._random.permutation(self._rows)):
            yield self._loss(part, self._says(part))

    def distance(self) -> float:
        """Of the pictures that are not learned from."""
        with torch.no_grad():
            losses = [
                float(self._loss(part, wanted)) * len(part)
                for part, wanted in zip(self._parts(self._judged), self._wanted, strict=True)
            ]
        return sum(losses) / len(self._judged)

    def _parts(self, rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        return [rows[at : at + self._batch] for at in range(0, len(rows), self._batch)]

    def _says(self, rows: NDArray[np.int64]) -> list[Tensor]:
        return [torch.from_numpy(one) for one in self._teacher.run(self._inputs[rows], self._module.outputs)]

    def _loss(self, rows: NDArray[np.int64], wanted: Sequence[Tensor]) -> Tensor:
        found = self._module(torch.from_numpy(np.ascontiguousarray(self._inputs[rows])))
        parts = [
            (one - other).square().mean() / spread
            for one, other, spread in zip(found, wanted, self._spread, strict=True)
        ]
        return torch.stack(parts).sum()


def _weights(network: bytes) -> list[str]:
    """The numbers of the layers that cost: weights and biases, in order."""
    import onnx

    graph = onnx.load_model_from_string(network).graph
    there = {one.name for one in graph.initializer if one.data_type == onnx.TensorProto.FLOAT}
    names = (name for node in graph.node if node.op_type in HEAVY for name in node.input)
    return [name for name in dict.fromkeys(names) if name in there]


def _with_weights(network: bytes, weights: Mapping[str, Tensor]) -> bytes:
    import onnx

    model = onnx.load_model_from_string(network)
    for one in model.graph.initializer:
        if one.name in weights:
            one.CopyFrom(onnx.numpy_helper.from_array(weights[one.name].numpy().astype(np.float32), one.name))
    return bytes(model.SerializeToString())
