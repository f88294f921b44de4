"""Pictures that lie elsewhere now. In: folders that were moved whole or in part. Out: their new paths."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from tellapart.errors import SettingsError
from tellapart.runs.moved import find_moved, with_new_paths
from tellapart.runs.places import moved_data
from tellapart.runs.recipe import recipe_text
from tellapart.runs.run import resume_run
from tellapart.settings.reading import make_settings
from tellapart.sources.remote.addresses import tell


@pytest.fixture
def before(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "old" / name for name in ("cat/1.png", "cat/2.png", "dog/1.png")]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return paths


@pytest.mark.parametrize("data", ["old", "old/table.csv", "elsewhere", None])
def test_the_folder_that_holds_what_the_data_held(before: list[Path], tmp_path: Path, data: str | None) -> None:
    shutil.move(tmp_path / "old", tmp_path / "new")
    (tmp_path / "new" / "cat" / "2.png").unlink()
    told = None if data is None else str(tmp_path / data)
    found = find_moved(before, told, tmp_path / "new")
    new = tmp_path / "new"
    assert found == {str(before[0]): str(new / "cat/1.png"), str(before[2]): str(new / "dog/1.png")}


def test_shards_that_were_moved_are_named_by_a_pattern(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    for number in range(2):
        with zipfile.ZipFile(tmp_path / "new" / f"s-{number}.zip", "w") as archive:
            archive.writestr("1.png", b"x")
    before = [tmp_path / "old" / f"s-{number}.zip" / "1.png" for number in range(2)]
    data = str(tmp_path / "old" / "s-{0..1}.zip")
    found = find_moved(before, data, tmp_path / "new" / "s-{0..1}.zip")
    assert found == {str(path): str(tmp_path / "new" / path.parent.name / "1.png") for path in before}


def test_elsewhere_is_where_it_was_said_to_be() -> None:
    now = Path(tell("s3://bucket/shards"))
    assert moved_data(Path("/old"), now) == now


def test_pictures_in_an_archive_that_was_moved(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "new.zip", "w") as archive:
        archive.writestr("cat/1.png", b"x")
    old = tmp_path / "old.zip"
    found = find_moved([old / "cat" / "1.png", old / "dog" / "1.png"], str(old), tmp_path / "new.zip")
    assert found == {str(old / "cat" / "1.png"): str(tmp_path / "new.zip" / "cat" / "1.png")}


def test_a_folder_that_holds_none_is_refused_with_an_example(before: list[Path], tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match="none of the run's 3 pictures lies in .*: there is no .*none/cat/1.png. Give the"
    ):
        find_moved(before, str(tmp_path / "old"), tmp_path / "none")


def test_paths_in_what_a_run_wrote() -> None:
    value = {"paths": ["a", "b"], "n": 1, "inner": [{"path": "a", "why": None}]}
    assert with_new_paths(value, {"a": "c"}) == {"paths": ["c", "b"], "n": 1, "inner": [{"path": "c", "why": None}]}


def test_where_a_folder_or_table_lies_now(before: list[Path], tmp_path: Path) -> None:
    old, table = tmp_path / "old", tmp_path / "old" / "table.csv"
    assert moved_data(tmp_path / "gone", old) == old
    with pytest.raises(SettingsError, match=r"the pictures were .*table\.csv, and .*table\.csv is not there"):
        moved_data(tmp_path / "gone" / "table.csv", old)
    table.touch()
    assert (
        moved_data(tmp_path / "gone" / "table.csv", old) == moved_data(tmp_path / "gone" / "table.csv", table) == table
    )
    with pytest.raises(SettingsError, match="none is not there"):
        moved_data(old, tmp_path / "none")


def test_a_resumed_run_finds_its_pictures_and_takes_what_nothing_depends_on(before: list[Path], tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "unfinished.json").write_text("{}")
    (run / "recipe.toml").write_text(recipe_text(make_settings({"data": "/gone", "seed": 7})), encoding="utf-8")
    with pytest.raises(SettingsError, match="were /gone, which is not there.*--pictures FOLDER"):
        resume_run(run)
    opened = resume_run(run, pictures=tmp_path / "old", changes={"report": False})
    opened.release()
    assert (opened.settings.data, opened.settings.report, opened.settings.seed) == (str(tmp_path / "old"), False, 7)
    again = resume_run(run)
    again.release()
    assert (again.settings.data, again.settings.report) == (str(tmp_path / "old"), True)


def test_the_root_by_which_most_are_found_counts(before: list[Path], tmp_path: Path) -> None:
    """Pictures of one class alone lie in a deeper folder than the data."""
    shutil.move(tmp_path / "old", tmp_path / "new")
    found = find_moved(before[:2], str(tmp_path / "old"), tmp_path / "new")
    assert found == {str(path): str(tmp_path / "new" / "cat" / path.name) for path in before[:2]}
    assert find_moved(before[:2], str(tmp_path / "old"), tmp_path / "new" / "cat") == found, (
        "or the folder of that class"
    )
