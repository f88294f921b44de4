"""A network cut step by step, which learns after each from what it was. In: Compressible. Out: Compressible. Next: distilled.py."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn

from tellapart.compression.costs import multiply_adds
from tellapart.compression.pruning import NEARLY, PruningStep, PruningTerms, prune
from tellapart.compression.sensitivity import Cut, PruningSubject
from tellapart.manifest import CompressionStep
from tellapart.models.overheard import Overheard
from tellapart.models.trainable import Trainable
from tellapart.models.weights import read_weights
from tellapart.reporter import percent
from tellapart.storage import write_bytes, write_json
from tellapart.training.distilling import Lore, Taught, Teacher, outputs_loss
from tellapart.training.teachers import NetworkTeacher
from tellapart.workflows.compressing.compressible import Compressible
from tellapart.workflows.compressing.opened import LearnableNetwork, close_network, fill, open_network, tensors_of
from tellapart.workflows.compressing.taught import Course, Pupils, gather_pupils, teach
from tellapart.workflows.learning.processes import join

LEARNING_RATE = 3e-5  # little is wrong after a cut; at 1e-4 lite0 on a probe ended farther away than it began
LAST_RATE = 1e-4  # where there is time to come back
READ, JUDGED, BATCH = 224, 64, 32  # training pictures that cuts are worked out from, and others that they are judged by
USUAL_SIZE = 224  # pixels; of larger pictures fewer are looked at
_STATE = "pruning.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneTerms:
    """How much goes, and how long the network learns."""

    share: float  # of the multiply-adds, in (0, 1)
    step_epochs: int = 1
    last_epochs: int = 6
    learning_rate: float = LEARNING_RATE
    last_rate: float = LAST_RATE  # of the training that ends it
    mixed: float = 1.0  # pictures mixed of two training pictures in that, for each of these
    step: float = 0.15


def to_pruned(work: Compressible, terms: PruneTerms, folder: Path) -> Compressible:
    """Cut until the share is saved, each cut followed by training; `folder` keeps what a killed one goes on from.

    Raises: SettingsError, TrainingError, BackboneError, StorageError, DataError.
    """
    if work.task.head is not None:  # pictures are mixed for a task whose targets stay as they are
        terms = replace(terms, mixed=0.0)
    opened = open_network(work)
    pruning = _Pruning(work, opened, gather_pupils(work, opened), terms, folder)
    steps = pruning.run()
    left = sum(multiply_adds(opened.network, pruning.subject.sample).values())
    saved = 1 - left / pruning.whole
    if saved < terms.share - NEARLY:
        work.reporter.warn(
            f"{percent(terms.share)} of the multiply-adds were to go, and only {percent(saved)} could: what is left is read by "
            "layers that need all of it. Choose a smaller backbone for more."
        )
    told = told_of(steps, saved, taught=pruning.taught, heard=opened.heard is not None)
    facts = {
        "wanted": terms.share,
        "saved": saved,
        "steps": [asdict(step) for step in steps],
        "last": {"epochs": terms.last_epochs, "mixed": terms.mixed},
    }
    return close_network(work, opened, CompressionStep(kind="pruned", told=told, facts=facts))


def told_of(steps: Sequence[PruningStep], saved: float, *, taught: bool, heard: bool) -> str:
    """The story of a pruning in a sentence. `taught`: a training was kept; `heard`: the embedding was learned too."""
    cuts = [cut for step in steps for cut in step.cuts]
    told = (
        f"{percent(saved)} of the multiply-adds left out in {len(steps)} step{'' if len(steps) == 1 else 's'}, "
        f"{sum(cut.kind == 'block' for cut in cuts)} blocks and channels of "
        f"{len({cut.path for cut in cuts if cut.kind == 'channels'})} layers"
    )
    how = "what is left was fitted to the network that it was, and training brought it no nearer"
    if taught and heard:
        how = "what it says and its embedding learned from the network that it was"
    elif taught:
        how = "what it says learned from the network that it was"
    return f"{told}; {how}"


class _Pruning:
    """A pruning under way. What must survive a kill is in the folder: the steps, and the weights after the last cut."""

    def __init__(
        self, work: Compressible, opened: LearnableNetwork, pupils: Pupils, terms: PruneTerms, folder: Path
    ) -> None:
        self.work, self.opened, self.network = work, opened, opened.network
        self.pupils, self.terms, self.folder = pupils, terms, folder
        self.taught = False  # whether a training has been kept
        whole = copy.deepcopy(opened.network)
        self.devices = join(opened.settings, "cpu")
        self.teacher: Teacher = NetworkTeacher(network=Overheard(whole, at=opened.heard), devices=self.devices)
        read, judged = _calibration(pupils)
        said = _heard(whole.eval(), opened.heard, judged)
        self.spread = None if said.embedding is None else said.embedding.std(0, correction=0).clamp_min(1e-3)
        self.subject = PruningSubject(
            network=opened.network,
            sample=judged[:1],
            run=lambda one: _pass(one, read),
            harm=_harm(opened, said, judged, self.spread),
            original=whole,
            whole=opened.whole,
            traced=opened.traced,
        )
        self.whole = sum(multiply_adds(opened.network, self.subject.sample).values())

    def run(self) -> list[PruningStep]:
        """All steps, those that an earlier process has made among them."""
        steps, learned = self._resume()
        terms = PruningTerms(share=self.terms.share, step=self.terms.step)
        if steps and not learned:
            self._learn(steps)
        while True:
            with self.work.reporter.step(f"Looking for what can go, step {len(steps) + 1}", 1) as advance:
                step = next(prune(self.subject, terms, whole=self.whole, done=steps), None)
                advance(1)
            if step is None:
                break
            steps.append(step)
            self.work.reporter.say(f"step {step.number}: {percent(step.saved)} of the multiply-adds saved")
            self._keep(steps, learned=False)
            self._learn(steps)
        self._last(len(steps))
        return steps

    def _last(self, steps: int) -> None:
        """The training that ends it, the longest, with pictures that are mixed of two."""
        if self.terms.last_epochs:
            pupils = gather_pupils(self.work, self.opened, mixed=self.terms.mixed) if self.terms.mixed else self.pupils
            title = f"Learning from what it was, after {steps} steps"
            self._teach("last", self.terms.last_epochs, title, pupils=pupils, rate=self.terms.last_rate)

    def _learn(self, steps: list[PruningStep]) -> None:
        title = f"Learning from what it was, step {len(steps)}"
        self._teach(
            f"step-{len(steps)}", self.terms.step_epochs, title, pupils=self.pupils, rate=self.terms.learning_rate
        )
        self._keep(steps, learned=True)

    def _teach(self, name: str, epochs: int, title: str, *, pupils: Pupils, rate: float) -> None:
        if epochs:
            course = Course(
                epochs=epochs,
                learning_rate=rate,
                lore=Lore(ending=self.opened.ending, share=0.9, embedding=1.0),
                title=title,
                facts={"pruned": name, "share": self.terms.share, "of": self.work.candidate.backbone.fingerprint},
            )
            before = self.subject.harm(self.network), copy.deepcopy(self.network.state_dict())
            teach(pupils, self.teacher, course, self.folder / name, spread=self.spread)
            after = self.subject.harm(self.network)
            self.work.reporter.say(f"distance from what it was: {before[0]:.3f}, after learning {after:.3f}")
            if after < before[0]:
                self.taught = True
            else:  # what was worked out is better than what was learned
                self.network.load_state_dict(before[1])
        for parameter in self.network.parameters():
            parameter.grad = None

    def _keep(self, steps: list[PruningStep], *, learned: bool) -> None:
        state = {name: value.detach().contiguous() for name, value in tensors_of(self.network).items()}
        write_bytes(self.folder / f"weights-{len(steps)}-{int(learned)}.safetensors", safetensors.torch.save(state))
        write_json(
            self.folder / _STATE,
            {
                "share": self.terms.share,
                "learned": learned,
                "taught": self.taught,
                "steps": [asdict(step) for step in steps],
            },
        )

    def _resume(self) -> tuple[list[PruningStep], bool]:
        """The steps that an earlier process made, and whether the network has learned since the last of them."""
        path = self.folder / _STATE
        if not path.is_file():
            return [], True
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["share"] != self.terms.share or not told["steps"]:
            return [], True
        steps = [_step(one) for one in told["steps"]]
        state = read_weights(self.folder / f"weights-{len(steps)}-{int(told['learned'])}.safetensors")
        fill(self.network, state)
        self.taught = bool(told.get("taught", True))
        return steps, bool(told["learned"])


def _step(told: dict[str, Any]) -> PruningStep:
    return PruningStep(**{**told, "cuts": tuple(Cut(**cut) for cut in told["cuts"])})


def _calibration(pupils: Pupils) -> tuple[Tensor, Tensor]:
    """Training pictures as they are varied in the first epoch, uint8 [n, S, S, 3]: to work cuts out from, and to judge them by.

    Of pictures of many pixels fewer: each says more of what layers read.
    """
    rows = pupils.lesson.train_rows
    order = np.random.default_rng(pupils.work.run.settings.seed).permutation(rows)
    less = min(1.0, (USUAL_SIZE / pupils.opened.prepared.shape[0]) ** 2)
    judged = max(1, min(round(less * JUDGED), len(order) // 3))
    given = pupils.lesson.train.get(order[: judged + round(less * READ)], 0)
    pictures = torch.as_tensor(np.asarray(given[0] if isinstance(given, tuple) else given))
    return (pictures[judged:] if len(pictures) > judged else pictures), pictures[:judged]


def _pass(network: nn.Module, pictures: Tensor) -> None:
    """All pictures through a network, so many at a time as take about the memory of a batch of usual ones."""
    for part in torch.split(pictures, _at_once(pictures)):
        network(part)


def _at_once(pictures: Tensor) -> int:
    return max(1, round(BATCH * min(1.0, (USUAL_SIZE / pictures.shape[1]) ** 2)))


def _heard(network: Trainable, at: str | None, pictures: Tensor) -> Taught:
    """What a network says of pictures, in evaluation mode."""
    ear = Overheard(network, at=at)
    outputs: list[tuple[Tensor, ...]] = []
    embeddings: list[Tensor] = []
    try:
        with torch.inference_mode():
            for part in torch.split(pictures, _at_once(pictures)):
                ear(part)
                outputs.append(ear.outputs)
                embeddings += [] if ear.embedding is None else [ear.embedding]
    finally:
        ear.leave()
    return Taught(
        outputs=tuple(torch.cat(one) for one in zip(*outputs, strict=True)),
        embedding=torch.cat(embeddings) if embeddings else None,
    )


def _harm(
    opened: LearnableNetwork, expected: Taught, pictures: Tensor, spread: Tensor | None
) -> Callable[[nn.Module], float]:
    """How far what a network says of `pictures`, and its embedding, are from what the whole one says: both distances, added."""
    lore, distance = Lore(ending=opened.ending, temperature=1.0), opened.distance or outputs_loss

    def harm(network: nn.Module) -> float:
        found = _heard(cast(Trainable, network.eval()), opened.heard, pictures)
        with torch.inference_mode():
            far = distance(found.outputs, expected.outputs, lore).mean()
            if found.embedding is not None and expected.embedding is not None and spread is not None:
                far = far + ((found.embedding - expected.embedding) / spread).square().mean()
        return float(far)

    return harm
