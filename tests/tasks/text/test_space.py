"""A search of texts' settings. In: made sentences. Out: trials, the best in a recipe; what is told is not searched."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tellapart.cli.main import execute
from tellapart.errors import SettingsError
from tellapart.runs.result import TrainResult
from tellapart.settings.reading import make_settings
from tellapart.tasks.table import TASKS
from tellapart.tasks.text.probing import lengths
from tellapart.texts.ngrams import Rules
from tellapart.training.ngram_counts import learn_grams
from tellapart.training.ngram_probe import GivenGrams, fit_ngrams


def test_a_search_finds_settings_and_tests_once(
    learned: TrainResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = learned.run.parent.parent / "t.csv"
    asked = ["search", str(source), "--out", str(tmp_path / "runs"), "--no-report", "--quiet"]
    tries = ["--try", "probe.grams.words=none,1,1-2", "--try", "probe.grams.least=1,3"]
    assert execute([*asked, *tries]) == 0
    told = capsys.readouterr().out
    assert "texts, by which it was chosen" in told
    assert "texts, looked at once" in told
    assert "picture" not in told.replace(str(tmp_path), "")
    best = tmp_path / "runs" / "latest" / "best.toml"
    recipe = best.read_text(encoding="utf-8")
    assert "validation texts." in recipe
    metrics = json.loads((best.parent / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["test"]["accuracy"]["value"] > 0.9
    with pytest.raises(SettingsError, match="network"):
        TASKS["text"].prefer(make_settings({"data": "x", "task": "text", "probe": {"weighing": "last"}}))


@pytest.mark.parametrize("strategy", ["auto", "probe", "scratch"])
def test_every_key_of_the_usual_space_is_a_setting_of_texts(strategy: str) -> None:
    for key, tried in TASKS["text"].space(strategy).items():  # type: ignore[arg-type]
        for text in tried.texts:
            value = tried.of(text) if hasattr(tried, "values") else float(text)
            *parts, last = key.split(".")
            given: dict[str, object] = {last: value}
            for part in reversed(parts):
                given = {part: given}
            told = make_settings(
                {"data": "x", "task": "text", "strategy": "scratch" if strategy == "scratch" else "probe", **given}
            )
            TASKS["text"].prefer(told)


def test_what_is_told_is_taken() -> None:
    texts = ["fine film", "fine day", "dull rain", "dull film"] * 6
    labels = np.array([0, 0, 1, 1] * 6)
    given = GivenGrams(words=(1,), characters=(), by_class=False, strength=0.01)
    probe = fit_ngrams(
        texts, labels, groups=np.arange(24), weights=np.ones(24, np.float32), classes=2, seed=0, given=given
    )
    assert probe.chosen.rules == Rules(words=(1,))
    assert not probe.chosen.by_class
    assert probe.chosen.inverse == pytest.approx(1 / (0.01 * 24))
    assert len(probe.trials) == 1
    assert len(probe.inputs.known) == 5
    few, _ = learn_grams(texts, Rules(words=(1,)), most=3)
    assert len(few.known) == 3
    more, _ = learn_grams([*texts, "once"], Rules(words=(1,)), least=1)
    assert len(more.known) == 6


def test_lengths_are_read() -> None:
    assert [lengths(told) for told in (None, "none", "2", "2-5")] == [None, (), (2,), (2, 3, 4, 5)]
    with pytest.raises(SettingsError, match="n-grams are to be 5-2 long, from more to fewer. Write it as 2-5"):
        lengths("5-2")
    with pytest.raises(SettingsError, match="probe.grams.words is 'x'; it must be a length from 1 to 9"):
        make_settings({"data": "x", "probe": {"grams": {"words": "x"}}})
    with pytest.raises(
        SettingsError, match="^probe.grams: words and characters are both none, and nothing would count"
    ):
        make_settings({"data": "x", "probe": {"grams": {"words": "none", "characters": "none"}}})


def test_pictures_have_no_n_grams(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SettingsError, match="probe.grams.words is 1, which is for texts alone"):
        TASKS["classification"].prefer(make_settings({"data": "x", "probe": {"grams": {"words": "1"}}}))
