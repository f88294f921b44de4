"""The Open Inference Protocol (v2) over gRPC, and gRPC's server. In: Service. Out: a server for the loop. Next: listener.py."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import grpc
import grpc.aio

from tellapart.serving import protobuf
from tellapart.serving.bodies import MAX_VALUES, Limits, shown
from tellapart.serving.budget import Room
from tellapart.serving.described import get_version, model_config, model_metadata, model_statistics, server_metadata
from tellapart.serving.grpc_guard import GuardedMethod
from tellapart.serving.inference_protocol import check_number, read_timeout, read_top
from tellapart.serving.keys import Keys
from tellapart.serving.refusals import Refusal, TooLarge, Unknown
from tellapart.serving.scaled import Accept
from tellapart.serving.service import Service, told_aside
from tellapart.serving.tensors import (
    MAX_DIMENSIONS,
    Tensor,
    Wanted,
    answer_tensors,
    check_inputs,
    check_outputs,
    from_raw,
    from_values,
    pictures_of,
    read_shape,
    to_raw,
)
from tellapart.serving.tfserving_grpc import PredictionMethods, StatusMethods

# Where the elements of a datatype are when they do not come as raw bytes.
_CONTENTS: Mapping[str, str] = {"BYTES": "bytes_contents", "UINT8": "uint_contents", "FP32": "fp32_contents"}
_SPARE_STREAMS = 100
_QUEUED = ("ModelInfer", "Predict")  # methods whose pictures wait for their turn


def build_grpc(
    service: Service, *, limits: Limits, keys: Keys, address: str, share_port: bool = False
) -> tuple[grpc.aio.Server, int]:
    """A server that listens on `address` once it is started, and its port. Raises: RuntimeError when the port is taken."""
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", limits.body_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", int(share_port)),
            # More than may be at work, so that one connection still hears of refusals and of health.
            ("grpc.max_concurrent_streams", limits.requests + _SPARE_STREAMS),
        ]
    )
    room = Room(requests=limits.requests, body_bytes=limits.body_bytes)
    inference = protobuf.read_service("open_inference.proto", "GRPCInferenceService")
    methods = _Inference(service, inference)
    prediction, status = PredictionMethods(service), StatusMethods(service)
    services: Sequence[tuple[protobuf.DescribedService, object, frozenset[str]]] = (
        (inference, methods, frozenset({"ServerLive", "ServerReady"})),
        _health(service),
        (prediction.described, prediction, frozenset()),
        (status.described, status, frozenset()),
    )
    for described, target, public in services:
        handlers = {
            # On the wire a stream of one message is a unary call; so declared, it reaches us before its message does.
            name: grpc.stream_unary_rpc_method_handler(
                GuardedMethod(
                    name,
                    asked.FromString,
                    getattr(target, name),
                    service,
                    seconds=limits.body_seconds,
                    keys=Keys() if name in public else keys,
                    room=None if name in public else room,
                    queued=name in _QUEUED,
                ).answer,
                response_serializer=answered.SerializeToString,
            )
            for name, (asked, answered) in described.methods.items()
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(described.name, handlers),))
    return server, server.add_insecure_port(address)


class _Inference:
    """The methods, under their names in the protocol."""

    def __init__(self, service: Service, described: protobuf.DescribedService) -> None:
        self._service, self._repository = service, service.repository
        self._answers = {name: answered for name, (_, answered) in described.methods.items()}

    async def ServerLive(self, request: Any, context: Any) -> Any:
        return self._answers["ServerLive"](live=True)

    async def ServerReady(self, request: Any, context: Any) -> Any:
        return self._answers["ServerReady"](ready=self._service.ready)

    async def ModelReady(self, request: Any, context: Any) -> Any:
        try:
            get_version(self._repository, request.name, request.version)
        except Unknown:
            return self._answers["ModelReady"](ready=False)
        return self._answers["ModelReady"](ready=True)

    async def ServerMetadata(self, request: Any, context: Any) -> Any:
        return self._answers["ServerMetadata"](**server_metadata())

    async def ModelMetadata(self, request: Any, context: Any) -> Any:
        version = get_version(self._repository, request.name, request.version)
        return self._answers["ModelMetadata"](**model_metadata(self._repository, version))

    async def ModelConfig(self, request: Any, context: Any) -> Any:
        version = get_version(self._repository, request.name, request.version)
        return self._answers["ModelConfig"](config=model_config(version))

    async def ModelInfer(self, request: Any, context: Any) -> Any:
        version = get_version(self._repository, request.model_name, request.model_version)
        parameters = _parameters(request.parameters)
        check_number(request.outputs)
        wanted = [Wanted(name=one.name, top=read_top(_parameters(one.parameters))) for one in request.outputs]
        check_outputs(version, wanted)
        prepared, texts = parameters.get("prepared") is True, version.takes_texts
        pictures = pictures_of(_inputs(request, self._service.accept), prepared=prepared, texts=texts)
        timeouts = [read_timeout(parameters.get("timeout")), context.time_remaining()]
        given = [seconds for seconds in timeouts if seconds is not None]
        reply = await self._service.predict(version, pictures, timeout=min(given) if given else None)
        tensors = await told_aside(reply, lambda: answer_tensors(reply, wanted))
        return self._answers["ModelInfer"](
            model_name=version.name,
            model_version=str(version.number),
            id=request.id,
            outputs=[{"name": one.name, "datatype": one.datatype, "shape": one.shape} for one in tensors],
            raw_output_contents=[to_raw(one) for one in tensors],
        )

    async def ModelStatistics(self, request: Any, context: Any) -> Any:
        rows = model_statistics(self._repository, name=request.name or None, version=request.version)
        return self._answers["ModelStatistics"](model_stats=rows)

    async def RepositoryIndex(self, request: Any, context: Any) -> Any:
        rows = [row for row in self._repository.index() if row["state"] == "READY" or not request.ready]
        return self._answers["RepositoryIndex"](models=rows)

    async def RepositoryModelLoad(self, request: Any, context: Any) -> Any:
        name = request.model_name or request.repository_name
        await asyncio.to_thread(self._repository.load, name)
        return self._answers["RepositoryModelLoad"](model_name=name, isLoaded=True)

    async def RepositoryModelUnload(self, request: Any, context: Any) -> Any:
        name = request.model_name or request.repository_name
        await asyncio.to_thread(self._repository.unload, name)
        return self._answers["RepositoryModelUnload"](model_name=name, isUnloaded=True)


class _Health:
    """gRPC's own health protocol, for the server as a whole."""

    def __init__(self, service: Service, described: protobuf.DescribedService) -> None:
        self._service, self._answer = service, described.methods["Check"][1]

    async def Check(self, request: Any, context: Any) -> Any:
        if request.service not in ("", "inference.GRPCInferenceService"):
            raise Unknown(f"there is no service {request.service[:60]!r}.")
        return self._answer(status="SERVING" if self._service.ready else "NOT_SERVING")


