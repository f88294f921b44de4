"""Pictures in batches, the same ones whoever loads them. In: a RowSource, targets. Out: Batch. Next: models/build.py.

There is no state: which rows make batch (epoch, step), and what they look like, follows from the seed alone, so that a
resumed training goes on with the very batch that it was stopped before. Shapes: B batch, N rows, S side, C H W.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from tellapart.data.batch import Batch
from tellapart.errors import MachineError, SettingsError, TellapartError
from tellapart.threads import in_order

Sampling = Literal["natural", "balanced"]
Made: TypeAlias = "Tensor | tuple[Tensor, ...]"  # the inputs of a batch

_POOLED = 50  # batches whose rows are sorted by length together
_BY_LENGTH = 1  # beside seed and epoch: what orders batches of like length is not what orders rows
_AHEAD = 2  # batches that are made while one is used


class RowSource(Protocol):
    """Pictures or activations by row. `get` is a pure function, called from other threads and processes too."""

    def __len__(self) -> int: ...

    def get(
        self, rows: NDArray[np.int64], epoch: int
    ) -> NDArray[np.uint8] | NDArray[np.float16] | NDArray[np.int32] | Tensor | tuple[NDArray[Any], ...]:
        """The rows as epoch `epoch` shows them, [B, ...]: a fresh array, which the batch keeps.

        Or several such, where the targets move with the pictures: the learner's `prepare` knows which is which.
        """
        ...


def epoch_order(
    count: int, *, sampling: Sampling, seed: int, epoch: int, strata: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """Positions 0 to `count` - 1 in the order of epoch `epoch`, int64 [N = count]; a pure function.

    `natural` is a permutation. `balanced` draws each stratum (`strata` [N]: a class, or what else a task balances)
    equally often, to within one: small strata repeat, each picture as often as any other of its stratum, to within one;
    of large strata every epoch sees another part. Raises: SettingsError for another `sampling`, ValueError for one that
    is balanced without strata.
    """
    chance = np.random.default_rng((seed, epoch))
    if sampling == "natural":
        return chance.permutation(count).astype(np.int64)
    if sampling != "balanced":
        raise SettingsError(f"sampling is {sampling!r}; it must be natural or balanced. Choose natural.")
    if strata is None or len(strata) != count:
        raise ValueError(f"balanced sampling of {count} rows needs a stratum for each")
    kinds = chance.permutation(np.unique(strata))  # whose turn it is to be drawn once more than others
    drawn = []
    for place, kind in enumerate(kinds):
        members = np.flatnonzero(strata == kind)
        wanted = (count - place + len(kinds) - 1) // len(kinds)
        rounds = [chance.permutation(members) for _ in range(-(-wanted // len(members)))]
        drawn.append(np.concatenate(rounds)[:wanted])
    return chance.permutation(np.concatenate(drawn)).astype(np.int64)


class TrainingBatches:
    """The batches of every epoch. Incomplete last batches are dropped where there is another."""

    def __init__(
        self,
        source: RowSource,
        targets: NDArray[Any],
        *,
        batch_size: int,
        seed: int,
        sampling: Sampling = "natural",
        strata: NDArray[np.int64] | None = None,
        workers: int = 0,
        steps: int | None = None,
        rows: Sequence[int] | NDArray[np.int64] | None = None,
        rank: int = 0,
        world: int = 1,
        lengths: NDArray[np.int64] | None = None,
    ) -> None:
        """`targets` [N, ...] are those of the source's rows, of any shape and type; `rows` names the ones to use (default: all).

        `sampling` balanced draws the `strata` [N] of the rows equally often, and needs them. With `world` processes each
        gets its part of every batch, all of one size. `workers` 0 makes batches in a thread of this process, more in so
        many processes, which need a script that guards its main part with `if __name__ == "__main__"`.
        With `steps` an epoch has so many batches at most, of other rows each time. With `lengths` [N] of the source's rows those
        of a batch are of like length: fifty batches at a time are drawn as ever, sorted, and cut into batches in any order.
        Raises: SettingsError; ValueError where targets or strata do not suit the source.
        """
        self._source = source
        self._rows = np.arange(len(source)) if rows is None else np.asarray(rows, dtype=np.int64)
        self._targets, self._strata = _one_a_row(source, targets, "targets"), None
        if sampling == "balanced":
            if strata is None:
                raise ValueError("balanced sampling needs strata: one for each row of the source")
            self._strata = _one_a_row(source, strata, "strata")
        if batch_size < 1 or batch_size % world:
            raise SettingsError(
                f"the batch size is {batch_size}; it must be a whole number above 0 that {world} processes can share "
                f"evenly. Set it to {max(1, batch_size // world) * world}, for example."
            )
        if len(self._rows) < world:
            raise SettingsError(
                f"{len(self._rows)} training pictures are left for {world} processes; each needs one. "
                "Use fewer processes or add pictures."
            )
        self._batch = min(batch_size, len(self._rows) // world * world)
        self.steps = len(self._rows) // self._batch  # an epoch
        if steps is not None:
            self.steps = max(1, min(steps, self.steps))
        self._seed, self._sampling, self._rank, self._world = seed, sampling, rank, world
        self._workers = workers
        self._lengths = None if lengths is None else _one_a_row(source, lengths, "lengths")
        self._loader: DataLoader[Any] | None = None
        self._plan = _Plan()

    def rows_of(self, epoch: int) -> NDArray[np.int64]:
        """This process's rows of the source, int64 [steps, B]. Raises: SettingsError for a sampling that there is not."""
        order = epoch_order(
            len(self._rows),
            sampling=self._sampling,
            seed=self._seed,
            epoch=epoch,
            strata=None if self._strata is None else self._strata[self._rows],
        )
        chosen = self._rows[order][: self.steps * self._batch]
        if self._lengths is not None:
            chosen = self._of_like_length(chosen, self._lengths, epoch)
        return chosen.reshape(self.steps, self._world, -1)[:, self._rank]

    def _of_like_length(self, rows: NDArray[np.int64], lengths: NDArray[np.int64], epoch: int) -> NDArray[np.int64]:
        pools = (rows[start : start + _POOLED * self._batch] for start in range(0, len(rows), _POOLED * self._batch))
        ordered = np.concatenate([pool[np.argsort(lengths[pool], kind="stable")] for pool in pools])
        chance = np.random.default_rng((self._seed, epoch, _BY_LENGTH))
        return ordered.reshape(self.steps, -1)[chance.permutation(self.steps)].ravel()

    def epoch(self, number: int, start_step: int = 0) -> Generator[Batch, None, None]:
        """The batches of epoch `number` from step `start_step` on. One epoch at a time: finish or close the last one.

        Raises: what the source raises, as it would without threads and processes.
        """
        rows = self.rows_of(number)[start_step:]
        if self._workers == 0:
            made = _made_ahead(self._source, rows, number)
        else:
            made = self._from_workers([(part, number) for part in rows])
        try:
            for part, inputs in zip(rows, made, strict=True):
                yield _batch(inputs, self._targets, part)
        finally:
            made.close()

    def close(self) -> None:
        """End the worker processes."""
        self._loader = None

    def _from_workers(self, plan: list[tuple[NDArray[np.int64], int]]) -> Generator[Made, None, None]:
        if self._loader is None:
            self._loader = DataLoader(
                _Made(self._source),
                batch_size=None,
                sampler=self._plan,
                num_workers=self._workers,
                prefetch_factor=_AHEAD,
                persistent_workers=True,
                multiprocessing_context=start_method(),
                # Of its own, since the loader draws a number an epoch, and the training's random state is not ours.
                generator=torch.Generator(),
            )
        self._plan.items = plan
        for made in _while_alive(self._loader, self._workers):
            if isinstance(made, TellapartError):
                raise made
            yield made


