"""A reader who types a chapter line by line. In: a folder that make_world filled, lines. Out: each has done what it promises."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import tomllib
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

from tellapart.cli.main import execute, main
from tellapart.cli.several import SeveralWords
from tellapart.workflows.demo_sets import DEMO_SETS

from .documents import LAUNCHER, REPOSITORY, words_of
from .promises import PROMISES, Done, is_written

INTO_A_FOLDER = ("train", "search", "demo")  # whose --out is where runs are made
WRITTEN = ("out", "drawn", "crops", "masks", "overlays", "diagram")  # options that name what a command leaves
CONVERTED = {"tensorflow", "litert", "litert-int8", "litert-float16", "openvino", "browser", "ncnn", "coreml"}
# Not run, and why: Docker is asked for images from elsewhere; pip installs what this very test runs in.
APART = ("docker ", "pip install ")
LARGE = ("alexnet_227", "valid_cnn")  # networks that smaller pictures leave nothing of
OWN_SIZE = ("raccoons/", "slides/", "reviews.csv", *LARGE)
PATIENCE = 1200.0  # seconds; only what hangs takes as long


def parsed(words: list[str]) -> dict[str, Any]:
    """The options and arguments of a command. Raises: click.UsageError where one is not there, or has no such value."""
    context, command = click.Context(main, info_name="tellapart"), main.get_command(click.Context(main), words[0])
    if isinstance(command, click.Group):
        context, words = click.Context(command, info_name=words[0], parent=context), words[1:]
        command = command.get_command(context, words[0])
    assert command is not None, words
    inner = click.Context(command, info_name=words[0], parent=context)
    given = command.spread(words[1:]) if isinstance(command, SeveralWords) else words[1:]
    found, extra, _ = command.make_parser(inner).parse_args(given)
    assert not extra, extra
    for parameter in command.params:
        value = found.get(str(parameter.name))
        if value is not None and not isinstance(parameter.type, click.Path):
            for one in value if isinstance(value, list | tuple) else [value]:
                if one is not None:
                    parameter.type.convert(one, parameter, inner)
    return found


def tiny(words: list[str]) -> list[str]:
    """The same command in a moment: one epoch, one view, 32 or 64 pixels, two trials, no report. What it is about stays."""
    line, less = " ".join(words), list(words)
    if words[0] not in ("train", "search", "compress"):
        return less
    if words[0] == "compress":
        return [*less, *(["--epochs", "1"] if {"--prune", "--distill", "--qat"} & set(words) else [])]
    if "--resume" in words:
        return less
    probed = "--strategy probe" in line or (words[0] == "search" and not {"--strategy", "--grid"} & set(words))
    less += [] if probed or "--small" in words else ["--epochs", "1"]
    if {"raccoons/", "slides/"} & set(words):
        less += ["--set", "network.size=64"]
    if not {"--from", "--small"} & set(words) and not any(name in line for name in OWN_SIZE):
        # VGG-16 makes one thirty-second of a side, and a heatmap needs more than one place.
        less += ["--set", f"network.size={64 if 'flowers' in line else 32}"]
    if "--network vgg11" in line:  # 129 million weights, and as many moments twice with AdamW
        less += ["--set", "loop.optimizer=sgd", "--set", "loop.momentum=0", "--set", "loop.nesterov=false"]
    if words[0] == "train" and _views(words):
        less += ["--set", "finetune.views=1"]
    if "recipes/valid_cnn" in line:
        less += ["--set", "network.size=192", "--limit", "8"]
    if words[0] == "search":
        less += [] if "--grid" in words else ["--trials", "2"]
    return less if words[0] == "search" else [*less, "--no-report"]


def _views(words: list[str]) -> bool:
    """Whether its recipe caches several views of a picture, of which one shows what the line is about."""
    names = [word for word in words if word.startswith("recipes/")]
    return any(re.search(r"^views = [1-9]", (REPOSITORY / name).read_text("utf-8"), re.MULTILINE) for name in names)


class Walk:
    """A folder, what was typed in it, and the servers that still run."""

    def __init__(self, folder: Path, screen: pytest.CaptureFixture[str]) -> None:
        """The folder is the one that one is in."""
        self.folder, self._screen = folder, screen
        self.weights: dict[str, Path] = {}  # files of networks, by timm's name
        self._server: subprocess.Popen[str] | None = None
        self._port = 0
        self._made: set[Path] = set()
        self.tools = ""  # a folder with the environments of converters; without it each is made

    def type(self, line: str) -> None:
        """Run a line, and look at what it has done. Raises: AssertionError where it has not."""
        words = words_of(line)
        if LAUNCHER.match(line):
            self._launch(line, words)
        elif words[:1] == ["serve"]:
            self._serve(words)
        elif words:
            self._run(line, words)
        elif line.startswith("curl "):
            self._curl(line)
        elif line.startswith("make "):
            self._make(line)
        elif line.startswith("tensorboard "):
            self._tensorboard(line)
        elif line.startswith("echo "):
            self._shell(line)
        else:
            assert line.startswith(APART), line
            self._exists(line)

    def tidy(self) -> None:
        """Take away what was written, so that a table's lines may write it again; runs stay."""
        for path in self._made:
            if path.is_file():
                path.unlink()
            else:
                shutil.rmtree(path, ignore_errors=True)
        self._made.clear()

    def end(self) -> None:
        """Stop a server that still runs."""
        if self._server is not None:
            self._server.terminate()
            self._server.communicate(timeout=PATIENCE)
            self._server = None

    def _run(self, line: str, words: list[str]) -> None:
        if "runs/NAME" in words:
            words = ["runs/" + self._interrupted().name if word == "runs/NAME" else word for word in words]
        if "--server" in words:
            words = [word.replace(":8501", f":{self._port}") for word in words]
        for another in {"runs/large", "runs/first"} & set(words):
            self._beside(another)
        if words[0] == "demo" and len(words) > 1:
            self._fetched(words[1])
        before = self._latest()
        self._screen.readouterr()
        tools = ["--tools", self.tools] if words[0] == "export" and self.tools and "browser" not in words else []
        code = execute([*self._with_weights(tiny(words)), *tools])
        said = self._screen.readouterr()
        assert code == 0, f"{line}\n{said.err[-2000:]}"
        if words == ["--version"]:
            assert re.match(r"tellapart.* \d+\.\d+", said.out), said.out
            return
        found = parsed(words)
        for name in WRITTEN:
            if isinstance(found.get(name), str | Path) and (name != "out" or words[0] not in INTO_A_FOLDER):
                is_written(self.folder / found[name], line)
                self._made.add(self.folder / found[name])
        if line.startswith("cp "):
            self._copied(line, said.out)
        done = Done(folder=self.folder, found=found, said=said.out, before=before, latest=self._latest())
        assert words[0] in PROMISES, f"nothing is known of what {words[0]!r} promises"
        PROMISES[words[0]](done)

    # What a reader has beside tellapart.

    def _serve(self, words: list[str]) -> None:
        self.end()
        self._port = free_port()
        command = [
            sys.executable,
            "-m",
            "tellapart",
            *words,
            "--port",
            str(self._port),
            "--grpc-port",
            str(free_port()),
        ]
        self._server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=self.folder)
        assert self._server.stderr is not None
        said = ""
        for said in self._server.stderr:
            if said.startswith("HTTP on"):
                break
        assert said.startswith("HTTP on"), said
        threading.Thread(target=self._server.stderr.read, daemon=True).start()
        name = words[1].partition("=")[0]
        status = self._shell(f"curl -s http://127.0.0.1:{self._port}/v1/models/{name}")
        assert json.loads(status)["model_version_status"][0]["state"] == "AVAILABLE"
        if "--accept" in words:
            side = 8
            scaled = {"instances": [np.full((side, side, 3), 0.5).tolist()]}
            (self.folder / "scaled.json").write_text(json.dumps(scaled), encoding="utf-8")
            address = f"http://127.0.0.1:{self._port}/v1/models/{name}:predict"
            assert "predictions" in json.loads(self._shell(f"curl -s -d @scaled.json {address}"))

    def _curl(self, line: str) -> None:
        if self._server is None:
            pytest.fail(f"no server runs for: {line}")
        answer = json.loads(self._shell(line.replace("curl ", "curl -s ", 1).replace(":8501", f":{self._port}")))
        assert "error" not in answer, answer

    def _shell(self, line: str) -> str:
        own = re.sub(
            r"(^|\| )tellapart ", rf"\1{shlex.quote(sys.executable)} -m tellapart ", line
        )  # not that of the PATH
        ended = subprocess.run(
            ["bash", "-c", own], cwd=self.folder, capture_output=True, text=True, check=False, timeout=PATIENCE
        )
        assert ended.returncode == 0, f"{line}\n{ended.stderr[-2000:]}"
        return ended.stdout

    def _exists(self, line: str) -> None:
        """The extras and files that a line names which is not run."""
        extras = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"][
            "optional-dependencies"
        ]
        assert {name for found in re.findall(r"\[([a-z,]+)\]", line) for name in found.split(",")} <= set(extras), line
        for path in re.findall(r"-f (\S+)", line):
            assert (REPOSITORY / path).is_file(), line

    def _make(self, line: str) -> None:
        told = subprocess.run(
            ["make", "-n", *line.split()[1:]], cwd=REPOSITORY, capture_output=True, text=True, check=True
        )
        assert "bin/tellapart demo" in told.stdout
        if line == "make demo":
            self._screen.readouterr()
            assert execute(["demo"]) == 0
            assert "right" in self._screen.readouterr().out

    def _tensorboard(self, line: str) -> None:
        words = shlex.split(line)
        read = subprocess.run(
            [sys.executable, "-m", "tensorboard.main", "--inspect", *words[1:]],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert read.returncode == 0, read.stderr[-2000:]
        assert re.search(r"loss|accuracy", read.stdout), read.stdout[-2000:]

    def _launch(self, line: str, words: list[str]) -> None:
        before = self._latest()
        launcher = shlex.split(line)[: len(shlex.split(line)) - len(words)]
        if launcher[0] == "torchrun":
            launcher = [sys.executable, "-m", "torch.distributed.run", f"--master_port={free_port()}", *launcher[1:]]
        else:
            launcher = [
                sys.executable,
                "-m",
                "accelerate.commands.launch",
                "--num_processes",
                "1",
                "--cpu",
                *launcher[2:],
            ]
        ended = subprocess.run(
            [*launcher, *tiny(words)], cwd=self.folder, capture_output=True, text=True, check=False, timeout=PATIENCE
        )
        assert ended.returncode == 0, f"{line}\n{ended.stderr[-3000:]}"
        done = Done(folder=self.folder, found=parsed(words), said=ended.stdout, before=before, latest=self._latest())
        PROMISES["train"](done)

    # What is there already, so that a line can do its part.

    def _fetched(self, name: str) -> None:
        """A data set as if it had been fetched: files of the published sizes that hold nothing."""
        folder = Path(os.environ["TELLAPART_CACHE"]) / "demo" / name
        for file in DEMO_SETS[name].files:
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / file.name).open("wb") as empty:
                empty.truncate(file.size)

    def _beside(self, another: str) -> None:
        """Another run, which the documents name so: what the newest was then."""
        latest = self._latest()
        assert latest is not None
        if not (self.folder / another).exists():
            shutil.copytree(latest, self.folder / another)

    def _copied(self, line: str, said: str) -> None:
        """`cp "$(...)" digits.npz`, and of it as many as a test needs."""
        with np.load(said.strip()) as digits:
            few = np.concatenate([np.flatnonzero(digits["target"] == digit)[:10] for digit in range(10)])
            np.savez(self.folder / shlex.split(line)[-1], images=digits["images"][few], target=digits["target"][few])

    def _interrupted(self) -> Path:
        """A training that Ctrl-C stopped after its first epoch."""
        runs = set((self.folder / "runs").iterdir())

        def press() -> None:
            until = time.monotonic() + PATIENCE
            while time.monotonic() < until:
                for log in (self.folder / "runs").glob("*/log.jsonl"):
                    if log.parent not in runs and '"epoch"' in log.read_text(encoding="utf-8"):
                        os.kill(os.getpid(), signal.SIGINT)
                        return
                time.sleep(0.01)

        thread = threading.Thread(target=press)
        thread.start()
        data = "digits.npz" if (self.folder / "digits.npz").exists() else "arrays.npz"
        code = execute(["train", data, "--strategy", "scratch", "--network", "lenet5", "--epochs", "60", "--no-report"])
        thread.join()
        assert code == 130
        (stopped,) = {path for path in (self.folder / "runs").iterdir() if not path.is_symlink()} - runs
        return stopped

    def _with_weights(self, words: list[str]) -> list[str]:
        if words[0] != "train" or "--from" in words or "--resume" in words:
            return words
        recipe = next((self.folder / word for word in words if word.startswith("recipes/")), None)
        text = recipe.read_text(encoding="utf-8") if recipe else ""
        for name, file in self.weights.items():
            if f'backbone = "{name}"' in text:
                return [*words, "--weights", str(file)]
        return words

    def _latest(self) -> Path | None:
        link = self.folder / "runs" / "latest"
        return link.resolve() if link.exists() else None


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def copy_recipes(folder: Path) -> None:
    """recipes/ as in a checkout."""
    shutil.copytree(REPOSITORY / "recipes", folder / "recipes")
