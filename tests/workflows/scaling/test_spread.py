"""Units over workers, with a Ray that is pretended. In: workers that end, are slow, refuse. Out: each unit once."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from tellapart.errors import DataError, MachineError
from tellapart.workflows.scaling import spread as spreading
from tellapart.workflows.scaling.spread import over_ray

Make = Callable[[Any], Callable[[int], Any]]


class PretendedRay(types.ModuleType):
    """So much of Ray as is asked of it: a promise is what will be called when it is waited for, oldest first."""

    class exceptions:  # as Ray has it
        class RayError(Exception):
            pass

        class RayTaskError(RayError):
            def __init__(self, cause: Exception) -> None:
                super().__init__(str(cause))
                self.cause = cause

        class RayActorError(RayError):
            pass

    def __init__(self, hangs: Callable[[int], bool] = lambda unit: False) -> None:
        super().__init__("ray")
        self.alive: set[int] = set()
        self.hangs = hangs
        self.begun = 0

    def put(self, value: Any) -> Any:
        return value

    def remote(self, **told: Any) -> Callable[[type], Any]:
        assert told == {"num_cpus": 0.9, "max_restarts": 0, "max_task_retries": 0}
        return lambda made: types.SimpleNamespace(remote=lambda *given: self._actor(made(*given)))

    def _actor(self, worker: Any) -> Any:
        self.begun += 1
        self.alive.add(id(worker))

        def method(name: str) -> Any:
            return types.SimpleNamespace(remote=lambda *given: (worker, name, given))

        return types.SimpleNamespace(ready=method("ready"), do=method("do"), worker=worker)

    def wait(self, promises: list[Any], *, num_returns: int, timeout: float) -> tuple[list[Any], list[Any]]:
        able = [one for one in promises if not (one[1] == "do" and self.hangs(one[2][0]))]
        return able[:num_returns], able[num_returns:]

    def get(self, promise: Any) -> Any:
        worker, name, given = promise
        try:
            return getattr(worker, name)(*given)
        except SystemExit:
            self.alive.discard(id(worker))
            raise self.exceptions.RayActorError("The actor died.\nmore") from None
        except Exception as error:
            raise self.exceptions.RayTaskError(error) from None

    def kill(self, actor: Any) -> None:
        self.alive.discard(id(actor.worker))


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendedRay]:
    made = PretendedRay()
    monkeypatch.setitem(sys.modules, "ray", made)
    monkeypatch.setattr("tellapart.runtime.share_cores", lambda count: None)
    yield made
    assert made.alive == set()  # whatever came, no worker is left


def results(make: Make, units: Sequence[int], workers: int = 3) -> list[tuple[int, Any]]:
    return list(over_ray(workers)(make, 10, units))


def test_each_unit_is_done_once(ray: PretendedRay) -> None:
    assert sorted(results(lambda given: lambda unit: given * unit, range(7))) == [(one, 10 * one) for one in range(7)]
    assert ray.begun == 3
    assert results(lambda given: lambda unit: unit, []) == []


def test_what_a_lost_worker_had_is_done_by_another(ray: PretendedRay) -> None:
    lost: list[int] = []

    def make(given: int) -> Callable[[int], int]:
        def work(unit: int) -> int:
            if unit in (2, 5) and lost.count(unit) < 3:
                lost.append(unit)
                raise SystemExit
            return given * unit

        return work

    assert sorted(results(make, range(7))) == [(one, 10 * one) for one in range(7)]
    assert (sorted(lost), ray.begun) == ([2, 2, 2, 5, 5, 5], 9)


def test_a_unit_that_ends_every_worker_ends_the_work(ray: PretendedRay) -> None:
    def make(given: int) -> Callable[[int], int]:
        def work(unit: int) -> int:
            if unit == 1:
                raise SystemExit
            return unit

        return work

    with pytest.raises(MachineError) as caught:
        results(make, range(4))
    assert str(caught.value) == (
        "4 workers of Ray ended over part 2 of 4 (The actor died). See that its machines have memory enough; what is done is kept."
    )


def test_workers_that_never_get_ready_end_the_work(ray: PretendedRay) -> None:
    def make(given: int) -> Callable[[int], int]:
        raise SystemExit

    with pytest.raises(MachineError, match="4 workers of Ray ended while they made ready"):
        results(make, range(4))


@pytest.mark.parametrize("place", ["ready", "do"])
def test_an_error_of_ours_comes_as_it_is(place: str, ray: PretendedRay) -> None:
    def make(given: int) -> Callable[[int], int]:
        if place == "ready":
            raise DataError("no model.")

        def work(unit: int) -> int:
            raise DataError("no model.")

        return work

    with pytest.raises(DataError, match=r"^no model\.$"):
        results(make, range(4))


def test_what_is_long_with_one_worker_is_done_by_another(monkeypatch: pytest.MonkeyPatch, ray: PretendedRay) -> None:
    asked: list[int] = []

    def hangs(unit: int) -> bool:
        return unit == 0 and asked.count(0) < 2

    ray.hangs = hangs
    hand_out = spreading._hand_out

    def counted(work: Any, team: Any) -> None:
        before = {id(one): one.unit for one in team}
        hand_out(work, team)
        asked.extend(one.unit for one in team if one.unit is not None and before[id(one)] != one.unit)

    monkeypatch.setattr(spreading, "_hand_out", counted)
    monkeypatch.setattr(spreading, "_WAIT_SECONDS", 0.0)
    monkeypatch.setattr(spreading, "_SLOW", 0.0)
    assert sorted(results(lambda given: lambda unit: unit, range(5))) == [(one, one) for one in range(5)]
    assert asked.count(0) == 2
