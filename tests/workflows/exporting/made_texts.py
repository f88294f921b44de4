"""A model of texts with every part, and its bundle. In: a folder. Out: model.onnx, proof/."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tellapart.export.ngrams import GramGraph
from tellapart.export.sentences import SentenceGraph
from tellapart.export.sequences import WordGraph
from tellapart.export.text_golden import golden_texts
from tellapart.export.texts import TextGraph, assemble_texts
from tellapart.features.sentence_network import open_sentence_network
from tellapart.records_text import GramRecord, PieceRecord, TextRecord, WordRecord
from tellapart.texts.cleaning import clean
from tellapart.texts.ngrams import Rules
from tellapart.texts.sequences import CHARACTERS, WORDS, WordInputs, learn_words
from tellapart.training.ngram_counts import learn_grams
from tellapart.workflows.exporting.texts import write_proof
from tests.export.test_ngrams import manifest
from tests.features.made_sentences import write_network

TEXTS = ["a fine film", "so dull", "fine weather \u65e0\u7a7a\u683c", "d\u00fcll stra\u00dfe, isn't it?"]
LANGUAGES = ("python", "javascript", "c++", "java", "csharp")
K = 3


def grams(rules: Rules, chance: np.random.Generator) -> tuple[GramGraph, GramRecord]:
    inputs, frequency = learn_grams([clean(text) for text in golden_texts(TEXTS, 9)], rules, least=1)
    weight = chance.normal(size=(K, len(inputs.known))).astype(np.float32)
    record = GramRecord(words=rules.words, characters=rules.characters, across=rules.across)
    return GramGraph(inputs=inputs, frequency=frequency, weight=weight, bias=np.zeros(K, np.float32)), record


def words(unit: str, chance: np.random.Generator) -> tuple[WordGraph, WordRecord]:
    rules = WORDS if unit == "words" else CHARACTERS
    inputs = WordInputs(rules=rules, known=learn_words(TEXTS, rules, most=100, single=True), window=8)
    shapes = {"table": (len(inputs.known) + 2, 5), "convolution.0.weight": (4, 5, 2), "convolution.0.bias": (4,)}
    shapes |= {"classifier.weight": (K, 4), "classifier.bias": (K,)}
    weights = {name: chance.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    return WordGraph(inputs=inputs, network="text_cnn", weights=weights), WordRecord(unit=unit, window=8)  # type: ignore[arg-type]


def sentences(folder: Path, chance: np.random.Generator) -> tuple[SentenceGraph, PieceRecord]:
    known = (
        "fine",
        "film",
        "dull",
        "##ly",
        "resume",
        "naive",
        "\u65e0",
        "isn",
        "'",
        "t",
        "$",
        "a",
        "\u03c3\u03b1\u03c3",
    )
    write_network(folder / "tiny", {word: chance.normal(size=3).round(3).tolist() for word in known})
    network = open_sentence_network(str(folder / "tiny"))
    graph = SentenceGraph(
        network=network,
        weight=chance.normal(size=(K, 3)).astype(np.float32),
        bias=np.zeros(K, np.float32),
        novelty={
            "least_length": np.array([1e-6], dtype=np.float32),
            "centre": np.zeros(3, dtype=np.float32),
            "directions": np.eye(3, dtype=np.float32),
            "scales": np.ones(3, dtype=np.float32),
            "means": np.zeros((1, 3), dtype=np.float32),
            "residual_scale": np.array([1.0], dtype=np.float32),
        },
    )
    own = network.inputs
    told = {name: getattr(own, name) for name in PieceRecord.model_fields if name != "network"}
    return graph, PieceRecord(network="tiny", **told)


def write_model(folder: Path, kinds: tuple[str, ...]) -> Path:
    """A model with these parts: "grams", "across" (n-grams of characters), "pieces", "words", "characters"."""
    chance = np.random.default_rng(0)
    graphs: list[TextGraph] = []
    records: dict[str, Any] = {}
    for kind in kinds:
        graph: TextGraph
        if kind in ("grams", "across"):
            rules = Rules(characters=(1, 2), across=True)
            graph, records["grams"] = grams(
                rules if kind == "across" else Rules(words=(1, 2), characters=(2, 3)), chance
            )
        elif kind == "pieces":
            graph, records["pieces"] = sentences(folder, chance)
        else:
            graph, records["words"] = words(kind, chance)
        graphs.append(graph)
    data = assemble_texts(
        graphs,
        temperatures=[1.0] * len(graphs),
        novelty_scale=2.0,
        classes=K,
        manifest=manifest(record=TextRecord(temperature=1.5, **records)),
    )
    (folder / "model.onnx").write_bytes(data)
    return folder / "model.onnx"


def write_bundle(folder: Path, kinds: tuple[str, ...]) -> Path:
    """The bundle of such a model, with every sample."""
    write_proof(write_model(folder, kinds), golden_texts(TEXTS, 9), folder / "proof", LANGUAGES)
    return folder / "proof"
