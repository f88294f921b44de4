"""What a training begins while the audit is at work. In: settings, the backbone in the making. Out: Early. Next: examine.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tellapart.data.examples import Inspection, Listing
from tellapart.features.ahead import Ahead
from tellapart.features.backbone import PendingBackbone, ReadyBackbone
from tellapart.features.cache import Cache
from tellapart.features.embedding import Embedded
from tellapart.features.engine import SHIPPED, EngineChoice, open_engine, settle_engine
from tellapart.features.squares import Squares
from tellapart.preprocessing import Preprocessing, fitted
from tellapart.settings.tree import TrainSettings
from tellapart.tasks.table import task_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Early:
    """Pictures that are decoded, and embeddings that are computed, before anything is known of the data set as a whole."""

    squares: Squares
    ahead: Ahead

    def settle(self, embedded: Embedded) -> Embedded:
        """All pictures are embedded now: let go of their pixels, and count as computed what was computed ahead."""
        self.squares.clear()
        computed = min(self.ahead.computed, embedded.reused)
        return replace(embedded, computed=embedded.computed + computed, reused=embedded.reused - computed)


def begin_early(
    settings: TrainSettings, pending: PendingBackbone, cache: Cache, *, device: str, engine: EngineChoice
) -> Early:
    """The audit's pictures as `pending` will most likely see them, and what embeds them on a CPU as the shipped file will."""

    def wanted() -> Preprocessing | None:
        made = pending.preprocessing
        return None if made is None else fitted(made, settings.network.fit or "crop", None)

    def choose(listing: Listing, inspections: Sequence[Inspection]) -> ReadyBackbone | None:
        preprocessing = wanted()
        if preprocessing is None or pending.running or device != "cpu":
            return None
        # Of so many pictures more than train: what is embedded ahead is never what another engine would embed.
        if settle_engine(engine, len(listing.entries)) != SHIPPED:
            return None
        # What of deep pictures is black and white is found later, from all of them.
        if task_of(listing.task).quick is None or any(inspection.depth is not None for inspection in inspections):
            return None
        return replace(pending.wait(), preprocessing=preprocessing)

    squares = Squares(wanted)
    return Early(
        squares=squares,
        ahead=Ahead(choose, lambda backbone: open_engine(backbone, device), cache=cache, squares=squares),
    )
