"""A teacher behind a learner: losses, gradients, resumes. In: toy networks. Out: verdicts. Next: test_loop.py."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tellapart.data.batch import Batch
from tellapart.models.overheard import Overheard
from tellapart.models.trainable import NamedParameters, Trainable
from tellapart.training.devices import Devices
from tellapart.training.distilling import EMBEDDING, TEACHER, DistillingLearner, Lore, Taught, outputs_loss, square_loss
from tellapart.training.teachers import NetworkTeacher, TableTeacher

ONE_THREAD = Devices(threads=1)


class Plain(Trainable):
    """The toy's network as a Trainable; its embedding is what `head` is given."""

    def __init__(self, whole: nn.Sequential) -> None:
        super().__init__()
        self.body, self.head = whole[:-1], whole[-1]

    def forward(self, inputs: Tensor, start: int = 0) -> Any:
        return self.head(self.body(inputs))

    def layer_groups(self) -> list[NamedParameters]:
        return [list(self.named_parameters())]


def _network(
    toy: ModuleType, seed: int = 0, *, at: str | None = "head", widths: tuple[int, int] | None = None
) -> Overheard:
    lead = None
    if widths is not None:
        drawn = torch.Generator().manual_seed(0)
        lead = torch.randn(widths[1], widths[0], generator=drawn) / widths[0] ** 0.5, torch.zeros(widths[1])
    return Overheard(Plain(toy.build(seed=seed, dropout=0.0)), at=at, lead=lead)


def _batch(toy: ModuleType, count: int = 8) -> Batch:
    return toy.pictures(count, 3)  # type: ignore[no-any-return]


def _divergence(taught: Any, said: Any, temperature: float) -> float:
    """Of one item's probabilities, written out in double precision."""
    wanted, found = (np.exp(np.asarray(one, dtype=np.float64) / temperature) for one in (taught, said))
    wanted, found = wanted / wanted.sum(), found / found.sum()
    return float((wanted * np.log(wanted / found)).sum() * temperature**2)


def test_the_softmax_loss_is_the_divergence_worked_out_by_hand() -> None:
    said, taught = torch.tensor([[1.0, 2.0, -1.0], [0.0, 0.0, 0.0]]), torch.tensor([[2.0, 2.0, 0.0], [3.0, 0.0, -3.0]])
    found = outputs_loss([said], [taught], Lore(temperature=2.0))
    expected = [_divergence(taught[row].numpy(), said[row].numpy(), 2.0) for row in range(2)]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5)


def test_maps_are_compared_place_by_place_and_sets_class_by_class() -> None:
    said, taught = torch.randn(2, 3, 2, 2, generator=torch.Generator().manual_seed(0)), torch.zeros(2, 3, 2, 2)
    places = [
        [_divergence(taught[b, :, y, x].numpy(), said[b, :, y, x].numpy(), 1.0) for y in (0, 1) for x in (0, 1)]
        for b in (0, 1)
    ]
    found = outputs_loss([said], [taught], Lore(temperature=1.0))
    np.testing.assert_allclose(found.numpy(), np.mean(places, axis=1), rtol=1e-5)
    both = torch.stack([said[:, 0, 0, 0], torch.zeros(2)], dim=1)  # a sigmoid is a softmax beside a zero
    each = outputs_loss([said[:, :1, 0, 0]], [torch.zeros(2, 1)], Lore(ending="sigmoid", temperature=2.0))
    pairs = [_divergence([0.0, 0.0], both[row].numpy(), 2.0) for row in (0, 1)]
    np.testing.assert_allclose(each.numpy(), pairs, rtol=1e-3)


def test_other_outputs_are_compared_by_squares() -> None:
    said, taught = torch.tensor([[3.0, 4.0], [1.0, 1.0]]), torch.tensor([[3.0, 0.0], [1.0, 1.0]])
    np.testing.assert_allclose(square_loss(said, taught).numpy(), [16 / 9, 0.0])
    whole = outputs_loss([said, said], [taught, taught], Lore(ending="plain"))
    np.testing.assert_allclose(whole.numpy(), [32 / 9, 0.0])


