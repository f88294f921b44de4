"""What each of several processes gets. In: machines. Out: shares, refusals."""

from __future__ import annotations

import pytest

from tellapart.errors import SettingsError
from tellapart.workflows.scaling.together import WorkerShare, share_out

SMALL, LARGE = {"CPU": 2.0, "memory": 1e9}, {"CPU": 16.0}
GPU = {"CPU": 8.0, "GPU": 2.0}


@pytest.mark.parametrize(
    ("nodes", "asked", "device", "given"),
    [
        ([SMALL], (2, None), "auto", (2, 1, 0)),
        ([SMALL], (None, None), "auto", (1, 2, 0)),  # one for each machine, with all that it has
        ([SMALL, LARGE], (None, None), "auto", (2, 8, 0)),  # both on the large one
        ([LARGE, LARGE], (4, None), "auto", (4, 8, 0)),
        ([LARGE, LARGE], (4, 3), "auto", (4, 3, 0)),
        ([GPU, LARGE], (None, None), "auto", (2, 1, 1)),
        ([GPU, GPU], (3, 4), "cuda", (3, 4, 1)),
        ([GPU], (2, None), "cpu", (2, 4, 0)),
    ],
)
def test_shares(
    nodes: list[dict[str, float]],
    asked: tuple[int | None, int | None],
    device: str,
    given: tuple[int, int, int],
) -> None:
    workers, cpus, gpus = given
    share = share_out(nodes, workers=asked[0], cpus=asked[1], device=device)
    assert share == WorkerShare(workers=workers, cpus=cpus, gpus=gpus)


@pytest.mark.parametrize(
    ("nodes", "asked", "device", "message"),
    [
        (
            [SMALL],
            (3, None),
            "auto",
            (
                "--ray has no room for 3 workers with 1 CPU each: there are 1 machine, 2 CPUs and 0 GPUs. Ask "
                "for fewer, or add machines."
            ),
        ),
        (
            [SMALL, SMALL],
            (1, 3),
            "cpu",
            (
                "--ray has no room for 1 worker with 3 CPUs each: there are 2 machines, 4 CPUs and 0 GPUs. Ask "
                "for fewer, or add machines."
            ),
        ),
        (
            [GPU],
            (3, None),
            "auto",
            "--ray has no room for 3 workers with a GPU each: there are 2 GPUs. Use --workers 2 or --device cpu.",
        ),
        (
            [SMALL],
            (1, None),
            "cuda",
            "--device cuda was asked for, and the Ray cluster has no GPU. Use --device cpu, or add machines with one.",
        ),
    ],
)
def test_what_does_not_fit_is_refused_before_anybody_waits_for_it(
    nodes: list[dict[str, float]], asked: tuple[int, int | None], device: str, message: str
) -> None:
    with pytest.raises(SettingsError) as found:
        share_out(nodes, workers=asked[0], cpus=asked[1], device=device)
    assert str(found.value) == message
