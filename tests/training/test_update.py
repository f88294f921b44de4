"""One update: chunks, memory that runs out, several processes' sums. In: toy networks. Out: verdicts. Next: test_loop.py."""

from __future__ import annotations

import dataclasses
import weakref
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tellapart.data.batch import Batch
from tellapart.errors import TrainingError
from tellapart.training.devices import Devices
from tellapart.training.learner import Losses
from tellapart.training.loss import PictureLoss
from tellapart.training.optimizer import build_optimizer
from tellapart.training.update import Updater, is_out_of_memory, step_seed, within_memory

MESSAGES = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:119] err == 0. DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 64 bytes."),
    RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"),
    MemoryError(),
]


class Narrow(nn.Module):
    """Runs out of memory above `room` pictures, once the layers before `at` have run."""

    def __init__(self, network: nn.Sequential, room: int, error: BaseException, at: int = 3) -> None:
        super().__init__()
        self.network, self.room, self.error, self.at = network, room, error, at
        self.seen: list[tuple[int, int]] = []  # pictures, and the random state that they met

    def forward(self, images: Tensor) -> Tensor:
        self.seen.append((len(images), hash(torch.get_rng_state().numpy().tobytes())))
        middle = self.network[: self.at](images)
        if len(images) > self.room:
            raise self.error
        logits: Tensor = self.network[self.at :](middle)
        return logits


def _updater(toy: ModuleType, network: nn.Module, **options: Any) -> Updater:
    optimizer = build_optimizer([list(network.named_parameters())], name="sgd", learning_rate=1.0, momentum=0.0)
    learner = toy.Learner(loss=options.pop("loss", PictureLoss()), mix=options.pop("mix", None))
    settings: dict[str, Any] = {"learner": learner, "devices": toy.ONE_THREAD, "seed": 3, "report": [].append}
    return Updater(network=network, optimizer=optimizer, **{**settings, **options})


def _run(updater: Updater, toy: ModuleType, size: int = 8) -> tuple[float, int, int]:
    """Sum of losses, right answers, pictures."""
    seen = updater.run(toy.pictures(size, 1), epoch=1, step=2, vote=lambda: False).read()
    assert not seen.stop
    return seen.loss, round(seen.parts["accuracy"]), seen.items


def _gradients(network: nn.Module) -> dict[str, Tensor]:
    # A Narrow network's names have a prefix.
    return {
        name.removeprefix("network."): p.grad.clone() for name, p in network.named_parameters() if p.grad is not None
    }


@pytest.mark.parametrize("chunk", [1, 3, 4, 100])
def test_chunks_add_up_to_the_whole_batch(toy: ModuleType, chunk: int) -> None:
    options = {"loss": PictureLoss(class_weights=[0.5, 1.0, 3.0], label_smoothing=0.1), "clip": 0.2, "l2": 0.01}
    networks = [toy.build(batch_norm=False, dropout=0.0) for _ in range(2)]
    sums = [_run(_updater(toy, n, chunk=c, **options), toy) for n, c in zip(networks, (None, chunk), strict=True)]
    assert sums[0] == pytest.approx(sums[1], rel=1e-6)
    torch.testing.assert_close(_gradients(networks[1]), _gradients(networks[0]), rtol=0, atol=1e-6)


def test_the_gradient_is_that_of_the_plain_mean_loss(toy: ModuleType) -> None:
    network, twin = (toy.build(batch_norm=False, dropout=0.0) for _ in range(2))
    loss, right, pictures = _run(_updater(toy, network), toy)
    batch = toy.pictures(8, 1)
    logits = twin.train()(batch.inputs)
    mean = nn.functional.cross_entropy(logits, batch.targets)
    mean.backward()
    torch.testing.assert_close(_gradients(network), _gradients(twin))
    assert (loss / pictures, right) == (pytest.approx(mean.item()), (logits.argmax(1) == batch.targets).sum().item())


@pytest.mark.parametrize("error", MESSAGES, ids=lambda error: type(error).__name__)
def test_out_of_memory_halves_the_chunk_and_keeps_the_batch(toy: ModuleType, error: BaseException) -> None:
    told: list[str] = []
    network = toy.build(batch_norm=False, dropout=0.0)
    narrow = Narrow(toy.build(batch_norm=False, dropout=0.0), 3, error)
    whole, halved = _updater(toy, network), _updater(toy, narrow, report=told.append)
    assert _run(whole, toy) == pytest.approx(_run(halved, toy))
    torch.testing.assert_close(_gradients(narrow), _gradients(network), rtol=0, atol=1e-6)
    assert halved.chunk == 2
    assert [size for size, _ in narrow.seen] == [8, 4, 2, 2, 2, 2]
    assert len({state for size, state in narrow.seen[:3]}) == 1  # each try met the same random state
    assert told == [
        "memory ran out at 8 pictures at a time (epoch 2, step 3); going on with 4. The batch stays 8 pictures.",
        "memory ran out at 4 pictures at a time (epoch 2, step 3); going on with 2. The batch stays 8 pictures.",
    ]


