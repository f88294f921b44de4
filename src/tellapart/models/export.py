"""A backbone becomes an ONNX file, in a process of its own. In: a timm name. Out: a folder. Next: features/backbone.py.

Run as `python -m tellapart.models.export NAME FOLDER JSON`, JSON being the settings of `export_backbone`. The own
process lets the export run beside the audit on the other core, and keeps torch's half gigabyte out of the process
that embeds.
"""

from __future__ import annotations

import dataclasses
import gc
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from tellapart.errors import TellapartError
from tellapart.models.catalog import LastPooling
from tellapart.models.weights import load_backbone
from tellapart.storage import write_bytes, write_json


def export_backbone(
    name: str,
    folder: Path,
    *,
    weights: str | None = None,
    size: int | None = None,
    crop: float | None = None,
    pooling: LastPooling = "own",
) -> None:
    """Write network.onnx (uint8 [N, S, S, 3] -> embedding float32 [N, D]), weights.safetensors and, last, backbone.json.

    The embedding is the means of all stages and then the last layer, where models/joint.py knows the stages; where `pooling` says
    what is put on the last maps, it is that alone, and the files hold nothing that comes behind them.

    `size` (pixels) and `crop` (share of the shorter side) take the place of those that the weights were made with.
    A folder without backbone.json is unfinished. The ONNX file is compared with the torch network before it counts.
    Raises: BackboneError, StorageError.
    """
    import safetensors.torch
    import torch

    from tellapart.models.build import picture, stage_network
    from tellapart.models.joint import join_stages
    from tellapart.models.last_maps import drop_head
    from tellapart.models.tracing import export_embedding

    torch.set_num_threads(1)  # the other cores are busy with the audit
    loaded = load_backbone(name, Path(weights) if weights else None, pooling)
    changes: dict[str, Any] = {key: value for key, value in (("size", size), ("crop", crop)) if value is not None}
    preprocessing = dataclasses.replace(loaded.preprocessing, **changes)
    if pooling != "own":
        drop_head(loaded.network, picture(preprocessing.size))
    write_bytes(folder / "weights.safetensors", safetensors.torch.save(dict(loaded.network.state_dict())))
    path = folder / "network.onnx"
    network = stage_network(loaded.network, name=name, preprocessing=preprocessing, class_count=1, pooling=pooling)
    stages = join_stages(network, preprocessing.size) if pooling == "own" else ()
    embedding = export_embedding(network, size=preprocessing.size, path=path, name=name)
    write_json(
        folder / "backbone.json",
        {
            "name": name,
            "preprocessing": dataclasses.asdict(preprocessing),
            "embedding": embedding,
            "stages": stages,
            **({} if pooling == "own" else {"pooling": pooling}),
            "weights_source": loaded.source,
            "weights_license": loaded.license,
            "weights_fingerprint": _digest(folder / "weights.safetensors"),
            "onnx_sha256": _digest(path),
        },
    )


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main(arguments: list[str]) -> int:
    """Export, and print one JSON line: what went wrong, or nothing. The exit code; nothing of ours is raised."""
    name, folder, settings = arguments[0], Path(arguments[1]), json.loads(arguments[2])
    try:
        export_backbone(name, folder, **settings)
    except TellapartError as error:
        print(json.dumps({"error": type(error).__name__, "message": str(error)}))
        return error.exit_code
    return 0


if __name__ == "__main__":
    # A training waits for this process: neither collecting garbage while torch is imported nor taking torch down
    # afterwards does it any good.
    gc.disable()
    code = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)
