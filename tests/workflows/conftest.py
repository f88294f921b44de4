"""What tests of workflows share. In: nothing. Out: Ray's environment, a cluster of three nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from .ray_cluster import Cluster, cluster_of
from .scaling.conftest import ray_environment, ray_packages

__all__ = ["cluster", "ray_environment", "ray_packages"]


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Three nodes with a CPU each, of which tests lose one at most."""
    environment: Mapping[str, str] = request.getfixturevalue("ray_environment")
    with cluster_of(environment, 3) as found:
        yield found
