"""A run's folder. In: settings. Out: what is told in it, planned in it, and when it goes away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from safetensors.numpy import save_file

from tellapart.errors import ForeignCheckpoint, StorageError
from tellapart.runs.recipe import recipe_text
from tellapart.runs.run import MARKER, Run, keep_first, replan, resume_run, start_run, with_absolute_inputs
from tellapart.settings.reading import make_settings, read_recipe


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    (tmp_path / "pictures").mkdir()
    started = start_run(make_settings({"data": str(tmp_path / "pictures"), "out": str(tmp_path / "runs")}))
    yield started
    started.release()


def told(run: Run) -> list[dict[str, object]]:
    return [json.loads(line) for line in (run.folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]


def test_an_epoch_is_told_once_however_often_it_is_trained(run: Run) -> None:
    for number in (1, 2, 2, 3):
        run.log("epoch", number=number, train_loss=1 / number)
    assert [event["number"] for event in told(run) if event["event"] == "epoch"] == [1, 2, 3]
    run.log("resumed")
    run.log("resumed")
    assert [event["event"] for event in told(run)].count("resumed") == 2


def test_half_a_line_is_not_glued_to_the_next(run: Run) -> None:
    with (run.folder / "log.jsonl").open("a") as file:
        file.write('{"event": "epo')
    run.log("resumed")
    lines = (run.folder / "log.jsonl").read_text().splitlines()
    assert lines[-2] == '{"event": "epo'
    assert json.loads(lines[-1])["event"] == "resumed"
    run.log("epoch", number=1)
    assert json.loads((run.folder / "log.jsonl").read_text().splitlines()[-1])["number"] == 1


def test_a_plan_is_in_the_recipe_that_a_resumed_run_reads(run: Run) -> None:
    planned = replan(run, epochs=7, views=3, unfreeze="2")
    run.release()
    again = resume_run(run.folder)
    assert again.settings == planned.settings
    assert (again.settings.loop.epochs, again.settings.finetune.views, again.settings.finetune.unfreeze) == (7, 3, "2")
    assert read_recipe(run.folder / "recipe.toml")["loop"]["epochs"] == 7
    again.release()


def test_how_long_a_first_answer_learns_is_in_the_recipe_too(run: Run) -> None:
    kept = keep_first(run, epochs=5, views=2)
    run.release()
    again = resume_run(run.folder)
    assert again.settings == kept.settings
    assert (again.settings.finetune.first_epochs, again.settings.finetune.first_views) == (5, 2)
    assert not again.planned
    again.release()


def test_a_resumed_run_knows_that_it_was_planned(run: Run) -> None:
    run.release()
    assert not run.planned
    told_how_long = run.settings.model_copy(update={"loop": run.settings.loop.model_copy(update={"epochs": 7})})
    (run.folder / "recipe.toml").write_text(recipe_text(told_how_long), encoding="utf-8")
    again = resume_run(run.folder)
    assert (again.settings.loop.epochs, again.planned) == (7, False)  # told by a person, and stopped before the plan
    planned = replan(again, epochs=7, views=3)
    assert planned.planned
    planned.log("planned", epochs=7)
    with (run.folder / "log.jsonl").open("a") as file:
        file.write('"planned"\n[1]\n{"event": "epo')
    again.release()
    third = resume_run(run.folder)
    third.release()
    assert third.planned


def test_what_a_resumed_run_needs_outlives_the_marker(run: Run) -> None:
    """A marker without it would be a run that has nothing to go on from."""
    scaffold, marker = run.folder / "checkpoints", run.folder / MARKER
    scaffold.mkdir()
    marker.unlink()
    marker.mkdir()  # which cannot be unlinked
    with pytest.raises(StorageError):
        run.finish()
    assert scaffold.exists()
    marker.rmdir()
    run.finish()
    assert not scaffold.exists()


def test_a_discarded_run_leaves_nothing(run: Run) -> None:
    run.discard()
    assert list(run.folder.parent.iterdir()) == []


def test_paths_in_the_recipe_are_whole_so_that_a_run_resumes_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    given = {"data": "pictures", "labels": "fixed.csv", "weights": "own.safetensors", "out": str(tmp_path / "runs")}
    run = start_run(make_settings(given))
    run.release()
    monkeypatch.chdir("/")
    again = resume_run(run.folder)
    again.release()
    settings = again.settings
    assert settings.labels == str(tmp_path / "fixed.csv")
    assert (settings.data, settings.weights) == (str(tmp_path / "pictures"), str(tmp_path / "own.safetensors"))
    assert "labels" not in settings.trained_by()  # where the corrections lie changes nothing; what they say does


def test_a_run_that_another_version_has_saved_is_refused_before_anything_is_read(run: Run) -> None:
    """Its pictures need not even be there."""
    run.release()
    folder = run.folder / "checkpoints"
    folder.mkdir()
    save_file({}, folder / "checkpoint-00001-0000000.safetensors", {"version": "2"})
    save_file({}, folder / "checkpoint-00002-0000000.safetensors", {"version": "1"})
    with pytest.raises(ForeignCheckpoint, match="0002-0000000.safetensors is of checkpoint version 1, this program"):
        resume_run(run.folder)
    assert [line["event"] for line in told(run)] == ["started"]


@pytest.mark.parametrize("content", [b"", b"of another kind entirely"])
def test_a_damaged_checkpoint_is_for_the_training_to_tell(run: Run, content: bytes) -> None:
    run.release()
    folder = run.folder / "checkpoints"
    folder.mkdir()
    (folder / "checkpoint-00001-0000000.safetensors").write_bytes(content)
    again = resume_run(run.folder, pictures=run.folder)
    again.release()
    assert again.folder == run.folder


def test_a_run_that_goes_on_from_the_latest_names_the_run_itself(tmp_path: Path) -> None:
    """Afterwards `latest` leads to the new run, and its recipe would go on from its own network."""
    (tmp_path / "first").mkdir()
    (tmp_path / "latest").symlink_to("first")
    whole = with_absolute_inputs(make_settings({"data": "x", "base": str(tmp_path / "latest")}))
    assert whole.base == str((tmp_path / "first").resolve())
