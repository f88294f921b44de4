"""The bundle that proves a model of texts elsewhere. In: a model, texts, languages. Out: a folder. Next: card.py.

It has each step as numbers (texts.json and vocabularies), golden texts with what each step makes of them, and code that does the
same, with a test that says which step differs first.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tellapart.bundle import Model, open_model
from tellapart.export.samples import READ_JSON, TEXT_SAMPLES, check_languages, told_tests, write_text_samples
from tellapart.export.table import Format
from tellapart.export.text_golden import golden, golden_texts
from tellapart.export.text_lines import golden_as_lines, steps_as_lines
from tellapart.export.text_specification import text_specification, vocabularies
from tellapart.export.unicode_table import unicode_table
from tellapart.runs.open import MODEL, OpenRun
from tellapart.runs.run_texts import read_texts
from tellapart.storage import own_folder, storage_errors, write_bytes, write_json
from tellapart.texts.inputs import TextInputs
from tellapart.workflows.exporting.browser import PROOF, write_page
from tellapart.workflows.exporting.proof import copy_linked

_GOLDEN = 10  # of the test split


@dataclass(frozen=True, kw_only=True)
class TextProof:
    """The bundle of one export of a model of texts; see Proof."""

    run: OpenRun
    languages: Sequence[str]
    made_pictures: bool  # none of the user's texts is in it
    web_runtime: Path | None

    def add(self, form: Format, folder: Path, work: Path) -> None:
        """Put the bundle into a format's folder; `work` keeps it for the next one. Raises: SettingsError, StorageError."""
        bundle = work / PROOF
        if not bundle.is_dir():
            write_proof(self.run.file, self._texts, bundle, self.languages)
        copy_linked(bundle, folder / PROOF)
        if form.page and self.web_runtime is not None:
            write_page(folder, open_model(self.run.file), self.web_runtime)

    @cached_property
    def _texts(self) -> list[str]:
        own = [] if self.made_pictures else read_texts(self.run, most=None, split="test").texts
        return golden_texts(own, _GOLDEN)


def write_proof(file: Path, texts: Sequence[str], folder: Path, languages: Sequence[str]) -> None:
    """Write the bundle of a model.onnx of texts into `folder`, with golden `texts`.

    Raises: SettingsError for a language without a sample; ModelFileError, StorageError.
    """
    wanted, model = check_languages(languages, TEXT_SAMPLES), open_model(file)
    inputs = _inputs(model)
    own_folder(folder)
    told = text_specification(model.manifest.classes, inputs)
    write_json(folder / "texts.json", told)
    for name, data in vocabularies(inputs).items():
        write_bytes(folder / name, data)
    with storage_errors(folder):
        shutil.copyfile(file, folder / MODEL)
    proved = golden(texts, inputs, lambda tokens: model.compute(tokens, ("probabilities", "novelty")))
    write_json(folder / "golden.json", proved)
    if set(wanted) - READ_JSON:
        write_bytes(folder / "steps.txt", steps_as_lines(told).encode())
        write_bytes(folder / "golden.txt", golden_as_lines(proved).encode())
        write_bytes(folder / "unicode.txt", unicode_table().encode())
    write_text_samples(wanted, folder)
    write_bytes(folder / "README.md", _readme(model, len(texts), wanted).encode())


def _inputs(model: Model) -> TextInputs:
    if not isinstance(model.inputs, TextInputs):
        raise ValueError(f"{model.path} takes no texts")
    return model.inputs


def _readme(model: Model, count: int, languages: Sequence[str]) -> str:
    """What a stranger finds in the folder."""
    tests = told_tests(languages, TEXT_SAMPLES)
    return _README.format(
        name=model.manifest.data.name,
        height=_inputs(model).height,
        count=count,
        tests=tests or "No sample was asked for (--for).",
    )


_README = """# {name}: the model, and the proof that texts are made ready the same elsewhere

- `model.onnx`: takes `tokens`, int32 [N, {height}, L]; gives `probabilities` [N, K] and `novelty` [N].
- `texts.json`: the steps before it, with their numbers. `vocabulary.bin` and `words.bin`: known n-grams and words, 64 bits each,
  little-endian, in order; `pieces.txt`: word pieces, a line each, in the order of their numbers.
- `golden.json`: {count} texts with what each step makes of them. **Some are texts of yours** unless they were made: mind whom you
  pass them to.
- `steps.txt`, `golden.txt`, `unicode.txt`, where a language without JSON was asked for: the same as lines, and what Unicode says of
  characters in the version that this model was made with.
- a folder a language: code that does the same, and a test of it.

## Test

{tests}

## The steps

1. Cleaning: the first letters, unseen characters out, Unicode NFKC, controls to blanks, case folding, one blank between words. Word
   pieces begin with the text as it is, by rules of their own.
2. What a part of the model looks at: n-grams, or words in their order, each a number of 64 bits (of a run of characters the sum of
   mixed letters times powers of the base; of several words these mixed one after the other); or words to be cut into pieces.
3. Their places in the vocabulary. Of n-grams each once, in order, and first how much is not known, in steps; of words the first
   `window`; of pieces the longest that are known, from each word's beginning on.
4. The network. The rows of all parts stand below each other, each filled up by its `padding` to the longest.

Your own program: have it write what it makes of each golden text to a JSON file, and `python self_test.py mine.json` says which
step differs.
"""
