"""The layers of a network: names, shapes, parameters, work. In: Graph. Out: list[Layer]. Next: stages.py.

Shapes: N pictures, C H W channels, height and width of a map.
"""

from __future__ import annotations

import ast
import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import SettingsError
from tellapart.explanation.graph import EMBEDDING, IMAGE, LOGITS, Graph, sample_picture

CLASSIFIER, INPUT, ANSWER, FLATTEN = "classifier", "input", "answer", "flatten"
_ROOTS = ("network", "trunk")  # modules that wrap the network while it is exported
_SCOPES = "pkg.torch.onnx.name_scopes"  # where torch's newer exporter keeps the modules
# Operators that move numbers about; a module of nothing else is no layer.
_PLUMBING = frozenset(
    {
        "Cast",
        "Constant",
        "Expand",
        "Flatten",
        "Gather",
        "Identity",
        "Pad",
        "Reshape",
        "Shape",
        "Slice",
        "Split",
        "Squeeze",
        "Transpose",
        "Unsqueeze",
    }
)
_NEAR = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One module of the network, as the file runs it: batch norm is folded into the convolution before it."""

    name: str  # as in torch: blocks.6.0.conv_dw
    operators: tuple[str, ...]  # ONNX's, in order: Conv, Clip
    output: tuple[int, ...]  # shape of what it gives for one picture
    parameters: int
    multiply_adds: int  # for one picture, all its views together
    tensor: str  # its output in the graph


def read_layers(graph: Graph, size: int = 1) -> list[Layer]:
    """The layers from the picture to the logits, or where there are none to what the network answers with, in order.

    The network is run once, on a picture of noise; `size` is its side in pixels where the file takes any.
    Raises: ModelFileError for the mean of several networks.
    """
    groups: dict[str, list[Any]] = {}
    tail = graph.between(EMBEDDING, LOGITS)
    classifies = not any(
        IMAGE in node.input for node in tail
    )  # otherwise not all that is said comes from the embedding
    for node in graph.between(IMAGE, EMBEDDING) if classifies else graph.nodes:
        if graph.data.intersection(node.output):
            name = _layer_name(node)
            name = FLATTEN if node.op_type == "Flatten" and name == INPUT else name
            # What has no name comes before the network's modules, or after them: what an export added.
            groups.setdefault(ANSWER if name == INPUT and set(groups) - {INPUT} else name, []).append(node)
    if classifies:
        graph.classifier("weight")
        groups[CLASSIFIER] = tail  # what export/assemble.py added
    kept = {
        name: nodes for name, nodes in groups.items() if name == FLATTEN or {node.op_type for node in nodes} - _PLUMBING
    }
    shapes = _shapes(graph, [node for nodes in kept.values() for node in nodes], size)
    counted: set[str] = set()
    layers = [_describe(name, nodes, graph, shapes, counted) for name, nodes in kept.items()]
    return [
        layer for layer, before in zip(layers, [None, *layers], strict=False) if not _lays_nothing_out(layer, before)
    ]


def find_layer(layers: Sequence[Layer], name: str) -> Layer:
    """The layer of this name; of a block or stage its last one. Raises: SettingsError with the names that are near."""
    found = [layer for layer in layers if layer.name == name or layer.name.startswith(f"{name}.")]
    if found:
        return next((layer for layer in found if layer.name == name), found[-1])
    names = [layer.name for layer in layers]
    near = difflib.get_close_matches(name, names, _NEAR, 0.5)
    remedy = f"Did you mean {', '.join(near)}?" if near else f"The last three are {', '.join(names[-3:])}."
    raise SettingsError(f"the network has no layer {name!r}. {remedy} List all of them with --layers.")


def feature_maps(graph: Graph, layer: Layer, image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What a layer gives for a picture uint8 [S, S, 3]: float32 [C, H, W]. Raises: SettingsError when that is no map."""
    if len(layer.output) != 3:
        shape = " x ".join(map(str, layer.output))
        raise SettingsError(
            f"layer {layer.name!r} gives {shape} numbers, no maps. Choose a layer of three sizes from --layers."
        )
    (found,) = graph.open([layer.tensor]).run(image[None], [layer.tensor])
    maps: NDArray[np.float32] = found[0]
    height, width, channels = maps.shape
    return np.moveaxis(maps, -1, 0) if height == width != channels else maps


