"""Small convolutional networks, made without torch. In: sizes. Out: ONNX bytes. Next: test_cutting.py."""

from __future__ import annotations

from typing import Any

import numpy as np

SIZE = 16


def conv_network(*, folded: bool = True, seed: int = 0, wide: int = 8) -> bytes:
    """uint8 [N, 16, 16, 3] -> `embedding` [N, 2 x wide], by a convolution, one for each channel, an addition and a product.

    Not `folded`, its padding is worked out at run time, as PyTorch's export of networks of TensorFlow leaves it.
    """
    from onnx import TensorProto, helper, numpy_helper

    chance = np.random.default_rng(seed)

    def normal(*shape: int) -> np.ndarray[Any, Any]:
        return (chance.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)

    numbers = {
        "scale": np.array(1 / 255, np.float32),
        "one": normal(wide, 3, 3, 3),
        "own": normal(wide, 1, 3, 3),
        "dense": normal(wide, 2 * wide),
        "none": np.array(0, np.float32),
        "six": np.array(6, np.float32),
        "half": np.array([0, 0, 1, 1], np.int64),
        "twice": np.array([2], np.int64),
    }
    pads = [
        helper.make_node("Concat", ["half", "half"], ["pads"], axis=0),
        helper.make_node("Pad", ["float", "pads"], ["padded"], name="pad"),
    ]
    nodes = [
        helper.make_node("Transpose", ["image"], ["first"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["first"], ["cast"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["cast", "scale"], ["float"]),
        *([] if folded else pads),
        helper.make_node(
            "Conv",
            ["float" if folded else "padded", "one"],
            ["a"],
            name="stem",
            strides=[2, 2],
            pads=[1, 1, 1, 1] if folded else [0, 0, 0, 0],
        ),
        helper.make_node("Clip", ["a", "none", "six"], ["b"], name="clip"),
        helper.make_node("Conv", ["b", "own"], ["c"], name="own", group=wide, pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["b", "c"], ["d"], name="sum"),
        helper.make_node("GlobalAveragePool", ["d"], ["e"], name="pool"),
        helper.make_node("Flatten", ["e"], ["f"], name="flat"),
        helper.make_node("MatMul", ["f", "dense"], ["embedding"], name="dense"),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", SIZE, SIZE, 3])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", 2 * wide])],
        [numpy_helper.from_array(value, name) for name, value in numbers.items()],
    )
    return bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8).SerializeToString()
    )


def pictures(count: int, seed: int = 1) -> np.ndarray[Any, Any]:
    """Smooth pictures, uint8 [count, 16, 16, 3]."""
    chance = np.random.default_rng(seed)
    small = chance.integers(0, 256, (count, 4, 4, 3))
    return np.kron(small, np.ones((1, 4, 4, 1))).astype(np.uint8)
