"""Ray's address, and Ray that is not there. In: texts, ports. Out: messages; with Ray, a cluster of this machine."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Mapping

import pytest

from tellapart.errors import SettingsError
from tellapart.reporter import Silent
from tellapart.workflows.scaling.connection import Connected, check_address, connected, is_address, told_cost


@pytest.mark.parametrize(
    "text", ["auto", "local", "10.0.0.1:6379", "head.example:10001", "ray://head:10001", "[::1]:6379"]
)
def test_addresses_are_known(text: str) -> None:
    assert is_address(text)
    assert check_address(text) == text


def test_few_pictures_or_nobody_knows_how_many_are_told_what_rays_start_costs() -> None:
    said = "Ray takes ten seconds and more to start: below some 1,500 pictures one machine without --ray is quicker."
    assert told_cost() == told_cost(1_499) == said
    assert told_cost(1_500) == ""


@pytest.mark.parametrize(
    "text", ["", "pets", "pets/", "model.onnx", "s3://pets/shards", "head:0", "head:70000", "http://head:6379"]
)
def test_what_is_none_is_refused_with_the_remedy(text: str) -> None:
    assert not is_address(text)
    with pytest.raises(SettingsError) as caught:
        check_address(text)
    assert str(caught.value) == (
        f"--ray {text} names no Ray cluster: it is auto for the one that this machine is part of, HOST:PORT or ray://HOST:PORT. "
        "Name one of these, or none for this machine alone."
    )


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_a_cluster_where_nobody_listens_is_told_before_ray_is_imported(scheme: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        address = f"{scheme}127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(SettingsError) as caught, connected(address, Silent()):
            pytest.fail("it did not answer")
    assert str(caught.value) == (
        f"--ray {address} does not answer (Connection refused). Start a cluster with `ray start --head`, check the address, or "
        "leave it out to use this machine alone."
    )
    assert "ray" not in sys.modules


def test_a_cluster_is_said_in_words() -> None:
    assert Connected(address="local", nodes=1, workers=2, gpus=0).said() == (
        "Ray computes with 2 workers on this machine."
    )
    assert Connected(address="auto", nodes=3, workers=1, gpus=0).said() == (
        "Ray computes with 1 worker on 3 machines at auto."
    )


OWN = """
from tellapart.reporter import Silent
from tellapart.workflows.scaling.connection import connected
with connected("local", Silent()) as found:
    import ray
    print(found.workers >= 1, ray.get(ray.remote(num_cpus=0.1)(lambda: 6 * 7).remote()))
    print(ray.get_runtime_context().gcs_address.startswith("127.0.0.1:"))
print(ray.is_initialized())
"""


@pytest.mark.ray
def test_this_machines_own_ray_computes_on_loopback_and_is_gone_afterwards(ray_environment: Mapping[str, str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", OWN], env=ray_environment, capture_output=True, text=True, timeout=300
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == ["True", "42", "True", "False"]
    assert ended.stderr == ""
