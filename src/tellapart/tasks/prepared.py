"""A network that is ready to be trained, as plain values. In: nothing. Out: Prepared. Next: task.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tellapart.data.augment import Augment, build_augmentation
from tellapart.data.augmentation import resolve
from tellapart.models.trainable import Trainable
from tellapart.preprocessing import Preprocessing

if TYPE_CHECKING:
    from torch import nn

    from tellapart.bundle import Manifest
    from tellapart.settings.parts import AugmentSettings
    from tellapart.settings.tree import TrainSettings


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prepared:
    """A network that is ready to be trained."""

    strategy: Literal["probe", "finetune", "scratch"]
    network: Trainable
    name: str
    source: str  # of its first weights
    license: str
    preprocessing: Preprocessing
    augment: Augment
    learning_rate: float  # that suits batches of 32
    epochs: int  # where neither epochs nor a budget are given
    most_epochs: int  # that a budget may be filled with
    views: int | None = 0  # augmented views that the frozen stages see once; None: as many as fit
    start: int = 0  # the training's input is what stage `start` - 1 gives; 0 where nothing is cached
    lower: Path | None = None  # ONNX of the stages below `start`
    shape: tuple[int, ...] = ()  # of one input: [C, H, W], or [S, S, 3]
    facts: Mapping[str, Any] = field(default_factory=dict)  # what the result depends on, beside the settings
    planned: Mapping[str, Any] = field(default_factory=dict)  # what the recipe keeps, beside the epochs
    title: str = ""
    given: Any = None  # what the task's own source reads, where its items are no pictures; then these settings of pictures are idle
    reading: float | None = None  # seconds that an item takes to be read when all is done; None: those of a picture


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reopened:
    """The network of a finished run, ready to be trained on."""

    prepared: Prepared
    settings: TrainSettings  # of that training; of a run whose network was not trained, what suits one that is
    # Where channels may go when it is pruned: what runs that part of it, up to layers (their paths) that must read all of them.
    traced: Callable[[nn.Module], nn.Module] | None = None  # None: everywhere
    whole: tuple[str, ...] = ()


def reopened(network: Trainable, manifest: Manifest, augment: AugmentSettings, *, side: int) -> Prepared:
    """A finished run's network as what trains on, by pictures of `side` pixels; for how long, who trains it says."""
    backbone = manifest.backbone
    return Prepared(
        strategy=manifest.strategy,  # type: ignore[arg-type]
        network=network,
        name=backbone.name,
        source=backbone.weights_source,
        license=backbone.weights_license,
        preprocessing=manifest.preprocessing.plain(),
        augment=build_augmentation(resolve(**augment.model_dump()), size=side),
        learning_rate=1.0,
        epochs=1,
        most_epochs=1,
        shape=(side, side, 3),
    )