def test_statistics_of_a_failed_try_do_not_count(toy: ModuleType) -> None:
    narrow = Narrow(toy.build(), 3, MESSAGES[0])
    chunked = Narrow(toy.build(), 100, MESSAGES[0])
    _run(_updater(toy, narrow), toy)
    _run(_updater(toy, chunked, chunk=2), toy)
    assert toy.digest(narrow) == toy.digest(chunked)


def test_one_picture_that_does_not_fit(toy: ModuleType) -> None:
    narrow = Narrow(toy.build(batch_norm=False), 0, MESSAGES[1])
    with pytest.raises(TrainingError, match="epoch 2, step 3: memory does not suffice for 1 picture at a time"):
        _run(_updater(toy, narrow), toy)


@pytest.mark.parametrize(
    ("size", "chunk", "room", "message"),
    [
        (
            8,
            None,
            1,
            "a batch of 8 passes through the network 1 at a time, .* got 1 picture; .* Raise the batch size, or",
        ),
        (
            1,
            None,
            9,
            "a batch of 1 passes through the network 1 at a time, .* it needs at least 2. Raise the batch size",
        ),
        (
            5,
            2,
            9,
            "a batch of 5 passes through the network 2 at a time, .* Set the batch size to an even number for each",
        ),
    ],
)
def test_one_picture_is_too_few_for_batch_norm(
    toy: ModuleType, size: int, chunk: int | None, room: int, message: str
) -> None:
    layers = [nn.Conv2d(3, 4, toy.SIDE), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, toy.CLASSES)]
    narrow = Narrow(nn.Sequential(toy.Picture(), *layers), room, MESSAGES[0], at=1)
    with pytest.raises(TrainingError, match=f"^epoch 2, step 3: {message}"):
        _run(_updater(toy, narrow, chunk=chunk), toy, size)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Paired(Devices):
    """One of two processes; the other sends `other`, and what this one sends is noted."""

    other: tuple[float, ...] = (0.0,) * 5
    sent: list[Tensor] = dataclasses.field(default_factory=list)

    def add_up(self, tensor: Tensor) -> None:
        self.sent.append(tensor.clone())
        tensor[: len(self.other)] += torch.tensor(self.other)


def test_a_process_in_trouble_still_sends_its_message(toy: ModuleType) -> None:
    well, ill = Paired(world=2, threads=1), Paired(world=2, rank=1, threads=1)
    _run(_updater(toy, toy.build(batch_norm=False), devices=well), toy)
    with pytest.raises(TrainingError, match="memory does not suffice for 1 picture at a time"):
        _run(_updater(toy, Narrow(toy.build(batch_norm=False), 0, MESSAGES[0]), devices=ill), toy)
    assert [len(message) for message in well.sent] == [len(message) for message in ill.sent]
    assert [message[3].item() for message in (*well.sent, *ill.sent)] == [0, 1]


def test_another_process_in_trouble_stops_this_one_before_its_weights_change(toy: ModuleType) -> None:
    network = toy.build(batch_norm=False)
    before = toy.digest(network)
    devices = Paired(world=2, threads=1, other=(0, 8, 0, 1, 0))
    with pytest.raises(TrainingError, match="^epoch 2, step 3: 1 of 2 processes could not train on their part"):
        _run(_updater(toy, network, devices=devices), toy)
    assert toy.digest(network) == before


def test_the_vote_of_another_process_counts(toy: ModuleType) -> None:
    devices = Paired(world=2, threads=1, other=(4.0, 8, 1, 0, 3))
    alone = _run(_updater(toy, toy.build(batch_norm=False, dropout=0.0)), toy)
    updater = _updater(toy, toy.build(batch_norm=False, dropout=0.0), devices=devices)
    sums = updater.run(toy.pictures(8, 1), epoch=0, step=1, vote=lambda: False)
    seen = sums.read()
    assert (sums.epoch, sums.step) == (0, 1)
    assert seen.loss == pytest.approx(alone[0] + 4.0)
    assert (seen.parts, seen.items, seen.stop) == ({"accuracy": alone[1] + 3}, 16, True)


