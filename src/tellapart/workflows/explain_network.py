"""What a network is and sees. In: OpenRun, a layer, pictures. Out: layers; PNGs. Next: explanation/layers.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart.answers.items import expand, read_file
from tellapart.drawing.explain_sheet import draw_tiles
from tellapart.drawing.lettering import Say
from tellapart.drawing.network_diagram import draw_network
from tellapart.drawing.png import write_png
from tellapart.errors import DataError, PictureError
from tellapart.explanation.files import check_free, choose_files
from tellapart.explanation.layers import Layer, feature_maps, find_layer, first_filters
from tellapart.explanation.pictures import MOST_MAPS, filter_tiles, is_signed, map_tiles
from tellapart.explanation.stages import put_together
from tellapart.preprocessing import load
from tellapart.reporter import Reporter
from tellapart.runs.open import OpenRun
from tellapart.storage import own_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureSheet:
    """The feature maps of one picture, or the reason why there are none."""

    path: str
    sheet: Path | None = None
    channels: tuple[int, ...] = ()  # most active first
    error: str = ""


def network_json(layers: Sequence[Layer]) -> dict[str, Any]:
    """The table of the network as one JSON-ready object."""
    return {
        "parameters": sum(layer.parameters for layer in layers),
        "multiply_adds": sum(layer.multiply_adds for layer in layers),
        "layers": [
            {
                "name": layer.name,
                "operators": list(layer.operators),
                "output": list(layer.output),
                "parameters": layer.parameters,
                "multiply_adds": layer.multiply_adds,
            }
            for layer in layers
        ],
    }


def write_diagram(opened: OpenRun, out: Path, *, force: bool, say: Say = str) -> Path:
    """Draw the network, a row a stage, to `out`/network.png. Raises: StorageError."""
    path = out / "network.png"
    check_free(path, force=force)
    size = opened.manifest.preprocessing.size
    own_folder(out)
    write_png(path, draw_network(put_together(opened.layers), name=opened.manifest.backbone.name, size=size, say=say))
    return path


def write_filters(opened: OpenRun, out: Path, *, force: bool, say: Say = str) -> Path:
    """Draw the first layer's filters to `out`/filters.png. Raises: SettingsError, StorageError."""
    path = out / "filters.png"
    check_free(path, force=force)
    kernels = first_filters(opened.graph)
    count, colours, height, width = kernels.shape
    seen = "colours" if colours == 3 else "grey"
    sheet = draw_tiles(
        filter_tiles(kernels),
        title=f"First-layer filters of {opened.manifest.backbone.name}",
        head=f"{count} filters of {height} x {width} pixels that look at {seen}. Each has its own scale: middle grey is "
        "weight 0, brighter is above, darker below. Batch norm is folded in.",
        captions=[str(channel) for channel in range(count)],
        say=say,
    )
    own_folder(out)
    write_png(path, sheet)
    return path


def write_features(
    opened: OpenRun, layer: str, pictures: Sequence[str], out: Path, *, force: bool, reporter: Reporter, say: Say = str
) -> list[FeatureSheet]:
    """Draw what `layer` gives for each picture, most active first, to `out`/NAME.LAYER.png.

    Raises: SettingsError when there is no such layer, or it gives no maps; DataError without pictures; StorageError.
    """
    chosen = find_layer(opened.layers, layer)
    sources = list(expand(pictures))
    if not sources:
        raise DataError(f"--features {layer} needs a picture to look at. Name at least one.")
    files = choose_files([source.path for source in sources], out, force=True)
    sheets = [out / f"{place.stem}.{layer}.png" for place in files]
    for sheet in sheets:
        check_free(sheet, force=force)
    found = []
    with reporter.step(f"Drawing {layer}", len(sources)) as advance:
        for source, sheet in zip(sources, sheets, strict=True):
            try:
                found.append(_write_one(opened, chosen, source.path, sheet, say))
            except PictureError as error:
                found.append(FeatureSheet(path=source.path, error=str(error)))
            advance(1)
    return found


def _write_one(opened: OpenRun, layer: Layer, path: str, sheet: Path, say: Say) -> FeatureSheet:
    maps = feature_maps(opened.graph, layer, load(read_file(path), opened.preprocessing))
    tiles = map_tiles(maps)
    count, height, width = maps.shape
    silent = int((maps.max((1, 2)) <= 0).sum())
    shown = f"The {MOST_MAPS} most active of {count:,}" if count > MOST_MAPS else f"All {count:,}"
    quiet = f" {silent:,} are 0 everywhere." if silent else ""
    scale = "middle grey is 0, brighter is above, darker below" if is_signed(maps) else "dark is 0, yellow is much"
    drawing = draw_tiles(
        tiles,
        title=f"{Path(path).name} in layer {layer.name}",
        head=f"{shown} feature maps of {height} x {width}, the most active first, on one scale: "
        f"{scale}.{quiet} Below each: channel, mean size.",
        captions=[f"{tile.channel}   {tile.activity:.3g}" for tile in tiles],
        say=say,
    )
    own_folder(sheet.parent)
    write_png(sheet, drawing)
    return FeatureSheet(path=path, sheet=sheet, channels=tuple(tile.channel for tile in tiles))
