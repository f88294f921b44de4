"""One trial where it is done, whatever comes of it. In: Bench, Order. Out: Attempt. Next: crew.py.

An Order holds plain values and seconds that are left, so that another machine, whose clock shows something else, can take it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tellapart.errors import StorageError, TellapartError
from tellapart.memory import memory_errors
from tellapart.settings.space_checking import settings_with
from tellapart.workflows.searching.bench import Bench
from tellapart.workflows.searching.trying import StoppedEarly, Told, Tried, try_settings
from tellapart.workflows.searching.watching import TooLong


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One trial to do."""

    number: int  # -1: of the usual settings
    given: Mapping[str, Any]  # tables of a recipe that stay as they are
    changes: Mapping[str, Any]  # whole key -> value: what is planned for all, and what this trial tries
    plans: bool  # it is the first within a budget, and plans how long all others learn
    seconds: float | None = None  # in which it must end; None: there is no end
    planned_seconds: float | None = None  # and those in which it plans to


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What came of it."""

    state: Literal["done", "stopped", "late", "failed", "lost"]  # lost: who was at work on it is gone
    seconds: float = 0.0
    tried: Tried | None = None  # where it is done
    epochs: int | None = None  # after which it was stopped
    more: float = 0.0  # seconds that it would have taken beside these, as far as anybody knows
    reason: str = field(default="")


def attempt(bench: Bench, order: Order, folder: Path, told: Told) -> Attempt:
    """Do it; what it writes goes to `folder`, which is removed.

    Raises: StorageError, since with a full disk all others would fail as well.
    """
    began = time.monotonic()
    try:
        with memory_errors():
            tried = try_settings(
                bench,
                settings_with(order.given, order.changes),
                folder,
                told=told,
                end=None if order.seconds is None else began + order.seconds,
                planned_end=None if order.planned_seconds is None else began + order.planned_seconds,
            )
        facts: dict[str, Any] = {"state": "done", "tried": tried}
    except StoppedEarly as stopped:
        facts = {"state": "stopped", "epochs": stopped.epoch}
    except TooLong as found:
        facts = {"state": "late", "more": found.seconds}
    except StorageError:
        raise
    except TellapartError as error:
        facts = {"state": "failed", "reason": str(error)}
    except Exception as error:  # a fault of ours or of a package: one trial of many must not end a night's work
        facts = {"state": "failed", "reason": f"unexpected {type(error).__name__}: {error}"[:500]}
    return Attempt(seconds=time.monotonic() - began, **facts)
