"""What each word says to the network of a file. In: Model, a cleaned text. Out: TextVotes, WordFaithfulness. Next: words.py."""

from __future__ import annotations

import difflib
import importlib.util
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import Model
from tellapart.errors import MissingExtra, SettingsError
from tellapart.explanation.word_paths import has_paths, integrated_words
from tellapart.explanation.word_votes import TextVotes
from tellapart.explanation.words import WordFaithfulness, in_heat, occluded, spell, word_faithfulness
from tellapart.models.kept_weights import read_weights
from tellapart.texts.inputs import TextInputs
from tellapart.texts.sequences import WordInputs

METHODS = ("occlusion", "integrated_gradients")
_LEAST = 1e-30  # of a probability, before its logarithm


def word_inputs(model: Model) -> WordInputs | None:
    """How its network takes words; None of a file that counts n-grams, or has several parts."""
    inputs = model.inputs
    return inputs.words if isinstance(inputs, TextInputs) and len(inputs.parts) == 1 else None


def check_method(name: str) -> str:
    """The method of that name. Raises: SettingsError for one that there is not."""
    if name in METHODS:
        return name
    near = difflib.get_close_matches(name, METHODS, n=1)
    hint = f"Did you mean {near[0]}? " if near else ""
    raise SettingsError(f"there is no method {name!r} for texts. {hint}Choose from {' and '.join(METHODS)}.")


class WordReasons:
    """A model whose one part is a network of words."""

    def __init__(self, model: Model, inputs: WordInputs) -> None:
        self._model, self._inputs = model, inputs
        self._temperature = float(getattr(model.manifest.record, "temperature", 1.0))

    def weigh(self, text: str, *, chosen: int, other: int, method: str) -> tuple[TextVotes, WordFaithfulness]:
        """What the words of a cleaned text say for class `chosen` over `other`, in logits, and whether deleting them agrees.

        Raises: MissingExtra without the package that reads weights, SettingsError for a network that has no such method.
        """
        spelled, nothing = spell(text, self._inputs), self._inputs.padding
        if method == "integrated_gradients":
            weights = integrated_words(spelled.numbers, self._weights, target=chosen, over=other)
        else:
            weights = occluded(spelled.numbers, target=chosen, over=other, ask=self._logits, nothing=nothing)
        asked = partial(word_faithfulness, spelled.numbers, weights, target=chosen, nothing=nothing)
        votes = TextVotes(words=in_heat(spelled.words, weights, spelled.rest), begins=None)
        return votes, asked(probabilities=self._probabilities)

    def _probabilities(self, numbers: NDArray[np.int32]) -> NDArray[np.float32]:
        """[n, K]"""
        return self._model.compute(numbers[:, None], ("probabilities",))["probabilities"]

    def _logits(self, numbers: NDArray[np.int32]) -> NDArray[np.float64]:
        """Those of the network, up to a number of each row's own: the calibration divided them."""
        found = np.log(np.maximum(self._probabilities(numbers).astype(np.float64), _LEAST))
        return np.asarray(found * self._temperature, dtype=np.float64)

    @cached_property
    def _weights(self) -> dict[str, NDArray[np.float32]]:
        if importlib.util.find_spec("onnx") is None:
            raise MissingExtra("explain", "train", "onnx")
        import onnx

        found = read_weights(onnx.load(self._model.path))
        if not has_paths(found):
            raise SettingsError(
                f"the network is {self._model.manifest.backbone.name}, and integrated gradients are told of a text_cnn alone. "
                "Take --method occlusion."
            )
        return found
