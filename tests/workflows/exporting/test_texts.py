"""The bundle of a model of texts proves itself, and names a step done otherwise. In: made models. Out: what the samples say."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tellapart.errors import SettingsError
from tellapart.export.text_golden import golden_texts
from tellapart.workflows.exporting.texts import write_proof
from tests.workflows.exporting.made_texts import TEXTS, write_bundle

WAIT = 300  # seconds; only what hangs takes as long
PARTS = {"several": ("grams", "pieces", "words"), "across": ("across",), "in order": ("characters",)}
COUNT = len(golden_texts(TEXTS, 9))


@pytest.fixture(scope="module", params=PARTS)
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("bundle"), PARTS[request.param])


def ran(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False, timeout=WAIT)


def test_the_sample_in_python_makes_the_same(bundle: Path) -> None:
    done = ran(sys.executable, "-B", "self_test.py", cwd=bundle / "python")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{COUNT} texts: cleaning, parts and numbers are the same" in done.stdout
    assert "the network says the same" in done.stdout


def test_the_sample_in_javascript_makes_the_same(bundle: Path, lacks: Callable[[str], NoReturn]) -> None:
    if shutil.which("node") is None:
        lacks("node is not installed")
    done = ran("node", "self_test.js", cwd=bundle / "javascript")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{COUNT} texts" in done.stdout


def planted(bundle: Path, folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """A copy of the bundle whose fifth golden text was changed."""
    shutil.copytree(bundle, folder)
    golden = json.loads((folder / "golden.json").read_text(encoding="utf-8"))
    change(golden[4])
    (folder / "golden.json").write_text(json.dumps(golden), encoding="utf-8")
    return folder


def cleaned(one: dict[str, Any]) -> None:
    one["cleaned"] += "x"


def found(one: dict[str, Any]) -> None:
    one["parts"][0]["found"][0].reverse()


def tokens(one: dict[str, Any]) -> None:
    one["parts"][-1]["tokens"][0][0] += 1


def probabilities(one: dict[str, Any]) -> None:
    one["probabilities"].reverse()


FAULTS: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "cleaned": (cleaned, "text 5, step 1 (cleaning)"),
    "found": (found, "text 5, step 2 ("),
    "tokens": (tokens, "text 5, step 3 (numbers of "),
    "network": (probabilities, "text 5, step 4 (the network)"),
}


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of a model with every kind of part."""
    return write_bundle(tmp_path_factory.mktemp("several"), PARTS["several"])


@pytest.mark.parametrize("fault", FAULTS)
def test_the_step_that_differs_first_is_named(several: Path, tmp_path: Path, fault: str) -> None:
    change, words = FAULTS[fault]
    folder = planted(several, tmp_path / "planted", change)
    done = ran(sys.executable, "-B", "self_test.py", cwd=folder / "python")
    assert done.returncode == 1
    assert words in done.stdout
    if shutil.which("node") and fault != "network":
        done = ran("node", "self_test.js", cwd=folder / "javascript")
        assert done.returncode == 1
        assert words in done.stderr


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
def test_node_asks_the_network_too(several: Path, tmp_path: Path, repository: Path) -> None:
    packages = repository / ".npm" / "node_modules"
    if not packages.is_dir():
        pytest.skip("npm's packages are not here: .ci/run fetches them")
    folder = planted(several, tmp_path / "planted", lambda one: None)
    (folder / "node_modules").symlink_to(packages)
    done = ran("node", "self_test.js", cwd=folder / "javascript")
    assert (done.returncode, "the network says the same" in done.stdout) == (0, True), done.stdout + done.stderr
    (folder / "golden.json").write_bytes(
        (planted(several, tmp_path / "other", probabilities) / "golden.json").read_bytes()
    )
    done = ran("node", "self_test.js", cwd=folder / "javascript")
    assert (done.returncode, "text 5, step 4 (the network): probabilities" in done.stderr) == (1, True)


