"""What a task is: plain functions by name. In: nothing. Out: Task. Next: table.py.

A task says what a target is, how the pictures are split, what is learned first, how that is judged, tested, exported and
reported. What two tasks share stands in the rooms below, never in one of their folders. The functions import what is
heavy when they are called, so that the table costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import Manifest, TaskName
from tellapart.errors import SettingsError
from tellapart.evaluation.choosing import Candidate, Choice, LinearCandidate, Validated
from tellapart.evaluation.differences import Difference, Resampling
from tellapart.runs.writing import Tested
from tellapart.settings.space import Space
from tellapart.settings.tree import Strategy
from tellapart.tasks.foreign import refuse_foreign
from tellapart.tasks.spaces import linear_space

if TYPE_CHECKING:
    from tellapart.answers.answering import Answering
    from tellapart.data.augment import Augment
    from tellapart.data.dataset import AssignSplits, Dataset, Encode
    from tellapart.data.examples import Entry, Split
    from tellapart.data.folds import AssignFolds
    from tellapart.data.targets import Target
    from tellapart.evaluation.doubts import Doubted
    from tellapart.features.backbone import ReadyBackbone
    from tellapart.features.embedding import Embedded
    from tellapart.features.shrink import ShrunkPictures
    from tellapart.models.build import BuiltNetwork
    from tellapart.models.trainable import Trainable
    from tellapart.preprocessing import Preprocessing
    from tellapart.reporter import Reporter
    from tellapart.settings.tree import TrainSettings
    from tellapart.tasks.folds import AverageFolds, PoolFolds
    from tellapart.tasks.lesson import Lesson
    from tellapart.tasks.parts import CutPictures
    from tellapart.tasks.prepared import Prepared, Reopened
    from tellapart.tasks.source import MakeCrops, MakeSource, UsableRows
    from tellapart.training.devices import Devices
    from tellapart.training.distilling import Distance
    from tellapart.training.learner import Learner
    from tellapart.training.planning import Clock
    from tellapart.training.progress import Fitted

__all__ = ["Task"]


class Telling(Protocol):
    """A test in words, for a terminal; a module with these is one."""

    @property
    def KEPT(self) -> Mapping[str, str]:
        """What a network came to be, by strategy."""
        ...

    def summary(self, metrics: Mapping[str, Any]) -> list[str]:
        """What a person wants to know first of metrics.json."""
        ...

    def decided(self, metrics: Mapping[str, Any]) -> str:
        """How the decision did, in a line, of metrics.json."""
        ...

    def scored(self, metrics: Mapping[str, Any]) -> list[str]:
        """The figures of one evaluation, a line each."""
        ...


class ScoreAnswers(Protocol):
    """What the answers of a model file are worth."""

    def __call__(
        self,
        manifest: Manifest,
        answers: Sequence[Any],
        targets: Sequence[Target],
        *,
        groups: NDArray[Any],
        seed: int,
    ) -> dict[str, Any]:
        """Figures with intervals of n pictures that could be read, as its models answer and its data say; `groups` [n]."""
        ...


class LearnTexts(Protocol):
    """What is learned from texts themselves."""

    def __call__(
        self, settings: TrainSettings, dataset: Dataset, texts: Sequence[str], reporter: Reporter, /
    ) -> Choice[Any]:
        """What is kept of the candidates; `texts` [N] in the order of the data set's rows. Raises: DataError."""
        ...


class DoubtTexts(Protocol):
    """The label doctor of a task whose items need no backbone."""

    def __call__(
        self,
        texts: Sequence[str],
        targets: NDArray[Any],
        groups: Sequence[str],
        /,
        *,
        classes: Sequence[str],
        folds: int,
        seed: int,
        advance: Callable[[int], object] = int,
    ) -> Doubted:
        """Judge each label by answers that learned without its text, nor a copy of it; `targets` as `encode` gives them."""
        ...


class DoubtByTraining(Protocol):
    """The label doctor of a task whose first answer is a head of its own."""

    def __call__(
        self,
        settings: TrainSettings,
        dataset: Dataset,
        backbone: ReadyBackbone,
        work: Path,
        device: str,
        reporter: Reporter,
        /,
    ) -> Doubted:
        """Judge a data set that is in no split by answers that learned without what they judge; files go to `work`."""
        ...


