"""Which backbone a training takes. In: plain pictures, made features. Out: a name and why, or what is wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tellapart.cli.main import execute
from tellapart.errors import BackboneError, BackboneUnavailable, DataError, SettingsError
from tellapart.features.backbone import ReadyBackbone
from tellapart.features.caching import open_cache
from tellapart.models.weights import check_name
from tellapart.reporter import Silent
from tellapart.reporting.phrases import LANGUAGES, Phrases
from tellapart.runs.picked_backbone import backbone_section, read_picked, write_picked
from tellapart.settings.reading import make_settings
from tellapart.tasks.table import TASKS
from tellapart.workflows.learning import backbones
from tellapart.workflows.learning.backbones import choose_backbone
from tests.workflows.searching.conftest import shades  # noqa: F401


class _Pending:
    """One that is there, or whose hub cannot be reached."""

    def __init__(self, ready: ReadyBackbone | None) -> None:
        self._ready = ready

    def wait(self) -> ReadyBackbone:
        if self._ready is None:
            raise BackboneUnavailable("the weights cannot be downloaded. Connect to the network.")
        return self._ready

    def cancel(self) -> None:
        pass


@pytest.fixture
def there(backbone: ReadyBackbone, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tiny network under every name that has no "far" in it; the names that were asked for."""
    asked: list[str] = []

    def prepare(name: str, **named: Any) -> _Pending:
        asked.append(name)
        known = not name.startswith("far") and "efficientnet_b" not in name
        return _Pending(replace(backbone, name=name) if known else None)

    monkeypatch.setattr(backbones, "prepare_backbone", prepare)
    monkeypatch.setattr(backbones, "check_name", lambda name: None)
    return asked


def choose(table: Path, **values: Any) -> Any:
    settings = make_settings({"data": str(table), **values})
    with open_cache() as cache:
        return choose_backbone(settings, cache, device="cpu", reporter=Silent())


def test_several_are_compared_by_the_same_pictures(there: list[str], shades: Path, tmp_path: Path) -> None:  # noqa: F811
    settings, picked = choose(shades, backbone="one, far_away,two")
    assert there == ["one", "far_away", "two"]
    assert settings.backbone == picked.picked
    assert picked.picked in ("one", "two")
    assert picked.n == 36  # training pictures alone
    assert set(picked.skipped) == {"far_away"}
    assert "cannot be downloaded" in picked.skipped["far_away"]
    first, second = picked.networks
    assert first.value == second.value  # the same network under two names
    assert picked.picked == first.name  # so that the cheaper one is taken
    assert first.milliseconds <= second.milliseconds

    assert read_picked(tmp_path) is None
    write_picked(tmp_path, picked)
    assert read_picked(tmp_path) == replace(picked, networks=tuple(picked.networks))
    for language in LANGUAGES:
        section = backbone_section(picked, Phrases(language))
        assert [type(block).__name__ for block in section.blocks] == ["Paragraph", "Charts", "Table", "Paragraph"]
    (tmp_path / "backbones.json").write_text(json.dumps({**picked.as_json(), "best": "gone"}))
    with pytest.raises(DataError, match="backbones.json is damaged. Without it the report does not say why"):
        read_picked(tmp_path)


def test_auto_asks_no_hub_again_that_cannot_be_reached(there: list[str], shades: Path) -> None:  # noqa: F811
    _, picked = choose(shades, backbone="auto")
    assert there[:3] == ["tf_efficientnet_lite0", "tf_efficientnet_lite1", "tf_efficientnet_lite2"]
    assert len(there) == 4  # the first of the hub's, and then no other
    assert len(picked.networks) == 3
    assert set(picked.skipped.values()) == {"no hub can be reached"}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"backbone": "auto", "weights": "x.safetensors"}, "is for one backbone, and several are to be compared."),
        ({"backbone": "a,b", "kfold": {"folds": 3}}, "what is chosen by pictures of a fold would flatter it."),
    ],
)
def test_what_cannot_be_compared_is_refused(values: Any, words: str, shades: Path) -> None:  # noqa: F811
    with pytest.raises(SettingsError, match=words):
        choose(shades, **values)


def test_a_name_that_nobody_knows_is_refused_before_any_is_tried(
    shades: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def prepare(name: str, **named: Any) -> _Pending:
        raise AssertionError(f"{name} was tried")

    monkeypatch.setattr(backbones, "prepare_backbone", prepare)
    with pytest.raises(BackboneError, match="timm has no weights '' for resnet50. Choose resnet50, resnet50"):
        check_name("resnet50.")
    with pytest.raises(BackboneError, match="timm has no network named 'nosuch'. Choose one from `tellapart models`"):
        choose(shades, backbone="tf_efficientnet_lite0,nosuch")


def test_so_is_the_only_one_before_any_picture_is_looked_at(
    shades: Path,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert execute(["train", str(shades), "--backbone", "nosuch", "--out", str(tmp_path / "runs")]) == 2
    said = capsys.readouterr().err.splitlines()
    assert [line.partition(". ")[0] for line in said] == ["Error: timm has no network named 'nosuch'"]
    assert not (tmp_path / "runs").exists()


def test_none_that_can_be_had_is_told(there: list[str], shades: Path) -> None:  # noqa: F811
    with pytest.raises(
        BackboneError, match="none of the backbones could be tried; far_a: the weights cannot be downloaded."
    ):
        choose(shades, backbone="far_a,far_b")


def test_a_task_without_a_classifier_on_features_is_told(
    there: list[str],
    shades: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = next(one for one in TASKS.values() if one.scores is not None)
    monkeypatch.setattr(backbones, "task_of", lambda name: replace(task, quick=None))
    with pytest.raises(
        SettingsError, match="Compare them by `tellapart search PICTURES --try backbone=a,b,c`, or name one."
    ):
        choose(shades, backbone="a,b")


@pytest.mark.parametrize("name", ["a,", "a,a", "auto,b"])
def test_names_that_cannot_be_are_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="it is a name, auto, or several names with commas between, each once"):
        make_settings({"data": "x", "backbone": name})


def test_two_flags_that_say_different_things(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["train", "x", "--backbone", "a", "--backbones", "b,c"]) == 2
    assert "--backbone a and --backbones b,c were given; the second compares" in capsys.readouterr().err
