"""Networks as readers of Keras' tutorials call them. In: a name. Out: timm's. Next: catalog.py.

The architecture is the same; the weights are those that timm names so, which others trained, and which often are better. What
timm has no such network of is refused with what comes nearest.
"""

from __future__ import annotations

from collections.abc import Mapping

# Keras 3's `keras.applications`, whatever case they are typed in. Of its networks of TensorFlow's own those that timm ported.
KERAS_NAMES: Mapping[str, str] = {
    "VGG16": "vgg16",
    "VGG19": "vgg19",
    "MobileNet": "mobilenetv1_100",
    "MobileNetV2": "mobilenetv2_100",
    "MobileNetV3Small": "mobilenetv3_small_100",
    "MobileNetV3Large": "mobilenetv3_large_100",
    "ResNet50": "resnet50",
    "ResNet101": "resnet101",
    "ResNet152": "resnet152",
    "ResNet50V2": "resnetv2_50",
    "ResNet101V2": "resnetv2_101",
    "InceptionV3": "inception_v3",
    "InceptionResNetV2": "inception_resnet_v2",
    "Xception": "legacy_xception",
    "NASNetLarge": "nasnetalarge",
    "DenseNet121": "densenet121",
    "DenseNet169": "densenet169",
    "DenseNet201": "densenet201",
    **{f"EfficientNetB{number}": f"tf_efficientnet_b{number}" for number in range(8)},
    **{f"EfficientNetV2B{number}": f"tf_efficientnetv2_b{number}" for number in range(4)},
    "EfficientNetV2S": "tf_efficientnetv2_s",
    "EfficientNetV2M": "tf_efficientnetv2_m",
    "EfficientNetV2L": "tf_efficientnetv2_l",
    "ConvNeXtTiny": "convnext_tiny",
    "ConvNeXtSmall": "convnext_small",
    "ConvNeXtBase": "convnext_base",
    "ConvNeXtLarge": "convnext_large",
    "ConvNeXtXLarge": "convnext_xlarge",
}
_LACKING = {
    "resnet152v2": ("ResNet152V2", "resnetv2_101 and resnet152"),
    "nasnetmobile": ("NASNetMobile", "nasnetalarge, or mobilenetv3_large_100, which is as small"),
}
_BY_PLAIN_NAME = {keras.lower(): timm for keras, timm in KERAS_NAMES.items()}


def timm_name(name: str) -> str:
    """timm's name of a network that Keras has under `name`; any other name as it is.

    What timm itself calls so stays timm's: `resnet50` with weights such as `.a1_in1k` behind it.
    Raises: ValueError for a network of Keras that timm has not; it names what comes nearest.
    """
    plain = name.lower()
    if plain in _LACKING:
        told, nearest = _LACKING[plain]
        raise ValueError(f"timm has no weights of {told}, which Keras has; the nearest are {nearest}")
    return _BY_PLAIN_NAME.get(plain, name)
