"""Environments of converters are whole or not there. In: small lists of packages. Out: interpreters, and clear refusals."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tellapart.errors import ExportError
from tellapart.export.table import FORMATS, OURS
from tellapart.export.tools import TOOLS, Tool, _run, by_hand, environment, made_at, make_ready, python_of
from tellapart.reporter import Silent


def without_packages(folder: Path, lines: str = "") -> Tool:
    (folder / "bare.txt").write_text(lines)
    return Tool(name="bare", packages=[], megabytes=1, lists=folder)


def gone() -> int:
    """The number of a process that has ended."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


def test_every_tool_that_a_format_needs_has_a_list_with_versions_of_what_matters() -> None:
    needed = {name for form in FORMATS.values() for name in form.tools} - {OURS}
    assert needed == set(TOOLS)
    for tool in TOOLS.values():
        pinned = [line.split("==") for line in tool.versions.read_text().split() if not line.startswith(";")]
        assert set(tool.packages) <= {name for name, *_ in pinned}
        assert all(len(one) == 2 for one in pinned), tool.name


def test_an_environment_is_made_once_and_again_where_it_is_not_whole(tmp_path: Path) -> None:
    tool, home = without_packages(tmp_path), tmp_path / "tools" / "bare"
    left = home.parent / f".bare.{gone()}.killed"
    others = home.parent / f".bare.{os.getpid()}.begun"
    for folder in (home, left, others):  # a process that was killed half-way, and one that is at work
        folder.mkdir(parents=True)
    make_ready(tool, home, Silent())
    assert subprocess.run([python_of(home), "-c", "print(6 * 7)"], capture_output=True, text=True).stdout == "42\n"
    assert not left.exists()
    assert others.exists()
    made = python_of(home).lstat().st_ino
    make_ready(tool, home, Silent())
    assert python_of(home).lstat().st_ino == made


def test_packages_that_cannot_be_had_leave_nothing_and_say_the_command(tmp_path: Path) -> None:
    tool, home = (
        without_packages(tmp_path, "tellapart-nowhere @ file:///nowhere/nowhere.whl\n"),
        tmp_path / "tools" / "bare",
    )
    with pytest.raises(ExportError) as caught:
        make_ready(tool, home, Silent())
    message = str(caught.value)
    assert message.startswith("the environment of the tool bare could not be made: ")
    assert message.endswith(by_hand(tool, home))
    assert (
        f"-m pip install --no-deps -r {tool.versions} (about 1 MB), and say where it is: --tools {home.parent}"
        in message
    )
    assert not home.parent.exists()


def test_what_a_converter_said_at_length_is_cut_between_words(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"could not be made: \.\.\. lengthy lengthy .* lengthy end\. Make it with"):
        _run(
            [sys.executable, "-c", "import sys; sys.exit('lengthy ' * 100 + 'end')"],
            without_packages(tmp_path),
            tmp_path / "bare",
        )


def test_a_python_that_is_too_new_is_told_before_anything_is_made(tmp_path: Path) -> None:
    tool = replace(without_packages(tmp_path), newest=(3, 9))
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    with pytest.raises(
        ExportError,
        match=rf"^the tool bare has no packages for Python {own}; the newest .* is 3\.9\. .*python3\.9 -m venv",
    ):
        make_ready(tool, tmp_path / "tools" / "bare", Silent())
    assert not (tmp_path / "tools").exists()


def test_a_folder_of_tools_must_hold_the_tool(tmp_path: Path) -> None:
    python = python_of(tmp_path / "litert")
    with pytest.raises(ExportError) as caught:
        environment("litert", folder=tmp_path, reporter=Silent())
    assert str(caught.value).startswith(
        f"there is no {python}, which --tools promises for the tool litert. Make it with: python -m venv "
    )
    (tmp_path / "file").write_text("")
    with pytest.raises(
        ExportError, match=r"^--tools is \S+/file, a file; it must be a folder with an environment a tool"
    ):
        environment("litert", folder=tmp_path / "file", reporter=Silent())


def stand_in(home: Path, says: str) -> None:
    """A program in the place of an environment's Python."""
    python = python_of(home)
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\n{says}\n")
    python.chmod(0o755)


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands in for Python")
def test_other_versions_are_refused(tmp_path: Path) -> None:
    stand_in(tmp_path / "ncnn", """echo '{"ncnn": "1.0.20200101", "pnnx": null}'""")
    with pytest.raises(
        ExportError, match=r"^the tool ncnn needs ncnn 1\.0\.\d+, and \S+ncnn has 1\.0\.20200101\. Make it with: "
    ):
        environment("ncnn", folder=tmp_path, reporter=Silent())
    stand_in(tmp_path / "coreml", """echo '{"coremltools": null}'""")
    with pytest.raises(
        ExportError, match=r"^the tool coreml needs coremltools 9\.0, and \S+ lacks it\. Make it with: "
    ):
        environment("coreml", folder=tmp_path, reporter=Silent())
    stand_in(tmp_path / "litert", "exit 3")
    with pytest.raises(ExportError, match=r"^\S+python does not start \(.*\)\. Make it with: "):
        environment("litert", folder=tmp_path, reporter=Silent())


def test_our_own_python_is_always_there() -> None:
    found = environment(OURS, folder=None, reporter=Silent())
    assert found.python == Path(sys.executable)
    assert {"torch", "onnxruntime"} <= set(found.versions)


def test_another_list_of_versions_is_another_environment(tmp_path: Path) -> None:
    first = made_at(without_packages(tmp_path))
    assert made_at(without_packages(tmp_path, "numpy==2.4.6\n")) != first
    assert first.name.startswith("bare-")
