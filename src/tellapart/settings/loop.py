"""What a recipe says of the training loop. In: values. Out: LoopSettings. Next: tree.py.

None means: chosen by strategy, network or budget.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tellapart.settings.mirror import Part
from tellapart.training.planning import CPU_BATCH

# The names of training/optimizer.py and training/schedule.py, which import torch.
OptimizerName = Literal["adamw", "adam", "sgd", "rmsprop", "adagrad", "adadelta"]
# asymmetric: several classes a picture; tversky, lovasz: a class a pixel; hinge, mean_squared_error: one class a picture
LossName = Literal[
    "cross_entropy",
    "focal",
    "hinge",
    "mean_squared_error",
    "binary_cross_entropy",
    "asymmetric",
    "tversky",
    "lovasz",
]
ScheduleName = Literal["cosine", "step", "exponential", "piecewise", "plateau", "constant"]

# Checkpoints from before these could be told go on where they are not.
LATER = frozenset({"steps_per_epoch", "nesterov", "decay_at", "monitor", "min_delta"})

_DECAY = 0.05


class LoopSettings(Part):
    """The training loop of fine-tuning and of training from scratch."""

    epochs: int | None = Field(None, ge=1, le=10_000)
    batch_size: int | None = Field(None, ge=1, le=65_536)  # of all processes together; None: what suits the machine
    accumulate: int = Field(1, ge=1, le=1024)  # batches an update
    steps_per_epoch: int | None = Field(None, ge=1)  # at most; None: as many as the pictures fill
    optimizer: OptimizerName = "adamw"
    learning_rate: float | None = Field(None, gt=0, le=10)
    head_learning_rate: float | None = Field(None, gt=0, le=10)
    layer_decay: float = Field(1.0, gt=0, le=1)
    momentum: float = Field(0.9, ge=0, lt=1)  # of sgd and rmsprop
    nesterov: bool = True  # sgd looks ahead
    weight_decay: float | None = Field(None, ge=0, le=10)  # None: 0.05 of adamw and sgd, else 0
    l1: float = Field(0.0, ge=0, le=1000)
    l2: float = Field(0.0, ge=0, le=1000)
    schedule: ScheduleName = "cosine"
    warmup_epochs: float = Field(1.0, ge=0, le=10_000)
    decay_epochs: float | None = Field(None, gt=0, le=10_000)
    decay_rate: float = Field(0.1, gt=0, le=1)
    decay_at: tuple[Annotated[float, Field(gt=0, le=10_000)], ...] = ()  # epochs after which a piecewise schedule falls
    loss: LossName = "cross_entropy"
    focal_gamma: float = Field(2.0, ge=0, le=10)
    label_smoothing: float = Field(0.1, ge=0, lt=1)
    sampling: Literal["natural", "balanced"] = "natural"
    clip: float = Field(1.0, ge=0)  # largest norm of the gradient; 0: any
    average: float = Field(0.0, ge=0, lt=1)  # decay of the moving average of the weights (EMA); 0: none
    # What of the validation pictures says which epoch is best: loss, accuracy ...; None: what suits the task, mostly the loss.
    monitor: str | None = Field(None, min_length=1)
    patience: int | None = Field(None, ge=1)  # epochs without a gain before the loop stops
    min_delta: float = Field(0.0, ge=0)  # what counts as a gain
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    channels_last: bool = True
    compile: bool = False
    workers: int | None = Field(None, ge=0, le=256)  # processes that read and vary pictures

    @model_validator(mode="after")
    def _usual_decay_is_none_told(self) -> LoopSettings:
        # Recipes from before there were more optimizers hold it.
        if self.weight_decay == _DECAY and self.optimizer in ("adamw", "sgd"):
            object.__setattr__(self, "weight_decay", None)
        return self

    @property
    def decay(self) -> float:
        """The weight decay; adam, rmsprop, adagrad and adadelta would add it to the gradient, and scale it with that."""
        if self.weight_decay is not None:
            return self.weight_decay
        return _DECAY if self.optimizer in ("adamw", "sgd") else 0.0

    @property
    def pictures_at_once(self) -> int:
        """The batch size, before it is chosen that of a CPU."""
        return self.batch_size or CPU_BATCH
