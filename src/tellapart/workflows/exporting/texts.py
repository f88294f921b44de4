"""A model of texts elsewhere: its file, and proof that texts become the same numbers. In: OpenRun. Out: Exported. Next: card.py.

The bundle has each step as numbers (texts.json, vocabulary.bin), golden texts with what each step makes of them, and code that does
the same, with a test that says which step differs first.
"""

from __future__ import annotations

import hashlib
import shutil
import time
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tellapart.bundle import Model, open_model
from tellapart.errors import SettingsError
from tellapart.export.begun import begun_folder, take_place
from tellapart.export.samples import read_sample
from tellapart.reporter import Reporter
from tellapart.runs.open import MODEL, OpenRun
from tellapart.runs.recipe import versions
from tellapart.runs.run_texts import read_texts
from tellapart.runtime import cores
from tellapart.storage import own_folder, storage_errors, write_bytes, write_json
from tellapart.texts.cleaning import MOST_LETTERS, UNSEEN, clean
from tellapart.texts.inputs import TextInputs, as_input
from tellapart.texts.ngrams import CONSTANTS
from tellapart.texts.vocabulary import STEPS, GramInputs
from tellapart.workflows.exporting.card import CARD, Exported, Port
from tellapart.workflows.rating.asking import ask_texts
from tellapart.workflows.rating.changed import changed
from tellapart.workflows.rating.rated import Rated, compute_of, rate

FORMAT = "onnx"
_SAMPLES = {"python": "python_texts", "javascript": "javascript_texts"}
_GOLDEN = 10  # of the test split
# What a program of one's own may do otherwise.
MADE = (
    "A Fine FILM, isn't it?",
    "\uff26\uff35\uff2c\uff2c width \u00df \u0130 \u03a3",
    "zero\u200bwidth\u202e and \x00 controls\n\tin lines",
    "\u65e0\u7a7a\u683c\u7684\u6587\u5b57",
    "\U0001f600 e\u0301 \u1e9e",
)


def check_texts(run: OpenRun, formats: Sequence[str], languages: Sequence[str]) -> GramInputs:
    """The n-grams of the run's model. Raises: SettingsError for what cannot be made of a model of texts."""
    for name in formats:
        if name != FORMAT:
            raise SettingsError(
                f"{name} is a format of networks that take pictures, and {run.folder} takes texts. Give --to onnx."
            )
    inputs = run.model.inputs
    grams = inputs.grams if isinstance(inputs, TextInputs) and len(inputs.parts) == 1 else None
    if grams is None:
        raise SettingsError(
            f"the model of {run.folder} is not of n-grams alone, and samples make n-grams ready. Use model.onnx by tellapart."
        )
    for language in languages:
        if language not in _SAMPLES:
            raise SettingsError(
                f"--for is {language!r}; of texts there are samples for {', '.join(_SAMPLES)}. Choose among these."
            )
    return grams


def export_texts(
    run: OpenRun,
    formats: Sequence[str],
    exports: Path,
    languages: Sequence[str],
    *,
    made: bool,
    reporter: Reporter,
    seed: int,
) -> Exported:
    """Write the file and its bundle, and test it on the run's test split. Raises: SettingsError, DataError, StorageError."""
    grams, began = check_texts(run, formats, languages), time.monotonic()
    read = read_texts(run, most=None, split="test")
    asked = ask_texts(read.examples, read.texts, run.manifest)
    if not asked.pictures:
        raise SettingsError(
            f"no test text of {run.folder} could be read again ({read.reason or 'it lists none'}). Say where they are: "
            "--pictures PATH."
        )
    before = _rated(run.model, run, asked, reporter, seed)
    texts = [*([] if made else read.texts[:_GOLDEN]), *MADE]
    home = exports / FORMAT
    with begun_folder(home) as begun:
        with storage_errors(begun):
            shutil.copyfile(run.file, begun / MODEL)
        write_proof(run.file, texts, begun / "proof", languages)
        found = Exported(
            format=FORMAT,
            path=home / MODEL,
            folder=home,
            rated=before,
            before=before,
            change=changed(before, before, asked, run.manifest, seed=seed),
            megabytes=run.file.stat().st_size / 1e6,
            inputs=[Port(name="tokens", type="int32", shape=("N", grams.height, "L"))],
            outputs=[Port(name="probabilities", type="float32", shape=("N", len(run.classes)))],
            versions=versions(),
            notes=["How a text becomes numbers: proof/texts.json and the samples beside it."],
            model_sha256=hashlib.sha256(run.file.read_bytes()).hexdigest(),
            seconds=time.monotonic() - began,
        )
        write_json(begun / CARD, found.card())
        take_place(begun, home)
    return found


