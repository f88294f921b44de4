"""A run of made texts, in which words tell the class. In: nothing. Out: TrainResult."""

from __future__ import annotations

import csv

import numpy as np
import pytest

import tellapart
from tellapart.runs.result import TrainResult

OWN = {"<b>sun</b>": ["warm", "<script>alert(1)</script>"], "rain": ["wet", "grey"]}


def sentence(chance: np.random.Generator, label: str) -> str:
    words = [*(f"w{number}" for number in chance.integers(0, 40, 6)), str(chance.choice(OWN[label]))]
    return " ".join(chance.permutation(words))


@pytest.fixture(scope="package")
def learned(tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    folder, chance = tmp_path_factory.mktemp("texts"), np.random.default_rng(0)
    labels = [list(OWN)[number % 2] for number in range(160)]
    rows = [(sentence(chance, label), label) for label in labels]
    rows += [("w1 w2 wet w3 <img src=x onerror=alert(2)>", "<b>sun</b>"), ("", "rain")]
    with (folder / "t.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    return tellapart.train(folder / "t.csv", out=folder / "runs", task="text")
