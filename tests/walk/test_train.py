"""From a folder to a tested model. In: digits. Out: a run on disk whose parts agree with each other."""

from __future__ import annotations

import csv
import dataclasses
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import accuracy_score, log_loss

import tellapart
from tellapart.bundle import read_manifest
from tellapart.cli.main import execute
from tellapart.cli.told_training import summary
from tellapart.data.examples_csv import read_examples
from tellapart.errors import DataError, SettingsError, StorageError, TellapartError
from tellapart.runs.run import MARKER

COMMAND = [sys.executable, "-m", "tellapart.cli.main"]


# What these tests are about is the same for every strategy, and the probe takes seconds.
PROBE = ("--strategy", "probe", "--no-report")  # tests/walk/test_report.py tests that
train = functools.partial(tellapart.train, strategy="probe", report=False)


# Ends by the signal of that number when it is about to move the file of that name into its place.
STOPPED = """
import os, sys
from tellapart.cli.main import run

name, number = sys.argv[1], int(sys.argv[2])

def watch(event, values):
    if event == "os.rename" and os.path.basename(os.fspath(values[1])) == name:
        os.kill(os.getpid(), number)

sys.addaudithook(watch)
run(sys.argv[3:])
"""


def command(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False, **options)


def copy_renamed(pictures: Path, target: Path, name: str) -> Path:
    """Copy pictures under shuffled names, made by `name` from a number below 1,000."""
    for number, path in enumerate(sorted(pictures.rglob("*.png"))):
        folder = target / path.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / name.format(997 * number % 1000))
    return target


def test_the_run_folder_is_complete(trained_run: Any) -> None:
    names = {path.name for path in trained_run.run.iterdir()}
    assert names == {
        ".tellapart",
        "model.onnx",
        "weights.safetensors",
        "recipe.toml",
        "examples.csv",
        "predictions.csv",
        "metrics.json",
        "audit.json",
        "log.jsonl",
        "report.html",
        "engine.json",  # which one is the quickest here: there are two
    }
    assert os.path.realpath(trained_run.run.parent / "latest") == os.path.realpath(trained_run.run)


def test_digits_are_told_apart(trained_run: Any) -> None:
    assert trained_run.result.accuracy.value > 0.9
    assert trained_run.result.accuracy.low is not None
    assert trained_run.result.accuracy.low < trained_run.result.accuracy.value <= 1


