"""An assembled network is the one that PyTorch exports. In: kept graphs, installed weights. Out: ONNX files, refusals."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import safetensors.torch
import torch
from numpy.typing import NDArray

from tellapart.errors import BackboneError, StorageError
from tellapart.models.assembling import assemble, fill, fit_size, initialiser, initialisers, prove
from tellapart.models.catalog import BACKBONES, DEFAULT, EMBEDDED, EmbeddedWeights, embedded_file
from tellapart.models.export import export_backbone
from tellapart.models.kept_graph import KeptGraph, Source, graph_file, pack, read_tensors, unpack
from tellapart.models.weights import load_backbone
from tellapart.preprocessing import Preprocessing


def weights_of(name: str) -> EmbeddedWeights:
    embedded = BACKBONES[name].embedded
    assert embedded is not None
    return embedded


def run(path: Path, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = onnxruntime.InferenceSession(path).run(["embedding"], {"image": images})[0]
    return found


def noise(size: int, count: int = 2) -> NDArray[np.uint8]:
    images = np.random.default_rng(5).integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    images[0] = images[0, :1, :1]  # one colour
    return images


@pytest.fixture(scope="module")
def kept() -> KeptGraph:
    return unpack(graph_file(DEFAULT))


@pytest.fixture(scope="module")
def tensors(kept: KeptGraph) -> dict[str, NDArray[Any]]:
    path = embedded_file(weights_of(DEFAULT))
    assert path is not None
    return read_tensors(kept, path.read_bytes())


@pytest.mark.parametrize("name", EMBEDDED)
def test_the_last_layer_is_what_torch_computes(name: str, tmp_path: Path) -> None:
    assemble(graph_file(name), weights_of(name), tmp_path)
    record = json.loads((tmp_path / "backbone.json").read_text())
    size = BACKBONES[name].size
    assert record["preprocessing"]["size"] == size
    images = noise(size)
    loaded = load_backbone(name, None)
    with torch.inference_mode():
        pixels = (torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5
        expected = loaded.network(pixels).numpy()
    found = run(tmp_path / "network.onnx", images)
    assert found.shape == (2, record["embedding"])
    np.testing.assert_allclose(found[:, -BACKBONES[name].embedding :], expected, atol=2e-5)
    assert (tmp_path / "weights.safetensors").read_bytes() == safetensors.torch.save(dict(loaded.network.state_dict()))
    onnx.checker.check_model(tmp_path / "network.onnx", full_check=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "size", "crop"),
    [
        pytest.param(DEFAULT, None, None, marks=pytest.mark.long),
        (DEFAULT, 161, 1.0),
        pytest.param("tf_efficientnet_lite1", 20, None, marks=pytest.mark.long),
        ("tf_efficientnet_lite2", 96, None),
    ],
)
def test_it_is_the_export_of_the_day(name: str, size: int | None, crop: float | None, tmp_path: Path) -> None:
    for kind in ("assembled", "exported"):
        (tmp_path / kind).mkdir()
    assemble(graph_file(name), weights_of(name), tmp_path / "assembled", size=size, crop=crop)
    export_backbone(name, tmp_path / "exported", size=size, crop=crop)
    records = [json.loads((tmp_path / kind / "backbone.json").read_text()) for kind in ("assembled", "exported")]
    for record, kind in zip(records, ("assembled", "exported"), strict=True):
        assert record.pop("onnx_sha256") == hashlib.sha256((tmp_path / kind / "network.onnx").read_bytes()).hexdigest()
    # What a picture may be made ready by has grown since the graphs were kept; what a record does not name is the usual.
    read = [Preprocessing(**record.pop("preprocessing")) for record in records]
    assert records[0] == records[1]
    assert dataclasses.replace(read[0], mean=tuple(read[0].mean), std=tuple(read[0].std)) == dataclasses.replace(
        read[1], mean=tuple(read[1].mean), std=tuple(read[1].std)
    )
    images = noise(read[0].size)
    found, expected = (run(tmp_path / kind / "network.onnx", images) for kind in ("assembled", "exported"))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * float(np.abs(expected).max()))
    models = [onnx.load(tmp_path / kind / "network.onnx") for kind in ("assembled", "exported")]
    for convolution in (node for model in models for node in model.graph.node if node.op_type == "Conv"):
        del convolution.input[1:]  # torch numbers its weights
    assert list(models[0].graph.node) == list(models[1].graph.node)
    assert list(models[0].graph.input) == list(models[1].graph.input)


def test_the_graph_is_static(kept: KeptGraph) -> None:
    operators = {node.op_type for node in onnx.load_model_from_string(kept.graph).graph.node}
    assert not operators & {"Pad", "ConstantOfShape", "Slice", "Shape", "Reshape"}


def test_a_batch_norm_becomes_part_of_its_convolution() -> None:
    torch.manual_seed(0)
    convolution = torch.nn.Conv2d(3, 4, 3, bias=False)
    norm = torch.nn.BatchNorm2d(4, eps=0.01)
    for values in (norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var):
        assert values is not None
        values.uniform_(0.5, 2)
    state = {
        **{f"c.{k}": v for k, v in convolution.state_dict().items()},
        **{f"n.{k}": v for k, v in norm.state_dict().items()},
    }
    tensors = {name: value.numpy() for name, value in state.items()}
    weight = initialiser(Source(tensor="c.weight", norm="n", epsilon=0.01), tensors)
    bias = initialiser(Source(norm="n", epsilon=0.01), tensors)
    images = torch.randn(2, 3, 5, 5)
    with torch.inference_mode():
        expected = norm.eval()(convolution(images))
        found = torch.nn.functional.conv2d(images, torch.from_numpy(weight), torch.from_numpy(bias))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    assert (weight.dtype, bias.dtype) == (np.float32, np.float32)
    np.testing.assert_array_equal(initialiser(Source(tensor="c.weight"), tensors), tensors["c.weight"])


def test_a_tensor_that_is_missing_is_named() -> None:
    with pytest.raises(BackboneError, match="the weights have no tensor 'a.weight'"):
        initialisers({"w": Source(tensor="a.weight")}, {})


def test_other_weights_do_not_fit(kept: KeptGraph, tensors: dict[str, NDArray[Any]]) -> None:
    other = {**tensors, "conv_stem.weight": np.nextafter(tensors["conv_stem.weight"], np.float32(1))}
    with pytest.raises(
        BackboneError, match="the weights made of the tensors are not those that the graph was kept for"
    ):
        fill(kept, other)


def test_a_network_that_computes_something_else_is_refused(kept: KeptGraph, tensors: dict[str, NDArray[Any]]) -> None:
    model = fill(kept, tensors)
    prove(kept, model.SerializeToString())
    fit_size(model, kept.same, 224)  # changes nothing
    prove(kept, model.SerializeToString())
    wrong = replace(kept, expected=kept.expected * np.float32(1.01))
    with pytest.raises(
        BackboneError, match=r"the embedding of a picture differs from the export's by 0\.0\d+ of its largest"
    ):
        prove(wrong, model.SerializeToString())
    with pytest.raises(BackboneError, match="differs from the export's by inf"):
        prove(replace(kept, expected=kept.expected[1:]), model.SerializeToString())
    with pytest.raises(BackboneError, match="the kept graph cannot be loaded by ONNX Runtime"):
        prove(kept, b"nothing")


def test_a_graph_of_another_file_is_refused(kept: KeptGraph, tmp_path: Path) -> None:
    path = tmp_path / "made.onnx.gz"
    for changes, words in (
        ({"file_sha256": "0" * 64}, "another than the graph was kept for"),
        ({"file_bytes": kept.file_bytes + 1}, "another than the graph was kept for"),
        ({"record": {**kept.record, "weights_fingerprint": "0" * 64}}, "the tensors are not those"),
        ({"values_sha256": "0" * 64}, "the weights made of the tensors are not those"),
        ({"tensors": kept.tensors[1:]}, "the tensors are not those"),
        ({"tensors": (replace(kept.tensors[0], offset=0), *kept.tensors[1:])}, "the tensors are not those"),
    ):
        given: dict[str, Any] = changes
        path.write_bytes(pack(replace(kept, **given)))
        with pytest.raises(BackboneError, match=words):
            assemble(path, weights_of(DEFAULT), tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == ["made.onnx.gz"]


def test_a_package_with_other_weights_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embedded = weights_of(DEFAULT)
    own = embedded_file(embedded)
    assert own is not None
    data = bytearray(own.read_bytes())
    (tmp_path / "changed_weights").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    changed = replace(embedded, package="changed_weights", file="weights.pth")
    path = tmp_path / "changed_weights" / "weights.pth"
    random = np.random.default_rng(0)
    # An opcode of the pickle, a storage, bytes at random, a file cut short, and one that goes on.
    places = [200, 60_000, *random.integers(0, len(data), 4).tolist()]
    fuzzed = [data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :] for place in places]
    for wrong in (*fuzzed, data[:-1], data + b"\0", b""):
        path.write_bytes(wrong)
        with pytest.raises(BackboneError, match="the file of the package 'changed_weights' is another"):
            assemble(graph_file(DEFAULT), changed, tmp_path)
    path.unlink()
    with pytest.raises(BackboneError, match="the package 'changed_weights' is missing"):
        assemble(graph_file(DEFAULT), changed, tmp_path)


def test_a_folder_that_cannot_be_written_to_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError):
        assemble(graph_file(DEFAULT), weights_of(DEFAULT), tmp_path / "file")


def test_nothing_of_pytorch_or_pickle_is_imported(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tellapart.models.assembling import assemble;"
        "from tellapart.models.catalog import BACKBONES, DEFAULT; from tellapart.models.kept_graph import graph_file;"
        f"assemble(graph_file(DEFAULT), BACKBONES[DEFAULT].embedded, Path({str(tmp_path)!r}));"
        "print(sorted({'torch', 'timm', 'torchvision', 'pickletools', BACKBONES[DEFAULT].embedded.package} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
