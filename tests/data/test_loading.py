"""Batches follow from the seed alone. In: targets, a fake source. Out: rows, the same ones in every process."""

from __future__ import annotations

import multiprocessing
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tellapart.data.batch import Batch
from tellapart.data.loading import TrainingBatches, epoch_order, ordered_batches, start_method
from tellapart.errors import DataError, SettingsError

LABELS = np.array([0, 1, 1, 2, 1, 1, 1, 0, 1, 1, 1], dtype=np.int64)

# Worker processes import it from a file.
SOURCE = """
import numpy as np
from tellapart.errors import DataError

class Numbers:
    '''Row r in epoch e is the number 100 e + r.'''

    def __init__(self, count, bad=-1):
        self.count, self.bad = count, bad

    def __len__(self):
        return self.count

    def get(self, rows, epoch):
        if self.bad in rows:
            raise DataError(f"row {self.bad} is bad")
        return (rows + 100 * epoch).astype(np.float16)[:, None]
"""


class Numbers:
    """Row r in epoch e is the number 100 e + r."""

    def __init__(self, count: int = len(LABELS), bad: int = -1) -> None:
        self.count, self.bad = count, bad
        self.made = 0

    def __len__(self) -> int:
        return self.count

    def get(self, rows: NDArray[np.int64], epoch: int) -> NDArray[np.float16]:
        self.made += 1
        if self.bad in rows:
            raise DataError(f"row {self.bad} is bad")
        return (rows + 100 * epoch).astype(np.float16)[:, None]


def batches(source: Numbers | None = None, **changes: object) -> TrainingBatches:
    settings: dict[str, object] = {"batch_size": 4, "seed": 1, "strata": LABELS, **changes}
    return TrainingBatches(source or Numbers(), LABELS, **settings)  # type: ignore[arg-type]


def shown(made: list[Batch]) -> list[list[int]]:
    """The rows of each batch, once its pictures and targets have proved to be theirs."""
    for batch in made:
        assert batch.rows.dtype == batch.targets.dtype == torch.int64
        assert (batch.inputs[:, 0].long() % 100 == batch.rows).all()
        assert (batch.targets == torch.from_numpy(LABELS)[batch.rows]).all()
    return [batch.rows.tolist() for batch in made]


def flat(parts: list[list[int]]) -> list[int]:
    return [row for part in parts for row in part]


def test_natural_order_is_a_permutation_of_seed_and_epoch() -> None:
    orders = [
        epoch_order(len(LABELS), sampling="natural", seed=seed, epoch=epoch) for seed in (0, 1) for epoch in (0, 1, 2)
    ]
    assert all(sorted(order) == list(range(len(LABELS))) for order in orders)
    assert len({tuple(order) for order in orders}) == 6
    np.testing.assert_array_equal(orders[4], epoch_order(len(LABELS), sampling="natural", seed=1, epoch=1))


def test_balanced_order_draws_each_class_and_each_of_its_pictures_as_often() -> None:
    extra, seen = [], set[int]()
    for epoch in range(60):
        order = epoch_order(len(LABELS), strata=LABELS, sampling="balanced", seed=3, epoch=epoch)
        assert len(order) == 11
        counts = np.bincount(LABELS[order])
        assert sorted(counts) == [3, 4, 4]
        extra.append(int(counts.argmin()))
        times = np.bincount(order, minlength=11)
        assert sorted(times[[0, 7]]) in ([1, 2], [2, 2])
        assert times[LABELS == 1].max() == 1
        seen.update(order.tolist())
    assert seen == set(range(11))  # of the large class every epoch sees another part
    assert len(set(extra)) == 3  # no class is always the one drawn less


def test_an_unknown_sampling_is_refused() -> None:
    with pytest.raises(SettingsError, match="sampling is 'fair'; it must be natural or balanced"):
        epoch_order(len(LABELS), sampling="fair", seed=0, epoch=0)  # type: ignore[arg-type]


def test_an_epoch_shows_each_row_once_and_drops_the_incomplete_batch() -> None:
    made = batches()
    assert made.steps == 2
    rows = shown(list(made.epoch(3)))
    assert [len(part) for part in rows] == [4, 4]
    expected = epoch_order(len(LABELS), sampling="natural", seed=1, epoch=3)[:8]
    assert flat(rows) == expected.tolist()
    assert (
        shown(list(batches(batch_size=50).epoch(0)))[0]
        == epoch_order(len(LABELS), sampling="natural", seed=1, epoch=0).tolist()
    )


