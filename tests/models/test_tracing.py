"""An exported module gives what torch gives, or is refused. In: small modules. Out: ONNX files, errors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import timm
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tellapart.errors import BackboneError, StorageError
from tellapart.models.build import stage_network
from tellapart.models.staged import StagedNetwork
from tellapart.models.tracing import export_embedding, export_lower, fix_sizes, trace
from tellapart.preprocessing import Preprocessing


def staged(name: str, size: int, **settings: Any) -> StagedNetwork:
    torch.manual_seed(0)
    trunk = timm.create_model(name, num_classes=0, **settings)
    return stage_network(trunk, name=name, preprocessing=Preprocessing(size=size), class_count=2)


def pictures(size: int, count: int = 3) -> NDArray[np.uint8]:
    return np.random.default_rng(7).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def run(path: Path, images: NDArray[np.uint8], output: str) -> NDArray[Any]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run([output], {"image": images})[0]


@pytest.mark.parametrize(
    ("name", "size", "stop"),
    [
        ("tf_efficientnet_lite0", 64, 5),
        ("tf_efficientnet_lite0", 65, 2),
        ("test_resnet", 64, 1),
        ("test_resnet", 64, 4),
        ("test_vit", 160, 3),
    ],
)
def test_the_lower_stages_give_what_torch_gives(name: str, size: int, stop: int, tmp_path: Path) -> None:
    network = staged(name, size)
    shape = export_lower(network, stop=stop, size=size, path=tmp_path / "lower.onnx")
    images = pictures(size)
    found = run(tmp_path / "lower.onnx", images, "activations")
    with torch.inference_mode():
        expected = network.eval().run_stages(torch.from_numpy(images), 0, stop).numpy()
    assert found.dtype == np.float16
    assert found.shape[1:] == shape == expected.shape[1:]
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=1e-3 * float(np.abs(expected).max()))


def test_the_embedding_is_what_torch_gives_though_its_weights_lie_otherwise_in_memory(tmp_path: Path) -> None:
    network = staged("tf_efficientnet_lite0", 64).to(memory_format=torch.channels_last)
    width = export_embedding(network, size=64, path=tmp_path / "network.onnx")
    images = pictures(64)
    found = run(tmp_path / "network.onnx", images, "embedding")
    with torch.inference_mode():
        expected = network.eval().embed(torch.from_numpy(images)).numpy()
    assert found.dtype == np.float32
    assert found.shape == (3, width) == (3, 1280)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", ["test_efficientnet", "test_vit"])
@pytest.mark.parametrize("views", ["flip", "dihedral"])
def test_the_embedding_is_the_mean_over_views(name: str, views: Any, tmp_path: Path) -> None:
    size = 160 if name == "test_vit" else 64
    network, images = staged(name, size).eval(), pictures(size)
    seen = [images, images[:, :, ::-1]]
    if views == "dihedral":
        seen = [np.rot90(view, turns, (1, 2)) for view in seen for turns in range(4)]
    with torch.inference_mode():
        expected = np.mean([network.embed(torch.from_numpy(view.copy())).numpy() for view in seen], axis=0)
    assert export_embedding(network, size=size, path=tmp_path / "network.onnx", views=views) == expected.shape[1]
    found = run(tmp_path / "network.onnx", images, "embedding")
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3 * float(np.abs(expected).max()))
    if views == "dihedral":  # what has no preferred direction answers the same for every view
        np.testing.assert_allclose(
            run(tmp_path / "network.onnx", seen[5].copy(), "embedding"), found, rtol=1e-3, atol=1e-3
        )


def test_the_network_stays_in_training_and_as_it_was(tmp_path: Path) -> None:
    network = staged("test_efficientnet", 64).train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    export_embedding(network, size=64, path=tmp_path / "network.onnx")
    assert all(module.training for module in network.modules())
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_fixed_padding_gives_the_same_at_odd_and_even_sizes() -> None:
    network = timm.create_model("tf_efficientnet_lite0", num_classes=0).eval()
    for size in (64, 75):
        sample = torch.randn(1, 3, size, size)
        with torch.inference_mode():
            expected = network(sample)
            fixed = timm.create_model("tf_efficientnet_lite0", num_classes=0).eval()
            fixed.load_state_dict(network.state_dict())
            fix_sizes(fixed, sample)
            torch.testing.assert_close(fixed(sample), expected)
        assert not [module for module in fixed.modules() if type(module).__name__ == "Conv2dSame"]


def test_pictures_smaller_than_vggs_first_dense_layer_are_exported_by_the_fast_exporter(tmp_path: Path) -> None:
    from timm.models.vgg import ConvMlp

    class Small(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dense = ConvMlp(in_features=3, out_features=8, kernel_size=7)

        def forward(self, image: Tensor) -> Tensor:
            return self.dense(image.permute(0, 3, 1, 2).float() / 255).flatten(1)

    network = Small().eval()
    assert trace(network, size=3, path=tmp_path / "small.onnx", output="embedding") == (8,)
    images = pictures(3)
    with torch.inference_mode():
        expected = network(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(run(tmp_path / "small.onnx", images, "embedding"), expected, atol=1e-5)


class Module(nn.Module):
    """Whatever the test's function makes of the pictures."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, image: Tensor) -> Tensor:
        return self.function(image)


