"""Machines of Ray that open pictures for `check` and `train`. In: an address. Out: Afar. Next: workflows/scaling/looking.py."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tellapart.features.afar import Afar
    from tellapart.reporter import Reporter


def check_with_ray(address: str, *, labels: bool, shortcuts: bool) -> None:
    """Raises: SettingsError for no address, or for what Ray has no part in; MissingExtra."""
    from tellapart.cli.extras import require
    from tellapart.errors import SettingsError
    from tellapart.workflows.scaling.connection import check_address

    check_address(address)
    if labels or shortcuts:
        raise SettingsError(
            f"--ray {address} opens pictures elsewhere for the audit alone, and --{'labels' if labels else 'shortcuts'} trains "
            "here. Leave one of them out."
        )
    require("check --ray", "ray")


@contextlib.contextmanager
def looked_at_by(address: str | None, reporter: Reporter) -> Iterator[Afar | None]:
    """Inside, Ray is connected; None without an address. Raises: as `connected`."""
    if address is None:
        yield None
        return
    from tellapart.workflows.scaling.connection import connected, told_cost
    from tellapart.workflows.scaling.looking import AfarBy
    from tellapart.workflows.scaling.spread import over_ray

    reporter.say(told_cost())
    with connected(address, reporter) as found:
        yield AfarBy(spread=over_ray(found.workers), workers=found.workers)