def _rated(model: Model, run: OpenRun, asked: Any, reporter: Reporter, seed: int) -> Rated:
    return rate(
        compute_of(model),
        asked,
        run.manifest,
        megabytes=run.file.stat().st_size / 1e6,
        workers=cores(),
        batch=128,
        seed=seed,
        reporter=reporter,
        said="model.onnx",
    )


def write_proof(file: Path, texts: Sequence[str], folder: Path, languages: Sequence[str]) -> None:
    """Write the bundle of a model.onnx of n-grams into `folder`, with golden `texts`. Raises: ModelFileError, StorageError."""
    model = open_model(file)
    inputs = model.inputs
    assert isinstance(inputs, TextInputs)
    (grams,) = (part for part in inputs.parts if isinstance(part, GramInputs))
    own_folder(folder)
    write_json(folder / "texts.json", specification(model.manifest.classes, grams))
    write_bytes(folder / "vocabulary.bin", grams.known.astype("<u8").tobytes())
    with storage_errors(folder):
        shutil.copyfile(file, folder / MODEL)
    write_json(folder / "golden.json", [_golden(model, text) for text in texts])
    for language in languages:
        name = _SAMPLES[language]
        for part, code in read_sample(name).items():
            write_bytes(folder / language / part, code.encode())
    write_bytes(folder / "README.md", _README.encode())


def specification(classes: Sequence[str], grams: GramInputs) -> dict[str, Any]:
    """The steps from a text to the network's input, as numbers."""
    rules = grams.rules
    return {
        "classes": list(classes),
        "letters": MOST_LETTERS,
        "unseen": UNSEEN,
        "folds": _folds(),
        "words": list(rules.words),
        "characters": list(rules.characters),
        "across": rules.across,
        "steps": STEPS,
        "unicode": unicodedata.unidata_version,
        "constants": {name: f"{value:#x}" for name, value in CONSTANTS.items()},
    }


def _folds() -> dict[str, str]:
    """Characters that case folding makes other ones of than lowering does."""
    every = (chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)
    return {one: one.casefold() for one in every if one.casefold() != one.lower()}


def _golden(model: Model, text: str) -> dict[str, Any]:
    inputs = model.inputs
    assert isinstance(inputs, TextInputs)
    tokens = as_input([text], inputs)
    arrays = model.compute(tokens, ("probabilities", "novelty"))
    return {
        "text": text,
        "cleaned": clean(text),
        "tokens": tokens[0].tolist(),
        "probabilities": np.asarray(arrays["probabilities"][0], dtype=float).round(6).tolist(),
        "novelty": round(float(arrays["novelty"][0]), 6),
    }


_README = """# The proof that texts are made ready the same elsewhere

- `model.onnx`: takes `tokens`, int32 [N, B, L]; gives `probabilities` [N, K] and `novelty` [N].
- `texts.json`: the steps before it, with their numbers. `vocabulary.bin`: the known n-grams, 64 bits each, little-endian, in order.
- `golden.json`: texts with what each step makes of them. **Some are texts of yours** unless they were made: mind whom you pass
  them to.
- a folder a language: code that does the same. Test it: `cd python && python self_test.py`, `cd javascript && node self_test.js`.

The steps: 1 cleaning (unseen characters out, Unicode NFKC, controls to blanks, case folding, one blank between words); 2 n-grams,
each a number of 64 bits: of a run of characters the sum of mixed letters times powers of the base, of several words these mixed one
after the other; 3 their places in the vocabulary, each once, and first how much is not known, in steps; 4 the network.

Your own program: have it write what it makes of each golden text to a JSON file, and `python self_test.py mine.json` says which
step differs.
"""