def _health(service: Service) -> tuple[protobuf.DescribedService, _Health, frozenset[str]]:
    described = protobuf.read_service("health.proto", "Health")
    return described, _Health(service, described), frozenset({"Check"})


def _inputs(request: Any, accept: Accept) -> list[Tensor]:
    raw = request.raw_input_contents
    if raw and len(raw) != len(request.inputs):
        raise Refusal(f"{len(raw)} raw contents came for {len(request.inputs)} inputs. Send one for each, or none.")
    check_inputs([one.name for one in request.inputs])
    tensors = []
    for index, one in enumerate(request.inputs):
        shape = read_shape(list(one.shape[: MAX_DIMENSIONS + 1]), one.name)
        if raw:
            tensors.append(from_raw(one.name, one.datatype, shape, raw[index], accept))
        else:
            values: Sequence[Any] = getattr(one.contents, _CONTENTS.get(one.datatype, "bytes_contents"))
            if len(values) > MAX_VALUES:
                raise TooLarge(
                    f"input {shown(one.name)!r} holds {len(values):,} values; at most {MAX_VALUES:,} are taken one by one. Send "
                    "them as raw_input_contents."
                )
            tensors.append(from_values(one.name, one.datatype, shape, list(values), accept))
    return tensors


def _parameters(given: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name, value in given.items():
        kind = value.WhichOneof("parameter_choice")
        found[name] = None if kind is None else getattr(value, kind)
    return found
