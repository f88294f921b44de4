"""Keras' names of networks are understood. In: names. Out: timm's. Next: test_catalog.py."""

from __future__ import annotations

import pytest
import timm

from tellapart.errors import SettingsError
from tellapart.models.keras_names import KERAS_NAMES, timm_name
from tellapart.settings.reading import make_settings


@pytest.mark.parametrize("name", sorted(KERAS_NAMES))
def test_timm_has_each_of_them_with_weights(name: str) -> None:
    found = timm_name(name)
    assert timm.is_model_pretrained(found)
    assert timm_name(name.lower()) == timm_name(name.upper()) == found


def test_what_is_timms_stays() -> None:
    for name in ("tf_efficientnet_lite0", "resnet50.a1_in1k", "resnet50", "auto", "nobody"):
        assert timm_name(name) == name


def test_settings_hold_timms_names() -> None:
    assert make_settings({"data": "x", "backbone": "MobileNetV2, VGG16"}).backbone == "mobilenetv2_100,vgg16"
    settings = make_settings({"data": "x", "backbone": "Xception", "fallback_backbone": "ResNet50"})
    assert (settings.backbone, settings.fallback_backbone) == ("legacy_xception", "resnet50")
    with pytest.raises(SettingsError, match="each once"):
        make_settings({"data": "x", "backbone": "VGG16,vgg16"})
    with pytest.raises(
        SettingsError, match="timm has no weights of NASNetMobile, which Keras has; the nearest are nasnetalarge, or"
    ):
        make_settings({"data": "x", "backbone": "NASNetMobile"})
