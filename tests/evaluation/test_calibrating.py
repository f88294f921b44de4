"""Which calibration is taken. In: made logits. Out: the one that helps pictures that were held out, and its losses."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import log_loss

from tellapart.errors import DataError
from tellapart.evaluation import calibrating
from tellapart.evaluation.calibrating import FEWEST, choose_calibration, log_losses
from tellapart.evaluation.calibration import fit_class_biases, fit_temperature, softmax


def made(
    count: int, *, temperature: float = 1.0, biases: tuple[float, ...] = (0, 0, 0), seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Logits whose probabilities are right once divided by `temperature` and freed of `biases`."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(count, 3)) * 2
    labels = (softmax(logits).cumsum(axis=1) < generator.random((count, 1))).sum(axis=1)
    return logits * temperature + np.array(biases), np.minimum(labels, 2)


def test_what_is_far_too_sure_gets_the_temperature_of_all_pictures() -> None:
    logits, labels = made(500, temperature=3.0)
    found = choose_calibration(logits, labels, None, with_biases=True)
    assert found.method == "temperature"
    assert found.temperature == fit_temperature(logits, labels)
    assert not found.biases.any()
    assert found.trials["temperature"] < found.trials["none"] - 0.1


def test_what_leans_to_a_class_gets_biases_where_they_are_allowed() -> None:
    logits, labels = made(500, biases=(2.0, 0, 0))
    found = choose_calibration(logits, labels, None, with_biases=True)
    temperature, biases = fit_class_biases(logits, labels)
    assert found.method == "temperature and biases"
    assert found.temperature == temperature
    np.testing.assert_array_equal(found.biases, biases)
    np.testing.assert_allclose(found.logits(logits), (logits + biases) / temperature)
    assert "temperature and biases" not in choose_calibration(logits, labels, None, with_biases=False).trials


def test_what_is_right_already_is_mostly_left_alone() -> None:
    found = [choose_calibration(*made(300, seed=seed), None, with_biases=True) for seed in range(20)]
    left = [one for one in found if one.method == "none"]
    assert len(left) >= 12
    assert all((one.temperature, one.biases.any()) == (1.0, False) for one in left)


@pytest.mark.parametrize("count", [60, 200])
@pytest.mark.parametrize("seed", range(10))
def test_it_is_never_worse_than_nothing_on_the_pictures_it_is_judged_by(count: int, seed: int) -> None:
    logits, labels = made(count, temperature=1 + 0.1 * seed, seed=seed)
    found = choose_calibration(logits, labels, None, with_biases=True)
    plain = log_loss(labels, softmax(logits), labels=range(3))
    assert found.trials["none"] == pytest.approx(plain)
    assert found.losses.mean() <= found.trials["none"]
    assert found.losses.mean() == min(found.trials.values())
    assert log_losses(found.logits(logits), labels).mean() <= plain + 1e-12


def test_fewer_than_fifty_pictures_do_not_choose() -> None:
    logits, labels = made(FEWEST - 1, seed=2)
    for allowed, method in ((False, "temperature"), (True, "temperature and biases")):
        found = choose_calibration(logits, labels, None, with_biases=allowed)
        assert found.method == method
        # The priors are 0 where nothing is done, so that even so few are no less probable than before.
        assert log_losses(found.logits(logits), labels).mean() <= log_losses(logits, labels).mean()


def test_each_loss_is_by_what_the_other_groups_say() -> None:
    """Groups of 30 pictures, ten of them: each is a fold."""
    logits, labels = made(300, temperature=2.0)
    groups = np.repeat(np.arange(10), 30)
    found = choose_calibration(logits, labels, groups, with_biases=False)
    for group in range(10):
        out = groups == group
        temperature = fit_temperature(logits[~out], labels[~out])
        np.testing.assert_allclose(found.losses[out], log_losses(logits[out] / temperature, labels[out]))


def test_one_group_is_judged_by_nothing() -> None:
    logits, labels = made(80, temperature=3.0)
    found = choose_calibration(logits, labels, np.zeros(80, dtype=np.int64), with_biases=True)
    assert found.method == "none"
    np.testing.assert_allclose(found.losses, log_losses(logits, labels))


def test_of_very_many_classes_fewer_pictures_are_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    """500 x 400 is here twice what one fit looks at."""
    monkeypatch.setattr(calibrating, "_MOST_CELLS", 100_000)
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 400, 500)
    logits = generator.normal(size=(500, 400)).astype(np.float32)
    logits[np.arange(500), labels] += 6
    found = choose_calibration(logits, labels, None, with_biases=False)
    assert found.temperature == fit_temperature(logits[::2], labels[::2])


def test_what_is_known_stays_where_too_few_could_choose_and_is_one_more_elsewhere() -> None:
    logits, labels = made(20)
    few = choose_calibration(logits, labels, None, with_biases=True, known=1.7)
    assert (few.method, few.temperature, few.biases.any()) == ("kept", 1.7, False)
    np.testing.assert_allclose(few.losses, log_losses(logits / 1.7, labels))
    assert choose_calibration(logits, labels, None, with_biases=False).method == "temperature"
    logits, labels = made(2000, temperature=3.0)
    fitted = choose_calibration(logits, labels, None, with_biases=False)
    again = choose_calibration(logits, labels, None, with_biases=False, known=fitted.temperature)
    assert (again.method, again.temperature) == ("kept", fitted.temperature)
    wrong = choose_calibration(logits, labels, None, with_biases=False, known=20.0)
    assert (wrong.method, wrong.temperature) == (fitted.method, pytest.approx(fitted.temperature, rel=0.3))


def test_a_hundred_pictures_that_are_all_right_do_not_make_what_is_known_much_surer() -> None:
    # Seen on cats and dogs: by 140 of 140 right 1.0, from 1,119 pictures, became 0.41, and the log loss 0.061 in place of 0.035.
    labels = np.arange(140) % 2
    logits = np.where(np.arange(2) == labels[:, None], 8.4, 0.0)
    assert choose_calibration(logits, labels, None, with_biases=False).temperature < 1.2
    for with_biases in (False, True):
        found = choose_calibration(logits, labels, None, with_biases=with_biases, known=2.0)
        assert 1.8 < found.temperature <= 2.0
        np.testing.assert_allclose(found.losses, log_losses(logits / found.temperature, labels), rtol=0.05)
    leaning = choose_calibration(*made(500, temperature=2.0, biases=(2.0, 0, 0)), None, with_biases=True, known=2.0)
    assert leaning.method == "temperature and biases"
    assert 1.0 < leaning.biases[1:].mean() - leaning.biases[0] < 2.5  # as the logits are, before they are divided
    assert leaning.temperature == pytest.approx(2.0, rel=0.1)


def test_none_is_refused_and_all_is_json() -> None:
    with pytest.raises(DataError, match="0 validation pictures"):
        choose_calibration(np.zeros((0, 3)), np.zeros(0, dtype=np.int64), None, with_biases=False)
    said = choose_calibration(*made(100), None, with_biases=True).as_json()
    assert json.loads(json.dumps(said)) == said
    assert said["pictures"] == 100
    assert said["biases"] is None