def test_values_beyond_half_precision_become_its_largest(tmp_path: Path) -> None:
    class Large(nn.Module):
        def forward_features(self, images: Tensor) -> Tensor:
            return images * 1e6

        def forward_head(self, features: Tensor, pre_logits: bool = True) -> Tensor:
            return features.mean((2, 3))

    network = stage_network(Large(), name="large", preprocessing=Preprocessing(size=4), class_count=2)
    export_lower(network, stop=1, size=4, path=tmp_path / "lower.onnx")
    images = np.zeros((1, 4, 4, 3), dtype=np.uint8)
    images[0, 0, 0] = 255
    found = run(tmp_path / "lower.onnx", images, "activations")
    assert found[0, :, 0, 0].tolist() == [65504.0] * 3
    assert found[0, :, 1, 1].tolist() == [-65504.0] * 3


def test_a_graph_that_differs_from_torch_is_refused_unwritten(tmp_path: Path) -> None:
    def two_faced(image: Tensor) -> Tensor:
        values = image.float().mean((1, 2))
        return values * 1.01 if torch.jit.is_tracing() else values

    with pytest.raises(
        BackboneError,
        match="the exported two-faced differs from the torch network by 0.01 of its largest value; the rule is under 0.001. "
        "Choose another backbone.",
    ):
        trace(Module(two_faced), size=4, path=tmp_path / "x.onnx", output="embedding", name="two-faced")
    assert list(tmp_path.iterdir()) == []


def test_not_a_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match="differs from the torch network by nan of its largest value"):
        trace(
            Module(lambda image: image.float().mean((1, 2)) / 0 * 0),
            size=4,
            path=tmp_path / "x.onnx",
            output="embedding",
        )


@pytest.mark.slow
def test_what_neither_exporter_can_write_is_refused_quietly(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def beyond(image: Tensor) -> Tensor:
        values = torch.linalg.eigvals(image.float()[:, :3, :3, 0]).abs()
        return values if values.sum().item() > -1 else -values

    with pytest.raises(BackboneError, match=r"the network cannot be exported as ONNX \(.+\). Choose another backbone."):
        trace(Module(beyond), size=4, path=tmp_path / "x.onnx", output="embedding")
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr().out == ""


def test_a_folder_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot use .*file: a file of that name is in the way"):
        trace(
            Module(lambda image: image.float().mean((1, 2))),
            size=4,
            path=tmp_path / "file" / "x.onnx",
            output="embedding",
        )
