"""Weights that know of their rounding. In: a network, Int8, pictures. Out: other weights. Next: aware_kept.py.

The network of integers is run in torch as it will run, and its weights move until it gives what the float network gives: it needs
no label, and knows no task. What comes out is a float network again, of which integers are made as of any other.
Source: Jacob et al. 2018, arXiv 1712.05877; learning from the float network: Mishra & Marr 2018, arXiv 1711.05852.

Shapes: n pictures, S side.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tellapart.compression.aware_kept import LessonFile, LessonState
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
    at_once: int = 16  # of a batch; what flows is kept for the way back, of masks at 512 pixels 2 GB a picture
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
    folder: Path | None = None,
) -> Aware:
    """Move the weights of `network`, of which `integers` are made; `inputs` uint8 [n, S, S, 3], n at least 2.

    Of all epochs, and of the weights as they are, those stay whose integers are nearest to the float network on pictures that
    nothing was learned from. `advance` is told how many batches are done. `folder` keeps each whole epoch, from which the same call
    of another process goes on, to the same weights. Raises: StorageError.
    """
    graph = integers.learnable()
    module = as_module(graph, ROUNDING)
    weights: dict[str, nn.Parameter] = module.learnable(_weights(network))
    lesson = _Lesson(module, Session(network, source="the network"), np.random.default_rng(terms.seed), inputs, terms)
    file = None if folder is None else LessonFile(folder, [network, graph, inputs.tobytes(), repr(terms).encode()])
    learning = _Learning(weights, lesson, terms)
    earlier = None if file is None else file.load()
    if earlier is not None:
        learning.go_on(earlier)
    if advance is not None:
        advance(learning.epochs * lesson.steps)
    while learning.epochs < terms.epochs:
        learning.epoch(advance)
        if file is not None:
            file.save(learning.state())
    return Aware(network=_with_weights(network, learning.kept), before=learning.before, after=learning.best)


def batches_of(count: int, terms: AwareTerms) -> int:
    """How many batches of `count` pictures all epochs have."""
    return terms.epochs * -(-(count - _held_out(count)) // terms.batch)


def _held_out(count: int) -> int:
    return min(count - 1, max(_LEAST_HELD_OUT, round(_HELD_OUT * count)))


class _Learning:
    """Weights that move, epoch by epoch, and the best of them."""

    def __init__(self, weights: Mapping[str, nn.Parameter], lesson: _Lesson, terms: AwareTerms) -> None:
        self.weights, self.lesson, self.epochs = weights, lesson, 0
        self._steps = terms.epochs * lesson.steps
        groups = []
        for one in weights.values():
            rate = terms.rate * max(float(one.detach().square().mean().sqrt()), 1e-6)
            groups.append({"params": [one], "lr": rate, "first_rate": rate})
        self._optimizer = torch.optim.Adam(groups)
        self.before = self.best = lesson.distance()
        self.kept = self._copied()

    def epoch(self, advance: Callable[[int], None] | None) -> None:
        """One over the pictures; the rate falls along half a cosine over all of them."""
        step = self.epochs * self.lesson.steps
        for losses in self.lesson.epoch():
            for group in self._optimizer.param_groups:
                group["lr"] = group["first_rate"] * 0.5 * (1 + math.cos(math.pi * step / self._steps))
            self._optimizer.zero_grad(set_to_none=True)
            for loss in losses:
                loss.backward()  # type: ignore[no-untyped-call]
            self._optimizer.step()
            step += 1
            if advance is not None:
                advance(1)
        self.epochs += 1
        if (found := self.lesson.distance()) < self.best:
            self.best, self.kept = found, self._copied()

    def state(self) -> LessonState:
        """As it is after a whole epoch."""
        return LessonState(
            epochs=self.epochs,
            before=self.before,
            best=self.best,
            chance=self.lesson.random.bit_generator.state,
            weights=dict(self.weights),
            kept=self.kept,
            moments=self._optimizer.state_dict()["state"],
        )

    def go_on(self, state: LessonState) -> None:
        """Be as an earlier process was."""
        self.epochs, self.before, self.best, self.kept = state.epochs, state.before, state.best, dict(state.kept)
        self.lesson.random.bit_generator.state = state.chance
        with torch.no_grad():
            for name, one in self.weights.items():
                one.copy_(state.weights[name])
        own = self._optimizer.state_dict()
        self._optimizer.load_state_dict({"state": dict(state.moments), "param_groups": own["param_groups"]})

    def _copied(self) -> dict[str, Tensor]:
        return {name: one.detach().clone() for name, one in self.weights.items()}


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
        self._module, self._teacher, self._inputs = module, teacher, inputs
        self._batch, self._at_once = terms.batch, min(terms.batch, terms.at_once)
        self.random = random
        order = random.permutation(len(inputs))
        held_out = _held_out(len(inputs))
        self._judged, self._rows = np.sort(order[:held_out]), order[held_out:]
        self._wanted = [self._says(part) for part in _parts(self._judged, self._at_once)]
        # How much each output varies; a distance of 1 is that of who always says the mean.
        self._spread = [torch.cat(one).var(correction=0).clamp_min(1e-12) for one in zip(*self._wanted, strict=True)]

    @property
    def steps(self) -> int:
        """Batches of an epoch."""
        return len(_parts(self._rows, self._batch))

    def epoch(self) -> Iterator[Iterator[Tensor]]:
        """Of each batch, in an order of its own, the losses that add up to its own."""
        for batch in _parts(self.random.permutation(self._rows), self._batch):
            yield self._losses(batch)

    def _losses(self, batch: NDArray[np.int64]) -> Iterator[Tensor]:
        for part in _parts(batch, self._at_once):
            yield self._loss(part, self._says(part)) * (len(part) / len(batch))

    def distance(self) -> float:
        """Of the pictures that are not learned from."""
        with torch.no_grad():
            losses = [
                float(self._loss(part, wanted)) * len(part)
                for part, wanted in zip(_parts(self._judged, self._at_once), self._wanted, strict=True)
            ]
        return sum(losses) / len(self._judged)

    def _says(self, rows: NDArray[np.int64]) -> list[Tensor]:
        return [torch.from_numpy(one) for one in self._teacher.run(self._inputs[rows], self._module.outputs)]

    def _loss(self, rows: NDArray[np.int64], wanted: Sequence[Tensor]) -> Tensor:
        found = self._module(torch.from_numpy(np.ascontiguousarray(self._inputs[rows])))
        parts = [
            (one - other).square().mean() / spread
            for one, other, spread in zip(found, wanted, self._spread, strict=True)
        ]
        return torch.stack(parts).sum()


def _parts(rows: NDArray[np.int64], count: int) -> list[NDArray[np.int64]]:
    return [rows[at : at + count] for at in range(0, len(rows), count)]


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
