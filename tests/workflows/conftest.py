"""What tests of workflows share. In: nothing. Out: Ray's environment, for whole commands on a cluster."""

from __future__ import annotations

from .scaling.conftest import ray_environment, ray_packages  # noqa: F401
