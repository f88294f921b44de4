"""Boxes and masks made smaller, and taught by another network. In: tiny runs. Out: runs that need less, built again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import tellapart
from tellapart.compression.costs import multiply_adds
from tellapart.errors import ModelFileError, SettingsError
from tellapart.reporter import Silent
from tellapart.runs.finished import open_finished
from tellapart.runs.open import OpenRun
from tellapart.tasks.table import task_of
from tellapart.workflows.compress import compress
from tellapart.workflows.compressing import integers
from tellapart.workflows.compressing.compressible import open_compressible
from tellapart.workflows.compressing.integers import to_int8
from tellapart.workflows.compressing.opened import open_network
from tellapart.workflows.compressing.pruned import PruneTerms, to_pruned
from tellapart.workflows.compressing.teacher import teacher_network
from tests.tasks.detection.made_pictures import made_table
from tests.tasks.segmentation.made_pictures import made_folder

BLOCKS = [{"filters": filters, "pooling": "max", "pool_size": 2} for filters in (8, 16, 24, 32, 32)]


def train(data: Path, out: Path, task: str, network: dict[str, Any], epochs: int = 2) -> Path:
    settings = {
        "task": task,
        "network": network,
        "loop": {"epochs": epochs, "workers": 0, "batch_size": 8},
        "augment": {"preset": "none", "horizontal_flip": 0.5},
    }
    return tellapart.train(data, out=out, strategy="scratch", device="cpu", settings=settings, report=False).run


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five blocks from random weights, on squares and discs."""
    folder = tmp_path_factory.mktemp("boxes")
    return train(made_table(folder, count=24), folder / "runs", "detection", {"size": 64, "blocks": BLOCKS})


@pytest.fixture(scope="module")
def masker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A U-Net on a small encoder from random weights."""
    folder = tmp_path_factory.mktemp("masks")
    network = {"size": 64, "name": "lcnet_035"}
    return train(made_folder(folder / "data", count=16), folder / "runs", "segmentation", network, epochs=1)


def rebuilt_macs(folder: Path) -> int:
    """Of a run's network in torch, as its own weights make it."""
    run = open_finished(folder)
    head = task_of(run.manifest.task).head
    assert head is not None
    network = head.again(run.folder / "weights.safetensors", run.manifest, run.settings).prepared.network
    return sum(multiply_adds(network, torch.zeros((1, 64, 64, 3), dtype=torch.uint8)).values())