def test_an_epoch_may_be_of_fewer_batches_and_others_each_time() -> None:
    made = batches(steps=1)
    assert made.steps == 1
    seen = [flat(shown(list(made.epoch(number)))) for number in range(6)]
    assert {len(rows) for rows in seen} == {4}
    assert {row for rows in seen for row in rows} == set(range(len(LABELS)))
    assert batches(steps=9).steps == 2


def test_the_epoch_reaches_the_source() -> None:
    (first, _) = batches().epoch(5)
    np.testing.assert_array_equal(first.inputs[:, 0], first.rows + 500)


def test_a_later_start_gives_the_rest_of_the_same_epoch() -> None:
    whole = shown(list(batches(batch_size=2).epoch(2)))
    assert shown(list(batches(batch_size=2).epoch(2, start_step=3))) == whole[3:]
    assert list(batches(batch_size=2).epoch(2, start_step=5)) == []


def test_the_parts_of_all_processes_make_the_batch_of_one() -> None:
    one = shown(list(batches().epoch(1)))
    two = [shown(list(batches(rank=rank, world=2).epoch(1))) for rank in (0, 1)]
    assert [first + second for first, second in zip(*two, strict=True)] == one
    parts = [shown(list(batches(batch_size=12, rank=rank, world=3).epoch(1))) for rank in range(3)]
    assert [len(part[0]) for part in parts] == [3, 3, 3]  # of 11 rows, two are left out


def test_chosen_rows_alone_are_used() -> None:
    rows = [2, 3, 4, 9]
    assert sorted(flat(shown(list(batches(batch_size=2, rows=rows).epoch(0))))) == rows
    drawn = flat(shown(list(batches(batch_size=2, rows=rows, sampling="balanced").epoch(0))))
    assert np.bincount(LABELS[drawn]).tolist() == [0, 2, 2]
    ordered = list(ordered_batches(Numbers(), LABELS, batch_size=3, rows=rows))
    assert shown(ordered) == [[2, 3, 4], [9]]


def test_validation_sees_every_row_once_in_order() -> None:
    made = shown(list(ordered_batches(Numbers(), LABELS, batch_size=4)))
    assert made == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10]]


def test_pictures_are_not_copied_again() -> None:
    kept: list[NDArray[np.float16]] = []

    class Keeping(Numbers):
        def get(self, rows: NDArray[np.int64], epoch: int) -> NDArray[np.float16]:
            kept.append(super().get(rows, epoch))
            return kept[-1]

    for batch, array in zip(batches(Keeping()).epoch(0), kept, strict=False):
        assert batch.inputs.data_ptr() == array.ctypes.data


@pytest.mark.parametrize("bad", [0, 10])
def test_what_the_source_raises_is_raised_where_the_batch_is_used(bad: int) -> None:
    with pytest.raises(DataError, match=f"^row {bad} is bad$"):
        list(ordered_batches(Numbers(bad=bad), LABELS, batch_size=4))


def test_a_few_batches_are_made_ahead_and_none_after_the_end(until: Callable[[Callable[[], object]], None]) -> None:
    source = Numbers()
    before = threading.active_count()
    epoch = batches(source, batch_size=1).epoch(0)
    next(epoch)
    until(lambda: source.made >= 4)
    time.sleep(0.02)  # for one more, if it may
    assert source.made == 4  # one used, two ready, one in hand
    epoch.close()
    assert source.made <= 5
    assert threading.active_count() == before


def test_the_batch_size_must_suit_the_processes() -> None:
    with pytest.raises(SettingsError, match=r"batch size is 5; .* 2 processes can share evenly\. Set it to 4,"):
        batches(batch_size=5, world=2)
    with pytest.raises(SettingsError, match=r"batch size is 0; .*Set it to 1,"):
        batches(batch_size=0)
    with pytest.raises(SettingsError, match=r"1 training pictures are left for 2 processes; each needs one"):
        batches(rows=[1], batch_size=2, world=2)
    with pytest.raises(ValueError, match=r"targets of shape \[11\] for a source of 3 rows; give one a row"):
        batches(Numbers(3))
    with pytest.raises(ValueError, match=r"strata of shape \[10\] for a source of 11 rows"):
        batches(strata=LABELS[1:], sampling="balanced")
    with pytest.raises(ValueError, match="balanced sampling needs strata"):
        batches(strata=None, sampling="balanced")
    with pytest.raises(ValueError, match="balanced sampling of 11 rows needs a stratum for each"):
        epoch_order(11, sampling="balanced", seed=0, epoch=0, strata=LABELS[1:])
    with pytest.raises(ValueError, match=r"targets of shape \[3\] for a source of 11 rows"):
        list(ordered_batches(Numbers(), LABELS[:3], batch_size=4))


