"""The label doctor on digits of which we know the mislabelled ones. In: pictures. Out: their names, a CSV, its way back."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import tellapart
from tellapart.cli.check import command as command_check
from tellapart.data.examples_csv import read_examples
from tellapart.errors import DataError, StorageError
from tellapart.reporter import Silent
from tellapart.workflows.labels import COLUMNS, doubt_labels, write_doubts

FLIPPED = ("one/zero 7.png", "one/zero 23.png", "zero/one 11.png", "zero/one 30.png")


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noughts and ones, two of each in the other's folder, one of these four copied, and a picture of stripes."""
    from sklearn.datasets import load_digits

    folder = tmp_path_factory.mktemp("doctor") / "数字 1"
    source = load_digits()
    for number, name in enumerate(("zero", "one")):
        for index, image in enumerate(source.images[source.target == number][:40]):
            wrong = f"{('one', 'zero')[number]}/{name} {index}.png"
            path = folder / (wrong if wrong in FLIPPED else f"{name}/{name} {index}.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            picture = Image.fromarray(np.rint(image * (255 / 16)).astype(np.uint8))
            picture.resize((64, 64), Image.Resampling.BICUBIC).save(path)
    Image.open(folder / FLIPPED[0]).save(folder / "one" / "a copy.png")
    stripes = np.zeros((90, 90, 3), dtype=np.uint8)
    stripes[::3] = (255, 0, 90)
    Image.fromarray(stripes).save(folder / "zero" / "stripes.png")
    (folder / "one" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n no picture")
    return folder


@pytest.fixture(scope="module")
def record(digits: Path, own_cache: Path) -> dict[str, Any]:
    return dict(tellapart.check(digits, labels=True)["labels"])


def check(*arguments: str | Path) -> str:
    """What `tellapart check` prints; in this process, since importing everything anew takes seconds."""
    answer = CliRunner().invoke(command_check, list(map(str, arguments)), catch_exceptions=False)
    assert answer.exit_code == 0
    return answer.stdout


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "tellapart.cli.main", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def test_the_mislabelled_pictures_are_named_with_their_class(record: dict[str, Any]) -> None:
    found = {row["path"]: (row["label"], row["suggested"]) for row in record["wrong"]}
    # Nothing else, and a copy under the same wrong label does not vouch for it.
    assert set(found) <= {*FLIPPED, "one/a copy.png"}
    assert {FLIPPED[0], "one/a copy.png"} <= set(found)
    assert len(found) >= 4
    assert all(suggested != label for label, suggested in found.values())
    assert found["zero/one 11.png"] == ("zero", "one")
    scores = [row["score"] for row in record["wrong"]]
    assert scores == sorted(scores, reverse=True)
    for row in record["wrong"]:
        assert row["score"] == pytest.approx(1 - row["probability_of_label"], abs=2e-6)
        assert row["probability_of_label"] + row["probability_of_suggested"] == pytest.approx(1, abs=2e-6)


def test_the_foreign_picture_is_an_outlier(record: dict[str, Any]) -> None:
    assert [row["path"] for row in record["outliers"]][:1] == ["zero/stripes.png"]
    assert (record["judged"], record["not_judged"]) == (82, 0)
    assert record["agreement"] > 0.9


@pytest.mark.slow
def test_the_table_goes_out_and_corrected_comes_back(
    digits: Path, record: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = check(digits, "--labels", "--out", "labels.csv", "--quiet")
    assert f"Probably wrong labels ({len(record['wrong'])}):" in answer
    assert f"then          tellapart train '{digits}' --labels labels.csv" in answer
    data = (tmp_path / "labels.csv").read_bytes()
    assert data.startswith(
        b"\xef\xbb\xbfpath,label,suggested,probability of label,probability of suggested,kind,score\r\n"
    )
    rows = list(csv.DictReader(data.decode("utf-8-sig").splitlines()))
    assert [row["path"] for row in rows if row["kind"] == "label"] == [row["path"] for row in record["wrong"]]
    for row in rows:
        row["label"] = {"label": row["suggested"], "outlier": "", "ambiguous": row["label"]}[row["kind"]]
    with (tmp_path / "fixed.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        table.writerows(rows)
        missed = {*FLIPPED} - {row["path"] for row in rows}  # rows may be added by hand
        table.writerows({"path": path, "label": path.split("/")[1].split()[0]} for path in missed)

    again = check(digits, "--labels", "--corrections", "fixed.csv", "--json", "--quiet")
    assert json.loads(again)["labels"]["wrong"] == []
    trained = tellapart.train(digits, labels="fixed.csv", strategy="probe", device="cpu", report=False)
    run = trained.run
    labels = {
        example.path.relative_to(digits).as_posix(): example.target.text
        for example in read_examples(tmp_path / run / "examples.csv")
    }
    assert [labels[name] for name in FLIPPED] == ["zero", "zero", "one", "one"]
    assert "zero/stripes.png" not in labels
    assert f'labels = "{tmp_path / "fixed.csv"}"' in (tmp_path / run / "recipe.toml").read_text(encoding="utf-8")
    monkeypatch.chdir("/")  # the recipe names the corrections whole
    repeated = command("train", "--recipe", tmp_path / run / "recipe.toml", "--json", "--quiet")
    assert repeated.returncode == 0, repeated.stderr
    assert json.loads(repeated.stdout)["accuracy"] == trained.accuracy.model_dump()


def test_an_earlier_table_is_not_overwritten(digits: Path, tmp_path: Path, record: dict[str, Any]) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("by hand")
    answer = command("check", digits, "--labels", "--out", path)
    assert answer.returncode == 2
    assert answer.stderr == f"Error: {path} exists already. Choose another name, or give --force to replace it.\n"
    assert path.read_text() == "by hand"
    doubtful = doubt_labels(digits, reporter=Silent())
    write_doubts(path, doubtful, force=True)
    assert path.read_bytes().count(b"\r\n") == 1 + len(doubtful.report.doubts)
    with pytest.raises(StorageError, match="is a folder, not a file"):
        write_doubts(tmp_path, doubtful, force=True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--out", "x.csv"], "--out is 'x.csv', which only --labels looks at. Add --labels, or leave --out out."),
        (["--backbone", "resnet18"], "--backbone is 'resnet18', which only --labels and --shortcuts look at."),
        (["--tiles"], "--tiles is 'True', which only --labels looks at. Add --labels, or leave --tiles out."),
        (
            ["--labels", "--tiles"],
            "--tiles is given, which is for boxes in large pictures, and these are of the task classification. Leave --tiles out.",
        ),
        (["--seed", "3"], "--seed is '3', which only --labels and --shortcuts look at."),
        (["--corrections", "nowhere.csv"], "there is no table 'nowhere.csv'."),
    ],
)
def test_flags_that_make_no_sense(digits: Path, arguments: list[str], words: str) -> None:
    answer = command("check", digits, *arguments)
    assert answer.returncode == 2
    assert words in answer.stderr
    assert "Traceback" not in answer.stderr


def test_one_class_has_no_doubtful_labels(digits: Path, tmp_path: Path, record: dict[str, Any]) -> None:
    (tmp_path / "single" / "zero").mkdir(parents=True)
    (tmp_path / "single" / "zero" / "0.png").write_bytes((digits / "zero" / "zero 0.png").read_bytes())
    with pytest.raises(
        DataError, match="has 1 class with a picture that can be read; a label can only be doubted beside"
    ):
        doubt_labels(tmp_path / "single", reporter=Silent())


def test_a_class_of_one_picture_is_not_judged(colours: Path, record: dict[str, Any]) -> None:
    for path in [*(colours / "blue").iterdir()][1:]:
        path.unlink()
    found = doubt_labels(colours, reporter=Silent()).as_json()
    assert (found["judged"], found["not_judged"]) == (6, 1)
    assert "! 1 could not be judged" in check(colours, "--labels", "--quiet")


def test_the_folder_is_left_as_it_was(digits: Path, record: dict[str, Any]) -> None:
    assert len([*digits.rglob("*")]) == 2 + 83


def test_help_shows_the_whole_way() -> None:
    text = command("check", "--help").stdout
    assert "tellapart check cells/ --labels --out labels.csv" in text
    assert "tellapart train cells/ --labels labels.csv" in text
    assert "--labels" in command("train", "--help").stdout
