"""Settings become a training. In: pictures whose class is their brightness. Out: what was trained, told and refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tellapart.data.augment import build_augmentation, resolve
from tellapart.errors import SettingsError
from tellapart.models.blocks import Block
from tellapart.models.freezing import freeze
from tellapart.models.scratch import build_scratch
from tellapart.preprocessing import Preprocessing
from tellapart.settings import LoopSettings, make_settings
from tellapart.training.devices import Devices
from tellapart.workflows import finetune
from tellapart.workflows.fitting import Job, fingerprint, run_job
from tellapart.workflows.reporter import Silent

SIDE, COUNT = 16, 48


class Bright:
    """Plain pictures: the even rows are dark, the odd ones bright."""

    def __len__(self) -> int:
        return COUNT

    def get(self, rows: Any, epoch: int) -> Any:
        noise = np.random.default_rng((epoch, *rows)).integers(0, 40, (len(rows), SIDE, SIDE, 3))
        return (noise + 120 * (np.asarray(rows) % 2)[:, None, None, None]).astype(np.uint8)


def job(folder: Path, **changes: Any) -> Job:
    built = build_scratch("blocks", class_count=2, seed=0, size=SIDE, blocks=[Block(filters=4)])
    freeze(built.network, 1)
    labels = (np.arange(COUNT) % 2).astype(np.int64)
    whole = Job(
        network=built.network, start=0, train=Bright(), train_labels=labels, train_rows=np.arange(32),
        validation=Bright(), validation_labels=labels, validation_rows=np.arange(32, COUNT),
        loop=LoopSettings(batch_size=8, epochs=4), epochs=4, learning_rate=0.02, mixup=0.0, cutmix=0.0, balanced=False,
        seed=0, fingerprint="one", folder=folder, samples=Bright().get(np.arange(2), 0), deadline=None, title="Training",
    )  # fmt: skip
    return replace(whole, **changes)


def test_dark_and_bright_are_learned_and_every_epoch_is_told(tmp_path: Path) -> None:
    told: list[Any] = []
    fitted = run_job(job(tmp_path), Devices(threads=1), Silent(), lambda event, **facts: told.append((event, facts)))
    assert fitted.history[-1].validation_accuracy == 1.0
    assert [facts["number"] for event, facts in told if event == "epoch"] == [1, 2, 3, 4]
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    curve = [event.value for event in events.Scalars("loss/validation")]
    assert curve == pytest.approx([epoch.validation_loss for epoch in fitted.history])
    assert events.Tags()["images"] == ["training_pictures/0", "training_pictures/1"]


@pytest.mark.parametrize(
    "loop",
    [
        {"optimizer": "sgd", "schedule": "step", "l1": 1e-5, "l2": 1e-4},
        {"schedule": "plateau", "loss": "focal", "sampling": "balanced", "average": 0.9},
        {"schedule": "constant", "accumulate": 2, "clip": 0, "patience": 2, "channels_last": False},
    ],
)
def test_every_part_of_the_loop_can_be_chosen(tmp_path: Path, loop: dict[str, Any]) -> None:
    settings = make_settings({"pictures": "x", "loop": {"batch_size": 8, **loop}}).loop
    fitted = run_job(job(tmp_path, loop=settings, balanced=True), Devices(threads=1), Silent())
    assert fitted.history[-1].train_loss < fitted.history[0].train_loss


def test_whole_pictures_are_mixed_as_float_and_stay_pictures(tmp_path: Path) -> None:
    plain = run_job(job(tmp_path / "plain"), Devices(threads=1), Silent())
    for name in ("mixup", "cutmix"):
        mixed = run_job(job(tmp_path / name, **{name: 1.0}), Devices(threads=1), Silent())
        # Soft targets leave a loss that cannot be learned away; whole pictures are told apart all the same.
        assert mixed.history[-1].train_loss > plain.history[-1].train_loss
        assert mixed.history[-1].validation_accuracy == 1.0


def test_rare_classes_count_as_much_as_common_ones(tmp_path: Path) -> None:
    rows = np.array([0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 1, 3])  # 14 dark, 2 bright
    kinds = {}
    for balanced in (False, True):
        one = job(tmp_path / str(balanced), train_rows=rows, balanced=balanced, epochs=1, learning_rate=1e-9)
        kinds[balanced] = run_job(one, Devices(threads=1), Silent()).history[0].train_loss
    network = job(tmp_path).network.eval()
    assert kinds[True] != pytest.approx(kinds[False], abs=1e-4)
    with torch.inference_mode():
        assert network(torch.zeros(1, SIDE, SIDE, 3, dtype=torch.uint8)).shape == (1, 2)


def test_a_fingerprint_tells_facts_and_arrays_apart() -> None:
    labels = np.arange(4)
    assert fingerprint({"a": 1}, labels) == fingerprint({"a": 1}, labels.copy())
    assert len({fingerprint({"a": 1}, labels), fingerprint({"a": 2}, labels), fingerprint({"a": 1}, labels + 1)}) == 3


def test_cutmix_on_stages_that_give_no_maps_is_refused(tmp_path: Path) -> None:
    from tellapart.features.backbone import ReadyBackbone

    augment = build_augmentation(resolve("none", cutmix=1.0), size=SIDE)
    cut = finetune._Cut(
        network=job(tmp_path).network, trained=1, start=1, lower=tmp_path / "lower.onnx", shape=(197, 192)
    )
    backbone = ReadyBackbone(
        name="vit_tiny_patch16_224", network=tmp_path, weights=tmp_path, preprocessing=Preprocessing(size=SIDE),
        embedding=4, weights_source="", weights_license="", fingerprint="", reused=False, seconds=0.0,
    )  # fmt: skip
    with pytest.raises(
        SettingsError, match=r"the frozen stages of vit_tiny_patch16_224 give no maps that could be cut"
    ):
        finetune._check_mixing(augment, cut, backbone)
    finetune._check_mixing(augment, replace(cut, shape=(112, 14, 14)), backbone)
    finetune._check_mixing(build_augmentation(resolve("none", mixup=1.0), size=SIDE), cut, backbone)
