"""How long runtimes take, in turn. In: a clock that is told what to show. Out: medians of calls that were not held up."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.workflows.rating.timing import time_in_turn


class Machine:
    """A wall clock and a processor's clock."""

    def __init__(self) -> None:
        self.wall, self.worked, self.order = 0.0, 0.0, list[str]()

    def engine(self, name: str, seconds: float, *, held_up: tuple[int, ...] = (), elsewhere: bool = False):  # type: ignore[no-untyped-def]
        calls = 0

        def compute(inputs: np.ndarray) -> None:
            nonlocal calls
            calls += 1
            took = seconds * len(inputs)
            self.order.append(name)
            self.wall += took + (5.0 if calls in held_up else 0.0)
            self.worked += 0.0 if elsewhere else took

        return compute


def test_calls_that_waited_do_not_count() -> None:
    machine = Machine()
    # Of each size three calls fit into the patience; the first call of a size only warms up.
    engines = [machine.engine("a", 0.01, held_up=(2, 3)), machine.engine("b", 0.02)]
    first, second = time_in_turn(
        engines,
        np.zeros((3, 2, 2, 3), np.uint8),
        wall=lambda: machine.wall,
        processor=lambda: machine.worked,
    )
    assert second.one == pytest.approx(20)
    assert second.sixteen == pytest.approx(20)
    assert first.sixteen == pytest.approx(10)
    assert "".join(machine.order).replace("ab", "") == ""


def test_another_process_is_timed_by_the_wall() -> None:
    machine = Machine()
    (found,) = time_in_turn(
        [machine.engine("a", 0.01, elsewhere=True)],
        np.zeros((1, 2, 2, 3), np.uint8),
        wall=lambda: machine.wall,
        processor=lambda: machine.worked,
    )
    assert found.as_json() == {"one": 10.0, "sixteen": 10.0, "at_once": 16}


@pytest.mark.parametrize(
    ("shape", "many"), [((3, 384, 384, 3), 16), ((3, 512, 512, 3), 4), ((1, 2048, 2048, 3), 1), ((3,), 16)]
)
def test_of_large_pictures_fewer_are_asked_at_once(shape: tuple[int, ...], many: int) -> None:
    """16 of 512 pixels took a network of masks 3.2 GB, which it keeps."""
    asked: list[int] = []
    (found,) = time_in_turn([lambda inputs: asked.append(len(inputs))], np.broadcast_to(np.zeros((), np.uint8), shape))
    assert found.as_json()["at_once"] == max(asked) == many
    assert set(asked) == {1, many}
