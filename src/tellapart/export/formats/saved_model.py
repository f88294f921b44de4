"""TensorFlow: a SavedModel, and the LiteRT files of the same conversion. In: an ONNX file. Out: a folder. Next: litert.py.

The signature `serving_default` takes `image`, uint8 [N, S, S, 3], and gives our outputs under their names. `encoded` takes
`image_bytes`, strings of JPEG or PNG files, as clients of TensorFlow Serving send them: TensorFlow decodes, crops and resizes them
by its own arithmetic there, near ours, not the same.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_KERNELS = {"nearest": "box", "bilinear": "triangle", "bicubic": "keyscubic", "lanczos": "lanczos3"}


def convert(source: Path, target: Path, options: dict[str, Any]) -> dict[str, Any]:
    """A SavedModel in the folder `target`. Raises: ValueError for an operator without counterpart."""
    import tensorflow as tf

    network = tf.saved_model.load(str(_converted(source)))
    module = _wrapped(network, options)
    signatures = {"serving_default": module.answer}
    if options["fit"] != "tile":  # who cuts tiles, puts them together
        signatures["encoded"] = module.answer_encoded
    tf.saved_model.save(module, str(target), signatures=signatures)
    return {}


def convert_lite_float32(source: Path, target: Path, options: dict[str, Any]) -> dict[str, Any]:
    """A LiteRT file of one picture, with a signature that has our outputs under their names."""
    return _lite(source, target, options, half=False)


def convert_lite_float16(source: Path, target: Path, options: dict[str, Any]) -> dict[str, Any]:
    """The same with weights of half precision."""
    return _lite(source, target, options, half=True)


def _lite(source: Path, target: Path, options: dict[str, Any], *, half: bool) -> dict[str, Any]:
    import tensorflow as tf

    module = _wrapped(tf.saved_model.load(str(_converted(source))), options)
    named = source.with_name("named")
    tf.saved_model.save(module, str(named), signatures={"serving_default": module.answer})
    # onnx2tf writes such files too, but of some networks without a signature, and then nobody knows which output is which.
    converter = tf.lite.TFLiteConverter.from_saved_model(str(named), signature_keys=["serving_default"])
    if half:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    target.write_bytes(converter.convert())
    return {}


def load(path: Path, options: dict[str, Any]) -> Callable[[NDArray[Any]], dict[str, NDArray[Any]]]:
    """TensorFlow on one thread."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    loaded = tf.saved_model.load(str(path))
    answer = loaded.signatures["serving_default"]

    def compute(images: NDArray[Any]) -> dict[str, NDArray[Any]]:
        return {name: one.numpy() for name, one in answer(image=tf.constant(images)).items()}

    return compute


def _converted(source: Path) -> Path:
    """What onnx2tf makes of a graph, as a SavedModel in a folder beside it. Made once for all who ask."""
    folder = source.with_name(f"{source.name}-tensorflow")
    if folder.is_dir():
        return folder
    import onnx2tf
    import tensorflow as tf

    # It compares operator by operator on pictures, which it would fetch from the web; any pictures will do.
    os.chdir(source.parent)
    pictures = np.random.default_rng(0).random((20, 128, 128, 3), dtype=np.float32)
    np.save("calibration_image_sample_data_20x128x128x3_float32.npy", pictures, allow_pickle=False)
    begun = source.with_name(f"{source.name}-begun")
    # Left to itself it would write its network in three ways, each in half a minute.
    network = onnx2tf.convert(
        input_onnx_file_path=str(source),
        output_folder_path=str(begun),
        keep_shape_absolutely_input_names=["image"],
        not_use_onnxsim=True,
        disable_model_save=True,
        non_verbose=True,
        verbosity="error",
    )
    module = tf.Module()
    module.answer = _frozen(network)
    tf.saved_model.save(module, str(begun))
    begun.rename(folder)
    return folder


