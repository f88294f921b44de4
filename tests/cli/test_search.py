"""`tellapart search` as it is typed. In: flags. Out: what is wrong before any trial; trials and a winner, the whole way."""

from __future__ import annotations

import importlib.util
import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import tellapart
from tellapart.cli.extras import require
from tellapart.cli.main import execute
from tellapart.errors import DataError, MissingExtra, SettingsError
from tellapart.runs.open import OpenRun
from tellapart.runs.run import start_run
from tellapart.runs.searched import search_part
from tellapart.settings.reading import make_settings


@pytest.fixture(scope="module")
def stripes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of stripes that lie or stand, with some noise; of each kind 30, 32 pixels wide."""
    folder, chance = tmp_path_factory.mktemp("stripes"), np.random.default_rng(0)
    for label in ("lying", "standing"):
        (folder / label).mkdir()
        for number in range(30):
            wave = np.sin(np.arange(32) * chance.uniform(0.5, 1.0) + chance.uniform(0, 6))
            stripes = np.tile(wave, (32, 1)) if label == "standing" else np.tile(wave[:, None], (1, 32))
            grey = 128 + 50 * stripes + chance.normal(scale=35, size=(32, 32))
            Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8)).save(folder / label / f"{number}.png")
    return folder


SCRATCH = [
    "--strategy=scratch",
    "--set=network.blocks=[{filters = 8}]",
    "--set=network.size=32",
    "--set=network.channels=1",
    "--set=loop.batch_size=16",
]


def searched(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    capsys.readouterr()
    assert execute(["search", *map(str, arguments), "--no-report", "--json", "--quiet", "--device", "cpu"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.slow
def test_a_grid_of_trainings_the_whole_way(stripes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tries = ["--try", "loop.learning_rate=1e-3,5e-3", "--try", "network.dense.units=8,16"]
    found = searched(capsys, stripes, "--out", tmp_path, *SCRATCH, "--epochs", 2, "--grid", *tries)
    assert [tuple(one["settings"].values()) for one in found["trials"]] == [
        (1e-3, 8),
        (1e-3, 16),
        (5e-3, 8),
        (5e-3, 16),
    ]
    assert {one["state"] for one in found["trials"]} <= {"done", "stopped"}
    best = found["trials"][found["best_trial"]]
    assert found["best"] == best["settings"]
    assert found["validation"]["value"] == best["validation"] == max(one["validation"] or 0 for one in found["trials"])
    assert found["usual"] is None  # a grid is what was named, and nothing else

    # The winner is an ordinary run, trained as its trial was: validation says the same again.
    run = Path(found["run"])
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["validation"][0]["accuracy"] == best["validation"]
    assert metrics["n_test"] == 12
    assert found["score"]["value"] == metrics["test"]["accuracy"]["value"]
    recipe = tomllib.loads((run / "best.toml").read_text())["settings"]
    assert recipe["loop"]["learning_rate"] == found["best"]["loop.learning_rate"]
    assert recipe["network"]["dense"][0]["units"] == found["best"]["network.dense.units"]
    assert recipe["loop"]["epochs"] == 2
    assert tellapart.load(found["model"]).classes == ("lying", "standing")
    part = search_part(OpenRun(run))
    assert part is not None
    assert part.counts[0] + part.counts[1] == 4
    assert not (run / "work").exists()

    # It is finished, and cannot be gone on with or helped.
    for flag, words in (
        ("--resume", "is finished; only a stopped run can be resumed"),
        ("--join", "is finished. Begin another"),
    ):
        assert execute(["search", flag, str(run)]) == 2
        assert words in capsys.readouterr().err


@pytest.mark.slow
def test_a_search_that_was_stopped_goes_on(
    stripes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = [stripes, "--out", tmp_path, *SCRATCH, "--try", "loop.epochs=1,2,3", "--random"]

    def stop(*given: object, **named: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("tellapart.workflows.search.choose_winner", stop)
        assert execute(["search", *map(str, arguments), "--quiet"]) == 130
    (run,) = (path for path in tmp_path.iterdir() if path.is_dir())
    assert execute(["train", "--resume", str(run)]) == 2
    assert f"begins with a search. Go on with it: tellapart search --resume {run}" in capsys.readouterr().err
    assert execute(["search", "--resume", str(run), "--trials", "3"]) == 2
    assert "goes on with a search as it was begun, and more was given." in capsys.readouterr().err

    capsys.readouterr()
    assert execute(["search", "--resume", str(run), "--json", "--quiet"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["run"] == str(run)
    assert len(told["trials"]) == 3
    assert sorted(one["settings"]["loop.epochs"] for one in told["trials"]) == [1, 2, 3]
    assert [one["number"] for one in told["trials"]] == [0, 1, 2]


def test_where_all_trials_fail_nothing_is_said_of_going_on(
    stripes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*given: object, **named: object) -> None:
        raise DataError("the pictures are gone.")

    monkeypatch.setattr("tellapart.workflows.searching.attempt.try_settings", fails)
    assert execute(["search", str(stripes), "--out", str(tmp_path), *SCRATCH, "--try", "loop.epochs=1,2"]) == 2
    told = capsys.readouterr().err
    assert "Error: all 2 trials failed, so there is nothing to choose from. The first one (loop.epochs=1): the" in told
    assert "--resume" not in told


@pytest.mark.slow
def test_a_search_of_other_pictures_is_not_gone_on_with(
    stripes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    pictures = tmp_path / "pictures"
    shutil.copytree(stripes, pictures)

    def stop(*given: object, **named: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("tellapart.workflows.search.Finder.try_usual", stop)
        arguments = [pictures, "--out", tmp_path / "runs", *SCRATCH, "--try", "loop.epochs=1,2"]
        assert execute(["search", *map(str, arguments), "--quiet"]) == 130
    (run,) = (path for path in (tmp_path / "runs").iterdir() if path.is_dir())
    (pictures / "lying" / "3.png").rename(pictures / "standing" / "300.png")
    for flag in ("--resume", "--join"):
        assert execute(["search", flag, str(run), "--quiet"]) == 2
        told = capsys.readouterr().err
        assert f"the search {run} was begun with other pictures, labels or splits than {pictures} has now" in told


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--try", "loop.learning_rat=1,2"], "there is no setting 'loop.learning_rat'. Did you mean 'learning_rate'?"),
        (["--try", "loop.learning_rate=0,1e-2"], "loop.learning_rate is 0; it must be above 0."),
        (["--try", "loop.epochs=5"], "loop.epochs has one value to try, 5, which leaves nothing to choose."),
        (["--try", "network.detector=ssd,yolox"], "network.detector is ssd, which is for pictures with boxes alone."),
        (
            ["--try", "probe.strength=1e-3:1", "--grid"],
            "probe.strength is a range, which a grid cannot try to its end.",
        ),
        (["--try", "seed=1,2"], "seed cannot be searched"),
        (["--space", "nowhere.toml"], "there is no space at nowhere.toml."),
        (["--trials", "0"], "--trials is 0; it is a number from 1 to 10,000. Give another."),
        (["--budget", "soon"], "--budget is 'soon'; a time is a number above 0 and s, m or h"),
        (["--budget", "0.01s"], "which leaves no time for a trial. Give --budget 20s or more."),
        (["--try", "nosuch=1"], "there is no setting 'nosuch'."),
        (["--try", "nosuch.deeper=1:2"], "there is no setting 'nosuch.deeper'."),
        (["--try", "backbone=tf_efficientnet_lite0,nosuch"], "timm has no network named 'nosuch'."),
        (["--backbone", "nosuch"], "timm has no network named 'nosuch'."),
        (["--backbone", "auto"], "backbone is auto, and a search tries what is named. Give --try backbone=a,b,c"),
        (
            ["--set", "kfold.folds=3"],
            "K folds were asked for, and a search compares its trials on one validation split.",
        ),
    ],
)
def test_what_is_wrong_is_told_before_any_trial(
    arguments: list[str], words: str, stripes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["search", str(stripes), "--out", str(tmp_path / "runs"), "--quiet", *arguments]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_folder_that_is_no_search_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for flag in ("--join", "--resume"):
        assert execute(["search", flag, str(tmp_path), "--quiet"]) == 2
    told = capsys.readouterr().err
    assert "is no search: it has no search/journal.log. Give the folder of a search." in told
    assert "is not the folder of a run: it has no recipe.toml." in told


def test_a_run_without_a_search_is_told(stripes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = start_run(make_settings({"data": str(stripes), "out": str(tmp_path)}))
    run.release()
    begin = f"Begin a search: tellapart search PICTURES, around its settings with --recipe {run.folder}/recipe.toml"
    assert execute(["search", "--resume", str(run.folder), "--quiet"]) == 2
    told = f"was begun without a search, and goes on with: tellapart train --resume {run.folder}. {begin}"
    assert told in capsys.readouterr().err
    run.finish()
    assert execute(["search", "--resume", str(run.folder), "--quiet"]) == 2
    assert f"was begun without a search, and is finished. {begin}" in capsys.readouterr().err


def test_under_a_launcher_no_search_begins(
    stripes: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    assert execute(["search", str(stripes), "--quiet"]) == 2
    assert (
        "a search was begun under a launcher of several processes. Start `tellapart search` alone"
        in capsys.readouterr().err
    )


def test_python_says_the_same(stripes: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="loop.epochs is 0; it must be at least 1."):
        tellapart.search(stripes, tries={"loop.epochs": [0, 2]}, out=tmp_path)
    with pytest.raises(
        SettingsError, match=r"resume='.*' goes on with a search as it was begun. Leave out all else but progress."
    ):
        tellapart.search(stripes, resume=tmp_path)


def test_without_optuna_the_extra_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "optuna" else find(name))
    with pytest.raises(
        MissingExtra, match=r"needs the package \'optuna\', which is not installed. Install the extra with: .*search"
    ):
        require("search", "train", "search")


def test_a_setting_named_twice_is_refused(stripes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tries = ["--try", "probe.strength=0.1,0.2", "--try", "probe.strength=0.3,0.5"]
    assert execute(["search", str(stripes), *tries, "--quiet"]) == 2
    assert (
        "--try names probe.strength twice. Say all that is to be tried of it at once: --try probe.strength=a,b,c"
        in capsys.readouterr().err
    )
