"""Every method in the table finds what decides. Reference: a network that counts red, by hand; captum; the papers' equations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.bundle import Manifest
from tellapart.errors import ModelFileError, SettingsError
from tellapart.explanation.activation import ClassActivation
from tellapart.explanation.decomposition import StageMaps
from tellapart.explanation.methods import EXPLAINERS, Subject
from tellapart.explanation.occlusion import log_odds, occlusion
from tellapart.explanation.overlay import enlarge
from tellapart.explanation.scorecam import score_cam

BLACK = np.zeros(3, dtype=np.uint8)


def no_weights() -> Any:
    raise ModelFileError("no weights are here")


@pytest.fixture(scope="session")
def red_network(networks: ModuleType, tiny_manifest: Manifest) -> Any:
    """The colour model again, in torch: a 1 x 1 convolution that changes nothing, the mean, ten times the colours."""
    import torch
    from torch import nn

    from tellapart.models.build import stage_network
    from tellapart.preprocessing import Preprocessing

    class Trunk(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(3, 3, 1, bias=False)
            self.pool = nn.AvgPool2d(4)

        def forward_features(self, x: Any) -> Any:
            return self.pool(self.stem(x))

        def forward_head(self, x: Any, pre_logits: bool = True) -> Any:
            return x.mean((2, 3))

    plain = Preprocessing(**tiny_manifest.preprocessing.model_dump())
    network = stage_network(Trunk(), name="red", preprocessing=plain, class_count=3)
    with torch.no_grad():
        network.trunk.stem.weight.copy_(torch.eye(3)[..., None, None])  # type: ignore[union-attr, operator]
        network.classifier.weight.copy_(torch.from_numpy(networks.WEIGHT))
        network.classifier.bias.copy_(torch.from_numpy(networks.BIAS))
    return network.eval()


@pytest.fixture
def subject(colour_model: bytes, red_network: Any) -> Subject:
    activation = ClassActivation(colour_model)
    return Subject(
        predict=lambda images: activation.maps(images)[1],
        background=BLACK,
        activation=lambda: activation,
        stage_maps=lambda: StageMaps(colour_model),
        network=lambda: red_network,
        has_run=True,
        layer=None,
        layer_maps=None,
    )


@pytest.mark.parametrize("name", EXPLAINERS)
def test_every_method_finds_the_red_square(
    name: str, subject: Subject, half_red: NDArray[np.uint8], networks: ModuleType
) -> None:
    heat = EXPLAINERS[name].explain(subject, half_red, networks.RED)
    assert heat.heatmap.dtype == np.float32
    assert (heat.heatmap.min(), heat.heatmap.max()) == (pytest.approx(0, abs=0.03), pytest.approx(1))
    large = enlarge(heat.heatmap, 16, 16)
    assert large[13:, 13:].mean() > 0.6
    assert large[:8].mean() < 0.1
    assert large[13:, 13:].mean() > large[13:, 9:11].mean() + 0.15  # the weaker red square comes second


@pytest.mark.parametrize("name", [name for name, method in EXPLAINERS.items() if not method.needs_run])
def test_what_needs_no_run_gives_the_same_without_one(
    name: str, subject: Subject, half_red: NDArray[np.uint8], networks: ModuleType
) -> None:
    alone = replace(subject, network=no_weights, has_run=False)
    found = EXPLAINERS[name].explain(alone, half_red, networks.RED).heatmap
    np.testing.assert_array_equal(found, EXPLAINERS[name].explain(subject, half_red, networks.RED).heatmap)


@pytest.mark.parametrize("name", [name for name, method in EXPLAINERS.items() if method.needs_run])
def test_what_needs_a_run_says_so(name: str, subject: Subject, half_red: NDArray[np.uint8]) -> None:
    with pytest.raises(ModelFileError, match="no weights"):
        EXPLAINERS[name].explain(replace(subject, network=no_weights, has_run=False), half_red, 0)


@pytest.mark.parametrize("name", ["gradcam", "gradcam++"])
def test_a_layer_that_is_named_is_the_one_looked_at(
    name: str, subject: Subject, half_red: NDArray[np.uint8], networks: ModuleType
) -> None:
    heat = EXPLAINERS[name].explain(replace(subject, layer="stem"), half_red, networks.RED).heatmap
    np.testing.assert_allclose(heat, half_red[..., 0] / 250, atol=1e-5)  # before the pooling: a value for each pixel
    for layer, message in (("nothing", "is no module of the network"), ("classifier", "gives no map of positions")):
        with pytest.raises(SettingsError, match=message):
            EXPLAINERS[name].explain(replace(subject, layer=layer), half_red, 0)


def test_gradcam_plus_plus_is_the_paper_s_equation(subject: Subject, networks: ModuleType) -> None:
    """Equations 5 and 19, written out with loops for a network whose gradient is w / positions."""
    image = np.random.default_rng(5).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    weight = np.array([3.0, -2.0, 0.5])
    activation = subject.activation()
    activation._weight = np.array([weight] * 3, dtype=np.float32)  # of this test's own classifier
    maps = activation.maps(image[None])[0][0].astype(float)
    expected = np.zeros((4, 4))
    for channel in range(3):
        gradient = weight[channel] / 16
        alpha = gradient**2 / (2 * gradient**2 + maps[channel].sum() * gradient**3)
        expected += sum(alpha * max(gradient, 0) for _ in range(16)) * maps[channel]
    found = EXPLAINERS["gradcam++"].explain(replace(subject, has_run=False), image, 0).heatmap
    np.testing.assert_allclose(found, np.maximum(expected, 0) / expected.max(), atol=1e-5)


def test_scorecam_weighs_channels_by_what_they_win() -> None:
    """Two channels, of which only the first uncovers what the class needs: by hand from equations 4 to 6."""

    def left_is_bright(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        share = (images[:, :, :4].mean(axis=(1, 2, 3)) / 255).astype(np.float32)
        return np.stack([1 - share, share], axis=1)

    image = np.full((8, 8, 3), 255, dtype=np.uint8)
    maps = np.zeros((3, 8, 8), dtype=np.float32)
    maps[0, :, :4] = 2.0
    maps[1, :, 4:] = 5.0  # larger, but it uncovers nothing that counts; the third is 0 everywhere
    found = score_cam(image, maps, 1, predict=left_is_bright, background=BLACK)
    weights = np.exp([1.0, 0.0]) / np.exp([1.0, 0.0]).sum()
    expected = weights[0] * maps[0] + weights[1] * maps[1]
    np.testing.assert_allclose(found, expected / expected.max(), atol=0.03)
    only = score_cam(image, maps, 1, predict=left_is_bright, background=BLACK, most_channels=1)
    assert (only[:, :4].max(), only[:, 4:].min()) == (0, 1)  # the one channel that varies most
    assert not score_cam(image, np.ones((2, 8, 8), np.float32), 1, predict=left_is_bright, background=BLACK).any()


def test_integrated_gradients_of_a_linear_network_are_weight_times_difference(
    subject: Subject, networks: ModuleType
) -> None:
    image = np.zeros((16, 16, 3), dtype=np.uint8)
    image[4:8, 4:8, 0] = 200
    image[8:12, 8:12, 1] = 200  # green says nothing about red
    heat = EXPLAINERS["integrated_gradients"].explain(subject, image, networks.RED).heatmap
    assert heat[4:8, 4:8].min() > 0.9
    assert heat[8:12, 8:12].max() < 0.05


def test_occlusion_measures_log_odds() -> None:
    probabilities = np.array([[0.25, 0.75], [1e-12, 1.0]], dtype=np.float32)
    np.testing.assert_allclose(log_odds(probabilities, 1), [np.log(3), 12 * np.log(10)], rtol=1e-5)

    def sure(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        rest = np.where(images[:, 40:, 40:].min(axis=(1, 2, 3)) > 0, 1e-12, 1e-9)
        return np.stack([rest, 1 - rest], axis=1).astype(np.float32)  # 1.0 in float32, covered or not

    found = occlusion(np.full((56, 56, 3), 255, dtype=np.uint8), 1, predict=sure, background=BLACK)
    assert found.shape == (13, 13)
    row, column = np.unravel_index(found.argmax(), found.shape)
    assert (row >= 9, column >= 9) == (True, True)
    assert found[:7].max() == 0


@pytest.mark.parametrize("side", [8, 16, 33, 224])
def test_occlusion_reaches_every_pixel_at_any_size(side: int) -> None:
    covered = np.zeros((side, side), dtype=bool)

    def note(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        nonlocal covered
        covered |= (images == 0).all(axis=3).any(axis=0)
        return np.full((len(images), 2), 0.5, dtype=np.float32)

    predict: Callable[[NDArray[np.uint8]], NDArray[np.float32]] = note
    occlusion(np.full((side, side, 3), 255, dtype=np.uint8), 0, predict=predict, background=BLACK)
    assert covered.all()


def test_a_transformer_has_no_last_map(tmp_path: Path, half_red: NDArray[np.uint8]) -> None:
    import timm

    from tellapart.explanation.gradients import last_map_gradients
    from tellapart.models.build import stage_network
    from tellapart.preprocessing import Preprocessing

    trunk = timm.create_model("vit_tiny_patch16_224", num_classes=0, depth=1, img_size=32)
    network = stage_network(trunk, name="vit", preprocessing=Preprocessing(size=32), class_count=2)
    with pytest.raises(ModelFileError, match="no map of positions. Take occlusion"):
        last_map_gradients(network, np.zeros((32, 32, 3), dtype=np.uint8), 0)
