"""What a first answer depends on, and when it is taken as it is kept. In: made files. Out: candidates, or none."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tellapart.data.dataset import Dataset
from tellapart.data.examples import Example, PictureFile
from tellapart.data.targets import Boxes
from tellapart.features.backbone import ReadyBackbone
from tellapart.preprocessing import Preprocessing
from tellapart.settings.reading import make_settings
from tellapart.tasks.detection.candidates import DetectorCandidate
from tellapart.tasks.detection.first_plan import FirstPlan
from tellapart.tasks.detection.kept_first import fingerprint_of, keep_candidate, kept_candidate

PLAN = FirstPlan(epochs=3, views=2)


def backbone(folder: Path, **changes: Any) -> ReadyBackbone:
    (folder / "network.onnx").write_bytes(b"a graph")
    (folder / "weights.safetensors").write_bytes(b"numbers")
    made = ReadyBackbone(
        name="made",
        network=folder / "network.onnx",
        weights=folder / "weights.safetensors",
        preprocessing=Preprocessing(size=64, fit="pad"),
        embedding=7,
        weights_source="nowhere",
        weights_license="none",
        fingerprint=hashlib.sha256(b"numbers").hexdigest(),
        reused=False,
        seconds=0.0,
    )
    return replace(made, **changes)


def dataset(**changes: Any) -> Dataset:
    made = Dataset(
        classes=("cat", "dog"),
        examples=[
            Example(path=Path(name), target=Boxes(), split=None, group=name, content_hash=name, width=64, height=64)
            for name in ("a", "b")
        ],
        indices=np.arange(2),
        targets=np.array([[[0, 1, 2, 3, 4, 0]], [[1, 5, 6, 7, 8, 0]]], dtype=np.float32),
        groups=np.arange(2),
        splits=np.array(["train", "test"]),
        leaked=np.zeros(2, dtype=np.bool_),
        pictures=tuple(PictureFile(path=Path(name), file_hash=name, content_hash=name) for name in ("a", "b")),
    )
    return replace(made, **changes)


def test_everything_that_a_first_answer_depends_on_makes_it_another_one(tmp_path: Path) -> None:
    settings, before = make_settings({"data": "x"}), backbone(tmp_path)
    own = fingerprint_of(settings, dataset(), before, PLAN)
    assert own == fingerprint_of(make_settings({"data": "moved", "budget": "5m"}), dataset(), before, PLAN)
    others = [
        fingerprint_of(make_settings({"data": "x", "seed": 1}), dataset(), before, PLAN),
        fingerprint_of(make_settings({"data": "x", "network": {"size": 64}}), dataset(), before, PLAN),
        fingerprint_of(make_settings({"data": "x", "augment": {"zoom": 0.1}}), dataset(), before, PLAN),
        fingerprint_of(settings, dataset(targets=dataset().targets + 1), before, PLAN),
        fingerprint_of(settings, dataset(splits=np.array(["test", "train"])), before, PLAN),
        fingerprint_of(settings, dataset(classes=("cat", "cow")), before, PLAN),
        fingerprint_of(settings, dataset(pictures=dataset().pictures[::-1]), before, PLAN),
        fingerprint_of(settings, dataset(), replace(before, fingerprint="other"), PLAN),
        fingerprint_of(settings, dataset(), before, replace(PLAN, epochs=4)),
        fingerprint_of(settings, dataset(), before, replace(PLAN, views=1)),
        own,
    ]
    assert len(set(others)) == len(others)
    # When it must end is no part of it.
    assert own == fingerprint_of(settings, dataset(), before, replace(PLAN, deadline=1.0, epoch_seconds=2.0))


def test_it_is_taken_as_it_is_kept_and_only_whole(tmp_path: Path) -> None:
    made = backbone(tmp_path)
    pretrained = replace(made, name="before")
    told: dict[str, Any] = {"preprocessing": made.preprocessing, "pretrained": pretrained}
    assert kept_candidate(tmp_path, "one", **told) is None  # nothing is kept yet
    candidate = DetectorCandidate(strategy="probe", backbone=made, pretrained=pretrained, details={"best_epoch": 2})
    keep_candidate(candidate, "one")
    found = kept_candidate(tmp_path, "one", **told)
    assert found is not None
    assert (found.strategy, found.backbone, found.pretrained, found.details) == (
        "probe",
        made,
        pretrained,
        {"best_epoch": 2},
    )
    assert kept_candidate(tmp_path, "another", **told) is None
    for name in ("network.onnx", "weights.safetensors", "first.json"):
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
        assert kept_candidate(tmp_path, "one", **told) is None
        (tmp_path / name).write_bytes(whole)
    assert kept_candidate(tmp_path, "one", **told) is not None
