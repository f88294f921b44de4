"""Which values of deep pictures are black and white in a training. In: settings, Examined, Dataset. Out: Span. Next: session.py."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from tellapart.data.dataset import Dataset
from tellapart.data.depth import misfits
from tellapart.data.survey import Examined
from tellapart.deep_values import Span, as_text, find_span
from tellapart.features.backbone import PendingBackbone, ReadyBackbone
from tellapart.preprocessing import fitted
from tellapart.reporter import Reporter
from tellapart.settings.tree import TrainSettings


def find_range(settings: TrainSettings, examined: Examined, dataset: Dataset, reporter: Reporter) -> Span | None:
    """What was told, or what the training pictures use; None where none of them has more than 8 bits.

    It says what the audit could not know: a range that is another than that of all pictures together.
    """
    learned_from = dataset.indices[dataset.rows["train"]].tolist()
    span = settings.span or range_of(examined, learned_from)
    found = examined.audit.depths
    if found is None:
        if span is not None:
            reporter.warn(
                f"the range is {as_text(span)}, but no picture here has more than 8 bits: it is kept for those to come."
            )
        return span
    if span is None or span == found.span:
        return span
    reporter.say(
        f"Pictures of more than 8 bits are read by the range {as_text(span)}, which the training pictures alone use."
    )
    paths = [entry.path for entry in examined.listing.entries]
    beyond = misfits(paths, [one.depth for one in examined.inspections], span)
    if beyond:
        path, reason = beyond[0]
        reporter.warn(f"{len(beyond):,} pictures do not fit into that range, such as {path}: {reason}.")
    return span


def range_of(examined: Examined, indices: Iterable[int]) -> Span | None:
    """The range that the entries of those numbers use together; None where none has more than 8 bits."""
    depths = (examined.inspections[index].depth for index in indices)
    return find_span([depth for depth in depths if depth is not None])


def cropped_backbone(
    examined: Examined, usable: Sequence[int], pending: PendingBackbone, reporter: Reporter
) -> ReadyBackbone:
    """The backbone with whole pictures cropped, and their range of values."""
    with reporter.step("Preparing the network", 1) as advance:
        ready = pending.wait()
        advance(1)
    if pending.remark:
        reporter.warn(pending.remark)
    depths = examined.audit.depths
    span = depths.span if depths is not None and depths.told else range_of(examined, usable)
    return replace(ready, preprocessing=fitted(ready.preprocessing, "crop", span))
