"""What is said of a network that was not tried. In: texts by number and length. Out: sentences, seconds."""

from __future__ import annotations

import pytest

from tellapart.runs.result import TrainResult
from tellapart.settings.parts import TextNetworkSettings
from tellapart.tasks.text.untried import FEW, needed, why_untried

PLAIN = TextNetworkSettings()


def test_few_texts_are_too_few_and_more_are_told_the_time() -> None:
    few, more = ["a b c"] * (FEW - 1), ["a b c d e f g h i j"] * 60_000
    assert why_untried(few, PLAIN, cores=2).startswith(
        "No network of words was tried beside the n-grams: of 999 training texts it learns too little"
    )
    told = why_untried(more, PLAIN, cores=2)
    assert "a network takes about 2 min 40 s here" in told
    assert told.endswith("try --budget 4m.")


@pytest.mark.parametrize(
    ("text", "told", "words"),
    [
        ("a bc def", PLAIN, 3),
        ("\u65e0\u7a7a\u683c", PLAIN, 3),
        ("a bc def", PLAIN.model_copy(update={"unit": "characters"}), 8),
        ("a " * 600, PLAIN, 512),
    ],
)
def test_the_time_grows_with_what_is_read(text: str, told: TextNetworkSettings, words: int) -> None:
    assert needed([text] * 2000, told, cores=1) == pytest.approx(10 + 5 * 2000 * words * 1e-4)
    assert needed([text] * 2000, told, cores=4) < needed([text] * 2000, told, cores=1)


def test_a_training_without_a_budget_says_so(learned: TrainResult) -> None:
    assert "No network of words was tried beside the n-grams: of " in learned.choice
    assert learned.strategy == "probe"
