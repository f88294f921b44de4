"""A network of texts, ready to be trained. In: settings, texts. Out: Prepared. Next: word_rows.py."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.data.augment import Augment
from tellapart.data.augmentation import Augmentation
from tellapart.data.dataset import Dataset
from tellapart.data.examples import Split
from tellapart.errors import SettingsError
from tellapart.preprocessing import Preprocessing
from tellapart.reporter import Reporter, counted
from tellapart.settings.parts import TextNetworkSettings
from tellapart.settings.tree import TrainSettings
from tellapart.tasks.prepared import Prepared
from tellapart.tasks.text.networks.making import make_network
from tellapart.tasks.text.networks.plan import NAMES, NetworkPlan
from tellapart.tasks.text.word_candidate import GivenTexts
from tellapart.tasks.text.word_rows import WordRows
from tellapart.texts.cleaning import clean
from tellapart.texts.ngrams import Rules
from tellapart.texts.sequences import CHARACTERS, WORDS, WordInputs, learn_words, read_words
from tellapart.texts.vectors import WordVectors, read_vectors
from tellapart.texts.writing_systems import is_unspaced

LEARNING_RATES = {"adamw": 1e-3, "adam": 1e-3, "sgd": 5e-2, "rmsprop": 1e-3, "adagrad": 1e-2, "adadelta": 1.0}
EPOCHS = 12  # where neither epochs nor a budget are given
_MOST_EPOCHS = 100
_EMBEDDING, _FILTERS, _DEEP_FILTERS, _DROPOUT = 300, 100, 250, 0.5
_READING = 2e-5  # seconds, of an everyday text
_DRAWN = "drawn at random"
_SQUARE = Preprocessing(size=8, crop=1.0, interpolation="bilinear")  # idle


def prepare(settings: TrainSettings, dataset: Dataset, texts: Sequence[str], reporter: Reporter) -> Prepared:
    """The network of the settings, its words those of the training texts. Raises: DataError, SettingsError."""
    told = settings.network.text
    cleaned = [clean(text) for text in texts]
    train = [cleaned[row] for row in dataset.rows["train"].tolist()]
    rules = _rules(told, train, reporter)
    known, read = _vocabulary(told, train, rules, reporter)
    inputs = WordInputs(rules=rules, known=known, window=told.window)
    plan = _plan(settings, len(dataset.classes), len(known), read)
    rows = None if read is None else np.searchsorted(known, read.words)
    network = make_network(plan, seed=settings.seed, rows=rows, vectors=None if read is None else read.vectors)
    _tell_long(cleaned, inputs, reporter)
    sequences = read_words(cleaned, inputs)
    typical = max(1, int(np.median(sequences.lengths))) if len(sequences) else 1
    return Prepared(
        strategy="scratch",
        network=network,
        name=plan.name,
        source=_DRAWN if told.vectors is None else f"vectors of {Path(told.vectors).name}, the rest {_DRAWN}",
        license="yours" if told.vectors is None else "that of the vectors",
        preprocessing=_SQUARE,
        augment=Augment(augmentation=Augmentation(), size=_SQUARE.size),
        learning_rate=LEARNING_RATES[settings.loop.optimizer],
        epochs=EPOCHS,
        most_epochs=_MOST_EPOCHS,
        shape=(typical,),
        facts=_facts(inputs, read),
        title=f"Training {plan.name}",
        given=GivenTexts(plan=plan, inputs=inputs, sequences=sequences, texts=texts),
        reading=_READING,
    )


def rows_of_split(
    dataset: Dataset, split: Split, prepared: Prepared, *, augment: Augment | None, seed: int
) -> WordRows:
    """The texts of a split, alike in every epoch."""
    given: GivenTexts = prepared.given
    return WordRows(sequences=given.sequences.of_rows(dataset.rows[split]), nothing=len(given.inputs.known))


def _rules(told: TextNetworkSettings, train: Sequence[str], reporter: Reporter) -> Rules:
    if told.unit is not None:
        return WORDS if told.unit == "words" else CHARACTERS
    if is_unspaced(train):
        reporter.say(
            "Texts are read character by character: most letters are of writing systems whose words do not stand apart. "
            "--set network.text.unit=words says otherwise."
        )
        return CHARACTERS
    return WORDS


def _vocabulary(
    told: TextNetworkSettings, train: Sequence[str], rules: Rules, reporter: Reporter
) -> tuple[NDArray[np.uint64], WordVectors | None]:
    """The words to know, and what a file says of them: its words are known even where one text alone has them."""
    if told.vectors is None:
        return learn_words(train, rules, most=told.vocabulary), None
    every = learn_words(train, rules, most=told.vocabulary, single=True)
    read = read_vectors(Path(told.vectors), known=every, rules=rules)
    if told.embedding not in (None, read.width):
        raise SettingsError(
            f"network.text.embedding is {told.embedding}, and the vectors in {told.vectors} have {read.width} numbers. "
            "Leave the embedding out."
        )
    if read.bad_count:
        lines = "; ".join(f"line {number:,}: {why}" for number, why in read.bad)
        reporter.warn(f"{counted(read.bad_count, 'line')} of {told.vectors} passed over: {lines}.")
    known = learn_words(train, rules, most=told.vocabulary, rare=read.words)
    share = len(read.words) / max(1, len(known))
    reporter.say(
        f"{len(read.words):,} of {len(known):,} known words have a vector in {told.vectors} ({100 * share:.0f} %)."
    )
    if not len(read.words):
        raise SettingsError(
            f"no word of the training texts has a vector in {told.vectors}. Give vectors of their language."
        )
    return known, read


def _plan(settings: TrainSettings, classes: int, known: int, read: WordVectors | None) -> NetworkPlan:
    told, network = settings.network.text, settings.network
    name = next((one for one in NAMES if one == network.name), NAMES[0])
    filters = told.filters or (_FILTERS if name == "text_cnn" else _DEEP_FILTERS)
    return NetworkPlan(
        name=name,
        classes=classes,
        known=known,
        channels=told.channels or ("random" if read is None else "tuned"),
        embedding=read.width if read is not None else told.embedding or _EMBEDDING,
        widths=told.widths,
        filters=filters,
        depth=told.depth,
        dropout=_DROPOUT if network.dropout is None else network.dropout,
        max_norm=told.max_norm,
    )


def _tell_long(cleaned: Sequence[str], inputs: WordInputs, reporter: Reporter) -> None:
    window, unit = inputs.window, inputs.unit
    long = sum(1 for text in cleaned if inputs.beyond(text))
    if long:
        reporter.warn(
            f"{long:,} of {len(cleaned):,} texts are longer than the network's window of {window:,} {unit}: what comes after is "
            "not looked at. --set network.text.window=N looks further, and takes longer."
        )


def _facts(inputs: WordInputs, read: WordVectors | None) -> dict[str, Any]:
    """What the training's result depends on beside the settings."""
    facts = {"words": hashlib.sha256(inputs.known.tobytes()).hexdigest()}
    if read is not None:
        facts["vectors"] = hashlib.sha256(read.words.tobytes() + read.vectors.tobytes()).hexdigest()
    return facts