def test_the_metrics_follow_from_the_predictions(trained_run: Any) -> None:
    with (trained_run.run / "predictions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    classes = list(trained_run.result.classes)
    probabilities = np.array([[float(row[f"probability of {name}"]) for name in classes] for row in rows])
    probabilities /= probabilities.sum(axis=1, keepdims=True)  # the file has seven digits
    labels = [classes.index(row["label"]) for row in rows]
    metrics = json.loads((trained_run.run / "metrics.json").read_text())
    assert metrics["n_test"] == len(rows) == trained_run.result.n_test
    assert metrics["test"]["accuracy"]["value"] == pytest.approx(accuracy_score(labels, probabilities.argmax(axis=1)))
    assert metrics["test"]["log_loss"]["value"] == pytest.approx(
        log_loss(labels, probabilities, labels=[0, 1, 2]), abs=1e-4
    )
    manifest = read_manifest(trained_run.model)
    assert manifest.scores["accuracy"].value == metrics["test"]["accuracy"]["value"]
    assert manifest.record.temperature == metrics["temperature"]


def test_every_file_is_in_examples_csv_and_no_copy_straddles(trained_run: Any) -> None:
    examples = read_examples(trained_run.run / "examples.csv")
    assert len(examples) == 120
    splits_of: dict[str, set[Any]] = {}
    for example in examples:
        splits_of.setdefault(example.group, set()).add(example.split)
    assert all(len(splits) == 1 for splits in splits_of.values())
    counts = [sum(example.split == split for example in examples) for split in ("train", "validation", "test")]
    assert counts == pytest.approx([84, 12, 24], abs=3)


def test_a_second_training_reuses_everything_and_gives_the_same(trained_run: Any, tmp_path: Path) -> None:
    again = train(trained_run.pictures, out=tmp_path, device="cpu")
    assert (again.computed, again.reused > 100) == (0, True)
    assert again.metrics["test"] == trained_run.result.metrics["test"]
    assert (tmp_path / again.run.name / "predictions.csv").read_bytes() == (
        trained_run.run / "predictions.csv"
    ).read_bytes()


def test_the_recipe_repeats_the_run(trained_run: Any, tmp_path: Path) -> None:
    answer = command("train", "--recipe", trained_run.run / "recipe.toml", "--no-report", "--out", tmp_path, "--json")
    assert answer.returncode == 0, answer.stderr
    record = json.loads(answer.stdout)
    assert record["accuracy"]["value"] == trained_run.result.accuracy.value
    assert Path(record["run"]).parent == tmp_path
    recipe = tomllib.loads((trained_run.run / "recipe.toml").read_text())
    assert set(recipe["settings"]) >= {"data", "backbone", "seed", "class_weights"}
    assert recipe["versions"]["onnxruntime"]


def test_json_has_the_promised_keys(trained_run: Any, tmp_path: Path) -> None:
    answer = command("train", trained_run.pictures, *PROBE, "--out", tmp_path, "--json")
    record = json.loads(answer.stdout)
    assert set(record) >= {
        "run",
        "model",
        "accuracy",
        "n_train",
        "n_validation",
        "n_test",
        "classes",
        "unreadable",
        "duplicates",
        "leaked",
        "seconds",
    }
    assert set(record["accuracy"]) >= {"value", "low", "high"}
    assert "Checking pictures" in answer.stderr


def test_runs_never_overwrite_each_other(trained_run: Any, tmp_path: Path) -> None:
    runs = {train(trained_run.pictures, out=tmp_path).run for _ in range(3)}
    assert len(runs) == 3
    assert all((run / "model.onnx").is_file() for run in runs)


def test_the_model_learns_again_after_pictures_move(trained_run: Any, tmp_path: Path) -> None:
    moved = copy_renamed(trained_run.pictures, tmp_path / "elsewhere", "renamed {:03d}.PNG")
    again = train(moved, out=tmp_path / "runs")
    assert again.computed == 0
    assert read_manifest(again.model).data.fingerprint == read_manifest(trained_run.model).data.fingerprint
    assert again.accuracy == trained_run.result.accuracy


def test_a_bad_picture_is_listed_and_does_not_stop_the_run(trained_run: Any, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    shutil.copytree(trained_run.pictures, pictures)
    label = sorted(path.name for path in pictures.iterdir())[0]
    (pictures / label / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    (pictures / label / "notes.txt").write_text("text")
    result = train(pictures, out=tmp_path / "runs")
    assert result.unreadable == 1
    (broken,) = [example for example in read_examples(result.run / "examples.csv") if example.problem]
    assert broken.path.name == "broken.jpg"
    assert broken.split is None
    with pytest.raises(DataError, match=r"broken\.jpg"):
        train(pictures, out=tmp_path / "strict", strict=True)
    assert not (tmp_path / "strict").exists()


def test_exact_copies_are_told_and_are_not_called_left_out(trained_run: Any) -> None:
    """A split of ours keeps them together; they are trained on."""
    lines = summary(dataclasses.replace(trained_run.result, duplicates=3)).splitlines()
    assert "left out  0 unreadable" in lines
    assert "copies    3 exact copies of others among them" in lines


def test_a_leaking_split_is_told_and_scored_both_ways(trained_run: Any, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    for label in sorted(path.name for path in trained_run.pictures.iterdir()):
        files = sorted((trained_run.pictures / label).iterdir())
        for number, path in enumerate(files):
            split = "test" if number % 4 == 0 else "train"
            target = pictures / split / label / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
        shutil.copy(files[1], pictures / "test" / label / "leaked.png")
    answer = command("train", pictures, *PROBE, "--out", tmp_path / "runs", "--json")
    assert answer.returncode == 0, answer.stderr
    record = json.loads(answer.stdout)
    assert record["leaked"] == 3
    assert "!" in answer.stderr
    metrics = json.loads((Path(record["run"]) / "metrics.json").read_text())
    assert metrics["test"]["n"] - metrics["test_without_leaked"]["n"] == 3


def test_kill_9_leaves_a_run_that_resumes_to_the_same_result(trained_run: Any, tmp_path: Path) -> None:
    environment = os.environ | {"TELLAPART_CACHE": str(tmp_path / "cache")}
    shutil.copytree(Path(os.environ["TELLAPART_CACHE"]) / "backbones", tmp_path / "cache" / "backbones")
    stopped = [sys.executable, "-c", STOPPED, "predictions.csv", str(int(signal.SIGKILL))]
    arguments = ["train", str(trained_run.pictures), *PROBE, "--out", str(tmp_path / "runs"), "--quiet"]
    assert subprocess.run([*stopped, *arguments], env=environment, check=False).returncode == -signal.SIGKILL
    (run,) = (path for path in (tmp_path / "runs").iterdir() if not path.is_symlink())
    assert not (run / "model.onnx").exists()
    answer = command("train", "--resume", run, "--json", "--quiet", env=environment)
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["run"] == str(run)
    assert not (run / MARKER).exists()
    assert (run / "predictions.csv").read_bytes() == (trained_run.run / "predictions.csv").read_bytes()
    with pytest.raises(SettingsError, match="finished; only a stopped run can be resumed"):
        from tellapart.runs.run import resume_run

        resume_run(run)


def test_ctrl_c_says_how_to_go_on(trained_run: Any, tmp_path: Path) -> None:
    environment = os.environ | {"TELLAPART_CACHE": str(tmp_path / "cache")}
    shutil.copytree(Path(os.environ["TELLAPART_CACHE"]) / "backbones", tmp_path / "cache" / "backbones")
    stopped = [sys.executable, "-c", STOPPED, "examples.csv", str(int(signal.SIGINT))]
    arguments = ["train", str(trained_run.pictures), *PROBE, "--out", str(tmp_path / "runs")]
    answer = subprocess.run([*stopped, *arguments], env=environment, capture_output=True, text=True, check=False)
    assert answer.returncode == 130
    (run,) = (path for path in (tmp_path / "runs").iterdir() if not path.is_symlink())
    assert f"tellapart train --resume {run}" in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train"], "no data was given. Name a folder"),
        (["train", "nowhere"], "nowhere"),
        (["train", "--resume", "nowhere"], "is not the folder of a run: it has no recipe.toml"),
        (["train", "x", "--resume", "y"], "repeats the run's own settings, and data was given"),
        (["train", "--resume", "y", "--no-report"], "is not the folder of a run"),
        (["train", "--pictures", "y"], "--pictures y is for --resume. Name the pictures alone"),
        (["train", "a", "b"], "2 folders or tables were given (a, b), and one is taken"),
        (["train", "--recipe", "nowhere.toml"], "there is no recipe at nowhere.toml"),
        (["train", "x", "--seed", "-1"], "seed is -1; it must be at least 0"),
        (["train", "x", "--weights", "w.pth"], "other formats can hold programs and are refused"),
        (["check", "nowhere"], "nowhere"),
        (["evaluate", "nowhere", "x"], "there is no model at nowhere"),
        (["predict", "nowhere", "x"], "there is no model at nowhere"),
        (["info", "nowhere"], "there is no model at nowhere"),
        (["trains", "x"], "there is no command 'trains'. Did you mean 'train'?"),
    ],
)
def test_bad_calls_get_one_sentence_and_exit_code_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert execute(arguments) == 2
    out, err = capsys.readouterr()
    assert words in " ".join(err.split())
    assert "Traceback" not in err
    assert out == ""
    assert list(tmp_path.iterdir()) == []


def test_unknown_and_wrong_settings_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "recipe.toml"
    for text, words in (
        (
            '[settings]\npictures = "x"\nlearning_rate = 1\n',
            "there is no setting 'learning_rate'. The settings there are: data, task, label_separator, ",
        ),
        ("[settings\n", "is not TOML"),
        ("a = 1\n", "has no [settings] table"),
    ):
        recipe.write_text(text)
        assert execute(["train", "--recipe", str(recipe)]) == 2
        assert words in capsys.readouterr().err


def test_data_that_cannot_be_trained_on_leaves_nothing_behind(tmp_path: Path) -> None:
    def attempt(folder: Path) -> str:
        with pytest.raises(TellapartError) as caught:
            train(folder, out=tmp_path / "runs")
        assert not (tmp_path / "runs").exists()
        return str(caught.value)

    empty = tmp_path / "empty"
    empty.mkdir()
    assert str(empty) in attempt(empty)
    one = tmp_path / "one"
    (one / "cat").mkdir(parents=True)
    for number in range(5):
        Image.new("RGB", (20, 20), (number * 40, 0, 0)).save(one / "cat" / f"{number}.png")
    assert "cat" in attempt(one)
    (one / "dog").mkdir()
    (one / "dog" / "0.png").write_bytes((one / "cat" / "0.png").read_bytes())
    assert "dog" in attempt(one)
    bad = tmp_path / "bad"
    for label in "ab":
        (bad / label).mkdir(parents=True)
        (bad / label / "0.jpg").write_bytes(b"no picture")
    assert "read" in attempt(bad)


def test_a_folder_without_permission_is_refused_before_the_work() -> None:
    # In a process that is nobody, since root may write everywhere; what it imports is imported while it still may read.
    code = (
        "import os, sys; from pathlib import Path; from tellapart.runs.places import check_writable\n"
        "import tellapart.errors, errno\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        "try: check_writable(Path(sys.argv[1]) / 'runs')\n"
        "except tellapart.errors.StorageError as error: print(error)"
    )
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o555)
        answer = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=True)
        os.chmod(folder, 0o755)
    assert "permission is denied. Choose a folder that you may write to" in answer.stdout


