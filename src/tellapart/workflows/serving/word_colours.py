"""What the words of a text say, for the server. In: a version, a text, a class. Out: values for JSON. Next: workflows/serve.py.

Exactly, where the package that reads files is installed and the model adds up what n-grams say; by leaving words out elsewhere.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.explanation.word_votes import Table, TextVotes, exact_votes, read_table, votes_by_leaving_out
from tellapart.runtime import BATCH
from tellapart.serving.opened import Version
from tellapart.serving.service import ToExplain
from tellapart.texts.cleaning import clean
from tellapart.texts.inputs import TextInputs
from tellapart.texts.writing_systems import is_unspaced

MOST_WORDS = 2_000  # of a text that are told, or letters where words do not stand apart; more would drown a page
_DIGITS = 4  # of a weight


class WordColours:
    """Explains texts; keeps what it read of a version as long as the version lives."""

    def __init__(self) -> None:
        self._tables: weakref.WeakKeyDictionary[Version, Table | None] = weakref.WeakKeyDictionary()
        self._one_at_a_time = threading.Lock()

    def explain(self, version: Version, data: bytes, shown: ToExplain) -> Mapping[str, Any]:
        """What the words of a text that was answered say for class `shown.label` over the most probable other one."""
        text = clean(data.decode("utf-8-sig", "replace"))
        chances = _chances(version)
        ranked = np.argsort(-chances([text])[0], kind="stable").tolist()
        other = next(one for one in ranked if one != shown.label)
        found = self._votes(version, text, chances, shown.label, other)
        told = found.words[:MOST_WORDS]
        return {
            "label": version.classes[shown.label],
            "over": version.classes[other],
            "begins": None if found.begins is None else round(found.begins, _DIGITS),
            "temperature": _temperature(version),
            "words": [{"word": word, "weight": round(weight, _DIGITS)} for word, weight in told],
            "left_out": len(found.words) - len(told),
        }

    def _votes(self, version: Version, text: str, chances: Any, chosen: int, other: int) -> TextVotes:
        table, inputs = self._table(version), version.model.inputs
        grams = inputs.grams if isinstance(inputs, TextInputs) else None
        if table is not None and grams is not None:
            return exact_votes(text, grams, table, chosen=chosen, other=other)
        unspaced, temperature = is_unspaced([text]), _temperature(version)
        return votes_by_leaving_out(
            text, chances, chosen=chosen, other=other, unspaced=unspaced, temperature=temperature
        )

    def _table(self, version: Version) -> Table | None:
        with self._one_at_a_time:
            if version not in self._tables:
                self._tables[version] = read_table(version.model) if version.unchanged else None
            return self._tables[version]


def _temperature(version: Version) -> float:
    return float(getattr(version.model.manifest.record, "temperature", 1.0))


def _chances(version: Version) -> Any:
    """What computes probabilities [N, K] of cleaned texts, some after the others."""

    def compute(texts: Sequence[str]) -> NDArray[np.float32]:
        parts = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]
        return np.concatenate([version.run_texts(part)["probabilities"] for part in parts])

    return compute
