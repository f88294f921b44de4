"""Networks of texts. In: made numbers of words. Out: what their papers say, whatever texts stand beside one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tellapart.tasks.text.networks.describing import layers_of
from tellapart.tasks.text.networks.making import make_network
from tellapart.tasks.text.networks.plan import NAMES, NetworkPlan

KNOWN, NOTHING, UNKNOWN = 20, 20, 21
PLAN = NetworkPlan(
    name="text_cnn",
    classes=3,
    known=KNOWN,
    channels="random",
    embedding=6,
    widths=(2, 3),
    filters=4,
    depth=3,
    dropout=0.5,
    max_norm=3.0,
)


def with_a_classifier(plan: NetworkPlan, **given: Any) -> nn.Module:
    """A network whose classifier, which begins with zeros, says something."""
    network = make_network(plan, seed=1, **given)
    torch.manual_seed(5)
    nn.init.normal_(network.classifier.weight)
    for parameter in network.parameters():
        if parameter.dim() == 1:
            nn.init.normal_(
                parameter
            )  # biases too: what they say of nothing must not depend on how much of it there is
    return network.eval()


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_does_not_depend_on_what_a_text_is_padded_to(name: str) -> None:
    network = with_a_classifier(replace(PLAN, name=name))
    for length in (1, 2, 5, 8):
        text = torch.randint(0, KNOWN, (1, length), dtype=torch.int32)
        alone = network(text)
        for more in (1, 3, 20):
            padded = torch.cat([text, torch.full((1, more), NOTHING, dtype=torch.int32)], dim=1)
            torch.testing.assert_close(network(padded), alone, rtol=1e-6, atol=1e-6)
    assert not torch.allclose(network(text), network(text.flip(1))), "order counts"


def test_a_text_cnn_is_what_the_paper_says() -> None:
    network = with_a_classifier(PLAN)
    text = [3, 7, 7, 1]
    vectors = network.table.whole()[[NOTHING] * 3 + text + [NOTHING] * 3].numpy()
    features = []
    for convolution in network.convolutions:
        weight, bias = convolution.weight.detach().numpy(), convolution.bias.detach().numpy()
        width = weight.shape[2]
        answers = [
            np.einsum("wd,cdw->c", vectors[place : place + width], weight) + bias
            for place in range(len(vectors) - width + 1)
        ]
        features.append(np.maximum(np.max(answers, axis=0), 0))
    wanted = (
        network.classifier.weight.detach().numpy() @ np.concatenate(features) + network.classifier.bias.detach().numpy()
    )
    np.testing.assert_allclose(network(torch.tensor([text]))[0].detach().numpy(), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("channels", "trained", "width"), [("random", 1, 6), ("tuned", 1, 6), ("static", 0, 6), ("both", 1, 12)]
)
def test_channels_learn_or_stay(channels: Any, trained: int, width: int) -> None:
    rows, vectors = np.array([2, UNKNOWN - 1 - 1]), np.full((2, 6), 0.5, dtype=np.float32)
    given = {} if channels == "random" else {"rows": rows, "vectors": vectors}
    network = with_a_classifier(replace(PLAN, channels=channels), **given)
    network.train()
    before = network.table.whole().clone()
    assert before.shape == (KNOWN + 2, width)
    assert not before[NOTHING].any()
    if given:
        assert (before[2] == 0.5).all()
    groups = dict(pair for group in network.layer_groups() for pair in group)
    assert sum(name.startswith("table.") for name in groups) == trained
    optimizer = torch.optim.Adam(groups.values(), lr=0.1)
    loss = network(torch.tensor([[2, 4, NOTHING]])).square().sum()
    loss.backward()
    optimizer.step()
    after = network.table.whole()
    assert not after[NOTHING].any(), "nothing stays nothing"
    assert torch.equal(after[2, :6], before[2, :6]) == (channels in ("static", "both"))
    if channels == "both":
        assert not torch.equal(after[2, 6:], before[2, 6:])


def test_rows_of_the_classifier_are_as_long_as_they_may_be() -> None:
    network = with_a_classifier(replace(PLAN, max_norm=1.5))
    with torch.no_grad():
        network.classifier.weight[0] *= 0.01
        short = network.classifier.weight[0].clone()
        network.classifier.weight[1] *= 100
        direction = network.classifier.weight[1] / network.classifier.weight[1].norm()
    network.constrain()
    assert torch.equal(network.classifier.weight[0], short)
    torch.testing.assert_close(network.classifier.weight[1], 1.5 * direction)
    free = with_a_classifier(replace(PLAN, max_norm=0.0))
    before = free.classifier.weight.clone()
    free.constrain()
    assert torch.equal(free.classifier.weight, before)


@pytest.mark.parametrize("name", NAMES)
def test_first_weights_are_a_function_of_the_seed(name: str) -> None:
    plan = replace(PLAN, name=name)
    torch.manual_seed(3)
    state = torch.random.get_rng_state()
    first, again, other = make_network(plan, seed=1), make_network(plan, seed=1), make_network(plan, seed=2)
    assert torch.equal(torch.random.get_rng_state(), state)
    for key, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[key])
    assert not torch.equal(first.table.whole(), other.table.whole())
    assert first.table.whole().abs().max() <= 0.25


def test_words_without_a_vector_are_spread_as_the_others() -> None:
    vectors = np.random.default_rng(0).normal(0, 2.0, (10, 6)).astype(np.float32)
    plan = replace(PLAN, channels="static", known=5_000)
    table = make_network(plan, seed=0, rows=np.arange(10), vectors=vectors).table.whole()
    assert float(table[10:5_000].std()) == pytest.approx(float(vectors.std()), rel=0.02)


@pytest.mark.parametrize(("name", "channels"), [("text_cnn", "random"), ("text_cnn", "both"), ("dpcnn", "random")])
def test_the_table_of_layers_counts_every_weight(name: str, channels: Any) -> None:
    plan = replace(PLAN, name=name, channels=channels)
    given = {"rows": np.arange(2), "vectors": np.ones((2, 6), dtype=np.float32)} if channels == "both" else {}
    network = make_network(plan, seed=0, **given)
    layers = layers_of(plan, 7)
    assert sum(layer["parameters"] for layer in layers) == sum(value.numel() for value in network.parameters())
    assert layers[-1]["output"] == [3]
