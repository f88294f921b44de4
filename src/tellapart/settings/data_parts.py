"""What a recipe says of the data: folds, splits, how they are read. In: values. Out: settings. Next: tree.py."""

from __future__ import annotations

import os
import re
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from tellapart.data.splitting import SplitTerms
from tellapart.settings.mirror import Part

_MOST_VALIDATION = 0.9  # less than this share of what is train


class KFoldSettings(Part):
    """Every picture tested once, by a network that has seen neither it nor a copy of it."""

    folds: int | None = Field(None, ge=2, le=100)  # None: no K folds, unless a column gives them
    repeats: int = Field(1, ge=1, le=100)  # other folds each time
    # What becomes model.onnx: one network trained on all but a validation split, or the mean of the K in one file.
    keep: Literal["one", "ensemble"] = "one"


class SplitSettings(Part):
    """How what is learned from is split, where it does not say it itself."""

    # Train, validation and test, such as 80/10/10; None: 70/10/20.
    shares: tuple[float, float, float] | None = None
    validation: float | None = Field(None, gt=0, lt=_MOST_VALIDATION)  # of what is train: 5% or 0.05
    test_from: Literal["validation"] | None = None  # a fifth of the validation split that was given becomes the test
    seed: int | None = Field(None, ge=0, lt=2**32)  # None: the run's
    limit: int | None = Field(None, ge=2)  # so many pictures at most, drawn at random; None: all

    @field_validator("shares", mode="before")
    @classmethod
    def _three_shares(cls, value: Any) -> Any:
        if value is None:
            return None
        parts = re.split(r"[/,:]", value) if isinstance(value, str) else value
        try:
            numbers = [float(str(part).strip().removesuffix("%")) for part in parts]
        except (TypeError, ValueError):
            numbers = []
        if len(numbers) != 3 or min(numbers) <= 0:
            raise ValueError("it is three numbers above 0, of train, validation and test, such as 80/10/10")
        whole = 100.0 if max(numbers) >= 10 else 1.0 if max(numbers) < 1 else sum(numbers)  # per cent, shares, parts
        if abs(sum(numbers) - whole) > 0.01 * whole:
            raise ValueError(
                f"its numbers add up to {sum(numbers):g}, and train, validation and test are {whole:g} together, such as 80/10/10"
            )
        return tuple(number / sum(numbers) for number in numbers)

    @field_validator("validation", mode="before")
    @classmethod
    def _a_share(cls, value: Any) -> Any:
        text = str(value).strip()
        try:
            number = float(text.removesuffix("%"))
        except ValueError:
            if text.endswith("%"):
                raise ValueError("it is a share such as 5% or 0.05") from None
            return value
        if text.endswith("%"):
            return number / 100
        if 1 <= number < 100 * _MOST_VALIDATION:
            raise ValueError(
                f"it must be below {_MOST_VALIDATION:g}; {number:g} % is written {number:g}% or {number / 100:g}"
            )
        return value

    @model_validator(mode="after")
    def _one_thing_says_it(self) -> SplitSettings:
        if self.shares is not None and self.validation is not None:
            raise ValueError("shares and validation both say how large validation is. Leave one of them out")
        return self

    @property
    def terms(self) -> SplitTerms:
        """As the data room takes them."""
        return SplitTerms(shares=self.shares, validation=self.validation, test_from=self.test_from, seed=self.seed)


class ReadingSettings(Part):
    """How what is learned from is read, where it does not say it itself."""

    encoding: str | None = Field(None, min_length=1)  # of a text table
    path_column: str | None = Field(None, min_length=1)  # names of columns, or their numbers from 1
    text_column: str | None = Field(None, min_length=1)  # of a table that holds the texts themselves
    label_column: str | None = Field(None, min_length=1)
    split_column: str | None = Field(None, min_length=1)
    group_column: str | None = Field(None, min_length=1)
    fold_column: str | None = Field(None, min_length=1)  # its values are the folds of --kfold
    root: str | None = Field(None, min_length=1)  # the folder that a table's paths count from
    extension: str | None = Field(None, min_length=1)  # of paths that are written without one
    label_from: str | None = Field(None, min_length=1)  # a regular expression that finds the class in a path
    classes: str | None = Field(None, min_length=1)  # of masks: names of their values, or a file with them
    ignore_label: str | None = Field(None, min_length=1)  # of masks: what counts nowhere
    train_split: str | None = Field(
        None, min_length=1
    )  # the given split to learn from: dev, where none is for training
    merge_names: bool = False  # names of classes that are nearly the same are one class

    @field_validator(
        "path_column",
        "text_column",
        "label_column",
        "split_column",
        "group_column",
        "fold_column",
        "ignore_label",
        mode="before",
    )
    @classmethod
    def _number_as_text(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("classes", mode="before")
    @classmethod
    def _names_as_text(cls, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return ",".join(map(str, value))
        return os.fspath(value) if isinstance(value, os.PathLike) else value

    @field_validator("root", mode="before")
    @classmethod
    def _path_as_text(cls, value: Any) -> Any:
        return os.fspath(value) if isinstance(value, os.PathLike) else value
