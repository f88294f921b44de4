"""A run's network in torch. In: how it was trained. Out: what stays as it is while it learns on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tellapart.manifest import CompressionStep
from tellapart.reporter import Silent
from tellapart.runs.finished import open_finished
from tellapart.workflows.compressing.compressible import open_compressible
from tellapart.workflows.compressing.concluding import conclude
from tellapart.workflows.compressing.opened import close_network, norms_stay, open_network


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


def test_a_run_that_looks_at_eight_views_is_opened_and_may_look_at_one(small_run: Path, tmp_path: Path) -> None:
    work, step = open_compressible(small_run, tmp_path, Silent()), CompressionStep(kind="views", told="as it is")
    backbone = replace(work.candidate.backbone, test_time_augmentation="dihedral")  # type: ignore[type-var]
    several = replace(work, candidate=replace(work.candidate, backbone=backbone))  # type: ignore[type-var]
    eight = conclude(close_network(several, open_network(work), step), tmp_path / "eight")
    assert open_finished(eight.run).manifest.backbone.test_time_augmentation == "dihedral"
    work = open_compressible(eight.run, tmp_path / "eight", Silent())
    opened = open_network(work)  # its weights are looked at, by the logits of the file
    one = conclude(close_network(work, opened, step, one_view=True), tmp_path / "one")
    assert open_finished(one.run).manifest.backbone.test_time_augmentation == "none"
    assert one.after.macs < 0.2 * one.before.macs
    assert one.after.score.value == pytest.approx(open_finished(small_run).manifest.scores["accuracy"].value)
