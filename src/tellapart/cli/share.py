"""A share as people type it. In: 0.5% or 0.005. Out: a number. Next: export.py."""

from __future__ import annotations

import math
from typing import Any

import click


class Share(click.ParamType[float]):
    """A share in [0, 1], also in percent: 0.005 or 0.5%."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Raises: click.BadParameter for what is none."""
        text = str(value).strip()
        try:
            found = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            found = math.nan
        if not 0 <= found <= 1:
            near = found if 1 < found <= 100 and not text.endswith("%") else 0.5  # 5 is meant as 5 %
            self.fail(f"{value!r} is no share; give one such as {near:g}% or {near / 100:g}.", param, ctx)
        return found
