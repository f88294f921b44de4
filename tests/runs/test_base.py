"""Going on from a run. In: what is told with `--from`. Out: that run's settings, or what cannot be told with them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tellapart.errors import SettingsError
from tellapart.runs import base
from tellapart.runs.recipe import recipe_text
from tellapart.settings.reading import make_settings


@pytest.fixture
def before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished run of VGG16 that was fine-tuned with a new classifier, of which only the recipe is real."""
    told = {"data": "x", "backbone": "VGG16", "strategy": "finetune", "finetune": {"head": "random"}}
    (tmp_path / "recipe.toml").write_text(recipe_text(make_settings(told)))
    (tmp_path / "model.onnx").touch()
    backbone = SimpleNamespace(name="vgg16")
    manifest = SimpleNamespace(strategy="finetune", compression=None, backbone=backbone)
    monkeypatch.setattr(base, "read_manifest", lambda path: manifest)
    return tmp_path


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ({"backbone": "resnet18"}, "backbone resnet18"),
        ({"weights": "w.safetensors"}, "weights w.safetensors"),
        ({"strategy": "scratch"}, "strategy scratch"),
        ({"finetune": {"head": "random"}}, "finetune.head random"),
    ],
)
def test_another_beginning_than_the_run_s_network_is_refused(before: Path, told: dict[str, Any], name: str) -> None:
    with pytest.raises(SettingsError) as caught:
        base.told_with_base({"base": str(before), **told})
    assert str(caught.value) == (
        f"{name} is not for --from {before}, whose own network, vgg16, is trained on as it is. Leave one of them out."
    )


def test_the_run_s_own_settings_may_be_told_again(before: Path) -> None:
    """As its recipe does, which is repeated; where its classifier began says nothing of this training."""
    told = base.told_with_base({"base": str(before), "backbone": "VGG16", "strategy": "finetune"})
    settings = make_settings(told)
    assert (settings.backbone, settings.strategy, settings.finetune.head) == ("vgg16", "finetune", "probe")
    again = make_settings(base.told_with_base(settings.model_dump(exclude_none=True)))
    assert again == settings


def test_a_schedule_that_is_told_anew_takes_the_run_s_epochs_away(before: Path) -> None:
    recipe = make_settings({"data": "x", "loop": {"schedule": "piecewise", "decay_at": [3]}})
    (before / "recipe.toml").write_text(recipe_text(recipe))
    told = {"base": str(before), "loop": {"schedule": "cosine"}}
    assert make_settings(base.told_with_base(told)).loop.decay_at == ()
    assert make_settings(base.told_with_base({"base": str(before)})).loop.decay_at == (3,)
