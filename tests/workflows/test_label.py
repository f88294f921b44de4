"""What a labelling desk is opened with. In: tables, folders, models. Out: classes, folders, sentences before anything listens."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tellapart.bundle import DIGEST_KEY, MANIFEST_KEY, DetectionRecord, Manifest, MultilabelRecord, seal
from tellapart.errors import TellapartError
from tellapart.workflows.label import LabelOptions, default_folder, label

Refused = Callable[..., str]


@pytest.fixture
def todo(tmp_path: Path) -> Path:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    (tmp_path / "todo.csv").write_text("path,suggested\na.png,cat\na.png,dog\n")
    return tmp_path / "todo.csv"


@pytest.fixture
def refused(todo: Path) -> Refused:
    """Why a desk does not open; one that is about to listen has its port taken."""

    def why(**options: Any) -> str:
        with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(TellapartError) as told:
            options = {"source": todo, "port": taken.getsockname()[1], **options}
            label(LabelOptions(**options), say=lambda text: None, ready=lambda address, sofar: None)
        return str(told.value)

    return why


@pytest.fixture
def model(tiny_network: Path, tiny_manifest: Manifest, tmp_path: Path) -> Callable[[Any, str], Path]:
    def make(record: Any, task: str) -> Path:
        """A file of which only the manifest is looked at."""
        from onnx import helper, load

        manifest = tiny_manifest.model_copy(update={"record": record, "task": task})
        network = load(tiny_network)
        helper.set_model_props(network, {MANIFEST_KEY: manifest.model_dump_json(), DIGEST_KEY: "0" * 64})
        (tmp_path / f"{task}.onnx").write_bytes(seal(network.SerializeToString()))
        return tmp_path / f"{task}.onnx"

    return make


SETS = MultilabelRecord(
    scales=(1.0,) * 3,
    offsets=(0.0,) * 3,
    thresholds=(0.5,) * 3,
    threshold_rule="f1",
    novelty_threshold=1.0,
    calibrated_on=9,
)
BOXES = DetectionRecord(
    detector="default",
    scales=(1.0,) * 3,
    offsets=(0.0,) * 3,
    thresholds=(0.5,) * 3,
    threshold_rule="f1",
    calibrated_on=9,
    overlap=0.6,
    most=3,
    least_score=0.1,
)


def test_a_port_that_is_taken(refused: Refused) -> None:
    assert "something else may. Choose another --port (0: any that is free)" in refused()


def test_classes_come_from_one_place(refused: Refused, tiny_model: Path, todo: Path) -> None:
    assert (
        refused(classes=("a", "b"), model=tiny_model)
        == "--classes and --model both say what the classes are. Leave one of them out."
    )
    assert "--classes names 'a' twice" in refused(classes=("a", "a"))
    assert "cannot listen" in refused(model=tiny_model)
    todo.write_text("path\na.png\n")
    assert "suggests no class, so there is none to choose from. Give --classes cat,dog, or --model RUN" in refused()
    assert "cannot listen" in refused(new_classes=True)


def test_a_model_says_whether_a_picture_has_one_class_or_several(
    refused: Refused, tiny_model: Path, model: Callable[[Any, str], Path], todo: Path
) -> None:
    assert "tells one class a picture, and --several asks for any number" in refused(model=tiny_model, several=True)
    assert "cannot listen" in refused(model=model(SETS, "multilabel"))
    (todo.parent / "todo-labels").mkdir()
    (todo.parent / "todo-labels" / "labels.csv").write_text("path,label\na.png,cat\n")
    assert "was begun with the column 'label'" in refused(model=model(SETS, "multilabel"))


def test_models_that_draw_on_the_picture_are_refused(refused: Refused, model: Callable[[Any, str], Path]) -> None:
    told = refused(model=model(BOXES, "detection"))
    assert (
        "is a model of task detection, whose answers are drawn on the picture; the desk tells whole pictures. Draw them in"
        in told
    )


def test_nothing_is_made_for_what_cannot_be_opened(refused: Refused, todo: Path) -> None:
    assert "there is nothing at" in refused(source=todo.parent / "gone.csv")
    assert "there is no model at" in refused(model=todo.parent / "gone")
    assert not (todo.parent / "todo-labels").exists()


def test_a_start_that_fails_leaves_no_folder(refused: Refused, todo: Path) -> None:
    assert "cannot listen" in refused()
    assert not (todo.parent / "todo-labels").exists()
    (todo.parent / "todo-labels").mkdir()
    assert "cannot listen" in refused()
    assert (todo.parent / "todo-labels").is_dir()  # it was there before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"allow_host": ("http://x/",)}, "--allow-host 'http://x/' is no host name"),
        ({"allow_origin": ("*",)}, "--allow-origin '*' is no site"),
        ({"classes": ("a", "", "a")}, "--classes has '', which cannot be a class: it is empty."),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_made(options: Any, words: str, refused: Refused, todo: Path) -> None:
    assert words in refused(**options)
    assert not (todo.parent / "todo-labels").exists()


def test_what_is_suggested_and_was_not_named_is_told(todo: Path) -> None:
    said: list[str] = []

    def open_with(**options: Any) -> None:
        said.clear()
        with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(TellapartError):
            told = LabelOptions(source=todo, port=taken.getsockname()[1], **options)
            label(told, say=said.append, ready=lambda address, sofar: None)

    (todo.parent / "b.png").write_bytes((todo.parent / "a.png").read_bytes())
    todo.write_text("path,suggested\na.png,cat\nb.png,dog\n")
    open_with(classes=("cat", "bird"))
    assert said[0].startswith(
        f"{todo} suggests what --classes has not, and the desk does not show that: 'dog' (1). If they"
    )
    open_with(classes=("cat", "dog"))
    assert said == []
    open_with()
    assert said == []


def test_labels_lie_beside_what_is_labelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "new.pictures").mkdir()
    (tmp_path / "old.tar.gz").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    assert default_folder(Path("todo.csv")) == Path("todo-labels")
    assert default_folder(Path("new.pictures/")) == Path("new.pictures-labels")
    assert default_folder(Path("old.tar.gz")) == Path("old-labels")
    monkeypatch.chdir(tmp_path / "new.pictures")
    assert default_folder(Path(".")) == tmp_path.resolve() / "new.pictures-labels"
    assert default_folder(Path("..")) == tmp_path.resolve().parent / f"{tmp_path.name}-labels"