@pytest.mark.parametrize("ending", ["softmax", "sigmoid", "plain"])
def test_the_gradient_is_that_of_finite_differences(ending: Any) -> None:
    generator = torch.Generator().manual_seed(2)
    said, taught = (torch.randn(3, 4, generator=generator, dtype=torch.float64) for _ in range(2))
    said.requires_grad_(True)

    def loss(values: Tensor) -> Tensor:
        return outputs_loss([values], [taught], Lore(ending=ending, temperature=3.0)).sum()

    loss(said).backward()  # type: ignore[no-untyped-call]
    assert said.grad is not None
    step = 1e-2
    for place in ((0, 0), (1, 3), (2, 2)):
        moved = [said.detach().clone() for _ in range(2)]
        moved[0][place] += step
        moved[1][place] -= step
        slope = (loss(moved[0]) - loss(moved[1])).item() / (2 * step)
        assert said.grad[place].item() == pytest.approx(slope, rel=2e-2, abs=1e-3)


@pytest.mark.parametrize(("said", "taught"), [([(2, 3)], [(2, 4)]), ([(2, 3)], [(2, 3), (2, 3)]), ([], [])])
def test_a_teacher_with_other_outputs_is_refused(said: list[tuple[int, ...]], taught: list[tuple[int, ...]]) -> None:
    with pytest.raises(
        ValueError, match=r"the network gives outputs of the shapes \[.*\] and its teacher \[.*\]; give alike"
    ):
        outputs_loss([torch.zeros(one) for one in said], [torch.zeros(one) for one in taught], Lore())


def test_losses_add_up_and_unlabelled_items_have_the_teachers_alone(toy: ModuleType) -> None:
    network, teacher, batch = _network(toy), _network(toy, seed=1), _batch(toy)
    inner = toy.Learner()
    lore = Lore(share=0.25, embedding=0.5, temperature=2.0, labelled=5)
    learner = DistillingLearner(inner=inner, teacher=NetworkTeacher(network=teacher, devices=ONE_THREAD), lore=lore)
    found, own = learner.losses(network.eval(), batch), inner.losses(network, batch)
    assert learner.parts == tuple(found.parts) == ("accuracy", TEACHER, EMBEDDING)
    labels = (torch.arange(8) < 5).float()
    expected = 0.75 * labels * own.items + 0.25 * found.parts[TEACHER] + 0.5 * found.parts[EMBEDDING]
    torch.testing.assert_close(found.items, expected)
    assert bool((found.parts["accuracy"][5:] == 0).all())
    assert bool((found.parts[TEACHER] > 0).all())
    assert bool((found.parts[EMBEDDING] > 0).all())


def test_a_pupil_that_is_its_teacher_loses_nothing_to_it(toy: ModuleType) -> None:
    network, batch = _network(toy).eval(), _batch(toy)
    learner = DistillingLearner(
        inner=toy.Learner(), teacher=NetworkTeacher(network=_network(toy), devices=ONE_THREAD), lore=Lore(share=1.0)
    )
    assert learner.losses(network, batch).items.abs().max().item() < 1e-6


def test_parts_of_a_batch_have_the_gradient_of_the_whole(toy: ModuleType) -> None:
    batch, gradients = _batch(toy), []
    table = TableTeacher(outputs=torch.randn(8, 3, generator=torch.Generator().manual_seed(4)))
    for count in (1, 3):
        network = _network(toy, at=None).eval()
        learner = DistillingLearner(inner=toy.Learner(), teacher=table, lore=Lore())
        for part in learner.chunks(batch, count):
            learner.losses(network, part).items.sum().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None]))
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-6)


