"""Converters and runtimes, each in an environment of its own. In: a tool's name. Out: its Python. Next: process.py.

They weigh up to gigabytes and want versions of packages that others do not, so no extra of ours brings them. An environment is made
when it is first needed, by uv where that is there, from the versions in environments/, whole or not at all; or it is found below a
folder that the user made.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import shutil
import site
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tellapart.errors import ExportError, StorageError
from tellapart.export.begun import begun_folder, take_place
from tellapart.export.table import OURS
from tellapart.reporter import Reporter
from tellapart.storage import TOOLS as TOOLS_FOLDER
from tellapart.storage import cache_folder, storage_errors

_LISTS = Path(__file__).parent / "environments"
_ROOT = Path(__file__).parents[2]  # of our own packages
_READY = ".tellapart-ready"  # the last file of an environment that is whole
_TOLD = 300  # characters of what went wrong
_ASK = """
import importlib.metadata, json, sys
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        found[name] = None
print(json.dumps(found))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A converter or runtime, as it is to be had."""

    name: str
    packages: Sequence[str]  # whose versions must be the ones that were tested
    megabytes: int  # that its environment takes, about
    beside: bool = False  # whether it works on our torch, which it then finds behind its own packages
    newest: tuple[int, int] = (99, 0)  # the newest Python that has these packages
    lists: Path = _LISTS  # where its list of versions lies

    @property
    def versions(self) -> Path:
        """The list of all packages, with the versions that were tested."""
        return self.lists / f"{self.name}.txt"


TOOLS: Mapping[str, Tool] = MappingProxyType(
    {
        one.name: one
        for one in (
            Tool(name="tensorflow", packages=["tensorflow", "onnx2tf"], megabytes=2400, newest=(3, 12)),
            Tool(name="litert", packages=["ai-edge-litert", "ai-edge-quantizer"], megabytes=240),
            Tool(name="openvino", packages=["openvino", "nncf"], megabytes=410),
            Tool(name="executorch", packages=["executorch"], megabytes=80, beside=True),
            Tool(name="ncnn", packages=["ncnn", "pnnx"], megabytes=170),
            Tool(name="coreml", packages=["coremltools"], megabytes=110, beside=True),
        )
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A tool that is there."""

    python: Path
    beside: tuple[Path, ...] = ()  # folders of packages that stand behind its own
    first: Path | None = None  # one that stands before them: of our own Python
    versions: Mapping[str, str]  # of the packages that matter


def environment(name: str, *, folder: Path | None, reporter: Reporter) -> Environment:
    """The Python of a tool: below `folder` (`--tools`), where one is told, else in the cache, made if it is not there yet.

    Raises: ExportError with the command that brings it, where it is not to be had or has other versions; StorageError.
    """
    if name == OURS:
        return Environment(python=Path(sys.executable), first=_ROOT, versions=_own_versions())
    tool = TOOLS[name]
    home = folder / name if folder is not None else made_at(tool)
    if folder is None:
        make_ready(tool, home, reporter)
    elif folder.is_file():
        raise ExportError(
            f"--tools is {folder}, a file; it must be a folder with an environment a tool, as {home} would be."
        )
    python = python_of(home)
    if not python.is_file():
        raise ExportError(f"there is no {python}, which --tools promises for the tool {name}. {by_hand(tool, home)}")
    ours = [Path(one) for one in dict.fromkeys([*site.getsitepackages(), sysconfig.get_path("purelib")])]
    beside = (_ROOT, *ours) if tool.beside else ()
    return Environment(python=python, beside=beside, versions=_checked(tool, home, python))


def made_at(tool: Tool) -> Path:
    """Where the environment of a tool stands that we make: another list of versions, or another Python, is another folder."""
    text = tool.versions.read_bytes() + sys.version.encode()
    return cache_folder() / TOOLS_FOLDER / f"{tool.name}-{hashlib.sha256(text).hexdigest()[:12]}"


def python_of(home: Path) -> Path:
    """The interpreter of an environment."""
    return home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def by_hand(tool: Tool, home: Path) -> str:
    """How a person makes an environment."""
    return (
        f"Make it with: python -m venv {home} && {python_of(home)} -m pip install --no-deps -r {tool.versions} "
        f"(about {tool.megabytes:,} MB), and say where it is: --tools {home.parent}"
    )


