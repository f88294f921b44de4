"""A run's network in torch. In: how it was trained. Out: what stays as it is while it learns on."""

from __future__ import annotations

import pytest

from tellapart.workflows.compressing.opened import norms_stay


@pytest.mark.parametrize(
    ("strategy", "batch_norm", "stay"),
    [
        ("probe", "train", True),  # nothing was trained: the embedding rests on the pretrained statistics
        ("finetune", "frozen", True),
        ("finetune", "train", False),
        ("scratch", "frozen", False),  # the setting is of fine-tuning alone
    ],
)
def test_batch_norms_are_as_in_the_training_before(strategy: str, batch_norm: str, stay: bool) -> None:
    assert norms_stay(strategy, batch_norm) is stay
