"""The tiny training that several tests share. In: nothing. Out: the module toy.py. Next: test_loop.py."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

_TOY = Path(__file__).with_name("toy.py")


@pytest.fixture(scope="session")
def toy() -> ModuleType:
    """toy.py, which its child processes run as a script."""
    spec = importlib.util.spec_from_file_location("toy", _TOY)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["toy"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def run_toy() -> Callable[..., str]:
    """Run toy.py or another script in a process of its own, after `before` (as a launcher needs); its standard output."""

    def run(*arguments: object, before: tuple[str, ...] = (), script: str = "toy.py") -> str:
        command = [sys.executable, *before, str(_TOY.with_name(script)), *map(str, arguments)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    return run
