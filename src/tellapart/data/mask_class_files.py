"""The names of masks' values, as flags and files say them. In: ReadOptions. Out: ToldValues. Next: mask_names.py."""

from __future__ import annotations

from dataclasses import replace

from tellapart.data.examples import ReadOptions
from tellapart.data.mask_names import ToldValues, read_names, read_uncounted


def told_values(options: ReadOptions) -> ToldValues:
    """What the flags say of values. Raises: SettingsError."""
    told = ToldValues() if options.classes is None else read_names(options.classes)
    return replace(told, uncounted=read_uncounted(options.ignore_label))
