"""Weights are the right ones, or there is a clear refusal. In: names, files. Out: networks, BackboneError."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import timm
import torch

from tellapart.errors import BackboneError
from tellapart.models.catalog import BACKBONES, DEFAULT, EMBEDDED, embedded_file
from tellapart.models.timm_names import is_written
from tellapart.models.weights import load_backbone, lookup_key


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub that nobody can reach, wherever the test runs: port 9 of this machine, where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{port}")
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")


@pytest.mark.parametrize("name", EMBEDDED)
def test_embedded_weights_fit_timms_network(name: str) -> None:
    loaded = load_backbone(name, None)
    size = loaded.preprocessing.size
    assert size == BACKBONES[name].size
    assert loaded.preprocessing.mean == loaded.preprocessing.std == (0.5, 0.5, 0.5)
    with torch.inference_mode():
        assert loaded.network(torch.zeros(1, 3, size, size)).shape == (1, BACKBONES[name].embedding)
    assert sum(parameter.numel() for parameter in timm.create_model(name).parameters()) / 1e6 == pytest.approx(
        BACKBONES[name].parameters, abs=0.01
    )


def test_the_embedded_weights_are_trained_ones() -> None:
    # The variances of an untrained network are all 1; means put in their place would be negative.
    network = load_backbone(DEFAULT, None).network
    variances = [value for name, value in network.state_dict().items() if name.endswith("running_var")]
    assert all(bool((value >= 0).all()) for value in variances)
    assert not any(bool((value == 1).all()) for value in variances)


@pytest.mark.parametrize("name", [name for name in BACKBONES if name not in EMBEDDED])
def test_every_listed_backbone_is_timms(name: str) -> None:
    network = timm.create_model(name, num_classes=0)
    assert sum(parameter.numel() for parameter in timm.create_model(name).parameters()) / 1e6 == pytest.approx(
        BACKBONES[name].parameters, abs=0.01
    )
    size = timm.data.resolve_data_config({}, model=network)["input_size"][-1]
    assert size == BACKBONES[name].size
    with torch.inference_mode():
        assert network.eval()(torch.zeros(1, 3, size, size)).shape == (1, BACKBONES[name].embedding)


def test_without_network_the_message_names_the_ways_out(no_network: None) -> None:
    with pytest.raises(BackboneError) as caught:
        load_backbone("resnet18", None)
    message = str(caught.value)
    assert "the weights of resnet18 cannot be downloaded" in message
    assert all(name in message for name in EMBEDDED)
    assert "--weights FILE.safetensors" in message


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(BackboneError, match="timm has no network named 'resnot18'. Choose one from `tellapart models`"):
        load_backbone("resnot18", None)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("resnet18x", "resnet18"),
        ("resnot18", "resnet18"),
        ("resnet-50", "resnet50"),
        ("ResNet50", "resnet50"),
        ("tf_efficientnet_light0", "tf_efficientnet_lite0"),
        ("inceptionv3", "inception_v3"),
        ("vgg-16", "vgg16"),
        ("mobilenetv2", "mobilenetv2_100"),
        ("convnext", "convnext_atto"),
        ("vit", "vit_base"),
    ],
)
def test_a_near_miss_gets_suggestions(name: str, near: str) -> None:
    with pytest.raises(BackboneError, match=f"timm has no network named '{name}'. .*, or one of: .*{near}"):
        load_backbone(name, None)


def test_names_are_found_in_the_source_of_timm_so_that_it_need_not_be_imported() -> None:
    assert all(map(is_written, timm.list_models("resnet5*")))
    assert is_written("resnet50.a1_in1k")
    assert is_written("vit_base_patch16_224.augreg_in21k")
    assert not any(map(is_written, ("resnot50", "resnet50.nosuch", "resnet", "", "register_model", "resnet50\\w")))
    code = "import sys\nfrom tellapart.models.weights import check_name\ncheck_name('resnet50.a1_in1k')\n"
    code += "print({'timm', 'torch'} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "set()\n"


def test_a_name_like_no_other_gets_no_suggestions() -> None:
    with pytest.raises(BackboneError, match=r"Choose one from `tellapart models`, or from timm.list_models\(\).$"):
        load_backbone("qqqq", None)


def test_unknown_weights_of_a_known_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    safetensors.torch.save_file(timm.create_model("test_resnet").state_dict(), path)
    with pytest.raises(
        BackboneError, match="timm has no weights 'mine' for test_resnet. Choose test_resnet, test_resnet.r160_in1k."
    ):
        load_backbone("test_resnet.mine", path)
    assert load_backbone("test_resnet.r160_in1k", path).preprocessing.size == 160


def test_weights_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    network = timm.create_model("resnet10t", num_classes=7)
    safetensors.torch.save_file(network.state_dict(), path)
    loaded = load_backbone("resnet10t", path)
    torch.testing.assert_close(loaded.network.state_dict()["conv1.0.weight"], network.state_dict()["conv1.0.weight"])
    assert lookup_key("resnet10t", path) != lookup_key("resnet10t", None)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    safetensors.torch.save_file(timm.create_model("resnet10t").state_dict(), path)
    with pytest.raises(
        BackboneError, match=r"does not fit resnet18: \d+ of \d+ tensors are missing or have another shape"
    ):
        load_backbone("resnet18", path)


def test_the_message_says_which_tensors_differ(tmp_path: Path) -> None:
    state = timm.create_model("test_resnet").state_dict()
    names = list(state)
    del state[names[0]]
    for name in names[1:7]:
        state[name] = torch.zeros(9)
    state["module.extra"] = torch.zeros(1)
    path = tmp_path / "mine.safetensors"
    safetensors.torch.save_file(state, path)
    with pytest.raises(BackboneError) as caught:
        load_backbone("test_resnet", path)
    # By hand from timm's test_resnet: a deep stem of 16, 32 and 32 filters with batch norm between; fc is not needed.
    assert str(caught.value) == (
        f"{path} does not fit test_resnet: 7 of {len(names) - 2} tensors are missing or have another shape: "
        "conv1.0.weight (wanted [16, 3, 3, 3], missing), conv1.1.weight (wanted [16], found [9]), "
        "conv1.1.bias (wanted [16], found [9]), conv1.1.running_mean (wanted [16], found [9]), "
        "conv1.1.running_var (wanted [16], found [9]) and 2 more. It has others instead, such as module.extra. "
        "Give the weights of test_resnet, saved from timm."
    )


def test_what_only_begins_like_the_classifier_is_needed(tmp_path: Path) -> None:
    # ConvNeXt's classifier is head.fc; head.norm before it is a part of the embedding.
    state = timm.create_model("test_convnext", num_classes=7).state_dict()
    path = tmp_path / "mine.safetensors"
    del state["head.fc.weight"], state["head.fc.bias"]
    safetensors.torch.save_file(state, path)
    assert load_backbone("test_convnext", path).source == "file mine.safetensors"
    del state["head.norm.weight"]
    safetensors.torch.save_file(state, path)
    with pytest.raises(
        BackboneError, match=r"1 of \d+ tensors are missing .*: head.norm.weight \(wanted \[64\], missing\)"
    ):
        load_backbone("test_convnext", path)


def test_a_file_that_vanishes_before_it_is_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match="cannot be read: No such file"):
        load_backbone("test_resnet", tmp_path / "none.safetensors")


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken.safetensors"
    path.write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{broken json}....")
    with pytest.raises(BackboneError, match="cannot be read as safetensors"):
        load_backbone("resnet10t", path)


def test_pickles_are_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(b"cos\nsystem\n(S'touch /tmp/never'\ntR.")
    with pytest.raises(BackboneError, match="other formats can hold programs and are refused"):
        lookup_key("resnet10t", path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match="cannot be read: No such file"):
        lookup_key("resnet10t", tmp_path / "none.safetensors")


def test_the_embedded_files_are_found_without_importing_their_packages() -> None:
    import sys

    for name in EMBEDDED:
        embedded = BACKBONES[name].embedded
        assert embedded is not None
        path = embedded_file(embedded)
        assert path is not None
        assert path.stat().st_size > 10_000_000
        assert embedded.package not in sys.modules


def test_a_package_with_other_weights_is_not_even_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another release, or a damaged file: its pickle could hold a program."""
    embedded = BACKBONES[DEFAULT].embedded
    assert embedded is not None
    path = tmp_path / embedded.package / embedded.file
    path.parent.mkdir(parents=True)
    (tmp_path / embedded.package / "__init__.py").write_text("")
    path.write_bytes(b"other weights")
    monkeypatch.syspath_prepend(tmp_path)
    told = (
        f"{embedded.file} is not the file that tellapart knows: its SHA-256 does not begin with {embedded.sha256[:12]}"
    )
    with pytest.raises(BackboneError, match=told):
        load_backbone(DEFAULT, None)