def _frozen(network: Any) -> Any:
    """A Keras network as a function whose weights are constants: images to a tuple of outputs, in the graph's order."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    (taken,) = network.inputs

    @tf.function(input_signature=[tf.TensorSpec(taken.shape, taken.dtype, name="image")], autograph=False)  # type: ignore[untyped-decorator]
    def answer(image: Any) -> Any:
        found = network(image)
        return tuple(found) if isinstance(found, (list, tuple)) else (found,)

    return convert_variables_to_constants_v2(answer.get_concrete_function(), lower_control_flow=False)


def _wrapped(network: Any, options: dict[str, Any]) -> Any:
    """A module that gives our outputs under their names."""
    import tensorflow as tf

    size, names = options["size"], options["outputs"]

    class Module(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        @tf.function(input_signature=[tf.TensorSpec([options["batch"], size, size, 3], tf.uint8, name="image")])  # type: ignore[untyped-decorator]
        def answer(self, image: Any) -> Any:
            found = network.answer(image)
            return {name: tf.identity(one, name=name) for name, one in zip(names, found, strict=True)}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])  # type: ignore[untyped-decorator]
        def answer_encoded(self, image_bytes: Any) -> Any:
            ready = tf.map_fn(lambda one: _prepared(one, options), image_bytes, fn_output_signature=tf.uint8)
            return self.answer(tf.ensure_shape(ready, [None, size, size, 3]))

    return Module()


def _prepared(data: Any, options: dict[str, Any]) -> Any:
    """The bytes of a file to uint8 [S, S, 3], by the model's rule of cropping, padding or squashing."""
    import tensorflow as tf

    size, fit = options["size"], options["fit"]
    # TensorFlow's usual way to decode JPEG is quick and coarse.
    image = tf.cond(
        tf.io.is_jpeg(data),
        lambda: tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE"),
        lambda: tf.io.decode_image(data, channels=3, expand_animations=False),
    )
    image = tf.cast(tf.ensure_shape(image, [None, None, 3]), tf.float32)
    height, width = (tf.cast(one, tf.float32) for one in (tf.shape(image)[0], tf.shape(image)[1]))
    share = size / max(size, int(size / options["crop"]))
    if fit == "crop":
        side = share * tf.minimum(height, width)
        ready = _resized(
            image, (height - side) / 2, (width - side) / 2, size / side, size / side, [size, size], options
        )
    elif fit == "crop_or_pad":
        filling = tf.constant(options["filling"], tf.float32)
        ready = tf.image.resize_with_crop_or_pad(image - filling, size, size) + filling
    elif fit == "squash":
        down, across = size / (share * height), size / (share * width)
        top, left = (1 - share) / 2 * height, (1 - share) / 2 * width
        ready = _resized(image, top, left, down, across, [size, size], options)
    else:
        longer = tf.maximum(height, width)
        sides = [tf.maximum(1, tf.cast(tf.round(size * one / longer), tf.int32)) for one in (height, width)]
        down, across = (tf.cast(side, tf.float32) / one for side, one in zip(sides, (height, width), strict=True))
        filling = tf.constant(options["filling"], tf.float32)
        smaller = _resized(image, 0.0, 0.0, down, across, sides, options)
        ready = tf.image.resize_with_crop_or_pad(smaller - filling, size, size) + filling
    return tf.cast(tf.clip_by_value(tf.round(ready), 0, 255), tf.uint8)


def _resized(image: Any, top: Any, left: Any, down: Any, across: Any, sides: Any, options: dict[str, Any]) -> Any:
    """A part of float32 [H, W, 3] that begins at `top` and `left`, scaled by `down` and `across`, as float32 of `sides`."""
    import tensorflow as tf

    found = tf.raw_ops.ScaleAndTranslate(
        images=image[None],
        size=tf.convert_to_tensor(sides),
        scale=tf.stack([down, across]),
        translation=tf.stack([-top * down, -left * across]),
        kernel_type=_KERNELS[options["interpolation"]],
        antialias=options["interpolation"] != "nearest",
    )
    return found[0]


def encoded(path: Path, files: list[bytes]) -> dict[str, NDArray[Any]]:
    """What the signature `encoded` answers to pictures as files."""
    import tensorflow as tf

    answer = tf.saved_model.load(str(path)).signatures["encoded"]
    return {name: np.asarray(one) for name, one in answer(image_bytes=tf.constant(files)).items()}
