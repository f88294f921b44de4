"""The classifier of n-grams. In: made sentences. Out: features as scikit-learn has them, ratios by hand, what was planted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from tellapart.texts.ngrams import Rules
from tellapart.training.ngram_counts import class_ratios, count_texts_in, learn_grams
from tellapart.training.ngram_probe import SPACED, UNSPACED, candidates, fit_ngrams
from tellapart.training.ngram_rows import KeptRows


def sentences(count: int) -> tuple[list[str], np.ndarray]:
    """Every third is of one of three classes, by one of its own two words."""
    chance = np.random.default_rng(0)
    own = [["warm", "bright"], ["wet", "grey"], ["cold", "white"]]
    texts = []
    for number in range(count):
        words = [f"w{word}" for word in chance.integers(0, 50, 6)] + [str(chance.choice(own[number % 3]))]
        texts.append(" ".join(chance.permutation(words)))
    return texts, np.arange(count, dtype=np.int64) % 3


def test_features_are_those_of_scikit_learn() -> None:
    texts, _ = sentences(60)
    inputs, frequency = learn_grams(texts, Rules(words=(1, 2)))
    counted = count_texts_in(texts, inputs, frequency)
    other = TfidfVectorizer(binary=True, ngram_range=(1, 2), min_df=2, token_pattern=r"\w+").fit_transform(texts)
    assert counted.matrix.shape == other.shape
    np.testing.assert_allclose((counted.matrix @ counted.matrix.T).toarray(), (other @ other.T).toarray(), atol=1e-5)
    assert counted.unknown.max() < 1


def test_words_and_characters_have_a_length_of_their_own() -> None:
    texts, _ = sentences(40)
    inputs, frequency = learn_grams(texts, SPACED[0])
    counted = count_texts_in([*texts, "zzzz"], inputs, frequency)
    squares = np.asarray(counted.matrix.multiply(counted.matrix).sum(axis=1)).ravel()
    np.testing.assert_allclose(squares[:40], 2, atol=1e-5)
    assert squares[40] <= 1 + 1e-5
    assert counted.unknown[40] > 0.8
    few, _ = learn_grams(texts, SPACED[0], most=10)
    assert len(few.known) == 10


def test_ratios_of_two_classes_are_those_of_the_paper() -> None:
    there = sparse.csr_matrix(np.array([[1, 1, 0], [1, 0, 0], [0, 1, 1]], dtype=np.float32))
    found = class_ratios(KeptRows(there), np.array([0, 0, 1]), classes=2)
    p, q = np.array([2, 1, 0]) + 1, np.array([0, 1, 1]) + 1
    np.testing.assert_allclose(found[0], np.log((p / p.sum()) / (q / q.sum())), rtol=1e-6)
    np.testing.assert_allclose(found[1], -found[0], rtol=1e-6)


def test_what_was_planted_is_learned_and_held_out_answers_are_of_others() -> None:
    texts, labels = sentences(240)
    groups = np.arange(240) // 2
    probe = fit_ngrams(texts, labels, groups=groups, weights=np.ones(240, np.float32), classes=3, seed=0)
    new, truth = sentences(300)
    found = count_texts_in(new[240:], probe.inputs, probe.frequency).matrix @ probe.weight.T + probe.bias
    assert (found.argmax(axis=1) == truth[240:]).mean() == 1
    judged = np.isfinite(probe.held_out).all(axis=1)
    assert 60 < judged.sum() < 200
    assert (judged.reshape(-1, 2).sum(axis=1) != 1).all(), "groups are held out whole"
    assert (probe.held_out[judged].argmax(axis=1) == labels[judged]).mean() > 0.9
    again = fit_ngrams(texts, labels, groups=groups, weights=np.ones(240, np.float32), classes=3, seed=0)
    np.testing.assert_array_equal(again.weight, probe.weight)


@pytest.mark.parametrize(
    ("texts", "rules"), [(["a fine film"], SPACED), (["今天天气很好"], UNSPACED), (["วันนี้อากาศดี"], UNSPACED)]
)
def test_what_counts_depends_on_whether_words_stand_apart(texts: list[str], rules: tuple[Rules, ...]) -> None:
    assert candidates(texts) == rules


def test_a_class_of_one_text_can_be_fitted() -> None:
    texts, labels = sentences(9)
    labels = np.where(labels == 2, 0, labels)
    labels[8] = 2
    probe = fit_ngrams(texts, labels, groups=np.arange(9), weights=np.ones(9, np.float32), classes=3, seed=0)
    assert np.isfinite(probe.weight).all()


def test_of_many_texts_some_choose_and_all_are_learned_from(monkeypatch: pytest.MonkeyPatch) -> None:
    from tellapart.training import ngram_probe

    monkeypatch.setattr(ngram_probe, "_SEARCHED", 150)
    texts, labels = sentences(240)
    ones = np.ones(240, np.float32)
    probe = fit_ngrams(texts, labels, groups=np.arange(240), weights=ones, classes=3, seed=0)
    assert probe.counted.matrix.shape[0] == 240
    every, frequency = learn_grams(texts, probe.chosen.rules)
    np.testing.assert_array_equal(probe.inputs.known, every.known)
    np.testing.assert_array_equal(probe.frequency, frequency)
    judged = np.isfinite(probe.held_out).all(axis=1)
    assert 40 < judged.sum() < 80, "two fifths of the 150"
    anew = ngram_probe.fit_trial(probe.counted.matrix, labels, ones, classes=3, chosen=probe.chosen)
    ours = probe.counted.matrix @ probe.weight.T + probe.bias
    np.testing.assert_allclose(_chances(ours), _chances(anew.logits(probe.counted.matrix)), atol=0.03)


def _chances(logits: np.ndarray) -> np.ndarray:
    return np.exp(logits) / np.exp(logits).sum(1, keepdims=True)


def test_a_start_is_moved_to_other_n_grams() -> None:
    from tellapart.training.ngram_probe import _moved

    few, _ = learn_grams(["a b", "a b"], Rules(words=(1,)))
    more, _ = learn_grams(["c a b", "b a c"], Rules(words=(1,)))
    start = np.array([[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]])
    found = _moved(start, few, more)
    assert found is not None
    (new,) = set(range(3)) - {int(place) for place in np.flatnonzero(np.isin(more.known, few.known))}
    assert found[new].tolist() == [0, 0]
    np.testing.assert_array_equal(np.delete(found, new, axis=0), start)
    assert _moved(None, few, more) is None