def test_a_map_leads_to_an_embedding_of_another_length(toy: ModuleType) -> None:
    network, batch = _network(toy, widths=(64, 5)), _batch(toy)
    table = TableTeacher(outputs=torch.zeros(8, 3), embeddings=torch.ones(8, 5))
    learner = DistillingLearner(inner=toy.Learner(), teacher=table, lore=Lore(share=0.0, embedding=1.0))
    learner.losses(network, batch).items.sum().backward()
    assert network.map is not None
    assert network.map.weight.grad is not None
    assert [name for name, _ in network.layer_groups()[-1]][-2:] == ["map.weight", "map.bias"]
    assert network.network.body[1].weight.grad.abs().sum() > 0  # type: ignore[index, union-attr]


def test_what_was_asked_for_before_is_found_by_row(toy: ModuleType) -> None:
    table = TableTeacher(outputs=torch.arange(12.0).reshape(4, 3), embeddings=torch.arange(8.0).reshape(4, 2))
    batch = replace(_batch(toy, 2), rows=torch.tensor([3, 1]))
    found = table(batch)
    assert found.outputs[0].tolist() == [[9.0, 10.0, 11.0], [3.0, 4.0, 5.0]]
    assert found.embedding is not None
    assert found.embedding.tolist() == [[6.0, 7.0], [2.0, 3.0]]
    with pytest.raises(ValueError, match=r"row 9 has no answer: the teacher was asked about 4"):
        table(replace(batch, rows=torch.tensor([0, 9])))


def test_who_cannot_be_heard_is_refused(toy: ModuleType) -> None:
    learner = DistillingLearner(inner=toy.Learner(), teacher=lambda batch: Taught(outputs=()), lore=Lore())
    with pytest.raises(ValueError, match=r"a Sequential cannot be heard; give an Overheard"):
        learner.losses(toy.build(), _batch(toy))


@pytest.mark.parametrize("average", [None, 0.9])
def test_a_training_that_was_stopped_ends_in_the_same_bits(
    toy: ModuleType, tmp_path: Path, average: float | None
) -> None:
    def train(folder: Path, **more: Any) -> Any:
        learner = DistillingLearner(
            inner=toy.Learner(), teacher=NetworkTeacher(network=_network(toy, seed=1), devices=ONE_THREAD), lore=Lore()
        )
        network = _network(toy, widths=(64, 64))
        return toy.train(network, learner=learner, epochs=2, folder=folder, save_steps=2, average_decay=average, **more)

    whole, _ = train(tmp_path / "whole")
    with pytest.raises(toy.Killed):
        train(tmp_path / "stopped", on_step=toy.killed_at((2, 5)))
    resumed, _ = train(tmp_path / "stopped")
    assert toy.digest(resumed) == toy.digest(whole)
    assert toy.digest(_network(toy, widths=(64, 64))) != toy.digest(whole)


def test_teaching_brings_a_pupil_to_its_teacher_without_any_label(toy: ModuleType) -> None:
    teacher, _ = toy.train(epochs=4)
    heard = Overheard(Plain(teacher), at="head")
    learner = DistillingLearner(
        inner=toy.Learner(),
        teacher=NetworkTeacher(network=heard, devices=ONE_THREAD),
        lore=Lore(share=1.0, embedding=0.0, labelled=0),
    )
    _, fitted = toy.train(_network(toy, seed=5), learner=learner, epochs=4)
    assert fitted.history[-1].train[TEACHER] < 0.6 * fitted.history[0].train[TEACHER]
    assert fitted.history[-1].validation["accuracy"] > fitted.history[0].validation["accuracy"] - 0.05


def test_a_network_that_was_heard_is_copied_once_nobody_hears_it(toy: ModuleType) -> None:
    heard = _network(toy)
    batch = _batch(toy)
    heard(batch.inputs).sum()  # a gradient hangs on what was said
    with pytest.raises(RuntimeError, match="Only Tensors created explicitly by the user"):
        copy.deepcopy(heard.network)
    heard.leave()
    copied = copy.deepcopy(heard.network)
    torch.testing.assert_close(copied(batch.inputs), heard.network(batch.inputs))
    assert heard.embedding is None
