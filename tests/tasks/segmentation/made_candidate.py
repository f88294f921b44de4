"""A candidate whose network is made by hand, and pictures with masks to test it on. In: a folder. Out: PixelCandidate, Dataset."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.answers.mask_files import class_colours, mask_png
from tellapart.data.dataset import Dataset, gather
from tellapart.data.examples import ReadOptions
from tellapart.data.stratify_masks import assign_masks
from tellapart.data.targets import class_shares
from tellapart.features.backbone import ReadyBackbone
from tellapart.features.caching import open_cache
from tellapart.preprocessing import Preprocessing
from tellapart.reporter import Silent
from tellapart.tasks.segmentation.candidates import PixelCandidate
from tellapart.workflows.learning.examine import examine

CLASSES = ("background", "1", "2")  # by values, as nobody names them
TILE, OVERLAP = 32, 8
PREPROCESSING = Preprocessing(
    size=TILE, crop=1.0, fit="tile", overlap=OVERLAP, interpolation="bilinear", mean=(0.0,) * 3, std=(1.0,) * 3
)


def drawn(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Pixels and mask: blue and red rectangles in noise; the mask is a pixel off, and 255 in a corner."""
    chance = np.random.default_rng(seed)
    width, height = int(chance.integers(24, 60)), int(chance.integers(24, 50))
    pixels = chance.integers(0, 90, (height, width, 3), dtype=np.uint8)
    mask = np.zeros((height, width), dtype=np.uint8)
    for number, channel in ((1, 2), (2, 0)):
        x, y = int(chance.integers(0, width - 12)), int(chance.integers(0, height - 12))
        pixels[y : y + 11, x : x + 11, channel] = chance.integers(170, 256)
        mask[y : y + 11, x + 1 : x + 12] = number
    mask[:2, :3] = 255
    return pixels, mask


def write_data(root: Path, count: int = 12) -> Path:
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    for number in range(count):
        pixels, mask = drawn(number)
        Image.fromarray(pixels).save(root / "images" / f"{number}.png")
        (root / "masks" / f"{number}.png").write_bytes(mask_png(mask, class_colours(3, background=0)))
    return root


def read_data(root: Path) -> Dataset:
    with open_cache() as cache:
        examined = examine(root, cache=cache, reporter=Silent(), options=ReadOptions(task="segmentation"))
    return gather(examined, seed=0, split=assign_masks, encode=class_shares)


def write_network(path: Path, *, bias: float = 4.0) -> None:
    """Logits [N, 3, H, W] by one convolution of 1 x 1, and the mean colour as the embedding [N, 3]."""
    from onnx import TensorProto, helper, numpy_helper, save

    node, value = helper.make_node, helper.make_tensor_value_info
    weights = np.array([[-0.4, 0, -0.4], [-1, 0, 1], [1, 0, -1]], dtype=np.float32) * np.float32(8 / 255)
    constants = {"weights": weights[:, :, None, None], "bias": np.array([bias, 0.0, 0.0], dtype=np.float32)}
    nodes = [
        node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        node("Transpose", ["pixels"], ["channels"], perm=[0, 3, 1, 2]),
        node("Conv", ["channels", "weights", "bias"], ["logits"]),
        node("ReduceMean", ["channels"], ["embedding"], axes=[2, 3], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "by hand",
        [value("image", TensorProto.UINT8, ["N", "H", "W", 3])],
        [
            value("logits", TensorProto.FLOAT, ["N", 3, "H", "W"]),
            value("embedding", TensorProto.FLOAT, ["N", 3]),
        ],
        [numpy_helper.from_array(one, name) for name, one in constants.items()],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def candidate(folder: Path, strategy: str = "finetune", *, bias: float = 4.0) -> PixelCandidate:
    folder.mkdir(exist_ok=True)
    network = folder / "network.onnx"
    write_network(network, bias=bias)
    backbone = ReadyBackbone(
        name="by hand",
        network=network,
        weights=folder / "weights.safetensors",
        preprocessing=PREPROCESSING,
        embedding=3,
        weights_source="made here",
        weights_license="none",
        fingerprint="0" * 64,
        reused=False,
        seconds=0.0,
    )
    return PixelCandidate(strategy=strategy, backbone=backbone, pretrained=backbone, details={})
