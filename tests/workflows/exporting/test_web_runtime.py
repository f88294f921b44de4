"""Where ONNX Runtime for browsers comes from. In: folders, an npm that we made. Out: the folder, or what to do."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path

import pytest

from tellapart.errors import ExportError
from tellapart.workflows.exporting.web_runtime import FILES, PACKAGE, web_runtime


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a path with no program on it."""
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    return tmp_path


def npm(folder: Path, does: str) -> None:
    program = folder / "bin" / "npm"
    program.write_text(f"#!/bin/sh\n{does}\n")
    program.chmod(0o755)


def test_without_npm_it_says_how_to_get_it(alone: Path) -> None:
    with pytest.raises(
        ExportError, match=re.escape(f"the page needs {PACKAGE}, and npm is not installed to fetch it. ")
    ):
        web_runtime()
    with pytest.raises(
        ExportError, match=re.escape(f"run: npm pack {PACKAGE}, unpack it, and give its folder with --tools")
    ):
        web_runtime(alone)


def test_what_npm_says_is_told(alone: Path) -> None:
    npm(alone, "echo no such host >&2; exit 1")
    with pytest.raises(ExportError, match=re.escape(f"npm could not fetch {PACKAGE} (no such host). ")):
        web_runtime()


def test_another_file_than_the_tested_one_is_refused(alone: Path) -> None:
    (alone / "other.js").write_text("1")
    with tarfile.open(alone / "other.tgz", "w:gz") as package:
        for name in FILES:
            package.add(alone / "other.js", f"package/dist/{name}")
    npm(alone, f'/bin/cp {alone / "other.tgz"} "$5"')
    with pytest.raises(ExportError, match="ort.wasm.min.js of .* is not the file that this version was tested with"):
        web_runtime()
    assert not list((alone / "cache").rglob("*.js"))


def test_a_folder_of_tools_is_taken_as_npm_leaves_it(alone: Path) -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # SHA-256 of nothing
    folder = alone / "tools" / "node_modules" / "onnxruntime-web" / "dist"
    folder.mkdir(parents=True)
    for name in FILES:
        (folder / name).touch()
    assert web_runtime(alone / "tools", files=dict.fromkeys(FILES, empty)) == folder
