"""Networks of pixels: built, filled, frozen, exported. In: names. Out: logits, files."""

from __future__ import annotations

import typing
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from torch import nn

from tellapart.errors import BackboneError, SettingsError
from tellapart.features.backbone import ReadyBackbone, prepare_backbone
from tellapart.models.weights import read_weights
from tellapart.preprocessing import Preprocessing
from tellapart.runtime import Session
from tellapart.settings.parts import NetworkSettings
from tellapart.storage import cache_folder
from tellapart.tasks.segmentation.decoders import DECODERS, decoder_kind, make_network
from tellapart.tasks.segmentation.encoder import fill_encoder, pair_tensors
from tellapart.tasks.segmentation.export import EMBEDDING, LOGITS, export_pixels
from tellapart.tasks.segmentation.network import PixelNetwork, SegmentationNetwork
from tellapart.tasks.segmentation.probe_network import LinearProbe, ProbeNetwork, kernel_sizes, map_widths

ENCODER = "tf_efficientnet_lite0"
SMALL = "test_efficientnet"  # timm's own for tests: the same maps, of fewer tensors
PREPROCESSING = Preprocessing(size=64, fit="tile")


@pytest.fixture(scope="module")
def backbone() -> ReadyBackbone:
    return prepare_backbone(ENCODER, cache=cache_folder(), weights=None).wait()


def network_of(decoder: str, encoder: str = ENCODER) -> SegmentationNetwork:
    torch.manual_seed(0)
    whole = make_network(decoder_kind(decoder), encoder, class_count=3)
    return SegmentationNetwork(whole, class_count=3, preprocessing=PREPROCESSING)


def pictures(*shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8))


def test_an_unknown_decoder_is_answered_with_the_known_ones() -> None:
    assert decoder_kind(None).name == "unet"
    with pytest.raises(
        SettingsError,
        match=r"^there is no decoder 'segnet'; network\.decoder must be one of: unet, unetplusplus, fpn, deeplabv3plus, pspnet\.$",
    ):
        decoder_kind("segnet")
    told = typing.get_args(NetworkSettings.model_fields["decoder"].annotation)[0]
    assert typing.get_args(told) == tuple(DECODERS)  # a recipe is refused at once for another


