"""The documents say what is so. In: every Markdown file, Makefile, constraints.txt. Out: dead links and commands."""

from __future__ import annotations

import re
import subprocess
import sysconfig
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

FENCE = re.compile(r"^```.*?^```[ ]*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
CODE = re.compile(r"^```.*?^```[ ]*$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
PIN = re.compile(r"(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>[0-9][\w.+!-]*)(?: ; .+)?")


def documents(repository: Path) -> list[Path]:
    below = (path for folder in ("docs", "benchmarks", "recipes") for path in (repository / folder).rglob("*.md"))
    return sorted([*repository.glob("*.md"), *below])


def anchors(text: str) -> set[str]:
    """The names that GitHub gives to a Markdown file's headings."""
    headings = re.findall(r"^#{1,6}\s+(.*?)\s*#*$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead_links(document: Path) -> list[str]:
    """Links of a Markdown file to files or headings that do not exist. Addresses on the net are not looked at."""
    dead = []
    for target in LINK.findall(CODE.sub("", document.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = unquote(target).partition("#")
        file = document.parent / name if name else document
        has_anchor = not anchor or (file.suffix == ".md" and file.is_file() and anchor in anchors(file.read_text()))
        if not file.exists() or not has_anchor:
            dead.append(target)
    return dead


def command_lines(text: str, program: str) -> Iterator[str]:
    """The calls of a program in the code of a Markdown text, each without its comment."""
    for code in CODE.findall(text):
        for line in code.strip("`").replace("\\\n", " ").splitlines():
            match = re.match(rf"\s*(?:\$ )?(?:\S+/)?{program} (.*)", line)
            if match:
                yield match[1].split(" #")[0].strip()


def make_targets(repository: Path) -> set[str]:
    return set(re.findall(r"^([a-z]+):", (repository / "Makefile").read_text(), re.MULTILINE))


def test_links_between_files_resolve(repository: Path) -> None:
    found = documents(repository)
    assert {"README.md", "CHANGELOG.md", "CONTRIBUTING.md"} <= {path.name for path in found}
    assert {path.name: dead for path in found if (dead := dead_links(path))} == {}


def test_a_dead_link_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# What you see: `make`\n```\n# no heading\n```\n")
    document = tmp_path / "document.md"
    document.write_text(
        "[a](other.md) [b](gone.md) [c](other.md#what-you-see-make) [d](other.md#no-heading) [e](https://example.org)"
        "[f](#gone) ![g](picture.png) `[h](in-code.md)`\n"
    )
    assert dead_links(document) == ["gone.md", "other.md#no-heading", "#gone", "picture.png"]


def test_make_commands_in_documents_exist(repository: Path) -> None:
    targets = make_targets(repository)
    assert {"demo", "test", "check", "format", "clean", "help"} <= targets
    for path in documents(repository):
        for line in command_lines(path.read_text(encoding="utf-8"), "make"):
            words = [word for word in line.split() if re.fullmatch(r"[a-z]+", word)]
            assert set(words) <= targets, f"{path.name}: make {line}"


@pytest.mark.slow
def test_tellapart_commands_in_documents_exist_with_their_options(repository: Path) -> None:
    program = Path(sysconfig.get_path("scripts")) / "tellapart"
    options: dict[str, set[str]] = {}
    for path in documents(repository):
        for line in command_lines(path.read_text(encoding="utf-8"), "tellapart"):
            words = re.sub(r"[\[\]|]", " ", line).split()
            if re.fullmatch(r"[a-z]+", words[0]):
                command, rest = words[0], words[1:]
                options.setdefault(command, set()).update(re.findall(r"(?<!\S)--[a-z][a-z-]*", " ".join(rest)))
    assert {"train", "predict"} <= set(options)
    for command, wanted in options.items():
        answer = subprocess.run([program, command, "--help"], capture_output=True, text=True, check=False)
        assert answer.returncode == 0, f"tellapart {command}: {answer.stderr}"
        assert wanted <= set(re.findall(r"--[a-z][a-z-]*", answer.stdout)), command


def test_the_code_of_a_document_is_read_line_by_line() -> None:
    text = "Run `make demo`, then make tea:\n```sh\n$ make test  # all\nmake x \\\n  y\n./bin/make z\nremake w\n```\n"
    assert list(command_lines(text, "make")) == ["demo", "test", "x    y", "z"]


def test_constraints_pin_every_requirement_and_name_no_address(repository: Path) -> None:
    lines = (repository / "constraints.txt").read_text().splitlines()
    pins = [PIN.fullmatch(line) for line in lines]
    assert [line for line, pin in zip(lines, pins, strict=True) if pin is None] == []
    versions = {(pin["name"], pin["version"]) for pin in pins if pin is not None}
    project = tomllib.loads((repository / "pyproject.toml").read_text())
    requirements = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    for extra in project["project"]["optional-dependencies"].values():
        requirements += extra
    names = {re.split(r"[^\w.-]", requirement)[0].lower() for requirement in requirements} - {"tellapart"}
    assert names <= {name for name, _ in versions}
    # For 2.13.0 a CPU build may be picked up, with which torchvision does not import.
    assert ("torch", "2.13.0") not in versions
