"""What a classifier of n-grams says of texts, a part of them at a time. In: made texts. Out: the same as of all at once."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.tasks.text.probing import _Said
from tellapart.training.ngram_probe import NgramProbe, fit_ngrams

TEXTS = [f"{('a warm day', 'so cold')[row % 2]} number {row * 37}" + " and more" * (row % 5) for row in range(40)]


@pytest.fixture(scope="module")
def probe() -> NgramProbe:
    labels = np.arange(40) % 2
    return fit_ngrams(TEXTS, labels, groups=np.arange(40), weights=np.ones(40, np.float32), classes=2, seed=0)


@pytest.mark.parametrize("letters", [1, 90, 10_000])
def test_texts_are_counted_a_part_at_a_time(probe: NgramProbe, letters: int) -> None:
    given = ["what nobody has seen", *TEXTS, ""]
    rows = np.array([3, 0, 41, 17, 40, 5])
    said, whole = _Said(probe, given, letters=letters).of(rows), _Said(probe, given).of(np.arange(42))
    np.testing.assert_allclose(said.logits[rows], whole.logits[rows], atol=1e-6)
    np.testing.assert_array_equal(said.unknown[rows], whole.unknown[rows])
    assert np.isnan(said.unknown).sum() == 42 - len(rows)
    assert said.of(rows[:0]) is said
