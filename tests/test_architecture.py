"""Predicting needs no PyTorch, and asking for help costs nothing. In: fresh processes. Out: what they imported."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import sysconfig
from collections import defaultdict
from fnmatch import fnmatch
from pathlib import Path
from typing import get_args

import pytest

from tellapart.bundle import TaskName, TaskRecord
from tellapart.data.targets import KINDS

HEAVY = {"cv2", "imagehash", "scipy", "sklearn", "timm", "torch", "torchvision"}


def imported_by(*arguments: str | Path) -> set[str]:
    """The top-level packages that a fresh Python process imports."""
    command = [sys.executable, "-X", "importtime", *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    modules = re.findall(r"^import time:\s+\d+ \|\s+\d+ \|\s+(\S+)$", answer.stderr, re.MULTILINE)
    return {module.partition(".")[0] for module in modules}


@pytest.mark.parametrize(
    "module", ["tellapart", "tellapart.preprocessing", "tellapart.runtime", "tellapart.bundle", "tellapart.cli.main"]
)
def test_importing_what_predicts_imports_nothing_heavy(module: str) -> None:
    imported = imported_by("-c", f"import {module}")
    assert "tellapart" in imported
    assert imported & HEAVY == set()


def test_help_imports_nothing_heavy() -> None:
    imported = imported_by(Path(sysconfig.get_path("scripts")) / "tellapart", "--help")
    assert "tellapart" in imported
    # Help must come at once: not even the engine that predicts, and no numpy.
    assert imported & {*HEAVY, "numpy", "onnxruntime"} == set()


def test_the_package_is_the_command() -> None:
    answers = [
        subprocess.run([*command, "--help"], capture_output=True, text=True, check=False)
        for command in ([sys.executable, "-m", "tellapart"], [Path(sysconfig.get_path("scripts")) / "tellapart"])
    ]
    assert [answer.returncode for answer in answers] == [0, 0]
    assert answers[0].stdout.startswith("Usage: tellapart ")
    assert answers[0].stdout == answers[1].stdout


def test_an_import_is_noticed() -> None:
    assert "colorsys" in imported_by("-c", "import colorsys")
    assert "colorsys" not in imported_by("-c", "pass")


@pytest.mark.parametrize(("told", "found"), [(None, "1"), ("0", "0")])
def test_usage_reports_are_off_before_onnx_runtime_is_loaded(
    told: str | None, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ONNX Runtime reads the variable once, while it is loaded."""
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    if told is not None:
        monkeypatch.setenv("ORT_DISABLE_TELEMETRY", told)
    code = "import os, sys, tellapart; print('onnxruntime' in sys.modules, os.environ['ORT_DISABLE_TELEMETRY'])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert answer.stdout.split() == ["False", found], answer.stderr


CLOCKS = {"monotonic", "perf_counter", "process_time", "thread_time", "time"}


def clock_reads(path: Path) -> list[int]:
    """The lines that assert on a clock of the module `time`, or on a number that was taken from one in the same file."""
    text = path.read_text(encoding="utf-8")
    if "time." not in text:
        return []
    tree = ast.parse(text)

    def reads(node: ast.AST) -> bool:
        calls = [one.func for one in ast.walk(node) if isinstance(one, ast.Call)]
        return any(
            isinstance(call, ast.Attribute) and ast.unparse(call.value) == "time" and call.attr in CLOCKS
            for call in calls
        )

    # Of a difference: a moment alone (a date to format, when something began) is no judgement.
    taken = {
        ast.unparse(target)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.BinOp) and reads(node.value)
        if isinstance(node.value.op, ast.Sub)
        for target in node.targets
    }
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Assert)
        if reads(node.test) or taken & {one.id for one in ast.walk(node.test) if isinstance(one, ast.Name)}
    ]


def test_no_test_asserts_on_time(repository: Path, tmp_path: Path) -> None:
    example = tmp_path / "example.py"
    example.write_text(
        "assert time.monotonic() - 3 < 5\nassert time.sleep(1) is None\ntook = time.time() - 3\nassert took < 5\n"
    )
    assert clock_reads(example) == [1, 4]
    found = {str(path): lines for path in (repository / "tests").rglob("*.py") if (lines := clock_reads(path))}
    assert found == {}


