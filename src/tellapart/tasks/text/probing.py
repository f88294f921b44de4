"""The first answer: a classifier of n-grams. In: texts, Dataset. Out: NgramCandidate. Next: candidates.py."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import BackboneRecord
from tellapart.data.dataset import Dataset
from tellapart.errors import SettingsError
from tellapart.evaluation.choosing import HeldOut
from tellapart.export.ngrams import GramGraph
from tellapart.features.backbone import ReadyBackbone
from tellapart.records_text import GramRecord
from tellapart.reporter import Reporter
from tellapart.settings.tree import TrainSettings
from tellapart.texts.cleaning import CleanTexts, in_parts
from tellapart.texts.inputs import TextInputs
from tellapart.texts.vocabulary import STEPS
from tellapart.training.ngram_counts import count_texts_in
from tellapart.training.ngram_probe import GivenGrams, NgramProbe, fit_ngrams
from tellapart.training.other_writing import strangeness_of_other
from tellapart.training.probe import picture_weights

_AT_ONCE, _LETTERS = 20_000, 4_000_000  # texts and letters whose counts are in memory together


@dataclass(frozen=True, kw_only=True, eq=False)
class NgramCandidate:
    """A fitted classifier, and the N texts of the data set; K classes, F n-grams."""

    probe: NgramProbe
    texts: Sequence[str]  # [N], as they were given
    held_out: HeldOut
    strategy: str = "probe"
    called: str = "classifier of n-grams"
    precision: float = 2 / STEPS  # of `unknown`, whose steps may be rounded either way

    @property
    def backbone(self) -> ReadyBackbone:
        """There is none. Raises: ValueError."""
        raise ValueError("a classifier of n-grams has no backbone")

    @property
    def details(self) -> Mapping[str, Any]:
        """What cross-validation tried and took."""
        chosen = self.probe.chosen
        trials = [
            {**_rules(one), "by_class": one.by_class, "inverse": one.inverse, "log_loss": loss}
            for one, loss in self.probe.trials.items()
        ]
        told = {**_rules(chosen), "by_class": chosen.by_class, "inverse": chosen.inverse, "steps": self.probe.steps}
        return {"method": "n-grams", **told, "grams": len(self.probe.inputs.known), "trials": trials}

    @property
    def inputs(self) -> TextInputs:
        """How its file takes texts."""
        return TextInputs(parts=(self.probe.inputs,))

    @property
    def graphs(self) -> tuple[GramGraph]:
        """What makes its logits, in the file."""
        probe = self.probe
        return (
            GramGraph(
                inputs=probe.inputs,
                frequency=probe.frequency,
                weight=probe.weight,
                bias=probe.bias,
                other=probe.other,
            ),
        )

    @property
    def records(self) -> Mapping[str, Any]:
        """What its file's record says of its parts."""
        rules = self.probe.inputs.rules
        return {"grams": GramRecord(words=rules.words, characters=rules.characters, across=rules.across)}

    @property
    def described(self) -> BackboneRecord:
        """What its file says in the place of a backbone."""
        known = self.probe.inputs.known
        return BackboneRecord(
            name="n-grams",
            embedding=max(1, len(known)),
            weights_source="the training texts themselves",
            weights_license="that of the texts",
            weights_fingerprint=hashlib.sha256(known.tobytes()).hexdigest(),
        )

    def head(self) -> Mapping[str, NDArray[np.float32]]:
        """The weights of the n-grams, as the model's table has them."""
        return {"classifier.weight": self.probe.weight, "classifier.bias": self.probe.bias}

    def logits(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Logits [n, K] of rows of the data set, before any calibration, as model.onnx will say."""
        return self._said.of(rows).logits[rows]

    def unknown(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """The share of the n-grams of each text that the model does not know, [n], in the steps in which the file tells it.

        Where more of what it knows is in another writing than most texts are, the share of that.
        """
        said = self._said.of(rows)
        strange = np.maximum(np.rint(said.unknown[rows] * STEPS) / STEPS, said.other[rows])
        return np.asarray(strange, dtype=np.float64)

    @cached_property
    def _said(self) -> _Said:
        return _Said(self.probe, self.texts)


class _Said:
    """What a classifier says of texts, each counted once when somebody asks; the counts are not kept."""

    def __init__(self, probe: NgramProbe, texts: Sequence[str], *, letters: int = _LETTERS) -> None:
        """`letters`: so many are counted at once."""
        self._probe, self._texts, self._letters = probe, texts, letters
        self.logits = np.zeros((len(texts), len(probe.bias)), dtype=np.float32)
        self.unknown = np.full(len(texts), np.nan)
        self.other = np.zeros(len(texts))

    def of(self, rows: NDArray[np.int64]) -> _Said:
        """With those rows filled in."""
        probe, missing = self._probe, rows[np.isnan(self.unknown[rows])]
        cleaned, done = CleanTexts(self._texts, missing.tolist()), 0
        for texts in in_parts(cleaned, most=_AT_ONCE, letters=self._letters) if len(missing) else ():
            part = missing[done : done + len(texts)]
            done += len(texts)
            counted = count_texts_in(texts, probe.inputs, probe.frequency)
            self.logits[part] = counted.matrix @ probe.weight.T + probe.bias
            self.unknown[part] = counted.unknown
            self.other[part] = strangeness_of_other(counted.matrix, probe.other, max(1, probe.inputs.rules.blocks))
        return self


def fit(settings: TrainSettings, dataset: Dataset, texts: Sequence[str], reporter: Reporter) -> NgramCandidate:
    """Fit on the train split; all that is chosen is chosen there, by cross-validation. Raises: DataError."""
    train = dataset.rows["train"]
    labels = np.asarray(dataset.targets[train], dtype=np.int64)
    with reporter.step("Fitting the classifier", None) as advance:
        probe = fit_ngrams(
            CleanTexts(texts, train.tolist()),
            labels,
            groups=dataset.groups[train],
            weights=picture_weights(labels, len(dataset.classes), settings.class_weights),
            classes=len(dataset.classes),
            seed=settings.seed,
            given=_given(settings),
            advance=advance,
        )
    return NgramCandidate(probe=probe, texts=texts, held_out=HeldOut(rows=train, logits=probe.held_out))


def _given(settings: TrainSettings) -> GivenGrams:
    """What was told of the classifier."""
    told, grams = settings.probe, settings.probe.grams
    return GivenGrams(
        words=lengths(grams.words),
        characters=lengths(grams.characters),
        by_class=grams.by_class,
        strength=told.strength,
        least=grams.least,
        most=grams.most,
    )


def lengths(told: str | None) -> tuple[int, ...] | None:
    """Lengths as a recipe has them: 2-5, 3, or none. Raises: SettingsError where they fall."""
    if told is None or told == "none":
        return None if told is None else ()
    first, _, last = told.partition("-")
    if int(last or first) < int(first):
        raise SettingsError(f"n-grams are to be {told} long, from more to fewer. Write it as {last}-{first}.")
    return tuple(range(int(first), int(last or first) + 1))


def _rules(trial: Any) -> dict[str, Any]:
    rules = trial.rules
    return {"words": list(rules.words), "characters": list(rules.characters), "across": rules.across}