def size_of(home: Path) -> int:
    """Bytes of all files of a folder."""
    return sum(path.lstat().st_size for path in home.rglob("*") if path.is_file() and not path.is_symlink())


def make_ready(tool: Tool, home: Path, reporter: Reporter) -> None:
    """Make an environment that is not there, or not whole. Raises: ExportError, StorageError."""
    if (home / _READY).is_file():
        return
    if sys.version_info[:2] > tool.newest:
        own, newest = (".".join(map(str, one[:2])) for one in (sys.version_info, tool.newest))
        told = by_hand(tool, home.parent / tool.name).replace("python -m venv", f"python{newest} -m venv")
        raise ExportError(
            f"the tool {tool.name} has no packages for Python {own}; the newest that it has some for is {newest}. {told}"
        )
    with begun_folder(home) as begun:
        with reporter.step(f"Making the environment of {tool.name} (about {tool.megabytes:,} MB, once)", None):
            for command in _commands(tool, begun):
                _run(command, tool, home)
        with storage_errors(home):
            (begun / _READY).write_text("whole\n")
        take_place(begun, home)


def _commands(tool: Tool, home: Path) -> list[list[str]]:
    """What makes an environment: uv, which takes a tenth of the time, or Python's own means."""
    uv, python = _uv(), str(python_of(home))
    if uv is not None:
        return [
            [uv, "venv", "--quiet", "--clear", "--relocatable", "--python", sys.executable, str(home)],
            [uv, "pip", "install", "--quiet", "--no-deps", "--python", python, "-r", str(tool.versions)],
        ]
    return [
        [sys.executable, "-m", "venv", "--clear", str(home)],
        [python, "-m", "pip", "install", "--quiet", "--no-deps", "-r", str(tool.versions)],
    ]


def _uv() -> str | None:
    if importlib.util.find_spec("uv") is not None:
        from uv import find_uv_bin

        with contextlib.suppress(FileNotFoundError):
            return find_uv_bin()
    return shutil.which("uv")


def _run(command: Sequence[str], tool: Tool, home: Path) -> None:
    found = subprocess.run(
        command, capture_output=True, text=True, errors="replace", env=environ(), check=False, stdin=subprocess.DEVNULL
    )
    if found.returncode == 0:
        return
    said = " ".join((found.stderr or found.stdout).split())
    if "os error 28" in said or "No space left" in said:
        raise StorageError(
            f"cannot use {home.parent}: the disk is full; the tool {tool.name} takes about {tool.megabytes:,} MB. Free some space, "
            "or choose another folder with TELLAPART_CACHE."
        )
    if len(said) > _TOLD:
        said = f"... {said[-_TOLD:].partition(' ')[2]}"  # from the next word on
    raise ExportError(
        f"the environment of the tool {tool.name} could not be made: {said}. {by_hand(tool, home.parent / tool.name)}"
    )


def environ() -> dict[str, str]:
    """What processes of tools see of our environment variables: nothing that brings them our packages.

    They may keep what they compile: TensorFlow's thousands of files take a minute each time, else.
    """
    hidden = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTHONSTARTUP", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if name not in hidden}


def _checked(tool: Tool, home: Path, python: Path) -> dict[str, str]:
    """The versions of the packages that matter. Raises: ExportError where they are others than were tested."""
    wanted = dict(line.split("==") for line in tool.versions.read_text().split() if "==" in line)
    try:
        told = subprocess.run(
            [str(python), "-c", _ASK, *tool.packages],
            capture_output=True,
            text=True,
            env=environ(),
            check=False,
            timeout=120,
        )
        found: dict[str, str | None] = json.loads(told.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise ExportError(f"{python} does not start ({error}). {by_hand(tool, home)}") from None
    for name in tool.packages:
        if found.get(name) != wanted[name]:
            needs, made = f"{name} {wanted[name]}", by_hand(tool, home)
            if found.get(name) is None:
                raise ExportError(f"the tool {tool.name} needs {needs}, and {home} lacks it. {made}")
            raise ExportError(f"the tool {tool.name} needs {needs}, and {home} has {found[name]}. {made}")
    return {name: str(found[name]) for name in tool.packages}


def _own_versions() -> dict[str, str]:
    import importlib.metadata

    found = {}
    for name in ("torch", "onnx", "onnxruntime"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found