def test_targets_may_be_of_any_shape_and_keep_their_type() -> None:
    several = np.stack([LABELS == 0, LABELS > 0], axis=1).astype(np.float32)
    several[4] = np.nan
    made = [
        *TrainingBatches(Numbers(), several, batch_size=4, seed=1).epoch(0),
        *ordered_batches(Numbers(), several, batch_size=4),
    ]
    assert len(made) == 5
    for batch in made:
        assert batch.targets.dtype == torch.float32
        np.testing.assert_array_equal(batch.targets.numpy(), several[batch.rows.numpy()])
    made[2].targets[:] = 7.0  # a batch is its user's own
    assert several[0].tolist() == [1.0, 0.0]


def test_strata_are_drawn_whatever_the_targets_are() -> None:
    targets = np.zeros((11, 2), dtype=np.float32)
    made = TrainingBatches(Numbers(), targets, batch_size=11, seed=1, sampling="balanced", strata=LABELS)
    assert sorted(np.bincount(LABELS[made.rows_of(0).ravel()])) == [3, 4, 4]


@pytest.mark.parametrize(
    ("there", "taken"),
    [(["fork", "spawn", "forkserver"], "forkserver"), (["spawn"], "spawn"), (["fork", "spawn"], "spawn")],
)
def test_worker_processes_never_begin_by_fork(monkeypatch: pytest.MonkeyPatch, there: list[str], taken: str) -> None:
    monkeypatch.setattr(multiprocessing, "get_all_start_methods", lambda: there)
    assert start_method() == taken


@pytest.mark.slow
def test_worker_processes_give_the_same_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "numbers_source.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    import numbers_source  # type: ignore[import-not-found]

    expected = batches(batch_size=2)
    state = torch.get_rng_state()
    made = batches(numbers_source.Numbers(11), batch_size=2, workers=2)
    for number, start in ((0, 0), (1, 2), (2, 0)):
        assert shown(list(made.epoch(number, start))) == shown(list(expected.epoch(number, start)))
        abandoned = made.epoch(number + 7)
        next(abandoned)
        abandoned.close()
    assert torch.equal(torch.get_rng_state(), state)  # the training's random numbers are not ours
    made.close()
    failing = batches(numbers_source.Numbers(11, bad=5), batch_size=2, workers=1)
    with pytest.raises(DataError, match="^row 5 is bad$"):
        for number in range(9):
            list(failing.epoch(number))
    failing.close()
    sys.modules.pop("numbers_source")


def test_rows_of_a_batch_are_of_like_length_and_resume_as_they_were() -> None:
    count, batch = 1_003, 10
    lengths = np.random.default_rng(0).integers(1, 60, count)
    given = {"batch_size": batch, "seed": 3, "lengths": lengths}
    batches = TrainingBatches(Numbers(count), np.zeros(count, dtype=np.int64), **given)
    rows = batches.rows_of(0)
    assert rows.shape == (100, batch)
    plain = TrainingBatches(Numbers(count), np.zeros(count, dtype=np.int64), batch_size=batch, seed=3).rows_of(0)
    assert sorted(rows.ravel().tolist()) == sorted(plain.ravel().tolist()), "the same rows as ever"
    padded, before = (int((lengths[one].max(axis=1) * batch - lengths[one].sum(axis=1)).sum()) for one in (rows, plain))
    assert padded < before / 5
    longest = lengths[rows].max(axis=1)
    assert (np.diff(longest) > 0).any(), "the batches come in any order"
    assert (np.diff(longest) < 0).any(), "the batches come in any order"
    np.testing.assert_array_equal(batches.rows_of(0), rows)
    assert not np.array_equal(batches.rows_of(1), rows)
    resumed = [batch.rows.tolist() for batch in batches.epoch(0, 97)]
    assert resumed == rows[97:].tolist()
    halves = [
        TrainingBatches(Numbers(count), np.zeros(count, dtype=np.int64), **given, rank=rank, world=2).rows_of(0)
        for rank in (0, 1)
    ]
    np.testing.assert_array_equal(np.concatenate(halves, axis=1), rows)
    with pytest.raises(ValueError, match="lengths of shape"):
        TrainingBatches(Numbers(count), np.zeros(count, dtype=np.int64), batch_size=2, seed=0, lengths=lengths[:5])
