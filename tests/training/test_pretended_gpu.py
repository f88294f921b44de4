"""Every task trains where tensors have a device of their own. In: made data, a pretended GPU. Out: runs that end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import tellapart
from tellapart.bundle import TaskName
from tellapart.data.batch import Batch
from tellapart.errors import TellapartError
from tests.tasks.detection.quick import learn_quickly
from tests.tasks.made_data import DATA, PROBE, SCRATCH, SMALL
from tests.tasks.segmentation.quick import probe_quickly
from tests.training.pretended_gpu import CPU, GPU, pretended

ENCODER: dict[str, Any] = {"network": {"name": "resnet18", "size": 64}}
FINETUNE: dict[str, Any] = {"network": {"size": 64}, "finetune": {"unfreeze": "1"}}


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Any:
    with pretended(monkeypatch):
        yield


def train(name: TaskName, strategy: str, folder: Path, settings: dict[str, Any]) -> Any:
    """One epoch on "cuda"."""
    if strategy != "probe":
        settings = {**settings, "loop": {**settings.get("loop", {}), "epochs": 1, "workers": 0}}
    return tellapart.train(
        DATA[name](folder),
        out=folder / "runs",
        strategy=strategy,
        device="cuda",
        settings={"report": False, **settings},
    )


def test_it_tells_devices_apart(gpu: None) -> None:
    there, here = torch.zeros(3, device="cuda"), torch.zeros(3)
    assert (there.device, (there + 1).device, here.device, there.cpu().device) == (GPU, GPU, CPU, CPU)
    with pytest.raises(RuntimeError, match="found cuda:0 and cpu in add"):
        there + here
    with pytest.raises(TypeError, match="Use Tensor.cpu"):
        there.numpy()
    with pytest.raises(RuntimeError, match="indices should be"):
        here[torch.zeros(1, dtype=torch.long, device="cuda")]
    layer = torch.nn.Linear(3, 2).to("cuda")
    layer(there[None]).sum().backward()
    assert (layer.weight.device, layer.weight.grad.device) == (GPU, GPU)
    with pytest.raises(RuntimeError, match="found cuda:0 and cpu in linear"):
        layer(here[None])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "strategy", "settings"),
    [
        ("classification", "scratch", SMALL),
        ("text", "scratch", SCRATCH["text"]),
        *(
            pytest.param(*one, marks=pytest.mark.long)
            for one in [
                ("multilabel", "scratch", SMALL),
                ("segmentation", "scratch", ENCODER),
                ("detection", "scratch", ENCODER),
                ("classification", "probe", {}),
                ("segmentation", "probe", PROBE["segmentation"]),
                ("detection", "probe", PROBE["detection"]),
                *(
                    (name, "finetune", FINETUNE)
                    for name in ("classification", "multilabel", "segmentation", "detection")
                ),
            ]
        ),
    ],
)
def test_every_task_trains_there(
    name: TaskName,
    strategy: str,
    settings: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    gpu: None,
) -> None:
    learn_quickly(monkeypatch, 6)
    probe_quickly(monkeypatch, 16)
    result = train(name, strategy, tmp_path, settings)
    assert result.model.exists()
    assert result.strategy == strategy


@pytest.mark.slow
def test_a_batch_that_stays_behind_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gpu: None) -> None:
    monkeypatch.setattr(Batch, "to", lambda self, device: self)
    with pytest.raises((RuntimeError, TellapartError), match="found cuda:0 and cpu"):
        train("classification", "scratch", tmp_path, SMALL)
