"""A GPU that is only pretended, to find code that mixes devices. In: a MonkeyPatch. Out: a context in which "cuda" can be used.

Next: test_pretended_gpu.py. Tensors stay on the CPU, with their values, and each remembers the device that it would be on. As on a
real GPU, an operation on tensors of two devices fails, and so does NumPy's view of one that is not on the CPU. What it cannot
show: numbers in half precision, memory, speed, several cards.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)
_DEVICE, _IS_CUDA = Tensor.device.__get__, Tensor.is_cuda.__get__
_SET_DATA, _SET_GRADIENT = Tensor.data.__set__, Tensor.grad.__set__
_TO_NUMPY = {Tensor.numpy, Tensor.__array__}
# What brings values from one device to another, or asks whether it can.
_MOVING = {Tensor.copy_, torch._foreach_copy_, _SET_DATA, _SET_GRADIENT, torch._has_compatible_shallow_copy_type}
# Of two tensors these take one's shape alone, or nothing.
_OF_ONE = {Tensor.view_as, Tensor.reshape_as, Tensor.expand_as, Tensor.__deepcopy__}
_INDEXING = {Tensor.__getitem__, Tensor.__setitem__, Tensor.index_put_}
# What torch.cuda says of a card of the newest kind.
_SAID: dict[str, Any] = {
    "is_available": True,
    "is_initialized": True,
    "is_bf16_supported": True,
    "get_device_capability": (9, 0),
    "device_count": 1,
    "current_device": 0,
    "synchronize": None,
    "empty_cache": None,
    "set_rng_state": None,
    "manual_seed": None,
    "manual_seed_all": None,
}


def where(tensor: Tensor) -> torch.device:
    """The device that `tensor` is taken to be on."""
    found: torch.device = tensor.__dict__.get("_pretended", CPU)
    return torch.device("meta") if tensor.is_meta else found


def put(tensor: Tensor, device: torch.device) -> None:
    """Take it to be there."""
    tensor.__dict__["_pretended"] = device


@contextlib.contextmanager
def pretended(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Within it there is one GPU, in every thread."""
    for name, answer in _SAID.items():
        patch.setattr(torch.cuda, name, lambda *args, _answer=answer, **kwargs: _answer)
    patch.setattr(torch.cuda, "get_rng_state", lambda device=None: torch.get_rng_state())
    patch.setattr(torch.optim.Optimizer, "_accelerator_graph_capture_health_check", lambda self: None)
    run, make = threading.Thread.run, torch.nn.Parameter.__new__

    def pretending(self: threading.Thread) -> None:
        with _Pretending():
            run(self)

    def parameter(kind: type, data: Any = None, requires_grad: bool = True) -> Any:
        made = make(kind, data, requires_grad)
        if data is not None:
            put(made, where(data))
        return made

    patch.setattr(threading.Thread, "run", pretending)
    patch.setattr(torch.nn.Parameter, "__new__", parameter)
    with _Pretending():
        yield


class _Pretending(TorchFunctionMode):
    """Every call of torch passes here first."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = [one for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)]
        if func == _DEVICE:
            return where(args[0])
        if func == _IS_CUDA:
            return where(args[0]) == GPU
        if func in _TO_NUMPY and where(args[0]) == GPU:
            raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first.")
        wanted, func, args, kwargs = _asked(func, args, dict(kwargs or {}))
        home = None
        if func in _MOVING:
            home = where(given[0]) if given else None
        elif wanted is None:
            home = _common(func, given)
        found = func(*args, **kwargs)
        if func == _SET_DATA:
            put(args[0], where(args[1]))
        if func == _SET_GRADIENT and args[1] is not None and where(args[0]) != where(args[1]):
            raise RuntimeError("assigned grad has data located on a different device")
        return _placed(found, given, wanted or home or CPU, moved=wanted is not None)


def _asked(func: Any, args: Any, kwargs: dict[str, Any]) -> tuple[torch.device | None, Any, Any, dict[str, Any]]:
    """The device that a call names, and the call as this machine can do it."""
    if func in (Tensor.cpu, Tensor.cuda):
        return (CPU if func is Tensor.cpu else GPU), Tensor.to, (args[0], CPU), {}
    wanted = None
    if kwargs.get("device") is not None:
        wanted = _normal(kwargs["device"])
        kwargs["device"] = CPU if wanted == GPU else wanted
    if func is Tensor.to and len(args) > 1:
        if isinstance(args[1], Tensor):
            wanted = where(args[1])
        elif isinstance(args[1], (str, torch.device)) or type(args[1]) is int:
            wanted = _normal(args[1])
            args = (args[0], CPU if wanted == GPU else wanted, *args[2:])
    return wanted, func, args, kwargs


def _normal(device: Any) -> torch.device:
    found = torch.device("cuda", device) if isinstance(device, int) else torch.device(device)
    return GPU if found.type == "cuda" else found


def _common(func: Any, given: list[Tensor]) -> torch.device | None:
    """Where all of them are. Raises: RuntimeError for two devices, but for single numbers, and for indices from the CPU."""
    if func in _OF_ONE:
        given = given[:1]
    if func in _INDEXING:
        if where(given[0]) == CPU and any(where(one) == GPU for one in given[1:]):
            raise RuntimeError("indices should be either on cpu or on the same device as the indexed tensor (cpu)")
        given = given[:1]
    places = {where(one) for one in given if one.dim() > 0} or {where(one) for one in given}
    if len(places) > 1:
        name = getattr(func, "__name__", func)
        raise RuntimeError(f"Expected all tensors to be on the same device, but found cuda:0 and cpu in {name}")
    return next(iter(places), None)


def _placed(found: Any, given: list[Tensor], device: torch.device, *, moved: bool) -> Any:
    """Results where they belong; what was moved is a tensor of its own."""

    def place(one: Any) -> Any:
        if not isinstance(one, Tensor) or one.is_meta or where(one) == device:
            return one
        if any(one is other for other in given):
            if not moved:
                return one
            one = one.clone()
        put(one, device)
        return one

    return tree_map(place, found)
