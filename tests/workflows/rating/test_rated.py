"""What a file is worth, and what changed. In: a made run, runtimes with planted faults. Out: the figures, by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.evaluation.intervals import wilson
from tellapart.evaluation.paired import compare_pairs
from tellapart.reporter import Silent
from tellapart.runs.open import OpenRun
from tellapart.workflows.rating.asking import AskedSplit, ask_split
from tellapart.workflows.rating.changed import changed
from tellapart.workflows.rating.rated import KEPT, compute_of, rate, thinned

from .made_run import write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny_bytes: bytes) -> OpenRun:
    return write_run(tmp_path_factory.mktemp("rated") / "run", tiny_bytes)


@pytest.fixture(scope="module")
def asked(run: OpenRun, tmp_path_factory: pytest.TempPathFactory) -> AskedSplit:
    return ask_split(run, "test", tmp_path_factory.mktemp("asked"), Silent())


def test_a_file_is_scored_as_it_answers(run: OpenRun, asked: AskedSplit) -> None:
    rated = rate(compute_of(run.model), asked, run.manifest, megabytes=1.5, batch=4, workers=2)
    assert rated.name == "accuracy"
    assert rated.score.value == pytest.approx(5 / 6)
    assert rated.as_json()["score"] == {
        "name": "accuracy",
        "value": rated.score.value,
        "low": rated.score.low,
        "high": rated.score.high,
    }
    assert rated.milliseconds is not None
    assert rated.milliseconds.one > 0
    assert rated.as_json()["megabytes"] == 1.5
    np.testing.assert_array_equal(rated.outputs["probabilities"], [one.probabilities for one in rated.answers])
    assert [Path(one.path).name for one in rated.answers] == [f"{number}.png" for number in range(6)]


def test_what_a_runtime_answers_otherwise_is_counted(run: OpenRun, asked: AskedSplit) -> None:
    plain = compute_of(run.model)
    before = rate(plain, asked, run.manifest, megabytes=1, timed=False)

    def swapped(inputs: NDArray[np.uint8]) -> dict[str, Any]:
        return dict(plain(inputs[..., ::-1]))  # blue, green, red: what most often goes wrong

    after = rate(swapped, asked, run.manifest, megabytes=1, timed=False)
    change = changed(before, after, asked, run.manifest, seed=3)
    assert (change.flipped, change.of, change.share) == (4, 6, pytest.approx(4 / 6))
    first, second = before.outputs["probabilities"], after.outputs["probabilities"]
    assert change.largest == pytest.approx(np.abs(first.astype(float) - second).max(), abs=1e-12)
    right = [np.array([True] * 5 + [False]), np.array([False, True, False, True, False, False])]
    paired = compare_pairs(*right, asked.groups, seed=3)
    assert change.score.value == pytest.approx(paired.value)
    assert (change.score.low, change.score.high) == pytest.approx((paired.low, paired.high))
    same = changed(before, before, asked, run.manifest)
    assert same.as_json() == {
        "flipped": 0,
        "answers": 6,
        "flipped_share": 0.0,
        "largest_difference": 0.0,
        "change": {"value": 0.0, "low": 0.0, "high": 0.0},
    }


def test_an_interval_is_the_tasks_own(run: OpenRun, asked: AskedSplit) -> None:
    alone = AskedSplit(
        inputs=asked.inputs,
        inputs_file=asked.inputs_file,
        pictures=tuple(one for one in asked.pictures[::2]),
        preprocessing=asked.preprocessing,
        tiled=False,
        unread=0,
    )
    # A picture of each group alone, so that its inputs are not next to each other: each is asked for itself.
    rated = rate(compute_of(run.model), alone, run.manifest, megabytes=1, timed=False, batch=1)
    assert (rated.score.low, rated.score.high) == pytest.approx(wilson(3, 3))


def test_large_outputs_are_kept_in_part() -> None:
    values = np.arange(2 * 3 * 100 * 100, dtype=np.float32).reshape(2, 3, 100, 100)
    kept = thinned(values)
    assert kept.shape == (2, KEPT)
    assert (kept[:, 0] == values.reshape(2, -1)[:, 0]).all()
    assert (kept[:, -1] == values.reshape(2, -1)[:, -1]).all()
    np.testing.assert_array_equal(thinned(values[:, :, :3, :3]), values[:, :, :3, :3].reshape(2, -1))
