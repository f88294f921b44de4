"""LiteRT, formerly TensorFlow Lite: run, and made int8. In: a .tflite. Out: arrays by name; a smaller .tflite. Next: ncnn_model.py.

It takes one picture, uint8 [1, S, S, 3].
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# What becomes int8: the layers of the network, by LiteRT's names. What is done to pixels, calibration and novelty stay as they are.
_LAYERS = (
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "TRANSPOSE_CONV",
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
_WEIGHED = (
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "TRANSPOSE_CONV",
    "FULLY_CONNECTED",
)  # those that hold weights, and take the time
_SAID_ELSE = {"TRANSPOSE_CONV": "CONV_2D_TRANSPOSE"}  # as the quantiser calls them
_FLOAT = ("novelty",)  # outputs, what is worked out for which alone stays as it is

Operator = tuple[str, Sequence[int], Sequence[int]]  # its name, the tensors that it takes, and those that it gives


def network_part(operators: Sequence[Operator], outputs: Mapping[str, int]) -> list[int]:
    """Which operators are to become int8, of a graph in order with `outputs` by name.

    Those up to the last layer with weights on each way to an output. What a detector makes of it is not for eight bits: boxes
    as shares of the picture joined with scores of -10 to 10 in one tensor would have steps of a twelfth of the picture.
    """
    makers = {tensor: number for number, (_, _, given) in enumerate(operators) for tensor in given}
    needed: set[int] = set()
    waiting = [tensor for name, tensor in outputs.items() if name not in _FLOAT]
    while waiting:
        number = makers.get(waiting.pop())
        if number is not None and number not in needed:
            needed.add(number)
            waiting.extend(operators[number][1])
    found: list[int] = []
    before: set[int] = set()  # tensors that a layer with weights comes after
    for number in sorted(needed, reverse=True):
        name, taken, given = operators[number]
        if name in _WEIGHED or before.intersection(given):
            before.update(taken)
            found.append(number)
    return [number for number in reversed(found) if operators[number][0] in _LAYERS]


def float_outputs(operators: Sequence[Operator], outputs: Mapping[str, int]) -> dict[str, int]:
    """Outputs by name, where they are numbers again: what a DEQUANTIZE gives stands for the tensor that it takes.

    The quantiser leaves the signature with the integers of an output that another layer reads as well, of which LiteRT keeps none.
    """
    again = {taken[0]: given[0] for name, taken, given in operators if name == "DEQUANTIZE"}
    return {name: again.get(tensor, tensor) for name, tensor in outputs.items()}


def quantise(source: Path, target: Path, options: dict[str, Any]) -> dict[str, Any]:
    """int8 weights and activations, calibrated on pictures uint8 [N, S, S, 3] in the file `options["pictures"]`."""
    from ai_edge_quantizer import qtyping, quantizer

    pictures = np.load(options["pictures"], allow_pickle=False)
    flat = source.with_name(f"flat-{source.name}")
    flat.write_bytes(_with_flat_biases(source.read_bytes()))
    maker = quantizer.Quantizer(str(flat))
    operators, outputs, called = _read(flat.read_bytes())
    chosen = network_part(operators, outputs)
    for name in sorted({operators[number][0] for number in chosen}):
        operation = getattr(qtyping.TFLOperationName, _SAID_ELSE.get(name, name))
        these = "|".join(re.escape(called[number]) for number in chosen if operators[number][0] == name)
        maker.add_static_config(
            regex=f"^({these})$", operation_name=operation, activation_num_bits=8, weight_num_bits=8
        )
    (signature,) = _signatures(source)
    samples = {signature: [{"image": one[None]} for one in pictures]}
    found = maker.quantize(maker.calibrate(samples))
    target.write_bytes(_with_float_outputs(bytes(found.quantized_model)))
    return {}


def _read(model: bytes) -> tuple[list[Operator], dict[str, int], list[str]]:
    """The operators of a .tflite in order, its outputs by name, and what the quantiser calls each operator: by what it gives."""
    from ai_edge_litert import schema_py_generated as schema

    told = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0))
    numbers = {number: name for name, number in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    kinds = [numbers[max(one.builtinCode, one.deprecatedBuiltinCode)] for one in told.operatorCodes]
    (part,) = told.subgraphs
    found: list[Operator] = [(kinds[one.opcodeIndex], list(one.inputs), list(one.outputs)) for one in part.operators]
    called = ["".join(f"{part.tensors[tensor].name.decode()};" for tensor in given) for _, _, given in found]
    (signature,) = told.signatureDefs
    return found, {one.name.decode(): one.tensorIndex for one in signature.outputs}, called


def _whole(model: bytes) -> Any:
    """The objects of a .tflite, each with its numbers, which the quantiser writes behind all else where they are 256 KB or more.

    Whoever packs the objects again without them has a file that points behind its end.
    """
    from ai_edge_litert import schema_py_generated as schema

    told = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0))
    for buffer in told.buffers:
        if buffer.offset > 1:  # 0 and 1 say that there is none
            buffer.data = np.frombuffer(model, np.uint8, count=buffer.size, offset=buffer.offset)
            buffer.offset = buffer.size = 0
    return told


def _with_flat_biases(model: bytes) -> bytes:
    """The same with biases [K] where they are [1, K], of which the quantiser makes files that LiteRT cannot open."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    told = _whole(model)
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


def _with_float_outputs(model: bytes) -> bytes:
    """The same with a signature, and outputs, of numbers that are no integers."""
    import flatbuffers

    operators, outputs, _ = _read(model)
    told = _whole(model)
    (part,), (signature,) = told.subgraphs, told.signatureDefs
    moved = {outputs[name]: tensor for name, tensor in float_outputs(operators, outputs).items()}
    for one in signature.outputs:
        one.tensorIndex = moved[one.tensorIndex]
    part.outputs = [moved.get(int(tensor), int(tensor)) for tensor in part.outputs]
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
