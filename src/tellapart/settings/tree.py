"""Every setting of a training run, in one tree. In: values. Out: TrainSettings. Next: reading.py.

None means: chosen by strategy, network or budget. What was chosen is written into the run's recipe.toml.
"""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from tellapart.bundle import TaskName
from tellapart.data.augmentation import LATER as AUGMENTED_LATER
from tellapart.data.examples import ReadOptions
from tellapart.data.readers import READERS
from tellapart.data.set_cells import Separator
from tellapart.deep_values import Span, as_text, parse_span
from tellapart.models.keras_names import timm_name
from tellapart.settings.data_parts import KFoldSettings, ReadingSettings, SplitSettings
from tellapart.settings.loop import LATER, LoopSettings
from tellapart.settings.mirror import Part
from tellapart.settings.parts import (
    LATER as LATER_OF_NETWORKS,
)
from tellapart.settings.parts import (
    AugmentSettings,
    FineTuneSettings,
    NetworkSettings,
    ProbeSettings,
)
from tellapart.sources.remote.addresses import tell

Strategy = Literal["auto", "probe", "finetune", "scratch"]
# What a training's result does not depend on.
_LEARNED_WITHOUT = {
    "data",
    "labels",
    "out",
    "budget",
    "strict",
    "device",
    "report",
    "language",
    "coverage",
    "precision",
    "kfold",
}
_LEARNED_WITHOUT |= {"split"}  # who is in which split counts, not how that was told
_LEARNED_WITHOUT |= {"base"}  # its weights count, not where they lie
_LEARNED_WITHOUT |= {"task", "label_separator", "reading"}  # what is read by them counts, not what was told
_LEARNED_WITHOUT |= {"embeddings"}  # of texts, which are no part of a network that trains
_OF_FIRST = ("first_epochs", "first_views")  # of what is fine-tuned, what a first answer alone looks at, too
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