def test_a_batch_that_a_learner_cannot_take_stops_every_process(toy: ModuleType) -> None:
    def refuse(images: Tensor, targets: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        raise TrainingError("row 3 is of no class")

    devices = Paired(world=2, threads=1)
    with pytest.raises(TrainingError, match="row 3 is of no class"):
        _run(_updater(toy, toy.build(batch_norm=False), devices=devices, mix=refuse), toy)
    assert [message[3].item() for message in devices.sent] == [1]


class Odd:
    """A learner that does not keep to its protocol: each of its faults is named."""

    parts = ("accuracy",)

    def __init__(self, toy: ModuleType, fault: str) -> None:
        self.plain, self.fault = toy.Learner(), fault

    def prepare(self, batch: Batch, seed: int) -> Batch:
        return batch

    def chunks(self, batch: Batch, count: int) -> list[Batch]:
        return list(batch.split(count))[: -1 if self.fault == "a chunk lost" else None]

    def losses(self, network: nn.Module, batch: Batch) -> Losses:
        losses = self.plain.losses(network, batch)
        items, parts = losses.items, dict(losses.parts)
        if self.fault == "a loss a pixel":
            items = items[:, None, None].expand(-1, 8, 8)
        if self.fault == "a mean":
            items = items.mean()
        if self.fault == "half precision":
            items = items.half()
        if self.fault == "right answers of pixels":
            parts["accuracy"] = parts["accuracy"][:, None].expand(-1, 8)
        if self.fault == "another part":
            parts = {"precision": parts["accuracy"]}
        return Losses(items=items, parts=parts)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("a loss a pixel", r"the learner gave items of shape \[4, 8, 8\]; one number an item is \[4\]"),
        ("a mean", r"the learner gave items of shape \[\]; one number an item is \[4\]"),
        ("half precision", "the learner gave losses in torch.float16; sums need float32"),
        ("right answers of pixels", r"the learner gave accuracy of shape \[4, 8\]; one number an item is \[4\]"),
        ("another part", r"the learner gave the parts \['precision'\]; it names \['accuracy'\]"),
        ("a chunk lost", r"chunks of \[4\] items do not make the batch of 8"),
    ],
)
def test_a_learner_that_would_count_wrong_is_refused(toy: ModuleType, fault: str, message: str) -> None:
    updater = _updater(toy, toy.build(batch_norm=False), learner=Odd(toy, fault), chunk=4)
    with pytest.raises(ValueError, match=message):
        _run(updater, toy)


def test_what_ran_out_of_memory_is_let_go_of() -> None:
    def work() -> int:
        held = torch.zeros(3)
        kept.append(weakref.ref(held))
        raise MESSAGES[0]

    kept: list[Any] = []
    assert within_memory(work, torch.device("cpu")) is None
    MESSAGES[0].__traceback__ = None  # the list above keeps this error, as torch does not
    assert kept[0]() is None
    assert within_memory(lambda: 3, torch.device("cpu")) == 3


def test_other_errors_pass(toy: ModuleType) -> None:
    with pytest.raises(RuntimeError, match="shapes differ"):
        _run(_updater(toy, Narrow(toy.build(), 3, RuntimeError("shapes differ"))), toy)
    with pytest.raises(ValueError, match="targets differ"):
        _run(_updater(toy, Narrow(toy.build(), 3, ValueError("targets differ"))), toy)
    assert is_out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"))
    assert not is_out_of_memory(ValueError("out of memory"))


def test_draws_follow_from_seed_epoch_step_and_process(toy: ModuleType) -> None:
    states = []
    for where in ((3, 1, 2), (3, 1, 2), (4, 1, 2), (3, 2, 1)):
        narrow = Narrow(toy.build(), 100, MESSAGES[0])
        torch.rand(7)
        updater = _updater(toy, narrow, seed=where[0])
        updater.run(toy.pictures(8, 1), epoch=where[1], step=where[2], vote=lambda: False)
        states.append(narrow.seen[0][1])
    assert states[0] == states[1]
    assert len(set(states)) == 3
    assert len({step_seed(a, b) for a in range(50) for b in range(50)}) == 2500
    assert all(0 <= step_seed(-1, b) < 2**63 for b in range(50))


def test_mixed_targets_count_by_their_greater_share(toy: ModuleType) -> None:
    def swap(images: Tensor, targets: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        hot = nn.functional.one_hot(targets, toy.CLASSES).float()
        return toy.Picture()(images), 0.7 * hot + 0.1

    network, twin = (toy.build(batch_norm=False, dropout=0.0) for _ in range(2))
    mixed, plain = _run(_updater(toy, network, mix=swap), toy), _run(_updater(toy, twin), toy)
    assert mixed[1] == plain[1]
    assert mixed[0] != pytest.approx(plain[0])


def test_clipping_bounds_the_length_of_the_gradient(toy: ModuleType) -> None:
    network = toy.build(batch_norm=False)
    _run(_updater(toy, network, clip=0.01), toy)
    length = torch.cat([gradient.flatten() for gradient in _gradients(network).values()]).norm()
    assert length.item() == pytest.approx(0.01, rel=1e-3)


def test_half_precision_activations_are_widened_on_the_cpu(toy: ModuleType) -> None:
    network = toy.build(batch_norm=False, dropout=0.0)
    batch = toy.pictures(8, 1)
    halves = dataclasses.replace(batch, inputs=toy.Picture()(batch.inputs).half())
    seen = _updater(toy, network).run(halves, epoch=0, step=0, vote=lambda: False).read()
    assert seen.loss == pytest.approx(_run(_updater(toy, toy.build(batch_norm=False, dropout=0.0)), toy)[0], rel=1e-3)
