"""A model or a run, opened part by part. In: folders that lack this or that. Out: parts, or what is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tellapart.data.examples import Example
from tellapart.data.examples_csv import write_examples
from tellapart.data.targets import ClassName
from tellapart.errors import DataError, ModelFileError, SettingsError
from tellapart.runs.finished import open_finished
from tellapart.runs.open import OpenRun
from tellapart.runs.recipe import recipe_text
from tellapart.settings.reading import make_settings
from tellapart.storage import write_json

CLASSES = ("blue", "green", "红色")


@pytest.fixture
def run(tiny_model: Path) -> Path:
    """A finished run of a tiny model, whose pictures are gone but for one."""
    folder = tiny_model.parent
    (folder / "recipe.toml").write_text(recipe_text(make_settings({"data": "/nowhere", "seed": 7})), encoding="utf-8")
    write_json(folder / "metrics.json", {"test": {"n": 2}})
    write_json(folder / "audit.json", {"counts": {}})
    rows = [
        Example(
            path=folder / name,
            target=ClassName("blue"),
            split=None if problem else "train",
            group="",
            content_hash=name,
            width=1,
            height=1,
            problem=problem,
        )
        for name, problem in (("there.png", ""), ("gone.png", ""), ("spoilt.png", "cut short"))
    ]
    write_examples(folder / "examples.csv", rows)
    (folder / "there.png").touch()
    lines = [",".join(["path", "label", "predicted", *(f"probability of {name}" for name in CLASSES)])]
    lines += ["a.png,blue,green,0.25,0.5,0.25", "b.png,红色,红色,0,0,1"]
    (folder / "predictions.csv").write_text("\n".join(lines), encoding="utf-8")
    return folder


def test_a_model_alone_has_no_more_than_itself(tiny_model: Path) -> None:
    alone = OpenRun(tiny_model)
    assert (alone.file, alone.folder, alone.classes) == (tiny_model, tiny_model.parent, CLASSES)
    assert (alone.lists_examples, alone.recipe, alone.has_run) == (False, {}, False)
    with pytest.raises(
        DataError, match=r"examples\.csv is not there, which lists the training pictures\. Give the run's"
    ):
        assert alone.examples
    with pytest.raises(SettingsError, match=r"recipe\.toml is not there; it tells how the network is built"):
        assert alone.settings


def test_the_model_answers_on_all_cores_in_the_order_of_the_pictures(tiny_model: Path) -> None:
    images = np.zeros((20, 16, 16, 3), dtype=np.uint8)
    images[np.arange(20), ..., np.arange(20) % 3] = 250  # red, green, blue, in turn
    probabilities, embeddings = OpenRun(tiny_model).run(images)
    assert [CLASSES[number] for number in probabilities.argmax(axis=1)[:3]] == ["红色", "green", "blue"]
    np.testing.assert_array_equal(probabilities.argmax(axis=1), [(2 - row) % 3 for row in range(20)])
    np.testing.assert_allclose(embeddings, np.eye(3)[np.arange(20) % 3] * 250 / 255, atol=1e-6)


def test_each_part_of_a_run_is_read_once(run: Path) -> None:
    opened = OpenRun(run)
    assert opened.settings.seed == 7
    assert [example.path.name for example in opened.examples] == ["there.png", "gone.png", "spoilt.png"]
    assert opened.missing == 1  # what was unreadable from the first is not missed
    assert opened.predictions.targets == ["blue", "红色"]
    for name in ("examples.csv", "metrics.json", "audit.json", "predictions.csv", "recipe.toml"):
        (run / name).unlink(missing_ok=True)
    assert len(opened.examples) == 3
    assert opened.metrics == {"test": {"n": 2}}


def test_predictions_of_another_test_are_told(run: Path) -> None:
    write_json(run / "metrics.json", {"test": {"n": 3}})
    with pytest.raises(
        DataError, match=r"has 2 rows; metrics\.json tells of 3 test pictures\. Copy the whole run again"
    ):
        assert OpenRun(run).predictions


def test_a_class_is_found_by_its_name(tiny_model: Path) -> None:
    opened = OpenRun(tiny_model)
    assert [opened.class_index(name) for name in CLASSES] == [0, 1, 2]
    with pytest.raises(
        SettingsError, match=r"no class 'gren'\. Did you mean green\? Its classes are blue, green, 红色\."
    ):
        opened.class_index("gren")


def test_what_is_no_model_does_not_open(tmp_path: Path, tiny_model: Path) -> None:
    with pytest.raises(ModelFileError, match="there is no model at"):
        OpenRun(tmp_path / "none")
    tiny_model.write_bytes(tiny_model.read_bytes()[:-9])
    with pytest.raises(ModelFileError):
        OpenRun(tiny_model)


def test_an_unfinished_run_does_not_open(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "unfinished.json").write_text("{}")
    with pytest.raises(
        SettingsError, match=r"unfinished and has no model yet\. Go on with it: tellapart train --resume"
    ):
        OpenRun(folder)


def test_a_finished_run_opens_whole(run: Path) -> None:
    assert open_finished(run).predictions.answers == ["green", "红色"]


@pytest.mark.parametrize("name", ["metrics.json", "audit.json", "examples.csv", "predictions.csv", "model.onnx"])
def test_a_run_that_lacks_a_file_is_told_which(name: str, run: Path) -> None:
    (run / name).unlink()
    with pytest.raises(SettingsError, match=rf"lacks {name}, which a finished run has\. Copy the whole folder"):
        open_finished(run)


def test_no_run_and_an_unfinished_one_have_nothing_to_show(run: Path) -> None:
    (run / "unfinished.json").write_text("{}")
    with pytest.raises(SettingsError, match="is unfinished; only a finished run has results to show"):
        open_finished(run)
    (run / "recipe.toml").unlink()
    with pytest.raises(SettingsError, match=r"it has no recipe\.toml\. Give a folder under runs/"):
        open_finished(run)


@pytest.mark.parametrize("name", ["metrics.json", "audit.json", "examples.csv", "predictions.csv"])
def test_a_spoilt_table_is_told_before_anything_is_made_of_it(name: str, run: Path) -> None:
    (run / name).write_text("spoilt")
    with pytest.raises(DataError, match=name.replace(".", r"\.")):
        open_finished(run)
