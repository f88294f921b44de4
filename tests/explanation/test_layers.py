"""The table of a network. Reference: LeNet-5's and ResNet-18's published sizes, a hand-made network."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.bundle import Manifest
from tellapart.errors import ModelFileError, SettingsError
from tellapart.explanation.graph import Graph
from tellapart.explanation.layers import Layer, _layer_name, feature_maps, find_layer, first_filters, read_layers
from tellapart.explanation.neighbours import nearest
from tellapart.explanation.stages import put_together


def table(networks: ModuleType, manifest: Manifest, folder: Path, name: str, **options: Any) -> list[Layer]:
    from tellapart.models.scratch import build_scratch

    network = build_scratch(name, seed=0, **options).network.eval()
    return read_layers(Graph(networks.staged_model(network, manifest, folder, size=options["size"])))


def test_all_views_are_counted_as_work(networks: ModuleType, tiny_manifest: Manifest, tmp_path: Path) -> None:
    from tellapart.models.scratch import build_scratch

    network = build_scratch("lenet5", class_count=3, seed=0, size=32).network.eval()
    single, eight = (
        read_layers(Graph(networks.staged_model(network, tiny_manifest, tmp_path, size=32, views=views)))
        for views in ("none", "dihedral")
    )
    assert [layer.output for layer in eight if layer.multiply_adds] == [
        layer.output for layer in single if layer.multiply_adds
    ]
    assert sum(layer.multiply_adds for layer in eight[:-1]) == 8 * sum(layer.multiply_adds for layer in single[:-1])
    assert eight[-1].multiply_adds == single[-1].multiply_adds  # one classifier


def test_lenet_has_the_paper_s_61706_parameters(networks: ModuleType, tiny_manifest: Manifest, tmp_path: Path) -> None:
    """LeNet-5 with ten classes, one channel and a full C3: 61,706 parameters and 416,520 multiply-adds, by hand."""
    ten = tiny_manifest.model_copy(update={"classes": tuple("0123456789")})
    layers = table(networks, ten, tmp_path, "lenet5", class_count=10, size=32, channels=1)
    assert sum(layer.parameters for layer in layers) == 61_706
    assert sum(layer.multiply_adds for layer in layers) == 416_520
    found = {layer.name: layer for layer in layers}
    first = found["stages.0.convolution"]
    assert (first.output, first.parameters, first.multiply_adds) == ((6, 28, 28), 156, 6 * 25 * 28 * 28)
    assert found["stages.1.pooling"].output == (16, 5, 5)
    assert found["classifier"].output == (10,)
    assert layers[0].name == "input"
    assert [row.name for row in put_together(layers)] == [
        "stages.0",
        "stages.1",
        "flatten",
        "dense.0",
        "dense.1",
        "classifier",
    ]
    assert found["flatten"].output == (400,)
    assert layers[0].output == (1, 32, 32)


def test_resnet_18_has_its_published_size(networks: ModuleType, tiny_manifest: Manifest, tmp_path: Path) -> None:
    """11,689,512 parameters of which 513,000 classify and 4,800 go when batch norm is folded; 1.814 thousand million
    multiply-adds at 224 pixels, of which 512,000 classify (torchvision's page of ResNet-18)."""
    layers = table(networks, tiny_manifest, tmp_path, "resnet18", class_count=3, size=64)
    trunk = [layer for layer in layers if layer.name != "classifier"]
    assert sum(layer.parameters for layer in trunk) == 11_689_512 - 513_000 - 4_800
    work = sum(layer.multiply_adds for layer in trunk) * (224 / 64) ** 2
    assert work + 512_000 == pytest.approx(1.814e9, rel=1e-3)
    rows = put_together(layers)
    assert [row.name for row in rows] == [
        "conv1",
        "maxpool",
        "layer1",
        "layer2",
        "layer3",
        "layer4",
        "global_pool",
        "classifier",
    ]
    assert [row.output for row in rows][-4:] == [(256, 4, 4), (512, 2, 2), (512, 1, 1), (3,)]
    assert sum(row.multiply_adds for row in rows) == sum(layer.multiply_adds for layer in layers)
    assert sum(row.layers for row in rows) == len(layers) - 1  # all but the input
    assert len(put_together(layers, most=7)) <= 8  # by resolution
    assert find_layer(layers, "layer3").output == (256, 4, 4)  # of a block, what it ends with


def test_layers_of_a_network_made_by_hand(colour_model: bytes, half_red: NDArray[np.uint8]) -> None:
    graph = Graph(colour_model)
    layers = read_layers(graph)
    assert [layer.name for layer in layers] == ["input", "stem.conv", "pool", "global_pool", "classifier"]
    assert [layer.output for layer in layers[1:]] == [(3, 16, 16), (3, 4, 4), (3, 1, 1), (3,)]
    maps = feature_maps(graph, find_layer(layers, "pool"), half_red)
    np.testing.assert_allclose(maps[0][3], [0, 0, 125 / 255, 250 / 255], atol=1e-6)
    np.testing.assert_array_equal(first_filters(graph)[:, :, 0, 0], np.eye(3))


def test_layers_of_a_network_whose_answer_is_not_made_of_the_embedding(half_red: NDArray[np.uint8]) -> None:
    """As of what finds boxes or paints masks: its maps are what it answers with, of pictures of any size."""
    from onnx import TensorProto, helper, numpy_helper

    kernel = np.ones((2, 3, 4, 4), dtype=np.float32)
    nodes = [
        helper.make_node("Cast", ["image"], ["x"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["x"], ["picture"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["picture", "kernel"], ["maps"], name="/network/stem/Conv", strides=[4, 4]),
        helper.make_node(
            "ReduceMean", ["maps"], ["embedding"], axes=[2, 3], keepdims=0, name="/network/pool/ReduceMean"
        ),
        helper.make_node("Constant", [], ["shape"], name="/network/head/Constant", value_ints=[0, 2, -1]),
        helper.make_node("Reshape", ["maps", "shape"], ["rows"], name="/network/head/Reshape"),
        helper.make_node("Conv", ["maps", "mixed"], ["head"], name="/network/head/Conv"),
        helper.make_node("Sigmoid", ["head"], ["logits"]),
    ]
    constants = [
        numpy_helper.from_array(kernel, "kernel"),
        numpy_helper.from_array(np.ones((5, 2, 1, 1), dtype=np.float32), "mixed"),
    ]
    taken = helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", "H", "W", 3])
    given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("logits", "embedding", "rows")]
    model = helper.make_model(
        helper.make_graph(nodes, "made", [taken], given, constants),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    layers = read_layers(Graph(model.SerializeToString()), size=16)
    assert [(layer.name, layer.output, layer.parameters, layer.multiply_adds) for layer in layers] == [
        ("stem", (2, 4, 4), 96, 16 * 96),
        ("pool", (2,), 0, 0),
        ("head", (5, 4, 4), 10, 16 * 10),
        ("answer", (5, 4, 4), 0, 0),
    ]
    assert feature_maps(Graph(model.SerializeToString()), layers[2], half_red).shape == (5, 4, 4)


def test_a_layer_that_is_not_there_gets_near_names(colour_model: bytes) -> None:
    layers = read_layers(Graph(colour_model))
    with pytest.raises(SettingsError, match=r"no layer 'global_pol'. Did you mean global_pool\? List all .* --layers"):
        find_layer(layers, "global_pol")
    with pytest.raises(SettingsError, match="no layer 'xyz'. The last three are pool, global_pool, classifier"):
        find_layer(layers, "xyz")


def test_a_layer_without_maps_is_refused(colour_model: bytes, half_red: NDArray[np.uint8]) -> None:
    graph = Graph(colour_model)
    with pytest.raises(SettingsError, match="'classifier' gives 3 numbers, no maps. Choose a layer of three sizes"):
        feature_maps(graph, find_layer(read_layers(graph), "classifier"), half_red)


def test_a_network_without_filters_is_refused(tiny_bytes: bytes) -> None:
    with pytest.raises(SettingsError, match="no convolution that looks at colours"):
        first_filters(Graph(tiny_bytes))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("/network/blocks/blocks.6/blocks.6.0/conv_dw/Conv", "blocks.6.0.conv_dw"),
        ("/blocks.5/blocks.5.0/bn1/act/HardSwish", "blocks.5.0.bn1.act"),
        ("/stages.3/blocks/blocks.1/Add", "stages.3.blocks.1"),
        ("/network/trunk/conv1/Conv", "conv1"),
        ("/Mul", "input"),
        ("", "input"),
        ("node_of_another_tool", "node_of_another_tool"),
    ],
)
def test_names_of_the_older_exporter(name: str, expected: str) -> None:
    from onnx import helper

    assert _layer_name(helper.make_node("Conv", ["a"], ["b"], name=name)) == expected


def test_names_of_the_newer_exporter() -> None:
    from onnx import helper

    node = helper.make_node("Conv", ["a"], ["b"], name="node_conv2d_3")
    helper.set_model_props(node, {"pkg.torch.onnx.name_scopes": "['', 'network', 'network.blocks.0.conv', 'conv2d']"})
    assert _layer_name(node) == "blocks.0.conv"


def test_bottlenecks_leave_branches_out(networks: ModuleType, tmp_path: Path, tiny_manifest: Manifest) -> None:
    def tail(helper: Any) -> list[Any]:
        return [
            helper.make_node("Relu", ["map"], ["left"]),
            helper.make_node("Neg", ["map"], ["right"]),
            helper.make_node("Add", ["left", "right"], ["sum"]),
            helper.make_node("GlobalAveragePool", ["sum"], ["means"]),
            helper.make_node("Flatten", ["means"], ["embedding"]),
        ]

    graph = Graph(networks.whole(networks.colour_map_network(tmp_path / "n.onnx", tail), tiny_manifest))
    expected = ["embedding", "means", "sum", "map", "colours", "scaled", "planes", "float", "image"]
    assert graph.bottlenecks("embedding") == expected


def test_a_tail_that_looks_at_the_picture_is_refused(
    networks: ModuleType, tmp_path: Path, tiny_manifest: Manifest
) -> None:
    def tail(helper: Any) -> list[Any]:
        return [
            helper.make_node("ReduceMean", ["map", "axes"], ["means"], keepdims=0),
            helper.make_node("ReduceMean", ["float", "others"], ["colour"], keepdims=0),
            helper.make_node("Add", ["means", "colour"], ["embedding"]),
        ]

    path = networks.colour_map_network(tmp_path / "n.onnx", tail, axes=np.array([2, 3]), others=np.array([1, 2]))
    with pytest.raises(ModelFileError, match="looks at the picture again. Take occlusion"):
        Graph(networks.whole(path, tiny_manifest)).open_tail("map", "logits")


def test_nearest_by_angle() -> None:
    known = np.array([[1, 0], [0, 2], [3, 3], [-1, 0], [0, 0]], dtype=np.float32)
    near = nearest(np.array([5, 0], dtype=np.float32), known, 4)
    assert [row for row, _ in near] == [0, 2, 1, 4]
    np.testing.assert_allclose([similarity for _, similarity in near], [1, 2**-0.5, 0, 0], atol=1e-6)
    assert nearest(np.array([5, 0], dtype=np.float32), known, 99)[-1] == (3, pytest.approx(-1))


def test_a_number_taken_from_a_shape_is_no_second_way(
    networks: ModuleType, tmp_path: Path, tiny_manifest: Manifest
) -> None:
    """As torch exports x.view(x.size(0), -1)."""

    def tail(helper: Any) -> list[Any]:
        return [
            helper.make_node("GlobalAveragePool", ["map"], ["means"]),
            helper.make_node("Shape", ["image"], ["count"], start=0, end=1),
            helper.make_node("Concat", ["count", "rest"], ["shape"], axis=0),
            helper.make_node("Reshape", ["means", "shape"], ["embedding"]),
        ]

    path = networks.colour_map_network(tmp_path / "n.onnx", tail, rest=np.array([-1]))
    graph = Graph(networks.whole(path, tiny_manifest))
    assert graph.bottlenecks("embedding")[:3] == ["embedding", "means", "map"]
