"""A model of texts made smaller. In: a finished run. Out: another run, before and after. Next: concluding_texts.py.

Weights are kept in half the bytes, or those of networks in a quarter; n-grams that say least are left out, and what decides behind
them is learned anew on the validation split. Nothing is computed in whole numbers: n-grams and words are looked up, not multiplied.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import Manifest
from tellapart.compression.float16 import halve
from tellapart.data.dataset import Dataset
from tellapart.errors import SettingsError
from tellapart.evaluation.choosing import HeldOut, only
from tellapart.explanation.word_votes import read_table
from tellapart.export.assemble import sealed
from tellapart.manifest import CompressionStep
from tellapart.models.kept_weights import in_eight_bits
from tellapart.reporter import Reporter, counted
from tellapart.runs.open import OpenRun
from tellapart.runs.run_texts import texts_by_content
from tellapart.storage import storage_errors
from tellapart.tasks.table import task_of
from tellapart.texts.cleaning import clean
from tellapart.texts.inputs import TextInputs
from tellapart.texts.vocabulary import GramInputs
from tellapart.training.ngram_counts import count_texts_in
from tellapart.training.ngram_probe import NgramProbe, NgramTrial
from tellapart.workflows.compressing.compressible import dataset_of
from tellapart.workflows.compressing.concluding import Compressed
from tellapart.workflows.compressing.concluding_texts import SmallerTexts, conclude_texts

_WON = 0.9  # of the bytes that a model has; what saves less costs more than it is worth
_NOT = {
    "qat": "nothing of it is computed in integers",
    "most_lost": "it is of --int8, and nothing of a model of texts is computed in integers",
    "distill": "a teacher is asked about pictures",
    "unlabelled": "a teacher is asked about pictures",
    "epochs": "what is left of its n-grams is not trained again",
}


def refuse_others(given: Mapping[str, Any]) -> None:
    """Raises: SettingsError for what a model of texts has no use for."""
    for name, why in _NOT.items():
        if given.get(name):
            raise SettingsError(
                f"--{name.replace('_', '-')} was asked for, and this is a model of texts: {why}. --float16 halves its weights, "
                "--int8 keeps those of its networks in 8 bits, and --prune leaves out n-grams that say least."
            )


def compress_texts(
    run: OpenRun, out: Path, *, float16: bool, int8: bool, prune: float | None, reporter: Reporter
) -> Compressed:
    """Make a finished run's model smaller, and write it as a run of its own to `out`.

    `prune` is the share of its n-grams that goes, those first that say least; `float16` keeps weights in half the bytes, `int8`
    those of its networks in a quarter. Raises: SettingsError, DataError, ModelFileError, StorageError.
    """
    if int8:
        _check_int8(run, float16=float16)
    found = texts_by_content(run)
    dataset = dataset_of(run, task_of(run.manifest.task), there=lambda one: one.content_hash in found)
    texts = [found[run.examples[index].content_hash] for index in dataset.indices.tolist()]
    with storage_errors(run.file):
        before = run.file.read_bytes()
    made = SmallerTexts(model=before, manifest=run.manifest, steps=())
    if prune is not None:
        with reporter.step("Leaving out n-grams", 1) as advance:
            made = _pruned(run, dataset, texts, prune)
            advance(1)
    if int8:
        made = _in_eight_bits(run, made)
    if float16:
        made = _halved(made)
    return conclude_texts(run, dataset, texts, before, made, out, reporter)


def _counted(run: OpenRun) -> str | None:
    """What the names of the weights of n-grams begin with; None where the model has none."""
    inputs = run.model.inputs
    parts = inputs.parts if isinstance(inputs, TextInputs) else ()
    place = next((place for place, part in enumerate(parts) if isinstance(part, GramInputs)), None)
    return None if place is None else (f"part{place}." if len(parts) > 1 else "")


def _check_int8(run: OpenRun, *, float16: bool) -> None:
    """Raises: SettingsError for a model without a network, or for both ways at once."""
    if _counted(run) == "":
        raise SettingsError(
            "--int8 was asked for, and this is a model of n-grams alone: they are looked up, and integers would make nothing "
            "quicker. --float16 halves its weights, and --prune leaves out n-grams that say least."
        )
    if float16:
        raise SettingsError(
            "--int8 and --float16 were asked for, and of a model of texts both keep the same weights in fewer bytes. Give one of "
            "them."
        )


def _in_eight_bits(run: OpenRun, made: SmallerTexts) -> SmallerTexts:
    own = _counted(run)
    model = in_eight_bits(
        made.model, but=lambda name: ("novelty." in name) or (own is not None and name.startswith(own))
    )
    if len(model) > _WON * len(made.model):
        raise SettingsError(
            f"--int8 would make the {len(made.model) / 1e6:.1f} MB of {run.file} {len(model) / 1e6:.1f} MB: its weights are in "
            "8 bits already, or too few. Leave it as it is."
        )
    step = CompressionStep(kind="int8_weights", told="weights of its networks are kept in 8 bits, with a scale a row")
    return replace(made, model=_sealed(model, made.manifest), steps=(*made.steps, step))


def _halved(made: SmallerTexts) -> SmallerTexts:
    step = CompressionStep(kind="float16", told="weights are kept in 16 bits")
    return replace(made, model=_sealed(halve(made.model), made.manifest), steps=(*made.steps, step))


def _sealed(graph: bytes, manifest: Manifest) -> bytes:
    import onnx

    return sealed(onnx.load_model_from_string(graph), manifest)


def _pruned(run: OpenRun, dataset: Dataset, texts: list[str], share: float) -> SmallerTexts:
    """Without the share of n-grams that say least: the largest lead that one gives a class, times the texts that have it."""
    from tellapart.tasks.text.probing import NgramCandidate

    table, inputs, task = read_table(run.model), run.model.inputs, task_of(run.manifest.task)
    grams = inputs.grams if isinstance(inputs, TextInputs) and len(inputs.parts) == 1 else None
    if table is None or grams is None:
        raise SettingsError(
            "--prune leaves out n-grams that say least, and this model of texts is not of n-grams alone. --float16 halves its "
            "weights."
        )
    votes, squares, bias, other = table
    frequency = np.sqrt(squares)
    said = np.abs(votes - votes.mean(axis=1, keepdims=True)).max(axis=1) * np.exp(
        -frequency
    )  # e^-idf is how many texts have it
    kept = np.sort(np.argsort(-said, kind="stable")[: max(1, round((1 - share) * len(said)))])
    smaller = replace(grams, known=grams.known[kept])
    weight = np.ascontiguousarray((votes / np.maximum(frequency, 1e-9)[:, None])[kept].T, dtype=np.float32)
    rows = dataset.rows["train"]
    probe = NgramProbe(
        inputs=smaller,
        frequency=frequency[kept],
        weight=weight,
        bias=bias,
        counted=count_texts_in([clean(texts[row]) for row in rows.tolist()], smaller, frequency[kept]),
        chosen=NgramTrial(smaller.rules, True, 1.0),
        trials={},
        held_out=_nothing(len(rows), len(bias)),
        steps=0,
        other=None if other is None or not other[kept].any() else other[kept],
    )
    candidate: Any = NgramCandidate(
        probe=probe, texts=texts, held_out=HeldOut(rows=rows[:0], logits=_nothing(0, len(bias)))
    )
    choice = task.correct(run.settings, only(task.validate(candidate, dataset)), dataset)
    tested = task.test(run.settings, choice, dataset)
    manifest = run.manifest.model_copy(
        update={
            "backbone": run.manifest.backbone.model_copy(update={"embedding": max(1, len(kept))}),
            "scores": tested.scores,
            "scores_without_leaked": tested.scores_without_leaked,
            "record": tested.record,
        }
    )
    gone = len(said) - len(kept)
    step = CompressionStep(
        kind="pruned",
        told=f"{counted(gone, 'n-gram')} of {len(said):,} that say least left out",
        facts={"grams_before": len(said), "grams_after": len(kept)},
    )
    return SmallerTexts(model=task.export(choice, tested, manifest), manifest=manifest, steps=(step,), tested=tested)


def _nothing(count: int, classes: int) -> NDArray[np.float32]:
    return np.full((count, classes), np.nan, dtype=np.float32)
