"""Workers of a Ray cluster do the trials of a search. In: TrialsPlan. Out: a crew for a search. Next: search.py.

Who asks for trials and writes down what they gave stays one process, whose study lies in the run's folder as ever. A worker reads
the pictures itself, and must see them; what it writes meanwhile lies on its own disk.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tellapart.data.readers import READERS
from tellapart.errors import SettingsError
from tellapart.features.caching import open_cache
from tellapart.reporter import Reporter, Silent, counted
from tellapart.settings.reading import make_settings
from tellapart.storage import cache_folder
from tellapart.threads import let_waiting_threads_sleep
from tellapart.workflows.scaling.connection import connected
from tellapart.workflows.scaling.hired import Hired, Told, room_for
from tellapart.workflows.scaling.owned import held_folder
from tellapart.workflows.searching.attempt import Attempt, Order, attempt
from tellapart.workflows.searching.bench import set_up
from tellapart.workflows.searching.crew import Crew, Hire
from tellapart.workflows.searching.study import Study


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialsPlan:
    """By whom trials are done."""

    address: str  # of a Ray cluster
    parallel: int | None = None  # at once; None: as many as find room
    cpus: float = 1.0  # of each
    gpus: float | None = None  # of each; None: one where there are some


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What every worker is told once."""

    given: Mapping[str, Any]  # tables of a recipe
    fingerprint: str  # of the pictures, their targets and splits
    cache: str
    on_cpu: bool


@contextlib.contextmanager
def hiring(plan: TrialsPlan, *, device: str, reporter: Reporter) -> Iterator[Hire]:
    """Inside, who searches can hire workers; `device` is what the settings say.

    Raises: SettingsError where the cluster does not answer or has no room; MachineError.
    """
    room_for([{"CPU": 1e9, "GPU": 1e9}], parallel=plan.parallel, cpus=plan.cpus, gpus=plan.gpus, device=device)
    with connected(plan.address, reporter):
        import ray

        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        room = room_for(nodes, parallel=plan.parallel, cpus=plan.cpus, gpus=plan.gpus, device=device)

        @contextlib.contextmanager
        def hire(study: Study) -> Iterator[Crew]:
            facts = _Facts(
                given=study.told["given"],
                fingerprint=study.told["fingerprint"],
                cache=str(cache_folder()),
                on_cpu=not room.gpus,
            )
            listens = study.told["pruner"] != "none" and study.told["given"].get("strategy") != "probe"
            reporter.say(f"Trials: {counted(room.parallel, 'worker')} of the cluster, which read the pictures first.")
            crew: Hired[Order] = Hired(trial_work, facts, room, lost=_lost, listens=listens)
            try:
                yield crew
            finally:
                crew.close()

        yield hire


def _lost(reason: str) -> Attempt:
    return Attempt(state="lost", reason=reason)


def trial_work(facts: _Facts) -> Callable[[Order, Told], Attempt]:
    """What a worker does with each order. Raises: SettingsError where its pictures are others; else as `bench.set_up`."""
    if os.path.isdir(facts.cache):
        os.environ["TELLAPART_CACHE"] = facts.cache
    if facts.on_cpu:
        os.environ.update(
            CUDA_VISIBLE_DEVICES="", ACCELERATE_USE_CPU="true"
        )  # a GPU that Ray has not given is not ours
    let_waiting_threads_sleep()
    open_for_good = contextlib.ExitStack()  # until the worker's process ends
    cache = open_for_good.enter_context(open_cache(Silent()))
    bench = set_up(make_settings(dict(facts.given)), cache, Silent())
    item = READERS[bench.task.name].words.item
    if bench.fingerprint != facts.fingerprint:
        raise SettingsError(
            f"a machine of the Ray cluster sees other {item}s, labels or splits at {facts.given['data']} than this one. Put the "
            "same ones there, or into a folder that all share."
        )

    def do(order: Order, told: Told, kept: Any = open_for_good) -> Attempt:
        with held_folder(None, "tellapart-trial-") as folder:
            return attempt(bench, order, folder / "trial", told)

    return do
