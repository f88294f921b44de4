"""How many cores there are for us. In: affinity, control groups as Linux shows them. Out: a number."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from tellapart import runtime
from tellapart.runtime import cores, time_limit


@pytest.fixture
def membership(tmp_path: Path) -> Path:
    return tmp_path / "cgroup"


@pytest.fixture
def groups(tmp_path: Path) -> Path:
    folder = tmp_path / "groups"
    folder.mkdir()
    return folder


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_a_container_of_today_has_its_limit_at_the_root(membership: Path, groups: Path) -> None:
    write(membership, "0::/\n")
    write(groups / "cpu.max", "150000 100000\n")
    assert time_limit(membership, groups) == 1.5


def test_the_smallest_limit_on_the_way_up_counts(membership: Path, groups: Path) -> None:
    write(membership, "0::/kubepods/pod7/box\n")
    write(groups / "kubepods/cpu.max", "1600000 100000\n")
    write(groups / "kubepods/pod7/cpu.max", "300000 100000\n")
    write(groups / "kubepods/pod7/box/cpu.max", "max 100000\n")
    write(groups / "kubepods/pod8/cpu.max", "100000 100000\n")
    assert time_limit(membership, groups) == 3.0


@pytest.mark.parametrize("place", ["docker/0a1b", ""])
def test_limits_of_the_first_version_count_inside_a_container_and_outside(
    membership: Path, groups: Path, place: str
) -> None:
    write(membership, "5:memory:/docker/0a1b\n4:cpu,cpuacct:/docker/0a1b\n3:cpuset:/\n")
    write(groups / "cpu" / place / "cpu.cfs_quota_us", "200000\n")
    write(groups / "cpu" / place / "cpu.cfs_period_us", "50000\n")
    assert time_limit(membership, groups) == 4.0


@pytest.mark.parametrize(("quota", "period"), [("-1", "100000"), ("100000", "0"), ("soon", "100000"), ("", "")])
def test_what_is_no_limit_is_none(membership: Path, groups: Path, quota: str, period: str) -> None:
    write(membership, "1:cpu:/\n")
    write(groups / "cpu/cpu.cfs_quota_us", quota)
    write(groups / "cpu/cpu.cfs_period_us", period)
    assert time_limit(membership, groups) == math.inf


def test_the_folder_of_two_controllers_counts(membership: Path, groups: Path) -> None:
    write(membership, "3:cpu,cpuacct:/d\n")
    write(groups / "cpu,cpuacct/d/cpu.cfs_quota_us", "100000")
    write(groups / "cpu,cpuacct/d/cpu.cfs_period_us", "100000")
    assert time_limit(membership, groups) == 1.0


@pytest.mark.parametrize("name", [b"caf\xe9", b"a\x0bb", "a\u2028b".encode(), b"a:b", b"no colons"])
def test_groups_may_have_any_name(membership: Path, groups: Path, name: bytes) -> None:
    membership.write_bytes(b"strange\n0::/" + name + b"\n")
    write(groups / os.fsdecode(name) / "cpu.max", "100000 50000")
    assert time_limit(membership, groups) == 2.0


def test_without_control_groups_there_is_no_limit(membership: Path, groups: Path) -> None:
    assert time_limit(membership, groups) == math.inf
    write(membership, "0::/a\n")
    assert time_limit(membership, groups / "none") == math.inf


@pytest.mark.parametrize(("limit", "expected"), [(math.inf, 8), (20.0, 8), (8.0, 8), (2.5, 3), (1.0, 1), (0.1, 1)])
def test_neither_more_than_may_be_used_nor_more_than_there_is_time_for(
    monkeypatch: pytest.MonkeyPatch, limit: float, expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.setattr(runtime, "time_limit", lambda *paths: limit)
    assert cores() == expected