class RegionHeat(Protocol):
    """What of a picture speaks for a class in a region."""

    def __call__(
        self,
        weights: Path,
        manifest: Manifest,
        settings: TrainSettings,
        pixels: NDArray[np.uint8],
        target: int,
        region: NDArray[np.bool_],
        /,
    ) -> NDArray[np.float32]:
        """Heat [h, w] in [0, 1] of class `target` in a region [S, S] of a picture uint8 [S, S, 3]. Raises: BackboneError."""
        ...


def _pictures_alone(
    dataset: Dataset, split: Split, pictures: ShrunkPictures, *, augment: Augment | None, seed: int
) -> UsableRows:
    from tellapart.tasks.source import pictures_alone

    return pictures_alone(dataset, split, pictures, augment=augment, seed=seed)


def _wholes(settings: TrainSettings, dataset: Dataset, inputs: Preprocessing) -> None:
    """The pictures themselves."""


def _as_told(settings: TrainSettings) -> TrainSettings:
    """Raises: SettingsError for what only a task with a choice of networks on a backbone looks at."""
    refuse_foreign(settings)
    if settings.network.fit == "tile":
        raise SettingsError(
            "pictures are to be cut into tiles, which is for pictures with boxes alone. Leave --tiles out."
        )
    return settings


def _as_it_is(settings: TrainSettings, dataset: Dataset) -> TrainSettings:
    return settings


def _whole(manifest: Manifest, answer: Any, target: Target) -> Any:
    """The answer itself."""
    return answer


