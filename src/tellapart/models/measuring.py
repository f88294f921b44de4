"""What pretrained networks cost, worked out without any weights. In: names. Out: figures.json. Next: cli/models.py.

Run as `python -m tellapart.models.measuring` (`make figures`) when a network joins the catalog or Keras' names; needs PyTorch. The
list itself reads the file alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from tellapart.models.catalog import BACKBONES
from tellapart.models.keras_names import KERAS_NAMES
from tellapart.storage import write_bytes

FIGURES = Path(__file__).parent / "figures.json"
_IMAGENET = 1000  # classes


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkFigures:
    """One network with its own classifier of 1,000 classes, at the size that its weights were made for."""

    size: int  # pixels, side of a picture
    layers: int  # convolutions and dense layers, those of shortcuts among them
    parameters: int
    macs: (
        int  # multiplications with an addition each of these layers, for one picture; attention's own products left out
    )

    @property
    def megabytes(self) -> float:
        """Of the weights in float32."""
        return 4 * self.parameters / 1e6


def read_figures(path: Path = FIGURES) -> dict[str, NetworkFigures]:
    """The figures that the package keeps, by timm's name."""
    found = json.loads(path.read_text(encoding="utf-8"))
    return {name: NetworkFigures(**values) for name, values in found.items()}


def listed() -> dict[str, str]:
    """The networks that are listed, by timm's name, with what Keras calls them; "" where it has none such."""
    keras: Mapping[str, str] = {timm: name for name, timm in KERAS_NAMES.items()}
    return {name: keras.get(name, "") for name in (*BACKBONES, *(timm for timm in keras if timm not in BACKBONES))}


def measure(name: str) -> NetworkFigures:
    """Raises: BackboneError for a name that timm has not."""
    import torch
    from torch import Tensor, nn

    from tellapart.models.build import sketch_pretrained

    network = sketch_pretrained(name, class_count=_IMAGENET).eval()
    counts: list[int] = []

    def count(layer: nn.Module, inputs: object, output: Tensor) -> None:
        weight = layer.get_parameter("weight")
        counts.append(output.numel() * (weight.numel() // len(weight)))

    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            layer.register_forward_hook(count)
    with torch.inference_mode():
        network(torch.zeros(1, network.size, network.size, 3, dtype=torch.uint8, device="meta"))
    parameters = sum(value.numel() for value in network.parameters())
    return NetworkFigures(size=network.size, layers=len(counts), parameters=parameters, macs=sum(counts))


def main() -> None:
    """Write the figures of all listed networks anew."""
    found = {name: asdict(measure(name)) for name in listed()}
    write_bytes(FIGURES, (json.dumps(found, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
