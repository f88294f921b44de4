"""A detector learns in two processes as in one. In: several.py under torchrun. Out: equal curves. Next: test_starting.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tellapart.training.devices import Devices
from tests.tasks.detection import several

_TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")


@pytest.mark.long
def test_two_processes_learn_boxes_as_one(repository: Path, tmp_path: Path) -> None:
    alone = several.train(Devices(threads=1))
    command = [sys.executable, *_TORCHRUN, several.__file__, str(tmp_path)]
    places = os.pathsep.join([str(repository), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": places}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    zero, one = (json.loads((tmp_path / f"process-{rank}.json").read_text()) for rank in (0, 1))
    assert (alone["world"], zero["world"], one["world"]) == (1, 2, 2)
    losses = [row[0] for row in alone["curve"]]
    assert len(set(losses)) == several.EPOCHS
    assert max(losses) - min(losses) > 0.01, "the network changes, so that equal curves say something"
    torch.testing.assert_close(torch.tensor(zero["curve"]), torch.tensor(alone["curve"]), rtol=0, atol=1e-4)
    torch.testing.assert_close(torch.tensor(zero["weights"]), torch.tensor(alone["weights"]), rtol=1e-4, atol=1e-4)
    assert zero["weights"] == one["weights"]
