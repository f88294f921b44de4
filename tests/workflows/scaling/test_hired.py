"""How many trials find room. In: machines. Out: rooms, refusals."""

from __future__ import annotations

from typing import Any

import pytest

from tellapart.errors import SettingsError
from tellapart.workflows.scaling.hired import TrialRoom, _reason, room_for

SMALL, GPU = {"CPU": 2.0, "memory": 1e9}, {"CPU": 8.0, "GPU": 2.0}


@pytest.mark.parametrize(
    ("nodes", "asked", "device", "room"),
    [
        ([SMALL], {}, "auto", (2, 1.0, 0.0)),
        ([SMALL, SMALL], {"cpus": 2.0}, "auto", (2, 2.0, 0.0)),
        ([SMALL], {"cpus": 0.1}, "auto", (20, 0.1, 0.0)),
        ([SMALL, GPU], {}, "auto", (2, 1.0, 1.0)),  # one on each GPU
        ([SMALL, GPU], {"gpus": 0.5}, "auto", (4, 1.0, 0.5)),
        ([GPU], {"gpus": 0.1, "cpus": 2.0}, "cuda", (4, 2.0, 0.1)),
        ([SMALL, GPU], {}, "cpu", (10, 1.0, 0.0)),
        ([SMALL, GPU], {"gpus": 0.0, "parallel": 3}, "auto", (3, 1.0, 0.0)),
    ],
)
def test_rooms(
    nodes: list[dict[str, float]], asked: dict[str, Any], device: str, room: tuple[int, float, float]
) -> None:
    found = room_for(nodes, **{"parallel": None, "cpus": 1.0, "gpus": None, "device": device, **asked})
    assert found == TrialRoom(parallel=room[0], cpus=room[1], gpus=room[2])


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"parallel": 0}, "--parallel is 0; it is how many trials run at once, 1 or more. Give another number."),
        (
            {"cpus": 0.0},
            (
                "a trial cannot have --cpus 0 and --gpus 0: CPUs are more than 0, such as 0.5 or 2, GPUs 0 or more. Give other "
                "numbers."
            ),
        ),
        (
            {"gpus": -1.0},
            (
                "a trial cannot have --cpus 1 and --gpus -1: CPUs are more than 0, such as 0.5 or 2, GPUs 0 or more. Give other "
                "numbers."
            ),
        ),
        (
            {"parallel": 5, "cpus": 0.5},
            (
                "--ray has no room for 5 trials with 0.5 CPUs and 0 GPUs each: there are 2 CPUs and 0 GPUs on 1 machine. Ask for "
                "fewer or smaller ones, or add machines."
            ),
        ),
        (
            {"gpus": 0.5},
            (
                "--ray has no room for 1 trial with 1 CPUs and 0.5 GPUs each: there are 2 CPUs and 0 GPUs on 1 machine. Ask for "
                "fewer or smaller ones, or add machines."
            ),
        ),
        (
            {"device": "cuda"},
            "--device cuda was asked for, and a trial has no GPU of the Ray cluster. Use --device cpu, or add machines.",
        ),
    ],
)
def test_what_finds_no_room_is_refused_before_anybody_waits_for_it(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as found:
        room_for([SMALL], **{"parallel": None, "cpus": 1.0, "gpus": None, "device": "auto", **asked})
    assert str(found.value) == message


class OutOfMemoryError(Exception):
    """As Ray calls it."""


def test_why_a_worker_is_gone_is_said_in_few_words() -> None:
    assert _reason(OutOfMemoryError("...")) == "its memory ran out"
    assert _reason(Exception("The actor is dead because its node has died.")) == "its machine is gone"
    assert (
        _reason(Exception("The actor died unexpectedly. (1) killed by the OOM killer ...")) == "its process has ended"
    )
