"""The notebooks run from top to bottom. In: docs/notebooks. Out: no error, and what they promise lies there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOKS = ("first_classifier", "to_deployment", "your_own_cnn")


def code_of(notebook: Path) -> str:
    """The code cells as one program; the last value of a cell is shown, as a notebook does."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def test_every_notebook_is_here_and_without_outputs(repository: Path) -> None:
    folder = repository / "docs" / "notebooks"
    assert sorted(path.stem for path in folder.glob("*.ipynb")) == sorted(NOTEBOOKS)
    for path in folder.glob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        assert all(cell.get("outputs", []) == [] and cell.get("execution_count") is None for cell in cells)
        compile(code_of(path), str(path), "exec")


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_it_runs(repository: Path, tmp_path: Path, name: str) -> None:
    program = tmp_path / f"{name}.py"
    program.write_text(code_of(repository / "docs" / "notebooks" / f"{name}.ipynb"), encoding="utf-8")
    ended = subprocess.run([sys.executable, str(program)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert (tmp_path / "runs" / "latest" / "model.onnx").is_file()
