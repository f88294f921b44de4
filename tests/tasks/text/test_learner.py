"""How a network of texts learns and is judged. In: a small network, made rows. Out: losses by hand, what is refused."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tellapart.errors import SettingsError
from tellapart.models.trainable import NamedParameters, Trainable
from tellapart.settings.loop import LoopSettings
from tellapart.tasks.lesson import Lesson
from tellapart.tasks.text.learner import make_learner
from tellapart.tasks.text.networks.making import make_network
from tellapart.tasks.text.networks.plan import NetworkPlan
from tellapart.tasks.text.word_rows import WordRows
from tellapart.texts.sequences import Sequences
from tellapart.training.devices import Devices
from tellapart.training.learner import Batch

NOTHING = 5
ROWS = WordRows(
    sequences=Sequences(words=np.array([0, 1, 2, 0, 4, 3], dtype=np.int32), ends=np.array([3, 3, 5, 6])),
    nothing=NOTHING,
)
TARGETS = np.array([0, 1, 1, 0])


class FirstWord(Trainable):
    """Says the class whose number the first word has, as surely as told; nothing is the second's."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.seen: list[int] = []

    def forward(self, inputs: torch.Tensor, start: int = 0) -> torch.Tensor:
        """Logits [B, 2]."""
        self.seen.append(inputs.shape[1])
        return self.scale * nn.functional.one_hot((inputs[:, 0] > 0).long(), 2).float()

    def layer_groups(self) -> list[NamedParameters]:
        """One."""
        return [[("scale", self.scale)]]


def lesson(network: Trainable, **loop: Any) -> Lesson:
    return Lesson(
        class_count=2,
        network=network,
        start=0,
        loop=LoopSettings(**{"label_smoothing": 0.0, **loop}),
        balanced=False,
        mixup=0.0,
        cutmix=0.0,
        train=ROWS,
        train_targets=TARGETS,
        train_rows=np.arange(4),
        validation=ROWS,
        validation_targets=TARGETS,
        validation_rows=np.arange(4),
    )


def test_rows_are_as_long_as_the_longest_of_a_batch_and_travel() -> None:
    again = pickle.loads(pickle.dumps(ROWS))
    for rows in (ROWS, again):
        assert rows.get(np.array([2, 0]), 7).tolist() == [[0, 4, NOTHING], [0, 1, 2]]
        assert rows.get(np.array([1]), 0).tolist() == [[NOTHING]]
    assert ROWS.lengths.tolist() == [3, 0, 2, 1]


def test_a_network_is_judged_by_accuracy_and_then_by_its_loss() -> None:
    network = FirstWord()
    learner = make_learner(lesson(network), Devices(threads=1))
    judged = learner.judge(network)
    assert judged.figures == {"accuracy": 0.5}  # right: the first text, and that of nothing
    right, wrong = np.log1p(np.exp(-2.0)), np.log1p(np.exp(2.0))
    assert judged.loss == pytest.approx((right + wrong) / 2)
    assert judged.rank == pytest.approx(0.5 - 1e-6 * judged.loss)
    assert network.seen == [3], "all of them in one batch"
    batch = learner.prepare(
        Batch(
            inputs=torch.from_numpy(ROWS.get(np.arange(4), 0)), targets=torch.from_numpy(TARGETS), rows=torch.arange(4)
        ),
        0,
    )
    losses = learner.losses(network, batch)
    np.testing.assert_allclose(losses.items.detach().numpy(), [right, right, wrong, wrong], rtol=1e-6)
    assert losses.parts["accuracy"].tolist() == [True, True, False, False]


def test_rows_of_a_class_are_shortened_before_anything_is_asked() -> None:
    plan = NetworkPlan(
        name="text_cnn",
        classes=2,
        known=5,
        channels="random",
        embedding=3,
        widths=(2,),
        filters=2,
        depth=1,
        dropout=0.0,
        max_norm=0.5,
    )
    network = make_network(plan, seed=0)
    learner = make_learner(lesson(network), Devices(threads=1))
    batch = Batch(
        inputs=torch.zeros(1, 2, dtype=torch.int32), targets=torch.zeros(1, dtype=torch.int64), rows=torch.zeros(1)
    )
    for ask in (lambda: learner.judge(network), lambda: learner.losses(network, batch)):
        with torch.no_grad():
            network.classifier.weight.fill_(9.0)
        ask()
        torch.testing.assert_close(network.classifier.weight.norm(dim=1), torch.full((2,), 0.5))


def test_what_is_not_for_texts_is_refused() -> None:
    with pytest.raises(SettingsError, match="loop.loss is asymmetric, and a text has one class"):
        make_learner(lesson(FirstWord(), loss="asymmetric"), Devices(threads=1))
    learner = make_learner(lesson(FirstWord(), loss="focal", focal_gamma=0.0), Devices(threads=1))
    wrong = Batch(inputs=torch.zeros(1, 2), targets=torch.zeros(1), rows=torch.zeros(1, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"one class a text is int64 \[1\]"):
        learner.prepare(wrong, 0)
