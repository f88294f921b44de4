"""Which pictures to label next. In: a tiny model that names colours, pictures. Out: tables. Next: test_shortcuts.py."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from tellapart.bundle import DIGEST_KEY, seal
from tellapart.cli.main import execute
from tellapart.data.content import content_hash
from tellapart.data.examples import Example
from tellapart.data.examples_csv import write_examples
from tellapart.data.remembered import TARGET
from tellapart.data.targets import ClassName, Target
from tellapart.decoding import decode
from tellapart.reporter import Silent
from tellapart.workflows.next_pictures import next_pictures

Listed = Callable[[Mapping[Path, Target]], list[Example]]
COLOURS = {"blue": (0, 0, 250), "green": (0, 250, 0), "红色": (250, 0, 0)}


def _paint(path: Path, colour: tuple[int, ...], seed: int) -> Path:
    """A picture of one colour with noise over it, so that no two are copies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng([seed, *colour]).integers(0, 60, size=(24, 24, 3)) + np.array(colour) * 0.7
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return path


@pytest.fixture
def run(tiny_bytes: bytes, tmp_path: Path, as_listed: Listed) -> Path:
    """A run that learned two pictures of each colour."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(tiny_bytes)
    paths = [
        _paint(tmp_path / "own" / label / f"{number}.png", colour, number)
        for label, colour in COLOURS.items()
        for number in range(2)
    ]
    listed = as_listed({path: ClassName(path.parent.name) for path in paths})
    own = [replace(one, content_hash=content_hash(decode(one.path.read_bytes(), target=TARGET))) for one in listed]
    write_examples(folder / "examples.csv", own)
    return folder


@pytest.fixture
def unlabelled(run: Path, tmp_path: Path) -> Path:
    """Twelve that are plain, one between two colours, a copy of what is known, a twin, a broken file, a text."""
    folder = tmp_path / "新"
    for number in range(4):
        for label, colour in COLOURS.items():
            _paint(folder / f"{'rgb'[list(COLOURS).index(label)]}{number}.png", colour, 10 + number)
    _paint(folder / "between.png", (0, 180, 180), 30)
    (folder / "known.png").write_bytes((tmp_path / "own" / "green" / "0.png").read_bytes())
    (folder / "twin.png").write_bytes((folder / "r0.png").read_bytes())
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    (folder / "notes.txt").write_text("see above")
    return folder


def _json(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    assert execute(["next", *map(str, arguments), "--json", "--quiet"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_what_is_unsure_comes_first_and_no_copies(
    run: Path, unlabelled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = _json(capsys, run, unlabelled, "--strategy", "margin", "-n", 3)
    assert found["offered"] == 13
    assert found["left_out"] == {"unreadable": 1, "known": 1, "copies": 1}
    assert Path(found["pictures"][0]["path"]) == unlabelled / "between.png"
    assert found["pictures"][0]["suggested"] in ("blue", "green")
    assert found["pictures"][0]["probability"] < 0.6
    assert found["pictures"][0]["why"] == "the model wavers"
    names = [Path(one["path"]).name for one in found["pictures"]]
    assert len(set(names)) == 3
    assert not {"known.png", "twin.png"} & set(names)


def test_a_table_that_counts_from_its_folder(
    run: Path, unlabelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "todo.csv"
    assert execute(["next", str(run), str(unlabelled), "-n", "4", "--out", str(table), "--quiet"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("4 of 13 pictures, by badge: would change the model most. Left out: 1 known already,")
    assert f"Label them: tellapart label {table} --model {run}" in told
    rows = list(csv.DictReader(table.read_text("utf-8").splitlines()))
    assert list(rows[0]) == ["path", "suggested", "probability", "why"]
    assert all((table.parent / row["path"]).is_file() and row["path"].startswith("新/") for row in rows)

    before = table.read_bytes()
    assert execute(["next", str(run), str(unlabelled), "--out", str(table), "--quiet"]) == 2
    assert f"{str(table)!r} is there already, and nothing is overwritten unasked." in capsys.readouterr().err
    assert table.read_bytes() == before
    assert execute(["next", str(run), str(unlabelled), "-n", "1", "--out", str(table), "--force", "--quiet"]) == 0
    assert len(table.read_text("utf-8").splitlines()) == 2


def test_elsewhere_paths_are_whole(run: Path, unlabelled: Path, tmp_path: Path) -> None:
    table = tmp_path / "deep" / "todo.csv"
    table.parent.mkdir()
    assert execute(["next", str(run), str(unlabelled), "-n", "1", "--out", str(table), "--quiet"]) == 0
    (row,) = csv.DictReader(table.read_text("utf-8").splitlines())
    assert Path(row["path"]).is_absolute()


def test_where_all_is_known_nothing_is_chosen(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["next", str(run), str(tmp_path / "own"), "--quiet"]) == 2
    assert (
        "of 6 files none is a picture to label: 6 known already, or copies of what is. Name pictures that are not labelled yet."
        in capsys.readouterr().err
    )
    assert execute(["next", str(run), str(tmp_path / "nowhere"), "--quiet"]) == 2
    assert (
        f"there is nothing at {str(tmp_path / 'nowhere')!r}. Check the path of the pictures." in capsys.readouterr().err
    )
    (tmp_path / "empty").mkdir()
    assert execute(["next", str(run), str(tmp_path / "empty"), "--quiet"]) == 2
    assert f"there are no files in {tmp_path / 'empty'}. Name pictures" in capsys.readouterr().err
    (tmp_path / "empty" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    assert execute(["next", str(run), str(tmp_path / "empty"), "--quiet"]) == 2
    assert "of 1 file none is a picture to label: 1 unreadable (" in capsys.readouterr().err


def test_copies_of_what_is_gone_are_still_known(run: Path, unlabelled: Path, tmp_path: Path) -> None:
    class Heard(Silent):
        words = ""

        def warn(self, text: str) -> None:
            self.words += text

    (tmp_path / "own").rename(tmp_path / "away")
    heard = Heard()
    found = next_pictures(run, [str(unlabelled)], count=2, strategy="coreset", reporter=heard)
    assert found.known == 1  # by its content, which the run's list says
    assert (
        "6 of 6 labelled pictures are no longer where they were, so that only their exact copies are known."
        in heard.words
    )
    assert "--pictures FOLDER" in heard.words


def test_a_model_that_looks_at_the_picture_again_is_asked(run: Path, unlabelled: Path) -> None:
    chosen = [
        next_pictures(run, [str(unlabelled)], count=5, strategy="margin", reporter=Silent()).as_json()["pictures"]
    ]
    model = onnx.load(run / "model.onnx")
    last = next(node for node in model.graph.node if "probabilities" in node.output)
    last.output[list(last.output).index("probabilities")] = "almost"
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(1, dtype=np.float32), "nothing"))
    model.graph.node.extend(
        [
            helper.make_node("Cast", ["image"], ["again"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["again"], ["grey"], axes=[1, 2, 3], keepdims=0),
            helper.make_node("Mul", ["grey", "nothing"], ["zero"]),
            helper.make_node("Reshape", ["zero", "column"], ["zeros"]),
            helper.make_node("Add", ["almost", "zeros"], ["probabilities"]),
        ]
    )
    model.graph.initializer.append(numpy_helper.from_array(np.array([-1, 1]), "column"))
    digest = next(one for one in model.metadata_props if one.key == DIGEST_KEY)
    digest.value = "0" * 64
    (run / "model.onnx").write_bytes(seal(model.SerializeToString()))
    chosen.append(
        next_pictures(run, [str(unlabelled)], count=5, strategy="margin", reporter=Silent()).as_json()["pictures"]
    )
    assert chosen[0] == chosen[1]


def test_what_cannot_be_is_refused(run: Path, unlabelled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["next", str(run), "-n", "3", "--quiet"]) == 2
    assert f"-n is for choosing pictures, and none are named. Name a folder after {run}." in capsys.readouterr().err
    assert execute(["next", str(run), "http://example.org/a.jpg", "--quiet"]) == 2
    assert "pictures on the web cannot be chosen from. Download them, and name their folder." in capsys.readouterr().err


def test_strategies_of_classes_are_not_for_boxes(
    run: Path, unlabelled: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tellapart.tasks.detection.task import DETECTION as TASK

    monkeypatch.setattr("tellapart.workflows.next_pictures.task_of", lambda _: TASK)
    assert execute(["next", str(run), str(unlabelled), "--strategy", "margin", "--quiet"]) == 2
    assert "Take one of coreset, typiclust, random." in capsys.readouterr().err
    found = _json(capsys, run, unlabelled, "-n", 2)
    assert found["strategy"] == "typiclust"
    assert [one["suggested"] for one in found["pictures"]] == ["", ""]
    assert [one["probability"] for one in found["pictures"]] == [None, None]
