"""How many trials find room, and who does them. In: machines, a pretended Ray. Out: rooms, refusals, orders done once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tellapart.errors import MachineError, SettingsError
from tellapart.workflows.scaling.hired import Hired, TrialRoom, _reason, room_for

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


class Promise:
    """What Ray will give once it is there."""

    def __init__(self, actor: Actor, value: Any) -> None:
        self.actor, self.value = actor, value


class Actor:
    """One that comes when the script says so."""

    def __init__(self, number: int) -> None:
        self.number, self.orders = number, list[Any]()
        self.here, self.do = (SimpleNamespace(remote=method) for method in (self._here, self._do))

    def _here(self) -> Promise:
        return Promise(self, "here")

    def _do(self, order: Any, desk: Any) -> Promise:
        self.orders.append(order.number)
        return Promise(self, order.number)


class RayError(Exception):
    """As Ray's."""


class Pretended:
    """Ray, in which a script says what is ready next: the number of an actor and what it gives, or an error of it."""

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=type("RayTaskError", (RayError,), {}))

    def __init__(self, *script: tuple[int, Any]) -> None:
        self.script, self.actors, self.killed = list(script), list[Actor](), list[int]()

    def remote(self, _: type) -> Any:
        return SimpleNamespace(options=lambda **_: SimpleNamespace(remote=self._hire))

    def _hire(self, *_: Any) -> Actor:
        self.actors.append(Actor(len(self.actors)))
        return self.actors[-1]

    def wait(self, promises: list[Promise], *, num_returns: int) -> tuple[list[Promise], list[Promise]]:
        number, self.said = self.script.pop(0)
        wanted = "here" if self.said in ("here", "never") else self.actors[number].orders[-1]
        ready = next(one for one in promises if one.actor.number == number and one.value == wanted)
        return [ready], []

    def get(self, promise: Promise) -> Any:
        if self.said in ("lost", "never"):
            raise RayError("the node has died")
        return f"{promise.value} by {promise.actor.number}"

    def kill(self, actor: Actor) -> None:
        self.killed.append(actor.number)


def hired(*script: tuple[int, Any], parallel: int = 2) -> tuple[Hired[Any], Pretended]:
    ray = Pretended(*script)
    room = TrialRoom(parallel=parallel, cpus=1.0, gpus=0.0)
    return Hired(
        lambda facts: lambda order, told: None, None, room, lost=lambda reason: reason, listens=False, ray=ray
    ), ray


def begin(crew: Hired[Any], *numbers: int) -> None:
    for number in numbers:
        crew.begin(SimpleNamespace(number=number), lambda epoch, rank: False)


def taken(crew: Hired[Any]) -> Any:
    found = crew.next()
    return None if found is None else (found[0].number, found[1])


def test_an_order_goes_to_the_first_that_comes() -> None:
    crew, ray = hired((1, "here"), (1, "done"), (0, "here"))
    begin(crew, 7)
    assert crew.size == 1
    assert taken(crew) == (7, "7 by 1")
    assert taken(crew) is None  # the other has come
    assert crew.size == 2
    crew.close()
    assert ray.killed == [0, 1]


def test_a_lost_order_does_not_wait_for_a_worker_that_never_comes() -> None:
    """As on two machines of which one is lost, with no room for who is asked for in its worker's place."""
    crew, ray = hired((0, "here"), (1, "here"), (0, "lost"), (1, "done"), (1, "done"))
    begin(crew, 1)
    assert taken(crew) is None
    begin(crew, 2)
    assert taken(crew) == (1, "its machine is gone")
    begin(crew, 1)
    assert (crew.size, len(ray.actors)) == (1, 3)
    assert taken(crew) == (2, "2 by 1")
    assert taken(crew) == (1, "1 by 1")
    assert [one.orders for one in ray.actors] == [[1], [2, 1], []]


def test_who_cannot_begin_is_asked_for_again_and_given_up_after_five() -> None:
    crew, ray = hired(*((number, "never") for number in range(5)), parallel=1)
    begin(crew, 1)
    with pytest.raises(
        MachineError, match="5 workers of the Ray cluster ended before they could begin, at last: the node"
    ):
        crew.next()
    assert len(ray.actors) == 5