@pytest.mark.parametrize(
    ("encoder", "drop_path", "error", "message"),
    [
        ("efficientnet_liter0", 0.0, BackboneError, "^timm has no network named"),
        ("swin_tiny_patch4_window7_224", 0.0, BackboneError, "gives no maps that a U-Net can stand on"),
        (
            "vit_tiny_patch16_224",
            0.0,
            BackboneError,
            "gives no maps that a U-Net can stand on .* Choose a convolutional network",
        ),
        ("dla46_c", 0.1, SettingsError, r"^drop_path is 0\.1, but dla46_c has no drop path\. Set it to 0\.$"),
    ],
)
def test_encoders_that_there_are_not(encoder: str, drop_path: float, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make_network(decoder_kind("unet"), encoder, class_count=2, drop_path=drop_path)


def test_pretrained_weights_are_mapped_by_position_and_give_the_same_maps(backbone: ReadyBackbone) -> None:
    network = network_of("unet").eval()
    assert fill_encoder(network.encoder, backbone.weights, ENCODER) == 288
    own = timm.create_model(ENCODER, num_classes=0)
    kept = read_weights(backbone.weights)
    own.load_state_dict({name: kept[name] for name in own.state_dict()})
    seen = pictures(1, 64, 96)
    with torch.inference_mode():
        maps = network.maps(seen)
        shown = seen.permute(0, 3, 1, 2) / 127.5 - 1
        features = own.eval().forward_features(shown)
        expected = own.blocks(own.bn1(own.conv_stem(shown)))
    torch.testing.assert_close(maps[0], shown.float(), atol=1e-6, rtol=0)
    torch.testing.assert_close(maps[-1], expected, atol=1e-4, rtol=1e-4)
    assert features.shape[2:] == maps[-1].shape[2:]
    torch.testing.assert_close(network.embed(maps)[:, -320:], expected.mean((2, 3)), atol=1e-5, rtol=1e-4)


def test_tensors_in_another_order_are_refused() -> None:
    own = {"a.weight": torch.zeros(2, 3), "a.bias": torch.zeros(2)}
    theirs = {"one.weight": torch.ones(2, 3), "one.bias": torch.ones(2), "head.weight": torch.ones(9)}
    assert {name: value.sum().item() for name, value in pair_tensors(own, theirs, name="x").items()} == {
        "a.weight": 6.0,
        "a.bias": 2.0,
    }
    for other in (
        {"one.weight": torch.ones(3, 2), "one.bias": torch.ones(2)},
        {"one.bias": torch.ones(2), "one.weight": torch.ones(2, 3)},
        {"one.running_mean": torch.ones(2, 3), "one.bias": torch.ones(2)},
        {"one.weight": torch.ones(2, 3)},
    ):
        with pytest.raises(
            BackboneError, match=r"^the encoder's tensors are not in the order of x's: .* Choose another"
        ):
            pair_tensors(own, other, name="x")


def modules_in_training(network: nn.Module) -> set[str]:
    return {name for name, module in network.named_modules() if isinstance(module, nn.BatchNorm2d) and module.training}


def test_what_is_frozen_neither_trains_nor_moves_its_statistics() -> None:
    network = network_of("unet")
    assert network.stages == 7
    assert len(network.layer_groups()) == 8
    network.freeze(2)
    groups = network.layer_groups()
    assert len(groups) == 3
    assert {name.split(".")[3] for group in groups[:2] for name, _ in group} == {"5", "6"}
    network.train()
    moving = modules_in_training(network)
    assert not any(name.startswith("encoder.model.blocks.4") for name in moving)
    assert any(name.startswith("encoder.model.blocks.6") for name in moving)
    network.batch_norm_frozen = True
    network.train()
    assert modules_in_training(network)
    assert not any(name.startswith("encoder.") for name in modules_in_training(network))
    network.freeze(0)
    assert len(network.layer_groups()) == 1
    resnet = network_of("fpn", "resnet18")
    resnet.freeze(1)
    assert {name.split(".")[2] for name, _ in resnet.layer_groups()[0]} == {"layer4"}


def test_it_begins_with_pictures_alone() -> None:
    with pytest.raises(ValueError, match=r"^the input is of stage 1; this network begins with pictures$"):
        network_of("pspnet")(pictures(1, 64, 64), start=2)


def filled_probe(widths: list[int], features: int) -> LinearProbe:
    probe = LinearProbe(widths, class_count=3)
    chance = np.random.default_rng(2)
    probe.set_weights(chance.normal(size=(3, features)).astype(np.float32), chance.normal(size=3).astype(np.float32))
    return probe


@pytest.mark.parametrize("decoder", ["unet", "unetplusplus", "fpn"])
def test_training_goes_on_from_the_probe(decoder: str) -> None:
    network = network_of(decoder, SMALL).eval()
    probe = filled_probe(map_widths(network.encoder), 9 * (16 + 24 + 32) + 48 + 64)
    network.begin_with(probe)
    with torch.inference_mode():
        maps = network.maps(pictures(1, 64, 64))
        torch.testing.assert_close(network.decode(maps), probe(maps))
    assert {name.split(".")[0] for name, _ in network.layer_groups()[-2]} == {"probe"}
    assert {name.split(".")[0] for name, _ in network.layer_groups()[-1]} == {"decoder", "head"}


def test_a_probe_sees_at_a_pixel_what_its_convolutions_see() -> None:
    network = ProbeNetwork(network_of("unet").encoder, class_count=3, preprocessing=PREPROCESSING).eval()
    assert network.probe.features == 9 * (16 + 24 + 40) + 112 + 320
    chance = np.random.default_rng(2)
    weight, bias = chance.normal(size=(3, 1152)).astype(np.float32), chance.normal(size=3).astype(np.float32)
    network.probe.set_weights(weight, bias)
    with torch.inference_mode():
        maps = network.maps(pictures(1, 64, 96))
        logits = network.decode(maps)[0].numpy()
        places = np.array([[0, 0], [63, 95], [10, 70], [31, 32]])
        features = network.probe.sample(maps, places)
    expected = features @ weight.T + bias
    np.testing.assert_allclose(
        logits[:, places[:, 0], places[:, 1]].T, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max()
    )
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_wide_encoders_are_seen_without_neighbours() -> None:
    assert kernel_sizes([16, 24, 40, 112, 320]) == (3, 3, 3, 1, 1)
    assert kernel_sizes([64, 64, 128, 256, 512]) == (3, 1, 1, 1, 1)
    assert kernel_sizes([64, 256, 512, 1024, 2048]) == (1, 1, 1, 1, 1)
    assert LinearProbe([0, 40, 80, 160, 320], class_count=2).used == (2, 3, 4, 5)


@pytest.mark.parametrize("decoder", [*DECODERS, "probe"])
def test_the_file_takes_pictures_of_any_size_and_gives_what_torch_gives(decoder: str, tmp_path: Path) -> None:
    network: PixelNetwork = network_of(
        *(("unet", ENCODER) if decoder in ("unet", "probe") else (decoder, SMALL))
    ).eval()
    if decoder == "probe":
        network = ProbeNetwork(network.encoder, class_count=3, preprocessing=PREPROCESSING).eval()
        network.probe = filled_probe(map_widths(network.encoder), 1152)  # type: ignore[assignment]
    length = export_pixels(network, tmp_path / "network.onnx")
    session = Session(tmp_path / "network.onnx", source="a network of pixels")
    assert session.inputs["image"] == ("N", "H", "W", 3)
    for shape in ((2, 64, 64), (1, 32, 160), (1, 128, 96)):
        seen = pictures(*shape)
        with torch.inference_mode():
            maps = network.maps(seen)
            wanted = network.decode(maps).numpy(), network.embed(maps).numpy()
        found = session.run(seen.numpy(), [LOGITS, EMBEDDING])
        assert found[0].shape == (shape[0], 3, *shape[1:])
        assert found[1].shape == (shape[0], length)
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-4 * max(1.0, float(np.abs(other).max())))
