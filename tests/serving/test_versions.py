"""Models and versions on disk. In: folders. Out: what is found, under which names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tellapart.errors import ModelFileError, SettingsError
from tellapart.serving.versions import Place, find_versions, read_labels, read_sources


def test_a_folder_of_models_is_a_repository_in_which_models_come_and_go(models: Path) -> None:
    sources = read_sources([str(models)])
    assert list(sources.places()) == ["colours", "single"]
    (models / "later" / "3").mkdir(parents=True)
    assert list(sources.places()) == ["colours", "single"]  # a folder without a model is none
    (models / "later" / "3" / "model.onnx").write_bytes(b"x")
    assert list(sources.places()) == ["colours", "later", "single"]


def test_names_come_from_folders_files_or_the_operator(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (models / "cats.onnx").write_bytes(b"x")
    monkeypatch.chdir(models / "single")
    arguments = [str(models / "colours"), str(models / "cats.onnx"), "model.onnx", f"mine={models / 'single'}"]
    assert list(read_sources(arguments).places()) == ["colours", "cats", "single", "mine"]


def test_versions_are_numbered_folders_with_a_model(models: Path) -> None:
    for name in ("03", "0", "x", "4", "-1", "1.5"):
        (models / "colours" / name).mkdir()
    place = Place(name="colours", path=models / "colours")
    assert list(find_versions(place)) == [1, 2]
    (models / "colours" / "10").mkdir()
    (models / "colours" / "10" / "model.onnx").write_bytes(b"x")
    assert list(find_versions(place)) == [1, 2, 10]
    assert list(find_versions(Place(name="single", path=models / "single"))) == [1]


def test_a_changed_file_has_another_stamp(models: Path) -> None:
    place = Place(name="single", path=models / "single")
    before = find_versions(place)[1].stamp
    file = models / "single" / "model.onnx"
    os.utime(file, ns=(1, 1))
    assert find_versions(place)[1].stamp != before


@pytest.mark.parametrize("text", ["[1]", '{"stable": "1"}', '{"stable": true}', "{", "\xff"])
def test_labels_of_another_form_are_refused(models: Path, text: str) -> None:
    (models / "colours" / "labels.json").write_text(text, encoding="latin-1")
    with pytest.raises(ModelFileError, match=r'labels\.json must hold names and version numbers, like \{"stable": 3'):
        read_labels(Place(name="colours", path=models / "colours"))


def test_what_is_no_model_is_refused(tmp_path: Path, models: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelFileError, match=r"empty holds no model\.onnx, .* Give a run's folder"):
        read_sources([str(tmp_path / "empty")])
    with pytest.raises(ModelFileError, match=r"there is no model at .*nowhere\. Give a model\.onnx"):
        read_sources([str(tmp_path / "nowhere")])
    with pytest.raises(SettingsError, match=r"'\.\./x' cannot be a model's name\. .* Give one: NAME=.*single"):
        read_sources([f"../x={models / 'single'}"])
    with pytest.raises(SettingsError, match=r"are both named 'single'\. Name one of them: NAME="):
        read_sources([str(models / "single"), str(models / "single" / "model.onnx")])


def test_a_folder_with_nothing_but_nameless_models_is_refused(models: Path, tmp_path: Path) -> None:
    (tmp_path / "all").mkdir()
    (models / "single").rename(tmp_path / "all" / "two words")
    with pytest.raises(SettingsError, match="'two words' cannot be a model's name. .* Give one: 'NAME=.*two words'"):
        read_sources([str(tmp_path / "all")])
    read_sources([f"words={tmp_path / 'all' / 'two words'}"])
