"""What words say to a network. In: made weights. Out: occlusion by hand, integrated gradients as torch has them, deletion."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from tellapart.explanation.word_paths import has_paths, integrated_words
from tellapart.explanation.words import in_heat, occluded, spell, word_faithfulness
from tellapart.tasks.text.networks.making import make_network
from tellapart.tasks.text.networks.plan import NetworkPlan
from tellapart.texts.sequences import CHARACTERS, WORDS, WordInputs, learn_words

SAID = np.array(
    [0.0, 2.0, -1.0, 0.5, 0.0, 0.0]
)  # of each word's number for the first class over the second; 4: nothing


def adding(numbers: np.ndarray) -> np.ndarray:
    """A network that adds up what each word says."""
    votes = SAID[numbers].sum(axis=1)
    return np.stack([votes, np.zeros_like(votes)], axis=1)


def test_occlusion_finds_what_each_word_says() -> None:
    numbers = np.array([1, 0, 2, 3, 1], dtype=np.int32)
    found = occluded(numbers, target=0, over=1, ask=adding, nothing=4)
    np.testing.assert_allclose(found, [2.0, 0.0, -1.0, 0.5, 2.0])
    np.testing.assert_allclose(occluded(numbers, target=1, over=0, ask=adding, nothing=4), -found)
    many = np.resize(numbers, 300).astype(np.int32)
    np.testing.assert_allclose(occluded(many, target=0, over=1, ask=adding, nothing=4), SAID[many])


def test_deleting_the_words_that_say_most_is_better_than_chance() -> None:
    numbers = np.array([1, 0, 2, 3, 1, 0, 0, 2], dtype=np.int32)

    def probabilities(asked: np.ndarray) -> np.ndarray:
        first = 1 / (1 + np.exp(-adding(asked)[:, 0]))
        return np.stack([first, 1 - first], axis=1)

    right = word_faithfulness(numbers, SAID[numbers], target=0, probabilities=probabilities, nothing=4)
    wrong = word_faithfulness(numbers, -SAID[numbers], target=0, probabilities=probabilities, nothing=4)
    assert right.tells
    assert not wrong.tells
    assert right.deletion < right.chance < wrong.deletion
    # By hand: 2.5 logits, then without the two of 2, the half, three words that say nothing, and the two of -1.
    curve = 1 / (1 + np.exp(-np.array([2.5, 0.5, -1.5, -2.0, -2.0, -2.0, -2.0, -1.0, 0.0])))
    assert right.deletion == pytest.approx(float(((curve[1:] + curve[:-1]) / 2).mean()))


def test_a_text_is_spelled_as_it_is_read() -> None:
    known = learn_words(["a fine film", "a fine day"], WORDS, most=9)
    found = spell("a fine, dull film!", WordInputs(rules=WORDS, known=known, window=4))
    assert found.words == ("a", " fine", ",", " dull")
    assert found.rest == " film!"
    assert found.numbers.tolist()[2:] == [len(known) + 1] * 2
    assert in_heat(found.words, np.arange(4), found.rest) == [
        ("a", 0),
        (" fine", 1),
        (",", 2),
        (" dull", 3),
        (" film!", 0.0),
    ]
    chinese = spell("电影 好", WordInputs(rules=CHARACTERS, known=known[:0], window=9))
    assert "".join(chinese.words) + chinese.rest == "电影 好"
    assert len(chinese.words) == 3


def network() -> nn.Module:
    plan = NetworkPlan(
        name="text_cnn",
        classes=3,
        known=9,
        channels="random",
        embedding=6,
        widths=(2, 3),
        filters=5,
        depth=1,
        dropout=0.5,
        max_norm=0.0,
    )
    made = make_network(plan, seed=2)
    torch.manual_seed(1)
    for parameter in made.parameters():
        if parameter.dim() < 2 or len(parameter) == 3:
            nn.init.normal_(parameter)
    return made.eval()


def test_integrated_gradients_are_those_of_torch() -> None:
    made, numbers, steps = network(), np.array([3, 1, 10, 8, 8, 0], dtype=np.int32), 40
    weights = {key: value.numpy() for key, value in made.weights().items()}
    found = integrated_words(numbers, weights, target=2, over=0, steps=steps)
    vectors = made.table.whole()[torch.from_numpy(numbers).long()]
    total = torch.zeros(len(numbers))
    for step in range(steps):
        along = (vectors * ((step + 0.5) / steps)).T[None].clone().requires_grad_()
        largest = [torch.relu(one(along).amax(2)) for one in made.convolutions]
        logits = made.classifier(torch.cat(largest, dim=1))[0]
        (logits[2] - logits[0]).backward()
        total += (along.grad[0].T * vectors).sum(1) / steps
    np.testing.assert_allclose(found, total.numpy(), atol=1e-5)

    def odds(tokens: list[int]) -> float:
        with torch.inference_mode():
            logits = made(torch.tensor([tokens]))[0]
        return float(logits[2] - logits[0])

    fine = integrated_words(numbers, weights, target=2, over=0, steps=2000)
    assert fine.sum() == pytest.approx(odds(numbers.tolist()) - odds([9] * 6), abs=5e-3)


def test_weights_of_another_network_have_no_such_paths() -> None:
    assert not has_paths({"table": np.zeros((2, 2), dtype=np.float32)})
    with pytest.raises(ValueError, match="no weights of a text CNN"):
        integrated_words(np.zeros(1, dtype=np.int32), {}, target=0, over=1)