# In which folder, how it is built, how it is run; the first word is the program that it needs.
COMPILED = {
    "cpp": (
        ["g++", "-std=c++17", "-O0", "-Wall", "-Wextra", "-Werror", "-o", "self_test", "self_test.cpp"],
        ["./self_test"],
    ),
    "java": (["javac", "-Xlint:all", "-Werror", "SelfTest.java"], ["java", "SelfTest"]),
    "csharp": (["mcs", "-out:self_test.exe"], ["mono", "self_test.exe"]),
}
SOURCES = {"cpp": "", "java": "", "csharp": "*.cs"}


@pytest.mark.slow
@pytest.mark.parametrize("language", ["cpp", pytest.param("java", marks=pytest.mark.long), "csharp"])
def test_a_compiled_sample_makes_the_same_and_names_the_step_that_differs(
    several: Path, tmp_path: Path, language: str
) -> None:
    build, command = COMPILED[language]
    if shutil.which(build[0]) is None:
        pytest.skip(f"{build[0]} is not installed")
    shutil.copytree(several, tmp_path / "bundle")
    folder = tmp_path / "bundle" / language
    built = ran(*build, *sorted(one.name for one in folder.glob(SOURCES[language] or "-")), cwd=folder)
    assert built.returncode == 0, built.stdout + built.stderr
    done = ran(*command, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{COUNT} texts: cleaning, parts and numbers are the same" in done.stdout
    golden = (folder.parent / "golden.txt").read_text(encoding="utf-8")
    for word, step in (("cleaned", "step 1 (cleaning)"), ("found", "step 2 ("), ("tokens", "step 3 (numbers of ")):
        at = golden.index(f"\n{word} ") + 1
        changed = golden[:at] + f"{word} 61 7" + golden[golden.index("\n", at) :]
        (folder.parent / "golden.txt").write_text(changed, encoding="utf-8")
        done = ran(*command, cwd=folder)
        assert (done.returncode, f"text 1, {step}" in done.stdout) == (1, True), done.stdout


def test_another_program_is_tested_by_what_it_wrote(several: Path, tmp_path: Path) -> None:
    golden = json.loads((several / "golden.json").read_text(encoding="utf-8"))
    mine = {str(number): {"cleaned": one["cleaned"], "parts": one["parts"]} for number, one in enumerate(golden, 1)}
    (tmp_path / "mine.json").write_text(json.dumps(mine), encoding="utf-8")
    done = ran(sys.executable, "-B", "self_test.py", tmp_path / "mine.json", cwd=several / "python")
    assert (done.returncode, f"{COUNT} texts" in done.stdout) == (0, True)
    mine["5"]["cleaned"] = golden[4]["text"] + " "
    (tmp_path / "mine.json").write_text(json.dumps(mine), encoding="utf-8")
    done = ran(sys.executable, "-B", "self_test.py", tmp_path / "mine.json", cwd=several / "python")
    assert (done.returncode, "text 5, step 1 (cleaning)" in done.stdout) == (1, True)


def test_what_is_told_suffices(bundle: Path) -> None:
    told = json.loads((bundle / "texts.json").read_text(encoding="utf-8"))
    assert told["folds"]["\u00df"] == "ss"
    assert told["input"]["shape"] == ["N", sum(part["rows"] for part in told["parts"]), "L"]
    assert all((bundle / part["vocabulary"]).stat().st_size for part in told["parts"])
    readme = (bundle / "README.md").read_text(encoding="utf-8")
    assert "cd javascript && npm install --ignore-scripts && node self_test.js" in readme


def test_a_language_without_a_sample_is_refused(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--for is 'rust'; there are samples for python, javascript"):
        write_proof(bundle / "model.onnx", TEXTS, tmp_path / "proof", ["rust"])


def test_long_texts_of_the_user_are_no_golden_ones() -> None:
    assert golden_texts(["long " * 1000, "a", "b", "c"], 2)[:3] == ["a", "b", golden_texts([], 0)[0]]
