"""What every report says of its run. In: a run made by hand. Out: where it came from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tellapart.reporting.phrases import Phrases
from tellapart.runs.parts import about_part

from .made_run import CLASSES, example, manifest, run_of


def test_a_run_is_described(tmp_path: Path) -> None:
    (tmp_path / "there.png").touch()
    examples = [
        example(tmp_path / "there.png", "ant"),
        example(tmp_path / "gone.png", "bee"),
        example(tmp_path / "spoilt.png", "bee", problem="cut short"),
    ]
    part = about_part(run_of(examples=examples, folder=tmp_path, seed=7), Phrases("en"))
    assert part.facts == [
        ("strategy", "classifier on the frozen network"),
        ("backbone", "tiny"),
        ("weights", "made here"),
        ("license", "none"),
        ("seed", "7"),
        ("time", "1 min 15 s"),
        ("made", "2026-03-04T05:06:07+00:00"),
    ]
    assert part.versions == [("numpy", "2.0"), ("tellapart", "0.1.0")]
    assert (part.model, part.missing) == (str(tmp_path / "model.onnx"), 1)


@pytest.mark.parametrize(
    ("views", "said"),
    [
        ("flip", "mean over the picture and its mirror image"),
        ("dihedral", "mean over eight turned and flipped views of the picture"),
    ],
)
def test_a_model_that_answers_for_several_views_is_described_so(views: Any, said: str) -> None:
    told = manifest(CLASSES)
    told = told.model_copy(update={"backbone": told.backbone.model_copy(update={"test_time_augmentation": views})})
    assert about_part(run_of(told=told), Phrases("en")).facts[2] == ("views", said)
