"""Settings that would change nothing are refused. In: settings. Out: messages. Next: test_detectors.py."""

from __future__ import annotations

from typing import Any

import pytest

from tellapart.errors import SettingsError
from tellapart.settings.reading import make_settings
from tellapart.tasks.detection.starting import prefer


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ({"class_weights": "balanced"}, "class_weights is balanced"),
        ({"loop": {"loss": "focal"}}, "loop.loss is focal"),
        ({"loop": {"focal_gamma": 1.0}}, "loop.focal_gamma is 1"),
        ({"loop": {"label_smoothing": 0.2}}, "loop.label_smoothing is 0.2"),
        ({"network": {"dense": [{"units": 8}]}, "strategy": "finetune"}, "network.dense is told"),
        ({"network": {"dropout": 0.5}}, "network.dropout is 0.5"),
        ({"network": {"crop": 0.9}}, "network.crop is 0.9"),
        ({"finetune": {"views": 4}}, "finetune.views is 4"),
    ],
)
def test_what_no_detector_uses_is_refused(told: dict[str, Any], name: str) -> None:
    with pytest.raises(SettingsError) as fault:
        prefer(make_settings({"data": "x", **told}))
    assert str(fault.value).startswith(f"{name}, which detectors do not use: ")
    assert str(fault.value).endswith(". Leave it out.")


def test_cutmix_is_refused_before_anything_is_learned() -> None:
    with pytest.raises(SettingsError, match=r"^augment\.cutmix is 1, which mixes whole classes; boxes have none\. "):
        prefer(make_settings({"data": "x", "augment": {"cutmix": 1.0}}))


def test_what_a_recipe_says_of_a_run_before_is_taken() -> None:
    """Every setting at its usual value, and the views that a plan wrote down: none."""
    usual = make_settings({"data": "x"}).model_dump()
    usual["finetune"]["views"] = 0
    assert prefer(make_settings(usual)).finetune.views == 0
