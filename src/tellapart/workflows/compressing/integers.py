"""The network in 8-bit integers or halves, as steps. In: Compressible. Out: Compressible. Next: concluding.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tellapart.compression.float16 import halve
from tellapart.compression.int8 import PICTURES, Int8
from tellapart.compression.noise import added_noise
from tellapart.errors import CompressionMissed, ExportError, SettingsError
from tellapart.evaluation.choosing import Candidate, Validated
from tellapart.manifest import CompressionStep
from tellapart.reporter import counted
from tellapart.workflows.compressing.compressible import Compressible
from tellapart.workflows.rating.asking import ask_split

if TYPE_CHECKING:
    from tellapart.compression.aware import AsModule, Aware

_LOOKED_AT = 8  # training pictures, by which layers are ranked
_LEARNED_FROM, _FEWEST = 512, 32  # training pictures, where weights learn to be rounded; of this side at most so many:
_USUAL_SIZE = 224  # pixels
_MOST_SPARED = 0.5  # of the layers
MOST_LOST = 0.2  # points of the validation figure, in per cent


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    """A network with some layers in float32, judged by the validation split."""

    network: bytes
    weights: Int8  # that it was made of
    spared: tuple[str, ...]
    figure: float  # in [0, 1]
    loss: float | None


def to_int8(
    work: Compressible, *, most_lost: float | None = None, qat: bool = False, kept: Path | None = None
) -> Compressible:
    """In integers, but for the layers that hurt most, so many that the validation figure falls by `most_lost` points at most.

    None: by 0.2 points or one validation picture, and where half the layers in float32 do not suffice, as little as can be.
    With `qat`, or where sparing layers does not suffice, the weights first learn to be rounded; the folder `kept` has the
    epochs that an earlier process did before it was stopped.
    Raises: CompressionMissed where all that does not suffice for what was told; SettingsError, where `qat` cannot be; DataError.
    """
    bound = _usual_bound(work) if most_lost is None else most_lost
    inputs = _inputs(work, PICTURES)
    with work.reporter.step("Learning the ranges of values", 1) as advance:
        network = Int8(work.network, inputs)
        advance(1)
    before, aware = _judged(work, work.network), None
    trial = None if qat else _within(work, network, before, inputs, bound)
    if trial is None or _lost(before, trial) > bound:
        try:
            aware = _aware(work, network, kept)
        except ExportError as error:
            if trial is None:
                raise SettingsError(f"--qat cannot train this network: {error} Or leave --qat out.") from None
    if aware is not None:
        other = _within(work, network.with_weights(aware.network), before, inputs, bound)
        trial = other if trial is None or other.figure > trial.figure else trial
    assert trial is not None
    if most_lost is not None and _lost(before, trial) > bound:
        raise _missed(before, trial, len(network.candidates), bound)
    learned = aware if aware is not None and trial.weights is not network and aware.after < aware.before else None
    return work.with_network(trial.network, _int8_step(network, inputs, before, trial, learned))


def _int8_step(
    network: Int8, inputs: NDArray[np.uint8], before: Validated[Candidate], trial: _Trial, aware: Aware | None
) -> CompressionStep:
    left = len(network.candidates) - len(trial.spared)
    # In one clause: what is done besides follows behind semicolons.
    told = (
        f"{left} of {counted(len(network.layers), 'layer')} with weights in 8-bit integers, with ranges from "
        f"{counted(len(inputs), 'training picture')}, {before.figure_name.replace('_', ' ')} on validation "
        f"{100 * before.figure:.2f} % before and {100 * trial.figure:.2f} % after"
    )
    if aware is not None:
        taught = "weights that have learned to be rounded"
        told = f"{told}; {taught}"
    facts = {
        "layers": len(network.layers),
        "in_integers": left,
        "spared": list(trial.spared),
        "pictures": len(inputs),
        "validation": {
            "name": before.figure_name,
            "before": before.figure,
            "after": trial.figure,
            **_losses(before, trial),
        },
        **({} if aware is None else {"aware": {"distance_before": aware.before, "distance_after": aware.after}}),
    }
    return CompressionStep(kind="int8", told=told, facts=facts)


def _aware(work: Compressible, network: Int8, kept: Path | None) -> Aware:
    """The network with weights that have learned to be rounded. Raises: ExportError where torch cannot run it."""
    from tellapart.compression.aware import Aware, AwareTerms, batches_of, made_aware

    size, usual = work.run.preprocessing.size, AwareTerms()
    less = min(1.0, (_USUAL_SIZE / size) ** 2)  # of pictures of many pixels fewer fit into memory, and take as long
    inputs = _inputs(work, max(_FEWEST, round(less * _LEARNED_FROM)))
    batch = max(1, round(less * usual.batch))
    terms = replace(usual, batch=batch, at_once=max(1, round(less * batch)), seed=work.run.settings.seed)
    if len(inputs) < 2:
        return Aware(network=work.network, before=0.0, after=0.0)
    with work.reporter.step("Learning to be rounded", batches_of(len(inputs), terms)) as advance:
        found = made_aware(work.network, network, inputs, _as_module(size), terms, advance, kept)
    work.reporter.say(f"distance of the integers from the float network: {found.before:.4f}, then {found.after:.4f}")
    return found


def _as_module(size: int) -> AsModule:
    """A graph as a torch module; the sizes that it works out from its maps are given in numbers, of pictures of `size` pixels."""
    import onnx

    from tellapart.export.graph_sizes import fix_sizes
    from tellapart.export.torch_graph import OnnxNetwork

    def made(graph: bytes, more: Mapping[str, Any]) -> OnnxNetwork:
        model = onnx.load_model_from_string(graph)
        fix_sizes(model, size)
        return OnnxNetwork(model.SerializeToString(), more)

    return made


def to_float16(work: Compressible) -> Compressible:
    """With its weights kept in half the bytes; it goes on computing in float32."""
    return work.with_network(
        halve(work.network),
        CompressionStep(kind="float16", told="weights kept in 16 bits; the network computes in 32"),
    )


def _inputs(work: Compressible, most: int) -> NDArray[np.uint8]:
    """Training pictures as the network gets them, or their tiles, uint8 [n, S, S, 3], at most so many."""
    asked = ask_split(work.run, "train", work.work, work.reporter, most=most)
    places = np.unique(np.linspace(0, len(asked.inputs) - 1, min(len(asked.inputs), most)).astype(np.int64))
    return np.asarray(asked.inputs[places])


def _judged(work: Compressible, network: bytes) -> Validated[Candidate]:
    candidate = work.candidate if network is work.network else work.with_network(network).candidate
    return work.task.validate(candidate, work.dataset)


def _try(work: Compressible, network: Int8, spared: Sequence[str]) -> _Trial:
    made = network.made(spared)
    found = _judged(work, made)
    loss = float(found.losses.mean()) if len(found.losses) else None
    return _Trial(network=made, weights=network, spared=tuple(spared), figure=found.figure, loss=loss)


def _within(
    work: Compressible, network: Int8, before: Validated[Candidate], inputs: NDArray[np.uint8], bound: float
) -> _Trial:
    """All layers in integers; where that loses more than `bound` points, fewer."""
    trial = _try(work, network, ())
    return trial if _lost(before, trial) <= bound else _spare(work, network, before, trial, inputs, bound)


def _lost(before: Validated[Candidate], trial: _Trial) -> float:
    """Points of the figure, in per cent."""
    return 100 * (before.figure - trial.figure)


def _losses(before: Validated[Candidate], trial: _Trial) -> dict[str, float]:
    if trial.loss is None:
        return {}
    return {"log_loss_before": float(before.losses.mean()), "log_loss_after": trial.loss}


def _spare(
    work: Compressible,
    network: Int8,
    before: Validated[Candidate],
    none_spared: _Trial,
    inputs: NDArray[np.uint8],
    most_lost: float,
) -> _Trial:
    """More and more layers in float32, those that hurt most first, until no more is lost; else what loses least."""
    order = by_harm(work, network, network.made(), inputs[:_LOOKED_AT])
    most = int(_MOST_SPARED * len(order))
    best = none_spared
    with work.reporter.step("Sparing the layers that hurt most", most) as advance:
        count = 1
        while count <= most:
            trial = _try(work, network, order[:count])
            if trial.figure > best.figure:
                best = trial
            if _lost(before, trial) <= most_lost:
                return trial
            step = max(1, count // 2)
            advance(min(step, most - count + 1))
            count += step
    return best


def _usual_bound(work: Compressible) -> float:
    """In points: fewer than one picture cannot be lost."""
    return max(MOST_LOST, 100 / max(1, len(work.dataset.rows["validation"])))


def _missed(before: Validated[Candidate], best: _Trial, layers: int, most_lost: float) -> CompressionMissed:
    most = int(_MOST_SPARED * layers)
    name = before.figure_name.replace("_", " ")
    return CompressionMissed(
        f"in 8-bit integers {name} on validation falls by {_lost(before, best):.2f} points, even with {counted(most, 'layer')} "
        f"left in float32; at most {most_lost:g} were allowed. Give a higher --most-lost, or --float16 alone."
    )


def by_harm(work: Compressible, network: Int8, made: bytes, inputs: NDArray[np.uint8]) -> list[str]:
    """The layers in integers, the one that adds most noise first; `made` is the network with all of them so."""
    noise = added_noise(work.network, made, inputs)
    return sorted((one.name for one in network.candidates), key=lambda name: -noise.get(name, 0.0))
