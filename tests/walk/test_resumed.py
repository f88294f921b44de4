"""A run that is stopped again and again. In: digits whose labels are drawn at random. Out: the epochs that it finished, used."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from tellapart.errors import ForeignCheckpoint
from tellapart.reporter import Silent
from tellapart.runs.result import TrainResult
from tellapart.runs.run import resume_run
from tellapart.settings.reading import make_settings
from tellapart.workflows.train import train


class Watching(Silent):
    """Notes what is told, and stops the training where a test says so."""

    def __init__(self, *, after_epoch: int | None = None, at: str = "") -> None:
        """Stop with the first update after so many epochs, or where a step of that title begins."""
        self.after_epoch, self.at = after_epoch, at
        self.epochs: list[str] = []
        self.warned: list[str] = []

    @contextmanager
    def step(self, title: str, total: int) -> Iterator[Callable[[int], None]]:
        """Stops as told."""
        if title == self.at:
            raise ImportError(f"no package for {title!r}")

        def advance(count: int) -> None:
            if len(self.epochs) == self.after_epoch and count:
                raise KeyboardInterrupt

        yield advance

    def say(self, text: str) -> None:
        """Note the epochs."""
        if text.startswith("epoch "):
            self.epochs.append(text.partition(":")[0])

    def warn(self, text: str) -> None:
        """Note it."""
        self.warned.append(text)


def go_on(run: Path, reporter: Watching, old: str = "", new: str = "") -> TrainResult:
    """Resume, with one line of the recipe changed."""
    recipe = (run / "recipe.toml").read_text(encoding="utf-8")
    assert old in recipe
    (run / "recipe.toml").write_text(recipe.replace(old, new), encoding="utf-8")
    opened = resume_run(run)
    return train(opened.settings, reporter=reporter, run=opened)


@pytest.fixture
def mixed(trained_run: Any, tmp_path: Path) -> Path:
    """Three classes by chance, so that the probe makes mistakes and `auto` tries to do better."""
    for number, path in enumerate(sorted(trained_run.pictures.rglob("*.png"))[::2]):
        folder = tmp_path / "mixed" / f"class {number % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / f"{number}.png")
    return tmp_path / "mixed"


@pytest.mark.long
def test_finished_epochs_outlive_a_busy_machine_foreign_settings_and_a_fault(mixed: Path, tmp_path: Path) -> None:
    told = {
        "data": str(mixed),
        "out": str(tmp_path / "runs"),
        "budget": "10m",
        "device": "cpu",
        "report": False,
        "network": {"fit": "crop"},
        "finetune": {"unfreeze": "1", "views": 1},
        "augment": {"preset": "none"},
        "loop": {"epochs": 3, "learning_rate": 3e-4},
    }
    first = Watching(after_epoch=1)
    with pytest.raises(KeyboardInterrupt):
        train(make_settings(told), reporter=first)
    assert first.epochs == ["epoch 1 of 3"]
    (run,) = (path for path in (tmp_path / "runs").iterdir() if path.is_dir())
    best = safetensors.numpy.load_file(run / "checkpoints" / "best-00001.safetensors")

    # Other settings are another training's; what was trained stays for the one that it is of.
    with pytest.raises(ForeignCheckpoint, match="belongs to another training"):
        go_on(run, Watching(), "learning_rate = 0.0003", "learning_rate = 0.0004")
    assert (run / "checkpoints" / "best-00001.safetensors").exists()
    recipe = run / "recipe.toml"
    recipe.write_text(recipe.read_text(encoding="utf-8").replace("0.0004", "0.0003"), encoding="utf-8")

    # No time for an epoch, nor for a step; and a package is missing for what comes after the training.
    second = Watching(at="Writing the model")
    with pytest.raises(ImportError):
        go_on(run, second, 'budget = "10m"', 'budget = "1s"')
    assert second.epochs == []
    trained = safetensors.numpy.load_file(run / "work" / "weights.safetensors")
    assert np.array_equal(trained["classifier.weight"], best["classifier.weight"])
    assert second.warned[-1] == f"Stopped. Nothing is lost; go on with: tellapart train --resume {run}"

    # All the time of the world: the training was over.
    third = Watching()
    result = go_on(run, third, 'budget = "1s"', 'budget = "10m"')
    assert third.epochs == []
    kept = result.metrics["training"]["finetune"]
    assert (kept["stopped"], kept["best_epoch"]) == ("budget", 1)
    assert [epoch["number"] for epoch in kept["history"]] == [1]
    assert result.metrics["training"].keys() == {"probe", "finetune"}
    assert not result.choice.startswith("Not fine-tuned")
