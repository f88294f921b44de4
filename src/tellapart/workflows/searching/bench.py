"""What all trials of a search share. In: settings. Out: Bench: the pictures without the test split, features. Next: trying.py.

The test split is taken away here, once: no trial can look at it. Features are computed once for each network and each way
of showing it a picture; what a trial on them costs is the fit of its classifier.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tellapart.data.audit import check_strict, check_trainable
from tellapart.data.dataset import Dataset, gather
from tellapart.data.packed_texts import texts_at
from tellapart.data.readers import READERS
from tellapart.data.splitting import told_split
from tellapart.data.survey import Examined
from tellapart.deep_values import Span
from tellapart.errors import DataError, TellapartError
from tellapart.evaluation.choosing import Choice, LinearCandidate
from tellapart.features.backbone import ReadyBackbone, prepare_backbone
from tellapart.features.cache import Cache
from tellapart.features.embedding import Embedded, embed_dataset
from tellapart.features.engine import EngineChoice, choose_device, choose_engine
from tellapart.half_rows import without
from tellapart.preprocessing import fitted
from tellapart.reporter import Reporter, Silent
from tellapart.runs.writing import data_fingerprint
from tellapart.settings.tree import TrainSettings
from tellapart.storage import cache_folder
from tellapart.tasks.table import task_of
from tellapart.tasks.task import LearnTexts, Task
from tellapart.workflows.learning.conclude import suited
from tellapart.workflows.learning.examine import examine, report_findings
from tellapart.workflows.learning.value_range import find_range
from tellapart.workflows.searching.pace import SearchClock, finish_seconds
from tellapart.workflows.searching.watching import TooLong, Watching

# Training pictures from which on a fit takes seconds, and the part of them that one is timed on.
_TIMED_FROM, _TIMED_PART = 1_000, 8


@dataclass(slots=True, kw_only=True, eq=False)
class Bench:
    """What all trials share."""

    task: Task
    examined: Examined
    dataset: Dataset  # train and validation alone
    fingerprint: str  # of all pictures, their targets and splits
    span: Span | None
    device: str
    engine: EngineChoice
    cache: Cache
    reporter: Reporter
    _backbones: dict[Any, ReadyBackbone] = field(default_factory=dict)
    _embedded: dict[Any, tuple[Dataset, Embedded]] = field(default_factory=dict)
    _refit: Callable[[TrainSettings], LinearCandidate | None] | None = None

    def suited(self, settings: TrainSettings) -> TrainSettings:
        """The settings as training takes them for these pictures. Raises: SettingsError, DataError where the task does not."""
        settings = suited(settings, self.task, self.dataset, self.device)
        self.task.check(settings, self.dataset)
        return settings

    @contextlib.contextmanager
    def watched(self, end: float | None) -> Iterator[None]:
        """What is computed in here must end before a time of time.monotonic. Raises: TooLong."""
        before = self.reporter
        if end is not None:
            self.reporter = Watching(before, end)
        try:
            yield
        finally:
            self.reporter = before

    def backbone(self, settings: TrainSettings) -> ReadyBackbone | None:
        """The pretrained network of these settings; None from scratch. Raises: BackboneError."""
        if settings.strategy == "scratch" or self.task.direct is not None:
            return None
        network = settings.network
        key = (settings.backbone, settings.weights, network.size, network.crop, network.pooling)
        if key not in self._backbones:
            weights = Path(settings.weights) if settings.weights else None
            pending = prepare_backbone(
                settings.backbone,
                cache=cache_folder(),
                weights=weights,
                size=network.size,
                crop=network.crop,
                pooling=network.pooling,
            )
            with self.reporter.step("Preparing the network", 1) as advance:
                try:
                    self._backbones[key] = pending.wait()
                finally:
                    pending.cancel()
                advance(1)
        return self._backbones[key]

    def features(self, settings: TrainSettings) -> tuple[Dataset, Embedded]:
        """The embeddings by the network of these settings, computed once. Raises: BackboneError, DataError."""
        backbone = self.backbone(settings)
        assert backbone is not None
        backbone = replace(
            backbone, preprocessing=fitted(backbone.preprocessing, settings.network.fit or "crop", self.span)
        )
        key = (backbone.fingerprint, backbone.network, backbone.preprocessing)
        if key not in self._embedded:
            self._refit = None
            self._embedded.clear()  # those of one network at a time fit into memory; the cache has the others
            self._embedded[key] = embed_dataset(
                self.dataset, backbone, self.device, self.cache, self.reporter, engine=self.engine
            )
        return self._embedded[key]

    def fit_seconds(self, settings: TrainSettings) -> float:
        """What a classifier on these features takes to be fitted, by the fit to a part of them; 0 where that tells nothing."""
        dataset, embedded = self.features(settings)
        train = dataset.rows["train"]
        if self.task.quick is None or len(train) < _TIMED_FROM:
            return 0.0
        left_out = train[len(train) // _TIMED_PART :]
        part = dataset.without(dict.fromkeys(left_out.tolist(), "not timed"))
        began = time.monotonic()
        try:
            self.task.quick(settings, part, replace(embedded, vectors=without(embedded.vectors, left_out)))
        except TellapartError:  # the part is too small for it
            return 0.0
        return _TIMED_PART * (time.monotonic() - began)

    def direct(self, settings: TrainSettings, learn: LearnTexts) -> Choice[Any]:
        """The first answer of a task whose items need no backbone. Raises: DataError."""
        entries = self.examined.listing.entries
        texts = texts_at(entries, self.dataset.indices)
        reporter = self.reporter if isinstance(self.reporter, Watching) else Silent()
        return learn(settings, self.dataset, texts, reporter)

    def classifier(self, settings: TrainSettings) -> tuple[Dataset, LinearCandidate]:
        """The classifier on these features, of a task that has one without gradients. Raises: BackboneError, DataError."""
        dataset, embedded = self.features(settings)
        assert self.task.quick is not None
        if self._refit is None and self.task.refit is not None:
            self._refit = self.task.refit(dataset, embedded)
        found = None if self._refit is None else self._refit(settings)
        return dataset, found or self.task.quick(settings, dataset, embedded)


def set_up(settings: TrainSettings, cache: Cache, reporter: Reporter) -> Bench:
    """Audit and split the pictures, as a training does it, and take the test split away.

    Raises: DataError where they cannot be trained on; SettingsError, StorageError.
    """
    device = choose_device(settings.device)
    corrections = None if settings.labels is None else Path(settings.labels)
    examined = examine(
        Path(settings.data),
        corrections=corrections,
        cache=cache,
        reporter=reporter,
        options=settings.read_options,
        look="always",
    )
    report_findings(examined, reporter)
    check_trainable(examined.audit)
    if settings.strict:
        check_strict(examined.audit)
    task = task_of(examined.listing.task)
    dataset = gather(
        examined, split=told_split(task.split, settings.split.terms), encode=task.encode, seed=settings.seed
    )
    if not len(dataset.rows["validation"]):
        item = READERS[task.name].words.item
        raise DataError(
            f"no {item} is for validation, which compares the trials. Add {item}s, or a split named validation."
        )
    return Bench(
        task=task,
        examined=examined,
        dataset=dataset.without_test(),
        fingerprint=data_fingerprint(dataset.examples),
        span=find_range(settings, examined, dataset, Silent()),
        device=device,
        engine=choose_engine(settings.engine, device, warn=reporter.warn),
        cache=cache,
        reporter=reporter,
    )


def set_up_in_time(
    settings: TrainSettings, cache: Cache, reporter: Reporter, seconds: float | None, started: float
) -> Bench:
    """As `set_up`. Raises: BudgetTooShort as soon as looking at the pictures would take longer than all may take."""
    if seconds is None:
        return set_up(settings, cache, reporter)
    try:
        bench = set_up(settings, cache, Watching(reporter, started + seconds))
    except TooLong as found:
        audit = time.monotonic() - started + found.seconds
        finish = finish_seconds(audit, pictures=0, report=settings.report)
        raise SearchClock(seconds, started=started, finish=finish).too_long_a_look(audit) from None
    bench.reporter = reporter
    return bench
