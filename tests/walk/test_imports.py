"""What a second training and a prediction import: nothing that takes longer than they do. In: fresh processes. Out: modules."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SLOW = (
    "cv2",
    "imagehash",
    "joblib",
    "matplotlib",
    "narwhals",
    "pandas",
    "pyarrow",
    "scipy",
    "sklearn",
    "timm",
    "torch",
    "torchvision",
)


def imported_by_command(*arguments: str | Path) -> set[str]:
    """The top-level packages that a command imports, in a process of its own."""
    code = (
        "import sys; from tellapart.cli.main import execute\n"
        f"assert execute({[str(argument) for argument in arguments]!r}) == 0\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return set(answer.stdout.splitlines()[-1].split())


def as_sets(pictures: Path, table: Path) -> Path:
    """The same pictures with a set of classes each: what digit it is, and whether it is round."""
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "labels"])
        for path in sorted(pictures.rglob("*.png")):
            digit = path.parent.name.split()[-1]
            writer.writerow([path, f"{digit}|round" if digit == "0" else digit])
    return table


@pytest.mark.parametrize("task", ["classification", pytest.param("multilabel", marks=pytest.mark.long)])
def test_a_second_training_by_the_probe_imports_nothing_slow(trained_run: Any, task: str, tmp_path: Path) -> None:
    """Its embeddings are in the cache, and so are the looks for copies; of onnx the new file is put together."""
    data = trained_run.pictures if task == "classification" else as_sets(trained_run.pictures, tmp_path / "sets.csv")
    imported = imported_by_command(
        "train", data, "--out", tmp_path / "runs", "--strategy", "probe", "--device", "cpu", "--no-report"
    )
    assert {"tellapart", "numpy", "onnx", "onnxruntime"} <= imported
    assert imported & set(SLOW) == set()


def test_a_prediction_imports_the_engine_and_little_else(trained_run: Any) -> None:
    imported = imported_by_command("predict", trained_run.model, next(trained_run.pictures.rglob("*.png")))
    assert {"tellapart", "numpy", "onnxruntime"} <= imported
    assert imported & {*SLOW, "charset_normalizer", "google", "onnx", "rich", "sqlite3", "tarfile"} == set()


@pytest.mark.parametrize(("told", "found"), [(None, "__all__"), ("none-of-them", "none-of-them")])
def test_a_command_asks_no_package_for_plugins_of_pydantic(
    told: str | None, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYDANTIC_DISABLE_PLUGINS", raising=False)
    if told is not None:
        monkeypatch.setenv("PYDANTIC_DISABLE_PLUGINS", told)
    code = (
        "import contextlib, os; from tellapart.cli.main import run\n"
        "with contextlib.suppress(SystemExit): run(['--version'])\n"
        "print(os.environ['PYDANTIC_DISABLE_PLUGINS'])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == found