class TrainSettings(Part):
    """What `tellapart train` can be told; recipe.toml holds the same keys."""

    data: str = Field(min_length=1)  # a folder of class folders, or a CSV; in older recipes `pictures`
    task: TaskName | None = None  # None: found from the data
    label_separator: Separator | None = None  # between the labels of one cell; None: |
    labels: str | None = Field(None, min_length=1)  # a CSV with path,label that corrects labels
    out: str = "runs"  # the folder that run folders are made in
    strategy: Strategy = "auto"
    budget: str | None = None  # of the whole run: 90s, 10m, 1.5h
    # A timm name; auto, or several with commas between: the one that cross-validation takes.
    backbone: str = Field("tf_efficientnet_lite0", min_length=1)
    fallback_backbone: str | None = Field(None, min_length=1)  # taken where the weights of `backbone` cannot be had
    weights: str | None = None  # a .safetensors file for the backbone
    embeddings: str | None = Field(None, min_length=1)  # of texts: a folder or a name of a network of sentences
    base: str | None = Field(None, min_length=1)  # a finished run whose network is trained on; --from
    class_weights: Literal["none", "balanced"] = "none"
    seed: int = Field(0, ge=0, lt=2**32)
    precision: float | None = Field(None, gt=0, le=1)  # of each label that is named; None: the best F1 (multilabel)
    coverage: float = Field(0.95, gt=0.5, lt=1)  # wanted: how often the set of likely classes holds the true one
    strict: bool = False  # an unreadable picture stops the run
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    # What computes the training pictures' embeddings on a CPU, in float32 where no other precision is named; auto: onnxruntime.
    engine: Literal["auto", "onnxruntime", "openvino", "openvino-bfloat16"] = "auto"
    report: bool = True  # write report.html
    language: Literal["en", "zh"] | None = None  # of the report; None: the system's
    folds: int = Field(5, ge=2, le=20)  # of the cross-validation that chooses the classifier's strength
    # Of pictures of more than 8 bits: LOW:HIGH, what becomes black and white; None: found. Also called data.range.
    value_range: str | None = None
    kfold: KFoldSettings = KFoldSettings()
    reading: ReadingSettings = ReadingSettings()
    split: SplitSettings = SplitSettings()
    probe: ProbeSettings = ProbeSettings()
    network: NetworkSettings = NetworkSettings()
    finetune: FineTuneSettings = FineTuneSettings()
    augment: AugmentSettings = AugmentSettings()
    loop: LoopSettings = LoopSettings()

    @field_validator("data")
    @classmethod
    def _without_secrets(cls, value: str) -> str:
        return tell(value)

    @field_validator("budget", mode="before")
    @classmethod
    def _budget_is_a_time(cls, value: Any) -> Any:
        if value is not None and not 0 < parse_seconds(str(value)) < 1e8:
            raise ValueError("a time is a number above 0 and s, m or h, such as 90s, 10m or 1.5h")
        return value

    @field_validator("backbone")
    @classmethod
    def _names_of_backbones(cls, value: str) -> str:
        names = [timm_name(name.strip()) for name in value.split(",")]
        if "" in names or len(set(names)) < len(names) or (len(names) > 1 and "auto" in names):
            raise ValueError("it is a name, auto, or several names with commas between, each once")
        return ",".join(names)

    @field_validator("fallback_backbone")
    @classmethod
    def _name_of_one(cls, value: str | None) -> str | None:
        return None if value is None else timm_name(value)

    @field_validator("value_range")
    @classmethod
    def _range_is_two_numbers(cls, value: str | None) -> str | None:
        return None if value is None else as_text(parse_span(value))

    @model_validator(mode="after")
    def _only_a_crop_has_a_share(self) -> TrainSettings:
        if self.network.crop is not None and self.network.fit in ("pad", "squash", "crop_or_pad", "tile"):
            raise ValueError(
                f"network.crop is {self.network.crop}, but network.fit {self.network.fit} has no such share. Leave one of them "
                "out"
            )
        return self

    @model_validator(mode="after")
    def _only_tiles_overlap(self) -> TrainSettings:
        for name in ("overlap", "scale"):
            value = getattr(self.network, name)
            if value is not None and self.network.fit != "tile":
                raise ValueError(
                    f"network.{name} is {value:g}, which is of tiles, and pictures are not cut. Give --tiles, or leave it out"
                )
        return self

    @model_validator(mode="after")
    def _only_sets_have_a_separator(self) -> TrainSettings:
        separated = [name for name, reader in READERS.items() if reader.separated]
        if self.label_separator is not None and self.task not in (None, *separated):
            raise ValueError(
                f"label_separator is {self.label_separator!r}, which task {self.task} does not use. Leave it out, or give "
                f"--task {' or '.join(separated)}"
            )
        return self

    @model_validator(mode="after")
    def _one_network_goes_on(self) -> TrainSettings:
        if self.base is None:
            return self
        wrong = {
            "--strategy probe": self.strategy == "probe",
            "--kfold": self.folded,
            "--backbones": self.compares_backbones,
        }
        for name in (name for name, given in wrong.items() if given):
            raise ValueError(
                f"--from {self.base} goes on with that run's network, and {name} is not for that. Leave one of them out"
            )
        return self

    @model_validator(mode="after")
    def _only_folds_are_repeated(self) -> TrainSettings:
        column = self.reading.fold_column
        if self.kfold.repeats > 1 and column is not None:
            raise ValueError(
                f"kfold.repeats is {self.kfold.repeats}, and the column {column!r} gives the same folds each time. Leave one of "
                "them out"
            )
        told = [name for name in _changed(self.split) if name != "limit"]
        if self.folded and told:
            raise ValueError(
                f"split.{told[0]} is set, and of K folds every picture is tested. Leave it out, or leave out --kfold"
            )
        if not self.folded and _changed(self.kfold):
            raise ValueError(
                f"kfold.{_changed(self.kfold)[0]} is set without folds. Give --kfold 5 too, or leave it out"
            )
        return self

    @model_validator(mode="after")
    def _rates_fall_as_scheduled(self) -> TrainSettings:
        at, name = list(self.loop.decay_at), self.loop.schedule
        told = ", ".join(f"{epoch:g}" for epoch in at)
        if name != "piecewise" and at:
            raise ValueError(
                f"loop.decay_at is {told}, and loop.schedule is {name}; only piecewise looks at it. Leave it out, or give --set "
                "loop.schedule=piecewise"
            )
        if name == "piecewise" and (not at or at != sorted(set(at))):
            raise ValueError(
                f"loop.decay_at is {told or '[]'}; a piecewise schedule needs rising epochs. Give --set loop.decay_at=[5,8], "
                "for example"
            )
        return self

    @model_validator(mode="after")
    def _nothing_is_said_in_vain(self) -> TrainSettings:
        """A setting that the strategy would never look at is a slip: --network without --strategy scratch."""
        network, plain = self.network, NetworkSettings()
        idle = {
            "network.name": network.name != plain.name and self.strategy != "scratch",
            "network.blocks": network.blocks != plain.blocks and self.strategy != "scratch",
            "network.channels": network.channels != plain.channels and self.strategy != "scratch",
            **{f"network.text.{key}": self.strategy != "scratch" for key in _changed(network.text)},
            "network.crop": network.crop is not None and self.strategy == "scratch",
            "network.dense": bool(network.dense) and self.strategy == "probe",
            "network.output": network.output is not None and self.strategy == "probe",
            "network.auxiliary": network.auxiliary and self.strategy != "scratch",
            "network.test_time_augmentation": network.test_time_augmentation != "none" and self.strategy == "probe",
            **{f"probe.{key}": self.strategy == "scratch" for key in _changed(self.probe)},
            **{
                f"finetune.{key}": (self.strategy == "scratch" and self.base is None)
                or (self.strategy == "probe" and key not in _OF_FIRST)
                for key in _changed(self.finetune)
            },
            **{f"augment.{key}": self.strategy == "probe" for key in _changed(self.augment)},
            # How many processes read is the machine's affair, and the Python API always says it.
            **{f"loop.{key}": self.strategy == "probe" for key in _changed(self.loop) if key != "workers"},
            "backbone": "backbone" in _changed(self) and self.strategy == "scratch",
            "weights": self.weights is not None and self.strategy == "scratch",
            "budget": self.budget is not None and self.strategy == "probe",
            "engine": self.engine != "auto" and self.strategy == "scratch",
        }
        for name in (name for name, given in idle.items() if given):
            other = "scratch" if name.startswith("network.") and self.strategy != "scratch" else "finetune"
            other = (
                "finetune" if name in ("network.dense", "network.output", "network.test_time_augmentation") else other
            )
            named = ", or name the network with --network instead" if name == "backbone" else ""
            raise ValueError(
                f"{name} is set, which --strategy {self.strategy} does not use. Leave it out{named}, or give --strategy {other}"
            )
        return self

    def trained_by(self) -> dict[str, Any]:
        """The settings that a training's result depends on, as JSON values."""
        found = self.model_dump(
            mode="json",
            exclude={
                **dict.fromkeys(_LEARNED_WITHOUT, True),
                "network": {
                    "test_time_augmentation": True,
                    "text": {"vectors"},
                },  # what is in a file counts, not its name
                "loop": {"workers"},
            },
        )
        if not _changed(self.probe):
            del found["probe"]  # checkpoints from before it could be told
        if not _changed(self.network.text):
            del found["network"]["text"]
        for name in LATER.difference(_changed(self.loop)):
            del found["loop"][name]
        network, told = self.network, found["network"]
        layers = [*zip(network.blocks, told["blocks"], strict=True), *zip(network.dense, told["dense"], strict=True)]
        for part, values in [(network, told), (self.finetune, found["finetune"]), *layers]:
            for name in LATER_OF_NETWORKS.intersection(values).difference(_changed(part)):
                del values[name]
        for name in AUGMENTED_LATER:
            if found["augment"][name] is None:
                del found["augment"][name]
        found["loop"]["weight_decay"] = self.loop.decay
        return found

    @property
    def read_options(self) -> ReadOptions:
        """What was told about the data set, beside where it is."""
        seed = self.seed if self.split.seed is None else self.split.seed
        return ReadOptions(
            task=self.task,
            separator=self.label_separator,
            span=self.span,
            limit=self.split.limit,
            seed=0 if self.split.limit is None else seed,
            **self.reading.model_dump(),
        )

    @property
    def folded(self) -> bool:
        """Whether every picture is to be tested, in K folds."""
        return self.kfold.folds is not None or self.reading.fold_column is not None

    @property
    def span(self) -> Span | None:
        """The range that was told; None where it is to be found."""
        return None if self.value_range is None else parse_span(self.value_range)

    @property
    def compares_backbones(self) -> bool:
        """Whether the backbone is still to be chosen among several."""
        return self.backbone == "auto" or "," in self.backbone

    @property
    def budget_seconds(self) -> float | None:
        """The budget in seconds; None where there is none."""
        return None if self.budget is None else parse_seconds(self.budget)


def _changed(part: Part) -> list[str]:
    """The keys whose values are not those that they have unless somebody says otherwise."""
    fields = type(part).model_fields
    return [key for key, field in fields.items() if getattr(part, key) != field.get_default(call_default_factory=True)]


def parse_seconds(text: str) -> float:
    """`90s`, `10m`, `1.5h` or `1h30m` in seconds; 0 for anything else."""
    parts = re.findall(r"(\d+(?:\.\d+)?)([smh])", text.strip().lower())
    if "".join(number + unit for number, unit in parts) != text.strip().lower():
        return 0.0
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)
