"""One update of the weights from one batch. In: Batch, Learner. Out: Sums, the network's new weights. Next: average.py.

A batch is one update. It runs forward and backward in chunks, whose gradients add up to that of the whole batch; where
memory runs out the chunk is halved and the batch begins again with the same random state. Gradients of several
processes are added up after that, in one message, so that one process may repeat its part while the others wait.
"""

from __future__ import annotations

import functools
import hashlib
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from tellapart.errors import TrainingError
from tellapart.models.penalties import layer_penalties
from tellapart.training.devices import Devices
from tellapart.training.learner import Batch, Learner, Losses
from tellapart.training.loss import add_layer_penalty_gradients, add_penalty_gradients
from tellapart.training.optimizer import trained_parameters

_Result = TypeVar("_Result")
_ONE_VALUE = "Expected more than 1 value per channel"  # what torch says to batch norm of one picture
# What torch says for the CPU, whose allocator raises a plain RuntimeError, oneDNN for its own scratch memory, and cuBLAS and cuDNN
# for theirs (CUBLAS_STATUS_ALLOC_FAILED).
_OUT_OF_MEMORY = (
    "not enough memory",
    "can't allocate memory",
    "could not create a memory object",
    "out of memory",
    "_alloc_failed",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one update saw, over all processes."""

    loss: float  # sum over the items
    parts: Mapping[str, float]  # the same of what the learner tells beside it
    items: int
    stop: bool  # a process votes to stop


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sums:
    """The numbers of one update, which may still be under way on the device until `read`."""

    epoch: int  # from 0
    step: int  # from 0
    names: tuple[str, ...]  # of the P parts
    values: Tensor  # float64 (MPS: float32) [4 + P]: sum of losses, items, votes to stop, failures, parts

    def read(self) -> Seen:
        """The numbers, once they are here."""
        loss, items, votes, _, *parts = self.values.tolist()
        return Seen(loss=loss, parts=dict(zip(self.names, parts, strict=True)), items=round(items), stop=votes > 0)


@dataclass(slots=True, kw_only=True, eq=False)
class Updater:
    """Holds what every update needs. `chunk` is the only thing that changes."""

    network: nn.Module
    learner: Learner
    optimizer: torch.optim.Optimizer
    devices: Devices
    seed: int
    chunk: int | None = None  # None: the whole batch
    clip: float | None = None  # the gradient's greatest length
    l1: float = 0.0
    l2: float = 0.0
    report: Callable[[str], None] = print
    scaler: torch.amp.GradScaler = field(init=False)
    _called: Any = field(init=False)  # the network, compiled where that was asked for
    _parameters: list[nn.Parameter] = field(init=False)
    _buffers: list[Tensor] = field(init=False)
    _backup: list[Tensor] = field(init=False)
    _penalties: list[tuple[nn.Parameter, float, float]] = field(init=False)  # layers' own

    def __post_init__(self) -> None:
        self.scaler = self.devices.scaler()
        self._called = torch.compile(self.network) if self.devices.compiled else self.network
        self._penalties = list(layer_penalties(self.network))
        self._parameters = list(trained_parameters(self.optimizer).values())
        # Batch-norm statistics of a try that ran out of memory must not count. One list a type, for torch's _foreach.
        self.network.train()
        buffers = [b for module in self.network.modules() if module.training for b in module.buffers(recurse=False)]
        self._buffers = sorted(buffers, key=lambda buffer: str(buffer.dtype))
        self._backup = [buffer.clone() for buffer in self._buffers]

    def run(self, batch: Batch, *, epoch: int, step: int, vote: Callable[[], bool]) -> Sums:
        """One update. Its random draws (dropout, drop path, mixing) are a function of seed, epoch, step and process.

        `vote()`: whether this process wants to stop after the update.
        Raises: TrainingError when a chunk of one item does not fit into memory, is too few for batch norm, or cannot be
        learned from. Every process raises it at this update, whichever of them is in trouble.
        """
        seed = step_seed(self.seed, epoch, step, self.devices.rank)
        _copy(self._backup, self._buffers)
        where, failure = f"epoch {epoch + 1}, step {step + 1}", None
        try:
            sums = self._halve_until_it_fits(self.learner.prepare(batch, seed), seed, where)
        except TrainingError as error:
            if self.devices.world == 1:
                raise
            sums, failure = self._zeros(), error  # the others wait for this process's message
        facts = sums.new_tensor([len(batch), float(vote()), float(failure is not None)])
        values = torch.cat([sums[:1], facts, sums[1:]])
        self._add_up(values, len(batch))
        if self.devices.world > 1 and float(values[3]):
            raise failure or TrainingError(
                f"{where}: {float(values[3]):.0f} of {self.devices.world} processes could not train on their part of the "
                "batch; all must. Choose smaller pictures or a smaller network, or give each process the same memory."
            )
        self._apply()
        return Sums(epoch=epoch, step=step, names=self.learner.parts, values=values)

    def _halve_until_it_fits(self, batch: Batch, seed: int, where: str) -> Tensor:
        """Leave the gradient of the mean loss in the parameters; sums of losses and of the parts [1 + P]."""
        while True:
            torch.manual_seed(seed)
            self.optimizer.zero_grad()
            try:
                sums = within_memory(functools.partial(self._backward, batch), self.devices.device)
            except ValueError as error:
                if _ONE_VALUE not in str(error):
                    raise
                raise self._too_few(len(batch), where) from None
            if sums is not None:
                return sums
            self._halve(len(batch), where)
            _copy(self._buffers, self._backup)

    def _zeros(self) -> Tensor:
        wide = torch.float32 if self.devices.device.type == "mps" else torch.float64
        return torch.zeros(1 + len(self.learner.parts), dtype=wide, device=self.devices.device)

    def _backward(self, batch: Batch) -> Tensor:
        """Sums of losses and of the parts [1 + P], over the chunks."""
        count = -(-len(batch) // min(self.chunk or len(batch), len(batch)))
        sums = self._zeros()
        chunks = self.learner.chunks(batch, count)
        if sum(len(chunk) for chunk in chunks) != len(batch):
            raise ValueError(
                f"chunks of {[len(chunk) for chunk in chunks]} items do not make the batch of {len(batch)}"
            )
        for chunk in chunks:
            losses = self._checked(self.learner.losses(self._called, chunk), len(chunk))
            total = losses.items.sum()
            torch.autograd.backward(self.scaler.scale(total / len(batch)))
            numbers = [total.detach(), *(losses.parts[name].detach().sum() for name in self.learner.parts)]
            sums += torch.stack([number.to(sums.dtype) for number in numbers])
        return sums

    def _checked(self, losses: Losses, items: int) -> Losses:
        """Losses that are one number an item. Raises: ValueError: sums over pixels or boxes would count some items more."""
        found = {"items": losses.items, **losses.parts}
        if set(losses.parts) != set(self.learner.parts):
            raise ValueError(
                f"the learner gave the parts {sorted(losses.parts)}; it names {sorted(self.learner.parts)}"
            )
        for name, tensor in found.items():
            if tensor.shape != (items,):
                raise ValueError(
                    f"the learner gave {name} of shape {list(tensor.shape)}; one number an item is [{items}]"
                )
        if losses.items.dtype != torch.float32:
            raise ValueError(f"the learner gave losses in {losses.items.dtype}; sums need float32")
        return losses

    def _too_few(self, pictures: int, where: str) -> TrainingError:
        chunk = min(self.chunk or pictures, pictures)
        remedy = "Raise the batch size, or where memory ran out choose smaller pictures or a smaller network."
        if chunk > 1:  # a batch that cannot be divided evenly leaves one picture
            remedy = "Set the batch size to an even number for each process."
        return TrainingError(
            f"{where}: a batch of {pictures} passes through the network {chunk} at a time, and batch normalisation got 1 "
            f"picture; it needs at least 2. {remedy}"
        )

    def _halve(self, pictures: int, where: str) -> None:
        chunk = min(self.chunk or pictures, pictures)
        if chunk == 1:
            raise TrainingError(
                f"{where}: memory does not suffice for 1 picture at a time; training needs "
                "room for at least 1. Choose smaller pictures or a smaller network, or unfreeze fewer stages."
            )
        self.chunk = chunk // 2
        self.report(
            f"memory ran out at {chunk} pictures at a time ({where}); going on with "
            f"{self.chunk}. The batch stays {pictures * self.devices.world} pictures."
        )

    def _add_up(self, values: Tensor, pictures: int) -> None:
        """Make `values`, gradients and statistics those of all processes; each sends one message."""
        if self.devices.world == 1:
            return
        # A process whose pass failed has no gradients, but its message must be as long.
        gradients = [torch.zeros_like(w) if w.grad is None else w.grad for w in self._parameters]
        # Statistics are process 0's, as in DistributedDataParallel: zeros from the others leave them exact.
        statistics = [buffer for buffer in self._buffers if buffer.is_floating_point()]
        first = float(self.devices.main)
        message = torch.cat(
            [values.to(torch.float32)]
            + [gradient.reshape(-1) * pictures for gradient in gradients]
            + [buffer.reshape(-1) * first for buffer in statistics]
        )
        self.devices.add_up(message)
        values.copy_(message[: len(values)])
        offset = len(values)
        for tensor, scale in [(g, 1 / float(values[1])) for g in gradients] + [(b, 1.0) for b in statistics]:
            tensor.copy_(message[offset : offset + tensor.numel()].view(tensor.shape)).mul_(scale)
            offset += tensor.numel()

    def _apply(self) -> None:
        """Penalties, clipping, the optimizer's step."""
        if self.l1 or self.l2 or self._penalties or self.clip is not None:
            self.scaler.unscale_(self.optimizer)
        add_penalty_gradients(self._parameters, l1=self.l1, l2=self.l2)
        add_layer_penalty_gradients(self._penalties)
        if self.clip is not None:
            nn.utils.clip_grad_norm_(self._parameters, self.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()


def within_memory(work: Callable[[], _Result], device: torch.device) -> _Result | None:
    """What `work` gives; None when memory ran out, which is then free again."""
    try:
        return work()
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    # Outside `except`: the error held every tensor of the pass that failed.
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that a device or this machine has no memory left."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error).lower() for text in _OUT_OF_MEMORY)


def step_seed(*numbers: int) -> int:
    """A seed of 63 bits that is a function of whole numbers, and alike for no two lists of them in practice."""
    packed = struct.pack(f"<{len(numbers)}q", *numbers)
    return int.from_bytes(hashlib.blake2b(packed, digest_size=8).digest(), "little") >> 1


def _copy(into: list[Tensor], source: list[Tensor]) -> None:
    if into:
        torch._foreach_copy_(into, source)