def test_a_training_on_the_cached_network_does_not_wait_for_torch() -> None:
    """What is imported before the first fine-tuning: with PyTorch among it a second training takes half as long again."""
    code = (
        "import sys, tellapart.workflows.train, tellapart.workflows.learning.strategies;"
        "import tellapart.tasks.classification.probing, tellapart.tasks.multilabel.probing;"
        "print(sorted({'torch', 'timm'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def classes_by_name(folder: Path) -> dict[str, list[str]]:
    """Where each class of that name stands, of those that stand twice; one with _ in front is at home in its file."""
    places = defaultdict(list)
    for path in sorted(folder.rglob("*.py")):
        for name in re.findall(r"^[ ]*class ([^\W_]\w*)", path.read_text(encoding="utf-8"), re.MULTILINE):
            places[name].append(path.relative_to(folder).as_posix())
    return {name: found for name, found in places.items() if len(found) > 1}


def test_a_class_name_stands_for_one_thing(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("class Row: ...\nclass Other: ...\nclass _Own: ...\n")
    (tmp_path / "two.py").write_text("def make():\n    class Row: ...\nclass _Own: ...\n")
    assert classes_by_name(tmp_path) == {"Row": ["one.py", "two.py"]}
    assert classes_by_name(repository / "src" / "tellapart") == {}


def test_the_formatter_has_its_way(repository: Path) -> None:
    """Nothing is kept from it, so that no two styles stand beside each other."""
    asks = re.compile("# fmt: " + "(skip|off)")
    assert asks.search("x = 1  # fmt" + ": skip")
    files = [path for folder in ("src", "tests", "benchmarks") for path in (repository / folder).rglob("*.py")]
    assert [str(path) for path in files if asks.search(path.read_text(encoding="utf-8"))] == []


def test_the_tests_stand_as_contributing_says(repository: Path) -> None:
    """Their folders are those of the package, walk, tutorials and deploy beside them; of five modules three have a file."""
    package, tests = repository / "src" / "tellapart", repository / "tests"
    modules = {path.relative_to(package) for path in package.rglob("*.py") if path.name != "__init__.py"}
    files = {path.relative_to(tests) for path in tests.rglob("test_*.py")}
    assert {path.parent for path in files} - {path.parent for path in modules} == {
        Path("walk"),
        Path("deploy"),
        Path("tutorials"),
    }
    share = sum(path.with_name(f"test_{path.name}") in files for path in modules) / len(modules)
    assert "About three modules in five" in (repository / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert round(5 * share) == 3


TASK_NAMES = frozenset(get_args(TaskName)) - {"text"}  # text is a word of many meanings
OF_TASKS = frozenset(one.__name__ for one in (*KINDS.values(), *get_args(TaskRecord)))
# Where a task may be named, and why.
AT_HOME = {
    "tasks/*": "the tasks",
    "answers/table.py": "the table",
    "answers/classification.py": "what one model says",
    "answers/multilabel.py": "what one model says",
    "answers/detection.py": "what one model says",
    "answers/segmentation.py": "what one model says",
    "records.py": "the records",
    "manifest.py": "files of schemas 1 and 2",
    "cli/tasks.py": "the flag --task",
    "export/samples/*": "code that stands alone elsewhere",
    "data/targets.py": "what a target is",
    "data/reading_*.py": "readers",
    "data/packed_entries.py": "what is packed has a class",
    "data/packed_examples.py": "what is packed has a class",
    "data/other_tasks.py": "readers: what a data set looks like",
    "data/multilabel_table.py": "readers",
    "data/boxes_*.py": "readers",
    "data/box_*.py": "what is done with boxes",
    "data/masks*.py": "readers",
    "data/mask_*.py": "what is done with masks",
    "data/label_sets.py": "what is done with sets",
    "data/stratify*.py": "how sets, boxes and masks are split",
    "serving/described.py": "an extension of the Open Inference Protocol is called so",
    "serving/inference_protocol.py": "an extension of the Open Inference Protocol is called so",
}


def asks_for_a_task(path: Path) -> list[int]:
    """The lines that hold a task's name as a value, or ask whether something is one task's target or record."""
    text, found = path.read_text(encoding="utf-8"), list[int]()
    if not any(name in text for name in TASK_NAMES | OF_TASKS):
        return found
    for node in ast.walk(ast.parse(text)):
        asked: list[ast.AST] = []
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in TASK_NAMES:
            found.append(node.lineno)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            asked = [*node.args[1:]] if node.func.id in ("isinstance", "issubclass") else []
        elif isinstance(node, ast.Compare):
            asked = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchClass):
            asked = [node.cls]
        names = (one for part in asked for one in ast.walk(part) if isinstance(one, (ast.Name, ast.Attribute)))
        found += [one.lineno for one in names if (one.id if isinstance(one, ast.Name) else one.attr) in OF_TASKS]
    return sorted(set(found))


def test_no_shared_room_names_a_task(repository: Path, tmp_path: Path) -> None:
    """Whoever wants to know asks the reader, the record, the answering or the task."""
    example = tmp_path / "example.py"
    example.write_text(
        '''"""Of detection."""
if listing.task == "detection": ...
if record.kind in ("text", "multilabel"): ...
kind is ClassNames and isinstance(target, (int, targets.Boxes))
message = "give --task multilabel"
match record:
    case DetectionRecord(): ...
    case "classification": ...
targets = (ClassName("cat"), MaskFile.read("mask.png"))
'''
    )
    assert asks_for_a_task(example) == [2, 3, 4, 7, 8]
    package = repository / "src" / "tellapart"
    found = {path.relative_to(package): asks_for_a_task(path) for path in sorted(package.rglob("*.py"))}
    naming = {path: lines for path, lines in found.items() if lines}
    allowed = {path: next((one for one in AT_HOME if fnmatch(path.as_posix(), one)), None) for path in naming}
    assert {str(path): naming[path] for path, pattern in allowed.items() if pattern is None} == {}
    assert set(AT_HOME) - set(allowed.values()) == set()  # and nothing is allowed that nobody needs


def test_the_page_names_tasks_in_its_table_alone(repository: Path) -> None:
    name = re.compile(f"[\"'`]({'|'.join(TASK_NAMES)})[\"'`]")
    assert name.search('if (model.task === "multilabel")')
    pages = sorted((repository / "src" / "tellapart" / "serving" / "pages").glob("*.js"))
    assert "tasks.js" in [page.name for page in pages]
    assert [page.name for page in pages if name.search(page.read_text(encoding="utf-8"))] == []
