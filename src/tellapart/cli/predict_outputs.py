"""What `predict` writes besides rows: boxes, masks. In: flags. Out: a writer through which answers pass. Next: asked.py."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import click

if TYPE_CHECKING:
    from tellapart.answers.answering import Answering
    from tellapart.answers.sources import Source, Stream
    from tellapart.cli.answerer import Answerer

ROWS = ("table", "csv", "jsonl")
FORMS = ("voc", "coco", "yolo")


class OutputWriter(Protocol):
    """Writes files while answers pass."""

    remark: str  # what to know of what is drawn; "" for nothing

    def stream(self, sources: Iterable[Source], answer: Stream, *, allow_private: bool = False) -> Iterator[Any]:
        """The answers to `sources`, each once its files are written. Raises: StorageError, DataError."""

    def summary(self) -> str:
        """What was written and where, in words."""


def check_flags(flags: Mapping[str, Any], thresholds: tuple[str, ...], arguments: tuple[str, ...] = ()) -> None:
    """Raises: UsageError for flags that do not go together."""
    if flags["ray"] is not None:
        from tellapart.cli.predict_ray import check_with_ray

        check_with_ray(flags, arguments)
    if flags["layout"] in FORMS and flags["out"] is None:
        raise click.UsageError(
            f"--format {flags['layout']} writes files, and no folder is named for them. Name one with --out FOLDER."
        )
    if flags["server"] is not None and thresholds:
        raise click.UsageError(
            "--threshold is for a model that is opened here; a server decides by its model's own. Leave --threshold out, or name "
            "the model file instead of --server."
        )
    if _boxes(flags) and _masks(flags):
        raise click.UsageError(
            "--masks and --overlays are for a model that makes masks, --draw, --crops and --format voc, coco, yolo for one that "
            "finds boxes. Give those of one kind."
        )
    if flags["polygons"] and flags["layout"] != "jsonl":
        raise click.UsageError("--polygons are told in JSON. Give --format jsonl as well, or leave --polygons out.")


def make_writer(answerer: Answerer, paths: tuple[str, ...], flags: Mapping[str, Any]) -> OutputWriter | None:
    """What writes boxes or masks, where that is asked for. Raises: SettingsError, StorageError."""
    if not _boxes(flags) and not _masks(flags):
        return None
    from tellapart.answers.out_names import roots_of

    given: dict[str, Any] = {"roots": roots_of(paths), "inputs": answerer.inputs}
    if _masks(flags):
        from tellapart.workflows.predict_masks import MaskOutputs, MaskWriter

        made = MaskOutputs(masks=flags["masks"], overlays=flags["overlays"], force=flags["force"])
        return MaskWriter(made, answerer.answering, answerer.classes, **given)
    from tellapart.workflows.predict import BoxOutputs, BoxWriter

    annotations = flags["out"] if flags["layout"] in FORMS else None
    outputs = BoxOutputs(
        annotations=annotations,
        form=flags["layout"] if annotations is not None else "voc",
        drawn=flags["drawn"],
        crops=flags["crops"],
        force=flags["force"],
    )
    return BoxWriter(outputs, answerer.answering, answerer.classes, **given)


def telling(answerer: Answerer, flags: Mapping[str, Any]) -> Answering[Any, Any]:
    """How answers are told, with the borders of parts where they are asked for. Raises: SettingsError where there are none."""
    if not flags["polygons"]:
        return answerer.answering
    from tellapart.answers.mask_files import PaintsMasks
    from tellapart.errors import SettingsError

    if not isinstance(answerer.answering, PaintsMasks):
        raise SettingsError(
            "the model makes no masks, so that there are no borders to tell. Leave --polygons out, or give a model that learned "
            "masks."
        )
    told: Answering[Any, Any] = answerer.answering.with_outlines()
    return told


def _boxes(flags: Mapping[str, Any]) -> bool:
    return flags["layout"] in FORMS or flags["drawn"] is not None or flags["crops"] is not None


def _masks(flags: Mapping[str, Any]) -> bool:
    return flags["masks"] is not None or flags["overlays"] is not None
