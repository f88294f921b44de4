"""Why a model says what it says of texts. In: OpenRun, texts. Out: TextReason. Next: explanation/word_votes.py.

What n-grams say adds up, and is told exactly; what a network's words say is estimated, with how far that can be believed.

What the words say for a class is told over the class that comes next, or over the most probable one where another is explained.
"""

from __future__ import annotations

import html
import importlib.util
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.given import GivenItem
from tellapart.answers.items import PathItem
from tellapart.answers.predictor import Predictor
from tellapart.errors import MissingExtra, SettingsError
from tellapart.explanation.word_reasons import WordReasons, check_method, word_inputs
from tellapart.explanation.word_votes import Table, TextVotes, exact_votes, read_table, votes_by_leaving_out
from tellapart.explanation.words import WordFaithfulness
from tellapart.language import OwnLanguage
from tellapart.runs.open import OpenRun
from tellapart.runtime import BATCH
from tellapart.storage import write_bytes
from tellapart.texts.cleaning import clean
from tellapart.texts.inputs import TextInputs, as_input
from tellapart.texts.writing_systems import is_unspaced

_TAGS = {"en": "en", "zh": "zh-CN"}
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
    method: str = "exact"  # how that was found out
    believed: WordFaithfulness | None = None  # whether deleting the words agrees; None where they add up

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
            "method": self.method,
            "faithfulness": None if self.believed is None else asdict(self.believed),
            "words": [{"word": word, "weight": weight} for word, weight in self.words],
        }


class TextReasons:
    """A model of texts whose answers are explained."""

    def __init__(self, opened: OpenRun, method: str | None = None) -> None:
        """`method`: of explanation/word_reasons.py, where a network reads words. Raises: ModelFileError, SettingsError."""
        self._opened, self._predictor = opened, Predictor(opened.model)
        words = word_inputs(opened.model)
        self._words = None if words is None else WordReasons(opened.model, words)
        if method is not None and words is None:
            raise SettingsError(
                f"--method is {method}, and this model counts n-grams, which are told exactly. Leave --method out."
            )
        self._method = "occlusion" if method is None else check_method(method)

    def explain(self, sources: Iterable[PathItem | GivenItem], *, class_name: str | None = None) -> list[TextReason]:
        """Why each text is of the class it is of, or how far of that named. Raises: SettingsError for no such class."""
        target = None if class_name is None else self._opened.class_index(class_name)
        return [self._one(source, target) for source in sources]

    def _one(self, source: PathItem | GivenItem, target: int | None) -> TextReason:
        (answer,) = self._predictor.stream([source])
        if answer.error:
            return TextReason(path=source.path, error=answer.error)
        chosen, other = compared(answer, target)
        found, method, believed = self._votes(clean(_text_of(source)), chosen, other)
        return TextReason(
            path=source.path,
            label=answer.classes[chosen],
            probability=float(answer.probabilities[chosen]),
            over=answer.classes[other],
            words=found.words,
            begins=found.begins or 0.0,
            temperature=self._temperature,
            method=method,
            believed=believed,
        )

    def _votes(self, text: str, chosen: int, other: int) -> tuple[TextVotes, str, WordFaithfulness | None]:
        """What its words say, how that was found out, and how far to believe it."""
        if self._words is not None:
            found, believed = self._words.weigh(text, chosen=chosen, other=other, method=self._method)
            return found, self._method, believed
        inputs = self._opened.model.inputs
        assert isinstance(inputs, TextInputs)
        if self._table is not None and inputs.grams is not None:
            return exact_votes(text, inputs.grams, self._table, chosen=chosen, other=other), "exact", None
        if importlib.util.find_spec("onnx") is None:
            raise MissingExtra("explain", "train", "onnx")
        told: dict[str, Any] = {"unspaced": is_unspaced([text]), "temperature": self._temperature}
        return votes_by_leaving_out(text, self._chances, chosen=chosen, other=other, **told), "occlusion", None

    @property
    def _temperature(self) -> float:
        return float(getattr(self._opened.manifest.record, "temperature", 1.0))

    def _chances(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Probabilities [N, K] of cleaned texts."""
        model = self._opened.model
        assert isinstance(model.inputs, TextInputs)
        parts = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]
        found = [model.compute(as_input(part, model.inputs), ("probabilities",))["probabilities"] for part in parts]
        return np.concatenate(found)

    @cached_property
    def _table(self) -> Table | None:
        return read_table(self._opened.model)


def compared(answer: Any, target: int | None) -> tuple[int, int]:
    """The class that is explained, the most probable one unless `target` is another, and the one it is compared with."""
    chosen = int(answer.ranking[0]) if target is None else target
    return chosen, next(one for one in answer.ranking.tolist() if one != chosen)


def _text_of(source: PathItem | GivenItem) -> str:
    """The text itself, which was answered a moment before."""
    if isinstance(source, GivenItem):
        data = source.data
    else:
        from tellapart.answers.items import read_item

        data = read_item(source)
    return data if isinstance(data, str) else bytes(data).decode("utf-8-sig", "replace")


def write_page(
    path: Path, reasons: Sequence[TextReason], say: Callable[[str], str] = str, *, language: OwnLanguage = "en"
) -> None:
    """One page with every text, its words in the colour of what they say; `say` says our sentences in `language`.

    Raises: StorageError.
    """
    body = "\n".join(_article(one, say) for one in reasons)
    head = (
        f"<!doctype html><html lang='{_TAGS[language]}'><meta charset='utf-8'><title>{html.escape(say('Why'))}</title>"
    )
    page = (
        "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'; style-src 'unsafe-inline'\"><style>"
        "body{font:16px/1.6 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em}article{margin:1.5em 0}"
        "p{white-space:pre-wrap;overflow-wrap:anywhere}</style>"
    )
    page = f"{head}{page}\n{body}\n"
    write_bytes(path, page.encode("utf-8", "replace"))


def _article(one: TextReason, say: Callable[[str], str]) -> str:
    title = html.escape(one.path or "text")
    if one.error:
        return f"<article><h3>{title}</h3><p>{html.escape(say(one.error))}</p></article>"
    largest = max([1e-9, *(abs(weight) for _, weight in one.words)])
    spans = "".join(
        f'<span style="background:rgba({_COLOURS[weight < 0]},{abs(weight) / largest / 2:.2f})" title="{weight:+.3f}">'
        f"{html.escape(word)}</span>"
        for word, weight in one.words
    )
    said = html.escape(say(f"{one.label} {100 * one.probability:.1f} %, over {one.over}"))
    note = f"<p>{html.escape(say(told_faithfulness(one)))}</p>" if one.believed is not None else ""
    return f"<article><h3>{title}</h3><p><b>{said}</b></p><p>{spans}</p>{note}</article>"


def told_faithfulness(one: TextReason) -> str:
    """How far the words can be believed, in a sentence; empty where they add up."""
    if one.believed is None:
        return ""
    ends = "" if one.believed.tells else ": no better than chance, do not rely on it"
    return (
        f"By {one.method.replace('_', ' ')}. While these words are deleted, the strongest first, the class keeps on average "
        f"{100 * one.believed.deletion:.1f} %, in random orders {100 * one.believed.chance:.1f} %{ends}."
    )
