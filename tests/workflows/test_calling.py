"""A training that Python code asks for. In: flags, scripts without a guard. Out: the same settings as the command line's."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import tellapart
from tellapart.cli.train import command
from tellapart.errors import MissingExtra, SettingsError
from tellapart.settings.data_parts import ReadingSettings

_SCRIPT = """
import tellapart
tellapart.train({pictures!r}, out={out!r}, strategy="finetune", report=False, settings={{"loop": {{"workers": 2}}}})
"""


def test_every_flag_of_the_command_can_be_given() -> None:
    flags = {str(one.name) for one in command.params}
    # In Python: progress, the result itself, settings, pictures, and several names as backbone. A cluster needs the command.
    screen = {"quiet", "as_json", "assignments", "data", "backbones", "ray", "workers", "cpus"}
    there = set(inspect.signature(tellapart.train).parameters)
    assert flags - screen - set(ReadingSettings.model_fields) <= there
    assert there - flags == {"pictures", "settings", "reading", "progress"}


_SETTINGS = sorted(
    set(inspect.signature(tellapart.train).parameters) - {"recipe", "resume", "moved", "settings", "progress", "small"}
)


@pytest.mark.parametrize("name", _SETTINGS)
def test_what_is_given_reaches_the_settings(name: str, tmp_path: Path) -> None:
    """A value that no setting takes is refused by its setting, before the pictures, which are not there, are looked for."""
    wrong: dict[str, Any] = {"pictures": str(tmp_path / "nowhere"), name: {"no": "such value"}}
    called = {"pictures": "data", "value_range": "range", "tiles": "fit", "kfold_keep": "keep"}.get(name, name)
    with pytest.raises(SettingsError, match=rf"such value|there is no setting '[a-z.]*{called}[a-z.]*\.no'"):
        tellapart.train(**wrong)


@pytest.mark.parametrize(
    "settings",
    [
        {"loop": {"epochs": "x"}, "augment": {"rotation": 5}},
        {"loop.epochs": "x", "augment.rotation": 5},
        {"loop": {"patience": 3}, "loop.epochs": "x"},
    ],
)
def test_settings_may_have_their_whole_names_as_in_the_command(settings: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^loop\.epochs is 'x'; it must be a whole number"):
        tellapart.train(tmp_path, settings=settings)
    with pytest.raises(SettingsError, match="the range is 'x'|'x'; a range is LOW:HIGH"):
        tellapart.train(tmp_path, settings={"data.range": "x"})


def test_what_nothing_would_look_at_is_refused_before_the_pictures(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"^loop\.momentum is 0\.5, which is looked at only where loop\.optimizer is sgd"
    ):
        tellapart.train(tmp_path / "nowhere", settings={"loop.momentum": 0.5})


def test_tables_are_read_as_told(tmp_path: Path, colours: Path) -> None:
    rows = [f"{path.relative_to(colours)};{path.parent.name}" for path in sorted(colours.rglob("*.png"))]
    table = tmp_path / "table.csv"
    table.write_text("\n".join(["file;kind", *rows]), encoding="utf-8")
    found = tellapart.check(table, reading={"path_column": "file", "label_column": "kind", "root": colours})
    assert found["counts"][""].keys() == {"blue", "green", "红色"}
    with pytest.raises(SettingsError, match="there is no setting 'reading.rot'. Did you mean 'root'?"):
        tellapart.check(table, reading={"rot": "x"})


def test_a_script_without_a_guard_is_told_before_any_work(colours: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(_SCRIPT.format(pictures=str(colours), out=str(tmp_path / "runs")))
    answer = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    last = answer.stderr.strip().splitlines()[-1]
    assert last.startswith(
        "tellapart.errors.SettingsError: loop.workers is 2, and a process that is to read pictures cannot begin"
    )
    assert 'if __name__ == "__main__":' in last
    assert answer.stderr.count("Traceback") == 1, "the processes themselves say nothing"
    assert not (tmp_path / "runs").exists()


_RESUMED = """
import tellapart
tellapart.train(resume={run!r})
"""


@pytest.mark.parametrize(("workers", "told"), [("", False), ("workers = 2", True)])
def test_a_stopped_run_of_the_command_line_goes_on_in_a_script_without_a_guard(
    colours: Path, tmp_path: Path, workers: str, told: bool
) -> None:
    """Where nobody asked for processes there are none; where they were asked for, the message names what can be done."""
    run = tmp_path / "runs" / "stopped"
    run.mkdir(parents=True)
    (tmp_path / "one").mkdir()
    (colours / "blue").rename(tmp_path / "one" / "blue")
    (run / "recipe.toml").write_text(
        f'[settings]\ndata = "{(tmp_path / "one").as_posix()}"\nstrategy = "finetune"\n[settings.loop]\n{workers}\n'
    )
    (run / "unfinished.json").write_text("{}")
    (tmp_path / "script.py").write_text(_RESUMED.format(run=str(run)))
    answer = subprocess.run(
        [sys.executable, str(tmp_path / "script.py")], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    last = answer.stderr.strip().splitlines()[-1]
    if told:
        assert 'under if __name__ == "__main__":, or go on with it by: tellapart train --resume' in last
    else:
        assert "has only one class, 'blue'" in last  # it came as far as to look at its pictures
    assert answer.stderr.count("Traceback") == 1


def test_what_does_not_go_together(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="moved='x' is for resume"):
        tellapart.train("y", moved="x")
    with pytest.raises(SettingsError, match="repeats the run's own settings, and seed was given"):
        tellapart.train(resume=tmp_path, seed=3)
    with pytest.raises(SettingsError, match="has no recipe.toml"):
        tellapart.train(resume=tmp_path, report=False, language="zh")
    with pytest.raises(SettingsError, match="there is no recipe at"):
        tellapart.train(recipe=tmp_path / "none.toml")


def test_the_root_of_all_errors_is_there_and_errors_travel() -> None:
    import pickle

    assert issubclass(SettingsError, tellapart.TellapartError)
    error = pickle.loads(pickle.dumps(MissingExtra("serve", "serve", "starlette")))
    assert str(error) == str(MissingExtra("serve", "serve", "starlette"))
    client = pickle.loads(
        pickle.dumps(tellapart.Client("http://127.0.0.1:9", api_key="k", timeout=2, retries=0, model="m"))
    )
    assert (
        client._connection
        == tellapart.Client("http://127.0.0.1:9", api_key="k", timeout=2, retries=0, model="m")._connection
    )