def first_filters(graph: Graph) -> NDArray[np.float32]:
    """The kernels of the first convolution, which look at the picture's own colours: float32 [F, C, h, w], C 1 or 3.

    Raises: SettingsError when no convolution looks at the picture itself.
    """
    for node in graph.nodes:
        if node.op_type == "Conv" and graph.data.intersection(node.input) and node.input[1] in graph.weights:
            kernels: NDArray[np.float32] = graph.array(node.input[1]).astype(np.float32)
            if kernels.shape[1] in (1, 3) and kernels.ndim == 4:
                return kernels
            break
    raise SettingsError(
        f"{graph.source} begins with no convolution that looks at colours, so it has no filters to draw. "
        "See its layers with --layers."
    )


def _lays_nothing_out(layer: Layer, before: Layer | None) -> bool:
    """Behind a global pooling there is one number a map, and nothing to flatten."""
    return layer.name == FLATTEN and before is not None and math.prod(before.output[1:]) == 1


def _layer_name(node: Any) -> str:
    scopes = next((item.value for item in node.metadata_props if item.key == _SCOPES), None)
    if scopes is not None:
        modules = [name for name in ast.literal_eval(scopes)[:-1] if name]
        parts = modules[-1].split(".") if modules else []
    elif node.name.startswith("/"):
        parts = _without_repeats(node.name.split("/")[1:-1])
    else:
        parts = [node.name] if node.name else []
    while parts and parts[0] in _ROOTS:
        parts = parts[1:]
    return ".".join(parts) or INPUT


def _without_repeats(parts: Iterable[str]) -> list[str]:
    """The exporter writes blocks.6.0.conv as /blocks/blocks.6/blocks.6.0/conv."""
    found: list[str] = []
    for part in parts:
        if found and part.startswith(f"{found[-1]}."):
            found[-1] = part
        else:
            found.append(part)
    return found


def _shapes(graph: Graph, nodes: Sequence[Any], size: int) -> dict[str, tuple[int, ...]]:
    """The shapes, for one picture, of all that the nodes take and give; the first size is the number of its views."""
    wanted = {name for node in nodes for name in (*node.input, *node.output) if name in graph.data and name != IMAGE}
    names = sorted(wanted, key=lambda name: graph.position[name])
    session = graph.open(names)
    picture = sample_picture(session.inputs[IMAGE], size)
    shapes: dict[str, tuple[int, ...]] = {IMAGE: picture.shape}
    shapes.update({name: array.shape for name, array in zip(names, session.run(picture, names), strict=True)})
    return shapes


def _describe(
    name: str, nodes: Sequence[Any], graph: Graph, shapes: Mapping[str, tuple[int, ...]], counted: set[str]
) -> Layer:
    parameters = 0
    for node in nodes:
        new = {one for one in node.input if one in graph.weights} - counted
        counted |= new
        if name != INPUT and node.op_type not in _PLUMBING:
            parameters += sum(math.prod(graph.weights[one].dims) for one in new)
    work = [node.op_type for node in nodes if node.op_type not in _PLUMBING]
    tensor = next(one for node in reversed(nodes) for one in node.output if one in shapes)
    return Layer(
        name=name,
        operators=tuple(dict.fromkeys(work)),
        output=shapes[tensor][1:],
        parameters=parameters,
        multiply_adds=sum(_multiply_adds(node, graph, shapes) for node in nodes),
        tensor=tensor,
    )


def _multiply_adds(node: Any, graph: Graph, shapes: Mapping[str, tuple[int, ...]]) -> int:
    given = math.prod(shapes.get(node.output[0], (0,)))
    if node.op_type == "Conv" and node.input[1] in graph.weights:
        return given * int(math.prod(graph.weights[node.input[1]].dims[1:]))
    if node.op_type in ("Gemm", "MatMul"):
        return given * (shapes[node.input[0]][-1] if node.input[0] in shapes else 0)
    return 0