@pytest.mark.slow
@pytest.mark.long  # what is cut and taught of each task, test_rebuilding.py shows in parts
@pytest.mark.parametrize(("made", "least"), [("detector", 0.05), ("masker", 0.15)])
def test_a_network_with_a_head_of_its_own_is_pruned_and_taught(
    made: str, least: float, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    run: Path = request.getfixturevalue(made)
    pruned = compress(run, reporter=Silent(), prune=0.15, epochs=1, out=tmp_path / "pruned")
    (step,) = pruned.steps
    assert step.facts["saved"] > least
    assert step.facts["last"] == {"epochs": 1, "mixed": 0.0}
    assert "layers; what " in step.told
    assert pruned.after.macs < (1 - least) * pruned.before.macs
    assert rebuilt_macs(pruned.run) == pytest.approx(pruned.after.macs, rel=0.01)
    # By the network that it was, which sees what it sees; and in integers at last.
    taught = compress(pruned.run, reporter=Silent(), distill=run, epochs=1, int8=True, out=tmp_path / "taught")
    assert [one.kind for one in taught.steps] == ["distilled", "int8"]
    assert taught.after.macs == pruned.after.macs
    assert taught.after.megabytes < 0.6 * pruned.after.megabytes
    assert not list(tmp_path.glob(".*unfinished*"))


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sets of classes: two marks, each there or not, for a small network from random weights."""
    folder, chance = tmp_path_factory.mktemp("sets"), np.random.default_rng(0)
    rows = ["path,labels"]
    for number in range(48):
        pixels = chance.integers(0, 90, (32, 32, 3), dtype=np.uint8)
        shown = [name for name, there in zip(("bar", "dot"), (number % 2, number // 2 % 2), strict=True) if there]
        for name in shown:
            x, y = chance.integers(2, 26, 2)
            pixels[y : y + 3, slice(2, 30) if name == "bar" else slice(x, x + 3)] = 250
        Image.fromarray(pixels).save(folder / f"{number}.png")
        rows.append(f"{number}.png,{'|'.join(shown)}")
    (folder / "sets.csv").write_text("\n".join(rows) + "\n")
    return train(folder / "sets.csv", folder / "runs", "multilabel", {"name": "lenet5", "size": 32})


@pytest.mark.slow
@pytest.mark.parametrize(
    "made", [pytest.param("detector", marks=pytest.mark.long), pytest.param("masker", marks=pytest.mark.long), "sets"]
)
def test_weights_learn_to_be_rounded_whatever_the_task(
    made: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run: Path = request.getfixturevalue(made)
    monkeypatch.setattr(integers, "_LEARNED_FROM", 40)  # of the masks' tiles there are many
    work = open_compressible(run, tmp_path, Silent())
    made_of = to_int8(work, qat=True, kept=tmp_path / "kept")
    (step,) = made_of.steps
    assert len(list((tmp_path / "kept").iterdir())) == 1  # what a stopped one would go on from
    assert step.facts["in_integers"] > 0.9 * step.facts["layers"]
    before, after = (work.task.validate(one.candidate, work.dataset).figure for one in (work, made_of))
    assert after > before - 0.1
    aware = step.facts.get("aware")  # None where the weights as they were are the nearest
    assert aware is None or aware["distance_after"] < aware["distance_before"]


class Telling(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def test_where_less_can_go_than_was_asked_for_it_is_told(detector: Path, tmp_path: Path) -> None:
    reporter = Telling()
    work = open_compressible(detector, tmp_path, reporter)
    made = to_pruned(work, PruneTerms(share=0.5, step_epochs=0, last_epochs=0), tmp_path / "kept")
    assert any("50.0 % of the multiply-adds were to go, and only" in one for one in reporter.warnings)
    again = open_network(made)
    before = open_network(work)
    sample = torch.zeros((1, 64, 64, 3), dtype=torch.uint8)
    macs = [sum(multiply_adds(one.network, sample).values()) for one in (again, before)]
    assert macs[0] < macs[1]
    # The pyramid reads all that it read.
    for number in range(3):
        path = f"pyramid.sides.{number}.0.weight"
        assert again.network.state_dict()[path].shape == before.network.state_dict()[path].shape


def test_a_teacher_that_says_other_things_is_refused(detector: Path, tmp_path: Path) -> None:
    work = open_compressible(detector, tmp_path, Silent())
    opened = open_network(work)
    teacher = OpenRun(detector)
    seen = teacher_network(work, opened, teacher)
    assert not any(parameter.requires_grad for parameter in seen.network.parameters())
    other = OpenRun(detector)
    other.manifest = other.manifest.model_copy(update={"classes": tuple(reversed(other.classes))})
    with pytest.raises(SettingsError, match=r"has the classes in another order than the run \(square, disc\). Give a"):
        teacher_network(work, opened, other)
    larger = OpenRun(detector)
    size = larger.manifest.preprocessing.model_copy(update={"size": 96})
    larger.manifest = larger.manifest.model_copy(update={"preprocessing": size})
    with pytest.raises(SettingsError, match=r"do not say as many numbers, or not at the same places. Give a teacher"):
        teacher_network(work, opened, larger)
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "model.onnx").write_bytes((detector / "model.onnx").read_bytes())
    with pytest.raises(SettingsError, match=r"weights.safetensors is not there; a teacher of the task detection sees"):
        teacher_network(work, opened, OpenRun(tmp_path / "bare"))
    with pytest.raises(SettingsError, match=r"--unlabelled is for classes; pictures of the task detection come with"):
        compress(detector, reporter=Silent(), distill=detector, unlabelled=["x"], out=tmp_path / "no")


def test_a_detector_whose_loss_is_its_own_is_refused(detector: Path, tmp_path: Path) -> None:
    work = open_compressible(detector, tmp_path, Silent())
    network = work.run.settings.network.model_copy(update={"detector": "ssd"})
    work.run.__dict__["settings"] = work.run.settings.model_copy(update={"network": network})
    with pytest.raises(SettingsError, match=r"the detector ssd works its loss out inside itself, where nobody hears"):
        open_network(work)


def test_weights_that_are_gone_are_told(detector: Path, tmp_path: Path) -> None:
    work = open_compressible(detector, tmp_path, Silent())
    work.run.folder = tmp_path
    backbone = work.candidate.backbone
    object.__setattr__(backbone, "weights", tmp_path / "weights.safetensors")
    with pytest.raises(ModelFileError, match=r"is not there, and a network learns on from its weights. Give the run's"):
        open_network(work)