def test_a_file_in_the_place_of_the_runs_folder_is_refused(trained_run: Any, tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("mine")
    with pytest.raises(StorageError, match="Choose another path"):
        train(trained_run.pictures, out=tmp_path / "runs")
    assert (tmp_path / "runs").read_text() == "mine"


def test_names_of_files_do_not_change_the_classifier(trained_run: Any, tmp_path: Path) -> None:
    renamed = copy_renamed(trained_run.pictures, tmp_path / "renamed", "{:03d}.png")
    again = train(renamed, out=tmp_path / "runs")
    assert again.metrics["training"] == trained_run.result.metrics["training"]
    assert again.metrics["temperature"] == pytest.approx(trained_run.result.metrics["temperature"], rel=1e-9)


def test_a_run_at_work_cannot_be_resumed(trained_run: Any, tmp_path: Path) -> None:
    from tellapart.runs.run import resume_run, start_run
    from tellapart.settings.reading import make_settings

    run = start_run(make_settings({"data": str(trained_run.pictures), "out": str(tmp_path)}))
    answer = command("train", "--resume", run.folder)
    assert answer.returncode == 2
    assert "is at work in another process" in answer.stderr
    run.release()
    resume_run(run.folder).release()


def test_a_test_that_leaks_wholly_has_no_honest_score(trained_run: Any, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    for number, path in enumerate(sorted(trained_run.pictures.rglob("*.png"))):
        for split in ("train", "test") if number % 4 == 0 else ("train",):
            target = pictures / split / path.parent.name / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    answer = command("train", pictures, *PROBE, "--out", tmp_path / "runs", "--quiet")
    assert "! 30 test pictures with a copy or group mate in train or validation" in answer.stdout
    assert "there is no honest score" in answer.stdout
    shown = command("info", tmp_path / "runs" / "latest").stdout
    assert "unknown: no clean test picture" in shown


def test_a_log_that_nobody_reads_does_not_stop_the_training(trained_run: Any, tmp_path: Path) -> None:
    code = f"{' '.join(COMMAND)} train '{trained_run.pictures}' {' '.join(PROBE)} --out {tmp_path} 2>&1 >/dev/null | head -1"
    subprocess.run(["bash", "-c", code], check=True, capture_output=True)
    assert (tmp_path / "latest" / "model.onnx").is_file()


def test_a_full_standard_output_is_told(trained_run: Any, tmp_path: Path) -> None:
    answer = subprocess.run(
        [
            "bash",
            "-c",
            f"{' '.join(COMMAND)} train '{trained_run.pictures}' {' '.join(PROBE)} --out {tmp_path} --quiet > /dev/full",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 2
    assert "standard output cannot be written: No space left on device" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_disk_that_is_full_leaves_a_run_that_can_be_resumed(trained_run: Any, tmp_path: Path) -> None:
    limit = "ulimit -f 5000; trap '' XFSZ"  # blocks of 1,024 bytes: too little for model.onnx
    train = f"{' '.join(COMMAND)} train '{trained_run.pictures}' {' '.join(PROBE)} --out {tmp_path}"
    answer = subprocess.run(["bash", "-c", f"{limit}; {train}"], capture_output=True, text=True, check=False)
    assert answer.returncode == 2
    (run,) = (path for path in tmp_path.iterdir() if not path.is_symlink())
    assert f"tellapart train --resume {run}" in answer.stderr
    assert not (run / "model.onnx").exists()
    assert not [path.name for path in run.iterdir() if path.name.endswith(".part")]
    assert command("train", "--resume", run, "--quiet").returncode == 0
    assert (run / "model.onnx").is_file()


def test_class_names_that_cannot_be_shown_are_refused(colours: Path) -> None:
    (colours / "blue").rename(colours / "bl\x1b[31mue")
    answer = command("check", colours)
    assert answer.returncode == 2
    assert "holds characters that cannot be shown. Rename the folder" in answer.stderr
