"""Why a model says what it says of texts, exactly. In: OpenRun, texts. Out: TextReason. Next: explanation/ngrams.py.

The model adds up what each n-gram says, so nothing is estimated: what the words say for a class over the one that comes next (or
over the most probable one), and what the classes begin with, add up to the difference of the logits.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.given import GivenItem
from tellapart.answers.items import PathItem
from tellapart.answers.predictor import Predictor
from tellapart.explanation.ngrams import in_words, letter_votes
from tellapart.export.ngrams import BIAS, TABLE
from tellapart.runs.open import OpenRun
from tellapart.storage import storage_errors, write_bytes
from tellapart.texts.cleaning import clean
from tellapart.texts.inputs import TextInputs
from tellapart.texts.vocabulary import GramInputs

_COLOURS = ("194,65,12", "11,98,168")  # for, against


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TextReason:
    """Why one text has the answer that it has."""

    path: str  # "" where it has none
    error: str = ""
    label: str = ""  # the class that is explained
    probability: float = 0.0
    over: str = ""  # the class that it is compared with
    words: Sequence[tuple[str, float]] = ()  # what each says for `label` over `over`, in logits
    begins: float = 0.0  # what `label` has over `over` before any word
    temperature: float = (
        1.0  # by which the sum is divided, before it is the logarithm of how much more probable `label` is
    )

    def as_json(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        if self.error:
            return {"path": self.path, "error": self.error}
        return {
            "path": self.path,
            "error": None,
            "label": self.label,
            "probability": self.probability,
            "over": self.over,
            "begins": self.begins,
            "temperature": self.temperature,
            "words": [{"word": word, "weight": weight} for word, weight in self.words],
        }


class TextReasons:
    """A model of texts whose answers are explained."""

    def __init__(self, opened: OpenRun) -> None:
        """Raises: ModelFileError, StorageError."""
        self._opened, self._predictor = opened, Predictor(opened.model)
        inputs = opened.model.inputs
        assert isinstance(inputs, TextInputs)
        assert inputs.grams is not None
        self._grams: GramInputs = inputs.grams

    def explain(self, sources: Iterable[PathItem | GivenItem], *, class_name: str | None = None) -> list[TextReason]:
        """Why each text is of the class it is of, or how far of that named. Raises: SettingsError for no such class."""
        target = None if class_name is None else self._opened.class_index(class_name)
        return [self._one(source, target) for source in sources]

    def _one(self, source: PathItem | GivenItem, target: int | None) -> TextReason:
        (answer,) = self._predictor.stream([source])
        if answer.error:
            return TextReason(path=source.path, error=answer.error)
        inputs, record = self._grams, self._opened.manifest.record
        chosen = int(answer.ranking[0]) if target is None else target
        other = next(one for one in answer.ranking.tolist() if one != chosen)
        text = clean(_text_of(source))
        votes, squares, bias = self._table
        letters = letter_votes(text, inputs, votes=votes, squares=squares)
        words = in_words(text, letters, unspaced=inputs.rules.across)
        return TextReason(
            path=source.path,
            label=answer.classes[chosen],
            probability=float(answer.probabilities[chosen]),
            over=answer.classes[other],
            words=[(word, float(vote[chosen] - vote[other])) for word, vote in words],
            begins=float(bias[chosen] - bias[other]),
            temperature=float(getattr(record, "temperature", 1.0)),
        )

    @cached_property
    def _table(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Votes [F, K], squares [F] and biases [K] of the file."""
        import onnx
        from onnx import numpy_helper

        with storage_errors(self._opened.file):
            graph = onnx.load(self._opened.file).graph
        there = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
        table, known, classes = there[TABLE], len(self._grams.known), len(self._opened.classes)
        return table[:known, :classes], table[:known, classes], there[BIAS]


def _text_of(source: PathItem | GivenItem) -> str:
    """The text itself, which was answered a moment before."""
    if isinstance(source, GivenItem):
        data = source.data
    else:
        from tellapart.answers.items import read_item

        data = read_item(source)
    return data if isinstance(data, str) else bytes(data).decode("utf-8-sig", "replace")


def write_page(path: Path, reasons: Sequence[TextReason]) -> None:
    """One page with every text, its words in the colour of what they say. Raises: StorageError."""
    body = "\n".join(_article(one) for one in reasons)
    page = (
        "<!doctype html><meta charset='utf-8'><title>Why</title><meta http-equiv='Content-Security-Policy' "
        "content=\"default-src 'none'; style-src 'unsafe-inline'\"><style>body{font:16px/1.6 system-ui,sans-serif;max-width:60em;"
        "margin:2em auto;padding:0 1em}article{margin:1.5em 0}p{white-space:pre-wrap;overflow-wrap:anywhere}</style>"
        f"\n{body}\n"
    )
    write_bytes(path, page.encode("utf-8", "replace"))


def _article(one: TextReason) -> str:
    title = html.escape(one.path or "text")
    if one.error:
        return f"<article><h3>{title}</h3><p>{html.escape(one.error)}</p></article>"
    largest = max([1e-9, *(abs(weight) for _, weight in one.words)])
    spans = "".join(
        f'<span style="background:rgba({_COLOURS[weight < 0]},{abs(weight) / largest / 2:.2f})" title="{weight:+.3f}">'
        f"{html.escape(word)}</span>"
        for word, weight in one.words
    )
    said = html.escape(f"{one.label} {100 * one.probability:.1f} %, over {one.over}")
    return f"<article><h3>{title}</h3><p><b>{said}</b></p><p>{spans}</p></article>"