def _forget(*, epochs: int, views: int) -> None:
    """Nobody repeats it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstTerms:
    """On what terms a first answer is learned."""

    work: Path  # the folder of its files
    device: str  # cpu, cuda, mps
    reporter: Reporter
    clock: Clock | None = None  # of the run; None: it has no end
    # Told how many epochs were planned, of how many views of each picture, where the clock had a say.
    keep: Callable[..., None] = _forget


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedHead:
    """How a task whose head is more than a linear layer learns from a pretrained backbone; K classes."""

    first: Callable[[TrainSettings, Dataset, ReadyBackbone, FirstTerms], Candidate]  # on the frozen backbone
    prepare: Callable[[TrainSettings, int, Any], Prepared]  # what fine-tuning goes on from: that candidate; K
    finish: Callable[[Prepared, Fitted, Path], Candidate]  # a trained network, its files in the folder
    choose: Callable[[Any, Any], Choice[Any]]  # of the first answer and the fine-tuned one, both Validated
    budget: float  # seconds of a run on a CPU that may choose its strategy and was given none
    # The network of a finished run in torch, as small as its weights (safetensors): these, its manifest, its settings. Raises
    # SettingsError where it cannot learn from another one.
    again: Callable[[Path, Manifest, TrainSettings], Reopened]
    close: Callable[[Prepared, Path], Candidate]  # that network as it is now, its files in the folder
    distance: Callable[[], Distance] | None = (
        None  # how far its outputs are from a teacher's; None: as training/distilling.py has it
    )
    doubt: DoubtByTraining | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnNetwork:
    """How a task whose items need no backbone trains a network on them, from random weights; N rows of a data set."""

    # Of the items' texts [N], in the order of the data set's rows; raises DataError, SettingsError.
    prepare: Callable[[TrainSettings, Dataset, Sequence[str], Reporter], Prepared]
    finish: Callable[[Prepared, Fitted], Candidate]  # of the trained network
    # Of what came before, as it was chosen, and that network, Validated; where the strategy is free and has a budget.
    choose: Callable[[Choice[Any], Any, Dataset], Choice[Any]]
    # Why a free strategy without a budget did not try it, and what it would take: a sentence, of the texts [N].
    untried: Callable[[TrainSettings, Dataset, Sequence[str]], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task, whole. N rows of a data set, K classes."""

    name: TaskName
    headline: str  # the figure that a person is told first; a key of the manifest's scores
    watched: tuple[str, ...]  # the figures of its learner beside the loss, by which `loop.monitor` may rank epochs
    answering: Answering[Any, Any]  # what its models say, without torch
    kind: type[Target]  # what a target is; examples.csv is read back as such
    # Targets and classes -> the array that the learner takes: int64 [N], float32 [N, K] ...
    encode: Encode
    # That array -> int64 [N]: what `loop.sampling = balanced` draws equally often.
    strata: Callable[[NDArray[Any]], NDArray[np.int64]]
    split: AssignSplits  # copies and groups together, what matters for the task balanced
    folds: AssignFolds  # the same for K folds
    # Raises SettingsError for what only another task looks at, DataError for what cannot be learned.
    check: Callable[[TrainSettings, Dataset], None]
    # The answer without gradients (the probe); None for a task with a head of its own.
    quick: Callable[[TrainSettings, Dataset, Embedded], LinearCandidate] | None
    # The same over and over on one data set's features, where that can be quicker; it gives None for settings that do not suit.
    refit: Callable[[Dataset, Embedded], Callable[[TrainSettings], LinearCandidate | None]] | None = None
    # What it is called how well logits [n, K] answer targets [n, ...] that they were not fitted to, and that, [n] in [0, 1].
    scores: tuple[str, Callable[[NDArray[Any], NDArray[Any]], NDArray[np.float64]]] | None = None
    # The answer of a task whose items need no backbone: of N texts, in the order of the data set's rows. None: they are pictures.
    direct: LearnTexts | None = None
    doubt_texts: DoubtTexts | None = None  # the label doctor of such a task
    # The network that such a task trains with gradients where it is asked to; None: it has none.
    own: OwnNetwork | None = None
    head: LearnedHead | None = None  # None: the network ends with a linear layer on the embedding
    prefer: Callable[[TrainSettings], TrainSettings] = _as_told  # what suits the task where nothing was told
    suit: Callable[[TrainSettings, Dataset], TrainSettings] = _as_it_is  # and after that what suits the data
    build: Callable[[TrainSettings, int], BuiltNetwork[Trainable]]  # for K classes, with weights from the seed
    source: MakeSource = _pictures_alone  # what a training with gradients reads of a split
    # What a search tries where nothing is named, by strategy.
    space: Callable[[Strategy], Space] = linear_space
    # The same of a task with a source of its own: squares of the pictures' own pixels, laid anew in every epoch; words of texts.
    crops: MakeCrops | None = None
    # What it reads where pictures are made ready so: parts of them, or None for the pictures themselves.
    parts: Callable[[TrainSettings, Dataset, Preprocessing], CutPictures | None] = _wholes
    learner: Callable[[Lesson, Devices], Learner]  # in every process of a training
    # A candidate is the task's own kind of evaluation/choosing.Candidate.
    validate: Callable[[Any, Dataset], Validated[Any]]
    correct: Callable[
        [TrainSettings, Choice[Any], Dataset], Choice[Any]
    ]  # what the validation split still mends, once chosen
    test: Callable[[TrainSettings, Choice[Any], Dataset], Tested]  # the only look at the test split
    export: Callable[[Choice[Any], Tested, Manifest], bytes]  # model.onnx
    pool: PoolFolds  # several tests as one
    # How the mean of several networks decides; None where answers cannot be averaged.
    average: AverageFolds | None = None
    # What is kept of the answer to a labelled picture until all are there; less than the answer itself where that is large.
    judge: Callable[[Manifest, Any, Target], Any] = _whole
    score: ScoreAnswers  # a model file on labelled pictures, of what was kept
    # The tensors of a model.onnx at which its network ends and the task decides, the first one always there; and the candidate that
    # such a network makes: the file that it was cut out of, the network, its strategy, and embeddings of rows as it gives them.
    ends: tuple[str, ...]
    reopen: Callable[[bytes, ReadyBackbone, str, Callable[[NDArray[np.int64]], NDArray[np.float32]]], Candidate]
    # How the answers of two files to one picture differ, of what was kept; and the headline figure over resamples of the pictures'
    # groups: manifest, answers, targets, and the numbers of the groups, int64 [n] from 0.
    differ: Callable[[Any, Any], Difference]
    resampled: Callable[[Manifest, Sequence[Any], Sequence[Target], NDArray[np.int64]], Resampling]
    # What it is called how well a file answers one picture, of what was kept of its answer, and that, in [0, 1]; None where an
    # answer is right or wrong.
    picture: tuple[str, Callable[[Manifest, Any, Target], float]] | None = None
    # The same picture by picture, into a file as a run keeps its test: path, manifest, n pictures, what was kept of their answers.
    write_answers: Callable[[Path, Manifest, Sequence[Entry], Sequence[Any]], None]
    telling: Telling  # the test in words
    sections: Callable[..., Any]  # a finished run -> the parts of its report
    # What of a picture speaks for a class in a region, of a finished run's weights; None where nothing is told by regions.
    region_heat: RegionHeat | None = None
    doubt: Callable[..., Doubted] | None = (
        None  # the label doctor: embeddings, targets, groups -> labels to look at again
    )
