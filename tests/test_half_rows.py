"""Rows on disk in 16 bits: what is written is read back, who learns from them in blocks learns the same, and nothing is left."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tellapart.errors import DataError, StorageError
from tellapart.evaluation.labels import neighbour_distance
from tellapart.evaluation.multilabel_labels import examine_sets
from tellapart.half_rows import HalfRows, WholeRows, as_rows, blocks, from_column, half_rows, in_blocks, part, without
from tellapart.storage import cache_folder
from tellapart.training.discriminant import fit_discriminant
from tellapart.training.multilabel_out_of_fold import multilabel_out_of_fold
from tellapart.training.multilabel_probe import fit_multilabel_probe
from tellapart.training.out_of_fold import out_of_fold
from tellapart.training.probe import check_finite, fit_probe

COUNT, LENGTH, CLASSES = 1300, 12, 3


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    return np.random.default_rng(1).integers(0, CLASSES, COUNT)


@pytest.fixture(scope="module")
def whole(labels: np.ndarray) -> np.ndarray:
    generator = np.random.default_rng(0)
    apart = 0.8 * (labels[:, None] == np.arange(LENGTH) % CLASSES)
    return (generator.normal(size=(COUNT, LENGTH)) + apart).astype(np.float16).astype(np.float32)


def stored(whole: np.ndarray) -> HalfRows:
    """The same on disk, in a disorderly file."""
    rows = half_rows(*whole.shape, order=np.random.default_rng(2).permutation(len(whole)))
    for row, values in enumerate(whole):
        rows[row] = values
    return rows


def test_what_is_written_is_read_back_by_slice_numbers_mask_and_part(whole: np.ndarray) -> None:
    rows, some = stored(whole), np.array([7, 3, 1299, 8, 9])
    assert (rows.shape, len(rows)) == (whole.shape, COUNT)
    mask = whole[:, 0] > 0
    for asked in (slice(None), slice(5, 900), some, mask, 17, slice(0, 0)):
        assert rows[asked].dtype == np.float32
        assert np.array_equal(rows[asked], whole[asked])
    assert np.array_equal(part(rows, some)[:], whole[some])
    assert np.array_equal(part(part(rows, mask), np.arange(4))[:], whole[mask][:4])
    assert np.array_equal(from_column(from_column(rows, 2), 3)[some], whole[some, 5:])
    assert from_column(rows, LENGTH).shape == (COUNT, 0)
    assert np.array_equal(np.asarray(without(rows, [0, 5])), np.delete(whole, [0, 5], axis=0))
    assert np.array_equal(np.asarray(rows, dtype=np.float64), whole)
    assert as_rows(rows) is rows


def test_some_rows_are_kept_as_exact_as_they_came(whole: np.ndarray) -> None:
    exact, numbers = np.arange(0, COUNT, 3), np.float32(1e5) + np.pi * whole[:, :4]
    rows = half_rows(COUNT, 4, order=np.random.default_rng(2).permutation(COUNT), exact=exact)
    for row in exact:
        rows[row] = numbers[row]
    with pytest.raises(DataError, match="16 bits"):
        rows[1] = numbers[1]
    rows[4] = whole[4, :4]
    assert np.array_equal(rows[exact], numbers[exact])
    assert np.array_equal(rows[np.array([4, 0, 1])], [whole[4, :4], numbers[0], np.zeros(4)])
    assert np.array_equal(from_column(part(rows, exact), 1)[5:7], numbers[exact][5:7, 1:])


def test_of_an_array_the_same_are_arrays(whole: np.ndarray) -> None:
    assert without(whole, []) is whole
    assert np.array_equal(without(whole, [3]), np.delete(whole, 3, axis=0))
    assert np.array_equal(part(whole, np.array([3, 1])), whole[[3, 1]])
    assert np.array_equal(from_column(whole, 4), whole[:, 4:])
    assert [*blocks(5, 2)] == [slice(0, 2), slice(2, 4), slice(4, 5)]
    assert np.array_equal(in_blocks(stored(whole), lambda rows: rows.max(axis=1), most=100), whole.max(axis=1))


def test_no_file_is_left_however_the_process_ends() -> None:
    before = set(cache_folder().iterdir()) if cache_folder().is_dir() else set()
    rows = half_rows(10, 3)
    assert set(cache_folder().iterdir()) == before  # it has no name while it is used
    assert np.array_equal(rows[:], np.zeros((10, 3)))


def test_a_disk_without_room_is_told_before_anything_is_computed() -> None:
    with pytest.raises(StorageError, match="the disk is full. Free some space"):
        half_rows(10**3, 10**12)


def test_what_16_bits_cannot_hold_is_refused_and_what_is_not_finite_is_found_later() -> None:
    rows = half_rows(2, 3)
    with pytest.raises(
        DataError, match=r"features up to 70,000; those .* 16 bits, which hold 65,504. Choose another --b"
    ):
        rows[0] = np.array([1, -70_000, 2], dtype=np.float32)
    rows[1] = np.array([1, np.inf, 2], dtype=np.float32)
    with pytest.raises(DataError, match="the features of picture 1 "):
        check_finite(rows)


@pytest.mark.parametrize("stages", [(), (3, 4)])
def test_the_probe_fits_the_same_in_blocks_to_the_last_bit(
    whole: np.ndarray, labels: np.ndarray, stages: tuple[int, ...]
) -> None:
    told = {"groups": [""] * COUNT, "class_count": CLASSES, "stages": stages, "strengths": (0.1, 0.01), "seed": 0}
    here, there = fit_probe(whole, labels, **told), fit_probe(stored(whole), labels, **told)
    assert np.array_equal(here.weight, there.weight)
    assert np.array_equal(here.bias, there.bias)
    assert here.trials == there.trials
    assert np.array_equal(here.held_out, there.held_out)


def test_whoever_judges_labels_reads_blocks_and_says_the_same(whole: np.ndarray, labels: np.ndarray) -> None:
    rows, groups = stored(whole), np.arange(COUNT)
    told = {"class_count": CLASSES, "strength": 0.01, "seed": 0}
    here, there = (out_of_fold(given, labels, groups, **told) for given in (whole, rows))
    assert np.array_equal(here, there)
    assert np.array_equal(neighbour_distance(whole), neighbour_distance(rows))


class Watched(HalfRows):
    """Says how many rows were read at once; refuses to be one array."""

    most = 0

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        raise AssertionError("all of them at once")

    def part(self, rows: np.ndarray) -> HalfRows:
        return Watched(self._files, self._places[rows], self._columns)

    def from_column(self, first: int) -> HalfRows:
        return Watched(self._files, self._places, slice(first, None))

    def _floats(self, places: np.ndarray) -> np.ndarray:
        Watched.most = max(Watched.most, len(places))
        return super()._floats(places)


def watched(whole: np.ndarray) -> HalfRows:
    rows, Watched.most = stored(whole), 0
    return Watched(rows._files, rows._places, rows._columns)


def test_the_discriminant_reads_a_block_or_a_class_at_a_time(whole: np.ndarray, labels: np.ndarray) -> None:
    many, targets = np.tile(whole, (9, 1)), np.tile(labels, 9)
    told = {"groups": np.arange(9 * COUNT), "class_count": CLASSES, "seed": 0}
    here, there = (fit_discriminant(given, targets, **told) for given in (many, watched(many)))
    assert np.array_equal(here.weight, there.weight)
    assert here.trials == there.trials
    assert Watched.most <= max(4_096, *np.bincount(targets))


@pytest.fixture(scope="module")
def sets(labels: np.ndarray) -> np.ndarray:
    found = (labels[:, None] == np.arange(CLASSES)).astype(np.float32)
    found[np.random.default_rng(3).random(found.shape) < 0.05] = np.nan
    return found


@pytest.mark.parametrize("stages", [(), (3, 4)])
def test_sets_of_classes_are_learned_the_same_in_blocks_to_the_last_bit(
    whole: np.ndarray, sets: np.ndarray, stages: tuple[int, ...]
) -> None:
    many, targets = np.tile(whole, (9, 1)), np.tile(sets, (9, 1))  # more than choose the strength
    told = {"classes": ["a", "b", "c"], "stages": stages, "strengths": (0.1, 0.01), "weighings": ("last", "alike")}
    here, there = (
        fit_multilabel_probe(given, targets, [""] * len(many), 2, 0, **told) for given in (many, watched(many))
    )
    assert np.array_equal(here.weight, there.weight)
    assert np.array_equal(here.bias, there.bias)
    assert here.trials == there.trials
    assert np.array_equal(here.held_out, there.held_out, equal_nan=True)
    assert Watched.most < len(many)  # those that choose are the most


def test_whoever_judges_sets_reads_blocks_and_says_the_same(whole: np.ndarray, sets: np.ndarray) -> None:
    told = {"classes": ["a", "b", "c"], "strength": 0.01, "seed": 0}
    here, there = (multilabel_out_of_fold(given, sets, np.arange(COUNT), **told) for given in (whole, watched(whole)))
    np.testing.assert_allclose(here, there, rtol=1e-6)
    assert examine_sets(here, sets, whole) == examine_sets(here, sets, stored(whole))


def test_rows_of_32_bits_are_filled_in_parts_and_read_back(whole: np.ndarray) -> None:
    rows, numbers = WholeRows(*whole.shape), np.pi * whole
    for some in blocks(COUNT, 500):
        rows[some] = numbers[some]
    mask = whole[:, 0] > 0
    for asked in (slice(None), slice(5, 900), np.array([7, 3, 1299]), mask):
        assert np.array_equal(rows[asked], numbers[asked].astype(np.float32))
    assert (rows.shape, len(rows)) == (whole.shape, COUNT)
