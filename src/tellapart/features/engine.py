"""The fastest way to run a frozen network on this machine. In: ReadyBackbone. Out: Engine. Next: extract.py."""

from __future__ import annotations

import os
import shutil
import threading
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import SettingsError
from tellapart.features.backbone import ReadyBackbone
from tellapart.runtime import BATCH, Session, cores

Device = Literal["auto", "cpu", "cuda", "mps"]
_GPU_BATCH = 128


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

    name = "onnx"
    batch = BATCH

    def __init__(self, backbone: ReadyBackbone) -> None:
        self.workers = cores()
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

        from tellapart.models.build import stage_network
        from tellapart.models.joint import join_stages

        self.name = f"torch-{device}"
        self.workers = max(2, cores())
        self._torch, self._device = torch, torch.device(device)
        self._lock = threading.Lock()
        network = timm.create_model(backbone.name, num_classes=0)
        network.load_state_dict(safetensors.torch.load_file(backbone.weights))
        staged = stage_network(network, name=backbone.name, preprocessing=backbone.preprocessing, class_count=1)
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


def open_engine(backbone: ReadyBackbone, device: str) -> Engine:
    """Open the engine for `device`, as `choose_device` named it."""
    return OnnxEngine(backbone) if device == "cpu" else TorchEngine(backbone, device)


def _has_nvidia_driver() -> bool:
    return os.path.exists("/dev/nvidiactl") or shutil.which("nvidia-smi") is not None
