"""Which device, precision and memory order a training gets. In: requests. Out: verdicts. Next: test_loop.py."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tellapart.errors import SettingsError
from tellapart.runtime import cores
from tellapart.training.devices import Devices, find_devices, thread_advice, training_threads


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK", "OMP_NUM_THREADS", "ACCELERATE_MIXED_PRECISION"):
        monkeypatch.delenv(name, raising=False)


def test_the_cpu_trains_in_full_precision_on_all_cores() -> None:
    found = find_devices(device="cpu")
    assert (found.device.type, found.precision, found.world, found.main) == ("cpu", "float32", 1, True)
    assert found.threads == cores()
    assert Devices().threads == cores()


def test_what_the_environment_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    found = find_devices()
    assert (found.device.type, found.threads, found.precision) == ("cpu", 3, "bfloat16")
    assert find_devices(precision="float32").precision == "float32"


def test_one_thread_a_process_is_told_where_there_are_more_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    two = Devices(world=2, threads=1)
    assert thread_advice(two, available=9) == (
        "OMP_NUM_THREADS is 1 (torchrun sets it so), and each of the 2 processes trains on 1 thread; the 9 cores here "
        "allow 4. For all of them set OMP_NUM_THREADS=4 before torchrun."
    )
    with monkeypatch.context() as by_ray:
        by_ray.setenv("RAY_JOB_ID", "01000000")
        assert thread_advice(two, available=9) == ""
    assert thread_advice(two, available=3) == ""
    assert thread_advice(Devices(threads=1), available=9) == ""
    assert thread_advice(Devices(world=2, threads=1, device=torch.device("cuda")), available=9) == ""
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert thread_advice(two, available=9) == ""


def test_mixed_precision_on_request() -> None:
    devices = find_devices(device="cpu", precision="bfloat16")
    with devices.autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
    with Devices().autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
    assert not devices.scaler().is_enabled()


def test_memory_order_and_parameters_that_stay_the_same_objects() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Linear(2, 2))
    before = list(network.parameters())
    Devices().prepare(network)
    assert network[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert all(own is other for own, other in zip(network.parameters(), before, strict=True))
    images = Devices().to_device(torch.zeros(2, 3, 4, 4, dtype=torch.float16))
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert images.dtype == torch.float32
    assert Devices().to_device(torch.zeros(2, 4, 4, 3, dtype=torch.uint8)).dtype == torch.uint8
    assert Devices(channels_last=False).to_device(torch.zeros(2, 3, 4, 4)).is_contiguous()


def test_threads_are_given_back() -> None:
    before = torch.get_num_threads()
    with training_threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "tpu"}, r"device is 'tpu'; it must be auto, cpu, cuda, cuda:N or mps\. Choose one of these\."),
        (
            {"device": "cpu", "precision": "float16"},
            r"float16, which the CPU cannot train in\. Use float32 or bfloat16\.",
        ),
        (
            {"device": "cpu", "precision": "int8"},
            r"precision is 'int8'; it must be auto, float32, bfloat16 or float16\.",
        ),
    ],
)
def test_refusals(options: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        find_devices(**options)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_device_that_is_not_there() -> None:
    with pytest.raises(SettingsError, match=r"device is 'cuda:1', but torch .* finds none here\. Use cpu or auto"):
        find_devices(device="cuda:1")


@pytest.mark.gpu
def test_a_gpu_trains_in_half_precision() -> None:
    found = find_devices(device="cuda")
    assert found.precision in ("bfloat16", "float16")
    assert found.scaler().is_enabled() is (found.precision == "float16")
