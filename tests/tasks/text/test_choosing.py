"""Which classifier of texts is kept, and the mean of two. In: planted logits. Out: the better one, the mean, its file."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.bundle import Manifest
from tellapart.evaluation.calibration import softmax
from tellapart.evaluation.choosing import HeldOut, only
from tellapart.export.texts import assemble_texts
from tellapart.runtime import Session
from tellapart.tasks.text.averaging import MeanOfTwo, temperatures_of
from tellapart.tasks.text.candidates import validate
from tellapart.tasks.text.choosing import choose_text, choose_texts
from tellapart.texts.inputs import as_input
from tests.export.test_ngrams import manifest
from tests.tasks.text.made_candidates import MadeCandidate, made_dataset

N, K = 400, 3
LABELS = np.random.default_rng(0).integers(0, K, N)
DATASET = made_dataset(LABELS, K)


def told(strength: float, seed: int) -> NDArray[np.float32]:
    """Logits that know something of the truth, each with errors of its own."""
    noise = np.random.default_rng(seed).normal(size=(N, K))
    return (strength * np.eye(K)[LABELS] + noise).round(2).astype(np.float32)


def test_of_one_there_is_nothing_to_tell() -> None:
    choice = choose_texts([validate(MadeCandidate(planted=told(1, 1)), DATASET)], DATASET)
    assert (choice.reason, len(choice.compared)) == ("", 1)


def test_two_that_err_apart_are_averaged() -> None:
    first = MadeCandidate(planted=told(2, 1), called="classifier of n-grams")
    other = MadeCandidate(planted=told(2, 2), called="classifier of embeddings", strategy="scratch")
    choice = choose_texts([validate(one, DATASET) for one in (first, other)], DATASET)
    mean = choice.winner.candidate
    assert isinstance(mean, MeanOfTwo)
    assert mean.called == "mean of the classifier of n-grams and the classifier of embeddings"
    assert mean.strategy == "scratch"
    assert len(choice.compared) == 3
    assert choice.winner is choice.compared[0]
    assert choice.winner.figure > max(one.figure for one in choice.compared[1:])
    assert choice.reason.startswith(
        "Kept the mean of the classifier of n-grams and the classifier of embeddings: on 400 texts that none had learned from, log "
        "loss and accuracy are 0.3"
    )
    assert [part["called"] for part in mean.details["parts"]] == [first.called, other.called]
    assert set(mean.head()) == {"part0.weight", "part1.weight"}
    assert mean.described.embedding == 4
    again = choose_text(choice, validate(MadeCandidate(planted=told(2, 3)), DATASET), DATASET)
    assert not any(isinstance(one, MeanOfTwo) for one in again.winner.candidate.parts)


def test_what_knows_nothing_is_left_out() -> None:
    good, bad = (validate(MadeCandidate(planted=told(*one)), DATASET) for one in ((3, 1), (0, 2)))
    assert choose_texts([good, bad], DATASET).winner is good
    assert choose_texts([bad, good], DATASET).winner is good
    assert choose_texts([good, bad], DATASET).reason.startswith("Kept the classifier of made numbers: on 400 texts")


def test_chance_does_not_choose() -> None:
    one = told(2, 1)
    other = one + np.random.default_rng(8).normal(size=one.shape).astype(np.float32) / 50
    first, second = (validate(MadeCandidate(planted=planted), DATASET) for planted in (one, other))
    assert choose_text(only(first), second, DATASET).winner is first, "what the mean gains is next to nothing"


def test_the_mean_is_of_calibrated_probabilities_and_so_is_its_file() -> None:
    parts = [
        MadeCandidate(planted=told(*one), called=name) for one, name in (((2, 1), "a vocabulary"), ((1, 2), "pieces"))
    ]
    mean = MeanOfTwo(parts=(parts[0], parts[1]), temperatures=(0.5, 2.0))
    rows = np.arange(6)
    wanted = (softmax(parts[0].planted[:6] / 0.5) + softmax(parts[1].planted[:6] / 2.0)) / 2
    np.testing.assert_allclose(np.exp(mean.logits(rows)), wanted, rtol=1e-5)
    assert temperatures_of(mean) == (0.5, 2.0)
    assert temperatures_of(parts[0]) == (1.0,)
    record: Manifest = manifest()  # temperature 2, as one for several is written
    data = assemble_texts(mean.graphs, temperatures=mean.temperatures, novelty_scale=3.0, classes=K, manifest=record)
    session = Session(data, source="made")
    tokens = np.concatenate([part.encode(one.texts[:6]) for one in parts for part in one.inputs.parts], axis=1)
    assert session.inputs["tokens"][1] == 2
    probabilities, novelty, pieces = session.run(tokens, ["probabilities", "novelty", "pieces"])
    np.testing.assert_allclose(probabilities, softmax(np.log(wanted) / 2), rtol=1e-4)
    np.testing.assert_allclose(novelty, 300 * parts[0].planted[:6].sum(axis=1), rtol=1e-4, atol=1e-2)
    assert pieces.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(as_input(parts[0].texts[:6], parts[0].inputs), tokens[:, :1])


@pytest.mark.parametrize("missing", [True, False])
def test_what_both_held_out_calibrates_the_mean(missing: bool) -> None:
    own = HeldOut(rows=np.array([3, 1, 2]), logits=told(2, 1)[[3, 1, 2]].copy())
    other = HeldOut(rows=np.array([2, 3, 9]), logits=told(2, 2)[[2, 3, 9]].copy())
    other.logits[0] = np.nan
    first = MadeCandidate(planted=told(2, 1), held_out=own)
    second = MadeCandidate(planted=told(2, 2), held_out=None if missing else other)
    found = MeanOfTwo(parts=(first, second), temperatures=(1.0, 1.0)).held_out
    if missing:
        assert found is None
        return
    assert found is not None
    assert found.rows.tolist() == [2, 3]
    assert np.isnan(found.logits[0]).all()
    wanted = (softmax(told(2, 1)[3]) + softmax(told(2, 2)[3])) / 2
    np.testing.assert_allclose(np.exp(found.logits[1]), wanted, rtol=1e-5)
