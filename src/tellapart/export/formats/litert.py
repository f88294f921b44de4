"""LiteRT, formerly TensorFlow Lite: run, and made int8. In: a .tflite. Out: arrays by name; a smaller .tflite. Next: ncnn_model.py.

It takes one picture, uint8 [1, S, S, 3].
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# What becomes int8: the layers of the network. What is done to pixels, calibration and novelty are worth their bits.
_LAYERS = (
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "CONV_2D_TRANSPOSE",
    "FULLY_CONNECTED",
    "ADD",
    "PAD",
    "PADV2",
    "MEAN",
    "AVERAGE_POOL_2D",
    "MAX_POOL_2D",
    "RELU",
    "RESHAPE",
    "CONCATENATION",
    "RESIZE_BILINEAR",
    "RESIZE_NEAREST_NEIGHBOR",
)


def quantise(source: Path, target: Path, options: dict[str, Any]) -> dict[str, Any]:
    """int8 weights and activations, calibrated on pictures uint8 [N, S, S, 3] in the file `options["pictures"]`."""
    from ai_edge_quantizer import qtyping, quantizer

    pictures = np.load(options["pictures"], allow_pickle=False)
    flat = source.with_name(f"flat-{source.name}")
    flat.write_bytes(_with_flat_biases(source.read_bytes()))
    maker = quantizer.Quantizer(str(flat))
    for name in _LAYERS:
        operation = getattr(qtyping.TFLOperationName, name)
        maker.add_static_config(regex=".*", operation_name=operation, activation_num_bits=8, weight_num_bits=8)
    (signature,) = _signatures(source)
    samples = {signature: [{"image": one[None]} for one in pictures]}
    found = maker.quantize(maker.calibrate(samples))
    target.write_bytes(bytes(found.quantized_model))
    return {}


def _with_flat_biases(model: bytes) -> bytes:
    """The same with biases [K] where they are [1, K], of which the quantiser makes files that LiteRT cannot open."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    told = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0))
    kinds = [max(one.builtinCode, one.deprecatedBuiltinCode) for one in told.operatorCodes]
    for part in told.subgraphs:
        for operator in part.operators:
            if kinds[operator.opcodeIndex] == schema.BuiltinOperator.FULLY_CONNECTED and len(operator.inputs) > 2:
                bias = part.tensors[operator.inputs[2]]
                if operator.inputs[2] >= 0 and len(bias.shape) == 2 and bias.shape[0] == 1:
                    bias.shape = bias.shape[1:]
    builder = flatbuffers.Builder(len(model))
    builder.Finish(told.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def load(path: Path, options: dict[str, Any]) -> Callable[[NDArray[Any]], dict[str, NDArray[Any]]]:
    """LiteRT's interpreter on one thread."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=1)
    (signature,) = interpreter.get_signature_list()
    run = interpreter.get_signature_runner(signature)
    names: list[str] = options["outputs"]

    def compute(images: NDArray[Any]) -> dict[str, NDArray[Any]]:
        found = run(image=images)
        return {name: np.array(found[name]) for name in names}

    return compute


def _signatures(path: Path) -> list[str]:
    from ai_edge_litert.interpreter import Interpreter

    return list(Interpreter(model_path=str(path)).get_signature_list())
