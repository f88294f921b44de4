"""Extras as messages name them. In: the sources, pyproject.toml. Out: every name is one that can be installed."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from tellapart.cli import extras


def installable(repository: Path) -> set[str]:
    with (repository / "pyproject.toml").open("rb") as file:
        return set(tomllib.load(file)["project"]["optional-dependencies"])


def test_every_extra_that_a_message_names_is_there(repository: Path) -> None:
    names: set[str] = set(extras._PACKAGES)
    for path in (repository / "src").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        names.update(re.findall(r"tellapart\[([a-z]+)\]", text))
        names.update(re.findall(r'MissingFormat\([^)]*, "([a-z]+)", ', text))
        names.update(re.findall(r'Needed\([^)]*"([a-z]+)"\s*\)', text))
    assert {"train", "serve", "client", "tables", "heif", "jxl", "dicom", "tiff"} <= names <= installable(repository)


def test_the_extras_of_one_command_are_brought_by_the_one_that_is_named(repository: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None  # as where it is not installed\n"
        "from tellapart.cli.extras import require\n"
        "try: require('demo', 'train', 'demo')\n"
        "except Exception as error: print(error)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == (
        "`tellapart demo` needs the package 'torch', which is not installed. "
        'Install the extra with: pip install "tellapart[demo]"'
    )
    with (repository / "pyproject.toml").open("rb") as file:
        brought = tomllib.load(file)["project"]["optional-dependencies"]["demo"]
    assert any("train" in one for one in brought if one.startswith("tellapart["))
