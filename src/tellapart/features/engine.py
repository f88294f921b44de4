"""What runs a frozen network on this machine. In: ReadyBackbone. Out: Engine. Next: openvino_engine.py."""

from __future__ import annotations

import importlib
import os
import shutil
import threading
from collections.abc import Callable
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import SettingsError
from tellapart.features.backbone import ReadyBackbone
from tellapart.features.openvino_engine import OpenVinoEngine
from tellapart.openvino_session import Find, Precision, Refused, load_openvino
from tellapart.runtime import BATCH, Session, cores

Device = Literal["auto", "cpu", "cuda", "mps"]
EngineChoice = Literal["auto", "onnxruntime", "openvino", "openvino-bfloat16"]
CpuEngine = Literal["onnxruntime", "openvino", "openvino-bfloat16"]
SHIPPED: CpuEngine = "onnxruntime"  # in float32, as model.onnx answers everywhere

MANY = 5_000  # training pictures, from which on `auto` looks for a quicker engine

_PRECISIONS: dict[CpuEngine, Precision] = {"openvino": "float32", "openvino-bfloat16": "bfloat16"}
_GPU_BATCH = 128
# A network this small keeps its weights in the core's cache whatever the batch, and the pictures' values leave it the sooner the
# more pictures there are: two at once take 5 to 8 % less than eight, to the same bits. One that is larger reads its weights anew
# for each batch.
_SMALL_NETWORK, _SMALL_BATCH = 32 * 2**20, 2  # bytes; pictures


class Engine(Protocol):
    """Runs uint8 pictures through a frozen network; called from several threads at once."""

    name: str  # part of the cache key: engines differ in the last digits
    batch: int  # pictures that one call should bring
    workers: int  # threads that decode and call

    def embed(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Pictures [B, S, S, 3] to embeddings [B, D]."""
        ...


class OnnxEngine:
    """The CPU: one thread of ONNX Runtime a core, each on a small batch of its own."""

    name = "onnxruntime-float32"

    def __init__(self, backbone: ReadyBackbone) -> None:
        self.workers = cores()
        self.batch = _SMALL_BATCH if backbone.network.stat().st_size <= _SMALL_NETWORK else BATCH
        self._session = Session(backbone.network, source=f"the backbone {backbone.name}")

    def embed(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Pictures [B, S, S, 3] to embeddings [B, D]."""
        (embedding,) = self._session.run(images, ["embedding"])
        return embedding


class TorchEngine:
    """A GPU through torch: channels_last and autocast; the threads decode while the GPU computes."""

    batch = _GPU_BATCH

    def __init__(self, backbone: ReadyBackbone, device: str) -> None:
        import safetensors.torch
        import timm
        import torch

        from tellapart.models.build import picture, stage_network
        from tellapart.models.joint import join_stages
        from tellapart.models.last_maps import drop_head

        self.name = f"torch-{device}-float16"
        self.workers = max(2, cores())
        self._torch, self._device = torch, torch.device(device)
        self._lock = threading.Lock()
        network = timm.create_model(backbone.name, num_classes=0)
        if backbone.pooling != "own":
            drop_head(network, picture(backbone.preprocessing.size))
        network.load_state_dict(safetensors.torch.load_file(backbone.weights))
        staged = stage_network(
            network,
            name=backbone.name,
            preprocessing=backbone.preprocessing,
            class_count=1,
            pooling=backbone.pooling,
        )
        if backbone.stages:
            join_stages(staged, backbone.preprocessing.size)
        staged.eval().requires_grad_(False).to(self._device)
        self._network = staged.to(memory_format=torch.channels_last)

    def embed(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Pictures [B, S, S, 3] to embeddings [B, D]."""
        torch = self._torch
        source = torch.from_numpy(np.ascontiguousarray(images))
        with self._lock, torch.inference_mode():
            # Pictures with their channels last are what the network likes best.
            with torch.autocast(self._device.type, dtype=torch.float16):
                embedding_BD = self._network.embed(source.to(self._device))
            result: NDArray[np.float32] = embedding_BD.float().cpu().numpy()
            return result


def choose_device(device: Device) -> str:
    """The device to run on. `auto` takes an NVIDIA GPU where its driver is, without importing torch to ask.

    Raises: SettingsError when the device is named but not there.
    """
    if device == "cpu" or (device == "auto" and not _has_nvidia_driver()):
        return "cpu"
    import torch

    wanted = "cuda" if device == "auto" else device
    there = torch.cuda.is_available() if wanted == "cuda" else torch.backends.mps.is_available()
    if there:
        return wanted
    if device == "auto":
        return "cpu"
    raise SettingsError(f"--device {device} was asked for, but torch finds no such device here. Use --device cpu.")


def choose_engine(
    asked: EngineChoice, device: str, *, warn: Callable[[str], None], find: Find = importlib.import_module
) -> EngineChoice:
    """What embeds training pictures on a CPU; `auto` stays, since it hangs on how many there are: see `settle_engine`.

    Where what was asked for is not there, ONNX Runtime is taken, and `warn` is told why. `find` imports a package by its name.
    """
    if asked == "onnxruntime" or (asked == "auto" and device != "cpu"):
        return SHIPPED
    if asked == "auto":
        return asked
    if device != "cpu":
        warn(f"--engine {asked} is for the CPU; the network runs on {device}. Give --device cpu to have it.")
        return SHIPPED
    try:
        load_openvino(_PRECISIONS[asked], find)
    except Refused as reason:
        warn(f"--engine {asked} is not to be had: {reason}. ONNX Runtime computes the embeddings, in float32.")
        return SHIPPED
    return asked


def settle_engine(chosen: EngineChoice, pictures: int, *, find: Find = importlib.import_module) -> CpuEngine:
    """What `auto` is for so many training pictures: OpenVINO in bfloat16 from MANY on, where it and such a processor are there.

    It was shown to cost nothing on four sets, corrected by pictures embedded both ways (docs/results.md), and to save a fifth
    of the embeddings' time; of fewer pictures that is less than the package takes to be loaded.
    """
    if chosen != "auto":
        return chosen
    if pictures < MANY:
        return SHIPPED
    try:
        load_openvino("bfloat16", find)
    except Refused:
        return SHIPPED
    return "openvino-bfloat16"


def engine_called(name: str | None) -> CpuEngine:
    """The choice that made an engine of that name; ONNX Runtime for those of a GPU and for None."""
    parts = (name or "").split("-")
    if parts[0] != "openvino":
        return SHIPPED
    return "openvino-bfloat16" if parts[-1] == "bfloat16" else "openvino"


def open_engine(
    backbone: ReadyBackbone,
    device: str,
    engine: CpuEngine = SHIPPED,
    *,
    warn: Callable[[str], None] | None = None,
    find: Find = importlib.import_module,
) -> Engine:
    """Open the engine for `device`, as `choose_device` named it; on a CPU `engine`.

    ONNX Runtime takes the place of an engine that refuses the network, and `warn` is told.
    """
    if device != "cpu":
        return TorchEngine(backbone, device)
    if engine in _PRECISIONS:
        try:
            return OpenVinoEngine(
                backbone.network, precision=_PRECISIONS[engine], size=backbone.preprocessing.size, find=find
            )
        except Refused as reason:
            if warn is not None:
                warn(f"{backbone.name} is embedded by ONNX Runtime, in float32, not by {engine}: {reason}.")
    return OnnxEngine(backbone)


def _has_nvidia_driver() -> bool:
    return os.path.exists("/dev/nvidiactl") or shutil.which("nvidia-smi") is not None
