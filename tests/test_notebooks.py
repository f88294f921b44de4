"""The notebooks run from top to bottom. In: docs/notebooks. Out: no error, and what they promise lies there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

# Each, and what its last cells show.
NOTEBOOKS = {
    "first_classifier": r"\('0', '1'\)",
    "to_deployment": r"'predictions': \[\[",
    "your_own_cnn": r"(?s)1 \{'train_loss'.*3 \{'train_loss'",
}


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
def test_it_runs(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """Every notebook afresh in its own folder, all in this process: an interpreter each would import PyTorch anew."""
    monkeypatch.chdir(tmp_path)
    path = repository / "docs" / "notebooks" / f"{name}.ipynb"
    exec(compile(code_of(path), str(path), "exec"), {"__name__": name})
    assert (tmp_path / "runs" / "latest" / "model.onnx").is_file()
    assert re.search(NOTEBOOKS[name], capsys.readouterr().out)