def _while_alive(loader: DataLoader[Any], workers: int) -> Generator[Any, None, None]:
    """What the processes make. Raises: MachineError where one of them has ended."""
    made = iter(loader)
    while True:
        try:
            one = next(made)
        except StopIteration:
            return
        except RuntimeError as error:
            if "DataLoader worker" not in str(error):
                raise
            raise MachineError(
                f"one of the {workers} processes that read pictures has ended, as the system ends them when memory runs out. Use "
                'fewer (loop.workers), or 0; in a script of your own, guard its main part with if __name__ == "__main__".'
            ) from error
        yield one


def ordered_batches(
    source: RowSource,
    targets: NDArray[Any],
    *,
    batch_size: int,
    rows: Sequence[int] | NDArray[np.int64] | None = None,
) -> Generator[Batch, None, None]:
    """Every row once, in order, as epoch 0 shows it; for validation, with the last batch as small as it comes.

    `targets` [N, ...] are those of the source's rows. Raises: what the source raises; ValueError for too few or too many targets.
    """
    answers = _one_a_row(source, targets, "targets")
    chosen = np.arange(len(source)) if rows is None else np.asarray(rows, dtype=np.int64)
    parts = [chosen[start : start + batch_size] for start in range(0, len(chosen), batch_size)]
    made = _made_ahead(source, parts, 0)
    try:
        for part, inputs in zip(parts, made, strict=True):
            yield _batch(inputs, answers, part)
    finally:
        made.close()


class _Plan(Sampler[Any]):
    """What the loader is to make next."""

    def __init__(self) -> None:
        self.items: list[tuple[NDArray[np.int64], int]] = []

    def __iter__(self) -> Iterator[tuple[NDArray[np.int64], int]]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


class _Made(Dataset[Any]):
    """A source as torch's loader wants it: an item is a whole batch. Errors come as values, to be raised unchanged."""

    def __init__(self, source: RowSource) -> None:
        self._source = source

    def __getitem__(self, wanted: tuple[NDArray[np.int64], int]) -> Made | TellapartError:
        try:
            return _make(self._source, *wanted)
        except TellapartError as error:
            return error


def start_method() -> str:
    """How worker processes begin. Never by fork: threads of ONNX Runtime and torch are running."""
    return "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"  # spawn: Windows


def _one_a_row(source: RowSource, values: NDArray[Any], name: str) -> NDArray[Any]:
    """`values` as an array, once it is as long as the source."""
    array = np.asarray(values)
    if array.ndim == 0 or len(array) != len(source):
        raise ValueError(f"{name} of shape {list(array.shape)} for a source of {len(source)} rows; give one a row")
    return array


def _batch(inputs: Made, targets: NDArray[Any], rows: NDArray[np.int64]) -> Batch:
    # Indexing with an array copies, so nobody else holds the targets.
    return Batch(inputs=inputs, targets=torch.from_numpy(targets[rows]), rows=torch.from_numpy(rows.copy()))


def _make(source: RowSource, rows: NDArray[np.int64], epoch: int) -> Made:
    found = source.get(rows, epoch)
    return tuple(map(torch.as_tensor, found)) if isinstance(found, tuple) else torch.as_tensor(found)


def _made_ahead(source: RowSource, parts: Iterable[NDArray[np.int64]], epoch: int) -> Generator[Made, None, None]:
    """The batches, made by one thread: some are ready while one is used, and one is in hand."""
    return in_order(parts, lambda part: _make(source, part, epoch), workers=1, ahead=_AHEAD + 1, name="batches")
