"""Weights of whole detectors by name. In: torchvision's networks at random. Out: the same answers from ours, refusals."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor
from torchvision.models import detection
from torchvision.models.detection.image_list import ImageList

from tellapart.errors import BackboneError, BackboneUnavailable, SettingsError
from tellapart.models.build import build_pretrained
from tellapart.settings.reading import make_settings
from tellapart.tasks.detection.detectors import DETECTORS, DetectorName, detector_kind
from tellapart.tasks.detection.starting import new_detector, prefer
from tellapart.tasks.detection.whole import BACKBONE, OWN, fill, renamed, whole_weights

SIZE = 64


def refused(record: Any) -> Mapping[str, Tensor]:
    raise OSError("the network is unreachable")


def test_what_cannot_be_downloaded_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BackboneUnavailable) as fault:
        whole_weights(detector_kind("faster_rcnn"), "coco", folder=tmp_path, size=SIZE, fetch=refused)
    assert str(fault.value).startswith(
        "the weights coco of faster_rcnn cannot be downloaded (the network is unreachable). Connect to the network, put "
        "fasterrcnn_resnet50_fpn_coco-"
    )
    assert str(fault.value).endswith(", or leave network.weights out: the embedded backbones need no network.")
    assert list(tmp_path.rglob("*")) == []


def test_a_refused_connection_is_told_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with pytest.raises(BackboneUnavailable, match=r"^the weights coco of retinanet cannot be downloaded \(.+\)\. "):
        whole_weights(detector_kind("retinanet"), "coco", folder=tmp_path / "cache", size=SIZE)


def told(**network: Any) -> Any:
    return prefer(make_settings({"data": "x", "strategy": network.pop("strategy", "auto"), "network": network}))


def test_weights_that_there_are_not_are_refused() -> None:
    with pytest.raises(SettingsError) as fault:
        told(detector="ssd", weights="coco")
    assert str(fault.value) == (
        "network.weights is 'coco', which the detector ssd has not; there are coco of faster_rcnn, coco of retinanet. "
        "Leave it out: the backbone has weights of its own."
    )
    with pytest.raises(SettingsError, match=r"^network\.weights is coco, which --strategy scratch does not use\. "):
        told(detector="retinanet", weights="coco", strategy="scratch")
    assert told(detector="retinanet", weights="coco").network.weights == "coco"


def test_other_tensors_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        BackboneError,
        match=r"^what was downloaded for faster_rcnn-coco-\w+\.safetensors does not fit torchvision's network: ",
    ):
        whole_weights(
            detector_kind("faster_rcnn"), "coco", folder=tmp_path, size=SIZE, fetch=lambda record: {"x": torch.zeros(1)}
        )


def whole(kind: DetectorName) -> Any:
    """torchvision's own, with random weights that say something else everywhere."""
    make = detection.fasterrcnn_resnet50_fpn if kind == "faster_rcnn" else detection.retinanet_resnet50_fpn
    limits = {"rpn_pre_nms_top_n_test": 500, "rpn_post_nms_top_n_test": 150} if kind == "faster_rcnn" else {}
    network = make(
        weights=None, weights_backbone=None, min_size=SIZE, max_size=SIZE, box_detections_per_img=20, **limits
    )
    # As its own weights are kept: frozen norms without the 1e-5.
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eps = 0.0
    return network.eval()


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(name, marks=pytest.mark.long if name == "retinanet" else ())
        for name, one in DETECTORS.items()
        if one.weights
    ],
)
def test_ours_with_its_weights_answers_as_torchvisions_own(kind: DetectorName, tmp_path: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        theirs = whole(kind)
        ready = whole_weights(
            detector_kind(kind), "coco", folder=tmp_path, size=SIZE, fetch=lambda record: theirs.state_dict()
        )
        again = whole_weights(detector_kind(kind), "coco", folder=tmp_path, size=SIZE, fetch=refused)
        assert (again, ready.name) == (ready, BACKBONE)
        body = build_pretrained(BACKBONE, weights=ready.weights, preprocessing=ready.preprocessing, class_count=1)
        classes = 90 if kind == "faster_rcnn" else 91  # torchvision's RetinaNet counts the background among them
        ours = DETECTORS[kind].make(body, class_count=classes, size=SIZE, whole=True).eval()
        fill(ours, ready.weights, classes=True)
        settings = told(detector=kind, weights="coco", size=SIZE)
        swapped = new_detector(settings, 3, ready)
        assert swapped.class_count == 3
        torch.testing.assert_close(
            swapped.state_dict()["pyramid.layer_blocks.0.0.weight"],
            ours.state_dict()["pyramid.layer_blocks.0.0.weight"],
        )
        pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, SIZE, SIZE, 3), dtype=np.uint8))
        with torch.inference_mode():
            normalised = ours.body.normalise(pixels)
            features = theirs.backbone(normalised)
            found = ours(pixels)
            if kind == "retinanet":
                head = theirs.head(list(features.values()))
                torch.testing.assert_close(found.scores, head["cls_logits"], rtol=1e-3, atol=1e-4)
                anchors = theirs.anchor_generator(ImageList(normalised, [(SIZE, SIZE)] * 2), list(features.values()))
                for number, own in enumerate(anchors):
                    expected = theirs.head.regression_head.box_coder.decode_single(head["bbox_regression"][number], own)
                    torch.testing.assert_close(found.boxes[number], expected, rtol=1e-3, atol=1e-2)
                return
            images = ImageList(normalised, [(SIZE, SIZE)] * 2)
            proposals, _ = theirs.rpn(images, features)
            pooled = theirs.roi_heads.box_roi_pool(features, proposals, images.image_sizes)
            logits, codes = theirs.roi_heads.box_predictor(theirs.roi_heads.box_head(pooled))
            counts = [len(one) for one in proposals]
            boxes = theirs.roi_heads.box_coder.decode(codes, proposals).clamp(0, SIZE)[:, 1:].split(counts)
            shares = logits.softmax(-1)[:, 1:].split(counts)
        for number, many in enumerate(counts):
            own = found.scores[number].sigmoid().reshape(150, classes, classes).diagonal(dim1=1, dim2=2)
            assert 20 < many <= 150
            torch.testing.assert_close(own[:many], shares[number], rtol=1e-3, atol=1e-5)
            torch.testing.assert_close(
                found.boxes[number].reshape(150, classes, 4)[:many], boxes[number], rtol=1e-3, atol=2e-2
            )
            assert float(own[many:].sum()) == 0


def test_a_norm_of_theirs_is_ours_with_another_variance() -> None:
    state = {
        "backbone.body.bn1.running_var": torch.tensor([1.0, 0.5]),
        "backbone.fpn.inner_blocks.0.0.bias": torch.ones(2),
        "rpn.head.bbox_pred.bias": torch.ones(3),
    }
    found = renamed(state)
    torch.testing.assert_close(found["bn1.running_var"], torch.tensor([1.0 - 1e-5, 0.5 - 1e-5]))
    assert set(found) == {
        "bn1.running_var",
        f"{OWN}pyramid.inner_blocks.0.0.bias",
        f"{OWN}rpn.head.bbox_pred.bias",
    }
    assert safetensors.torch.save(found)
