"""Rows of counted n-grams, in memory and on disk. In: made texts. Out: the same products and classifier, nothing left behind."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from tellapart.errors import StorageError
from tellapart.texts.ngrams import Rules
from tellapart.training import ngram_counts, ngram_rows
from tellapart.training.ngram_counts import count_texts_in, learn_grams, store_texts_in
from tellapart.training.ngram_probe import fit_ngrams
from tellapart.training.ngram_rows import CountRows, KeptRows, StoredRows, TurnedRows, as_rows, parts_of, walk

RULES = Rules(words=(1, 2), characters=(2, 3))


def sentences(count: int) -> tuple[list[str], np.ndarray]:
    """Every third is of one of three classes, by one of its own two words; one has nothing in it that another has."""
    chance = np.random.default_rng(0)
    own = [["warm", "bright"], ["wet", "grey"], ["cold", "white"]]
    texts = [
        " ".join([*(f"w{word}" for word in chance.integers(0, 50, 6)), str(chance.choice(own[number % 3]))])
        for number in range(count)
    ]
    texts[7] = "ß"
    return texts, np.arange(count, dtype=np.int64) % 3


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder in which rows are stored from now on, a few hundred numbers a part."""
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(ngram_counts, "_MOST_KEPT", 0)
    monkeypatch.setattr(ngram_rows, "_PART", 700)
    monkeypatch.setattr(ngram_counts, "in_parts", lambda texts: (texts[at : at + 9] for at in range(0, len(texts), 9)))
    return tmp_path / "cache"


def test_what_is_stored_is_what_was_counted(stored: Path) -> None:
    texts, _ = sentences(100)
    inputs, frequency = learn_grams(texts, RULES)
    kept, other = (make(texts, inputs, frequency) for make in (count_texts_in, store_texts_in))
    assert isinstance(other.rows, StoredRows)
    assert 5 < len(other.rows) < 100
    assert other.rows.shape == kept.matrix.shape
    np.testing.assert_array_equal(other.matrix.toarray(), kept.matrix.toarray())
    np.testing.assert_array_equal(other.unknown, kept.unknown)
    firsts = [first for first, _ in parts_of(other.rows)]
    assert firsts[0] == 0
    assert firsts == sorted(set(firsts))
    assert not list(stored.iterdir()), "a file without a name: nothing is left when a process is killed"


def test_few_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path / "cache"))
    texts, _ = sentences(30)
    assert isinstance(store_texts_in(texts, *learn_grams(texts, RULES)).rows, KeptRows)
    assert not (tmp_path / "cache").exists()


def step(first: int, products: np.ndarray) -> tuple[float, np.ndarray]:
    """Some loss that hangs on which row it is, and its slopes."""
    products *= np.arange(first + 1, first + 1 + len(products))[:, None]
    return float(products.sum()), products.sum(axis=0)


@pytest.mark.parametrize("kind", ["kept", "stored", "turned"])
def test_a_walk_is_two_products(stored: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ngram_rows, "_SPAN", 300)
    texts, _ = sentences(80)
    counted = count_texts_in(texts, *learn_grams(texts, RULES))
    matrix = counted.matrix
    weight = np.random.default_rng(1).normal(size=(matrix.shape[1], 4)).astype(np.float32)
    if kind == "turned":
        turned = TurnedRows(matrix)
        assert len(turned) == 4
        found = turned.walk(weight, step, map)
    else:
        rows: CountRows = (
            counted.rows if kind == "kept" else store_texts_in(texts, counted.inputs, counted.frequency).rows
        )
        assert len(rows) > 4
        found = walk(rows, weight, step, map)
    wanted = (matrix @ weight) * np.arange(1, 81)[:, None]
    assert found.loss == pytest.approx(wanted.sum(), rel=1e-4)
    np.testing.assert_allclose(found.sums, wanted.sum(axis=0), rtol=1e-4)
    np.testing.assert_allclose(found.back, matrix.T @ wanted, rtol=1e-3, atol=1e-3)


def test_rows_without_a_number_have_a_part() -> None:
    rows = as_rows(sparse.csr_matrix((5, 3), dtype=np.float32))
    assert [(first, matrix.shape) for first, matrix in parts_of(rows)] == [(0, (5, 3))]
    found = TurnedRows(rows.whole()).walk(np.ones((3, 2), dtype=np.float32), step, map)
    assert (found.loss, found.back.tolist()) == (0.0, [[0.0, 0.0]] * 3)


def test_stored_or_kept_by_one_thread_or_several_the_classifier_is_the_same(
    stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tellapart.training import ngram_probe

    texts, labels = sentences(150)
    given = {"groups": np.arange(150), "weights": np.ones(150, np.float32), "classes": 3, "seed": 0}
    monkeypatch.setattr(ngram_probe, "cores", lambda: 1)
    one = fit_ngrams(texts, labels, **given)  # type: ignore[arg-type]
    assert isinstance(one.counted.rows, StoredRows)
    monkeypatch.setattr(ngram_probe, "cores", lambda: 3)
    several = fit_ngrams(texts, labels, **given)  # type: ignore[arg-type]
    np.testing.assert_array_equal(one.weight, several.weight)
    monkeypatch.setattr(ngram_counts, "_MOST_KEPT", 10**9)
    kept = fit_ngrams(texts, labels, **given)  # type: ignore[arg-type]
    assert kept.chosen == one.chosen
    np.testing.assert_allclose(kept.weight, one.weight, atol=2e-3)


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        """A file on a disk that is full."""

        def write(self, data: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    rows = StoredRows(tmp_path, np.ones(3, dtype=np.float32), 1)
    monkeypatch.setattr(rows, "_file", Full())
    with pytest.raises(StorageError, match="the disk is full"):
        rows.add(np.zeros(2, np.int32), np.array([2], np.int32), np.ones(1, np.float32))
