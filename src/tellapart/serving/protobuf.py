"""What protoc says of our .proto files becomes message classes. In: protocols.binpb. Out: DescribedService. Next: grpc_service.py.

Generated modules want the protobuf that made them, and put their names into one pool for the whole process, where those of
tritonclient and of kserve clash already. A pool of our own clashes with nobody. `make protocols` writes the file anew.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_DESCRIBED = "protocols.binpb"  # a FileDescriptorSet: all .proto files beside it


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedService:
    """A service of a .proto file."""

    name: str  # with its package
    methods: Mapping[str, tuple[Any, Any]]  # name -> message classes of request and response

    def message(self, name: str) -> Any:
        """The class of another message of the service's package. Raises: KeyError where it has none of that name."""
        return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"{self.name.rpartition('.')[0]}.{name}"))


def read_service(file: str, name: str) -> DescribedService:
    """A service of a .proto file of ours, with classes for its messages. Raises: KeyError for another file or service."""
    service = _pool().FindFileByName(file).services_by_name[name]
    methods = {
        method.name: (
            message_factory.GetMessageClass(method.input_type),
            message_factory.GetMessageClass(method.output_type),
        )
        for method in service.methods
    }
    return DescribedService(name=service.full_name, methods=methods)


@functools.cache
def _pool() -> Any:
    data = resources.files("tellapart.serving").joinpath("protocols", _DESCRIBED).read_bytes()
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(data).file:
        pool.Add(file)
    return pool
