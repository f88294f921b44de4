"""Ray for tests. Needs an environment with Ray beside ours, whose folder is in TELLAPART_RAY:

uv venv /tmp/ray && uv pip install --python /tmp/ray 'ray[data,train,tune]>=2.60,<2.61'
TELLAPART_RAY=/tmp/ray pytest -m ray
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

import pytest


@pytest.fixture(scope="session")
def ray_packages(lacks: Callable[[str], NoReturn]) -> Path:
    """Where Ray is installed."""
    found = sorted(Path(os.environ.get("TELLAPART_RAY") or "/nowhere").glob("lib/python3*/site-packages"))
    if not found or not (found[0] / "ray").is_dir():
        lacks("TELLAPART_RAY names no environment with Ray")
    return found[0]


@pytest.fixture(scope="session")
def ray_environment(ray_packages: Path) -> Mapping[str, str]:
    """Of a process that uses Ray: its own are started with the same packages, with bytecode that is kept."""
    ours = [path for path in sys.path if path and Path(path).is_dir()]
    paths = os.pathsep.join([*ours, str(ray_packages)])
    told = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return told | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
