"""TensorFlow Serving over gRPC. In: TensorProtos. Out: TensorProtos. Next: grpc_service.py.

Source: github.com/tensorflow/serving, tensorflow_serving/apis. Signatures, inputs and answers are those of tfserving.py; what it
tells in JSON becomes messages here. As TensorFlow Serving does, an answer's elements stand in float_val and its kin: that is where
its clients look.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tellapart.serving.bodies import MAX_VALUES, shown
from tellapart.serving.opened import Version
from tellapart.serving.protobuf import DescribedService, read_service
from tellapart.serving.refusals import Refusal, TooLarge
from tellapart.serving.scaled import REMEDY, Accept
from tellapart.serving.service import Service, told_aside
from tellapart.serving.tensors import (
    IMAGE,
    MAX_DIMENSIONS,
    TEXT,
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
from tellapart.serving.tfserving import check_signature, outputs_of
from tellapart.serving.tfserving_described import DEFAULT, PREPARED, TYPES, write_metadata, write_status

FILE = "tensorflow_serving.proto"
_SIGNATURES = "signature_def"  # the one field of a model's metadata
_PACKED = "type.googleapis.com/tensorflow.serving.SignatureDefMap"
_DATATYPES: Mapping[str, str] = {"DT_STRING": "BYTES", "DT_UINT8": "UINT8"}  # of pictures
_FLOAT = "DT_FLOAT"  # of scaled pixels
_LISTS: Mapping[str, str] = {"FP32": "float_val", "INT32": "int_val", "BOOL": "bool_val", "BYTES": "string_val"}
_MOST_OUTPUTS = 16


class PredictionMethods:
    """The methods of PredictionService, under their names in the protocol."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.described = read_service(FILE, "PredictionService")
        self._answers = {name: answered for name, (_, answered) in self.described.methods.items()}

    async def Predict(self, request: Any, context: Any) -> Any:
        """What a model says of pictures. Raises: Refusal and its kinds."""
        version = _version(self._service, request.model_spec)
        signature = check_signature(request.model_spec.signature_name or DEFAULT)
        if len(request.output_filter) > _MOST_OUTPUTS:
            raise Refusal(
                f"`output_filter` names {len(request.output_filter):,}; no model here has more than {_MOST_OUTPUTS}. Name each "
                "once."
            )
        wanted = [Wanted(name=name) for name in request.output_filter or outputs_of(version, signature)]
        check_outputs(version, wanted)
        tensor = _picture_tensor(request.inputs, self._service.accept, version.input)
        pictures = pictures_of([tensor], prepared=signature == PREPARED, texts=version.takes_texts)
        reply = await self._service.predict(version, pictures, timeout=context.time_remaining())
        outputs = await told_aside(reply, lambda: {one.name: _as_proto(one) for one in answer_tensors(reply, wanted)})
        return self._answers["Predict"](outputs=outputs, model_spec=_spec(version, signature))

    async def GetModelMetadata(self, request: Any, context: Any) -> Any:
        """The signatures of a version. Raises: Refusal for a field that there is not."""
        version = _version(self._service, request.model_spec)
        if list(request.metadata_field) != [_SIGNATURES]:
            asked = ", ".join(map(shown, request.metadata_field[:10]))[:120] or "none"
            raise Refusal(f"`metadata_field` is {asked}; there is one field, {_SIGNATURES!r}.")
        told = write_metadata(version)["metadata"][_SIGNATURES][_SIGNATURES]
        packed = {"type_url": _PACKED, "value": _signatures(self.described, told)}
        return self._answers["GetModelMetadata"](model_spec=_spec(version, ""), metadata={_SIGNATURES: packed})


class StatusMethods:
    """The method of ModelService."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.described = read_service(FILE, "ModelService")
        self._answers = {name: answered for name, (_, answered) in self.described.methods.items()}

    async def GetModelStatus(self, request: Any, context: Any) -> Any:
        """The states of a model's versions, or of one. Raises: Unknown."""
        spec, repository = request.model_spec, self._service.repository
        served = repository.model(spec.name)
        number = spec.version.value if spec.WhichOneof("version_choice") == "version" else None
        if spec.version_label:
            number = repository.get(spec.name, label=spec.version_label).number
        rows = write_status(spec.name, served, number)["model_version_status"]
        return self._answers["GetModelStatus"](model_version_status=[_state(row) for row in rows])


def _version(service: Service, spec: Any) -> Version:
    chosen = spec.WhichOneof("version_choice")
    number = spec.version.value if chosen == "version" else None
    if number is not None and number < 0:
        raise Refusal(f"{number} is not a version. Versions are whole numbers; 0 stands for the latest.")
    return service.repository.get(
        spec.name, version=number, label=spec.version_label if chosen == "version_label" else None
    )


def _spec(version: Version, signature: str) -> dict[str, Any]:
    return {"name": version.name, "version": {"value": version.number}, "signature_name": signature}


def _picture_tensor(inputs: Mapping[str, Any], accept: Accept, name: str) -> Tensor:
    """The one input, `name`: DT_STRING [N] or a picture file alone, or DT_UINT8 [N, H, W, 3]. Raises: Refusal."""
    check_inputs(list(inputs))
    proto = next(iter(inputs.values()))
    kinds = proto.DESCRIPTOR.fields_by_name["dtype"].enum_type.values_by_number
    given = kinds[proto.dtype].name if proto.dtype in kinds else f"number {proto.dtype}"
    if name == TEXT and given != "DT_STRING":
        raise Refusal(f"input {TEXT!r} is {given}; texts come as DT_STRING.")
    if given not in _DATATYPES and not (given == _FLOAT and accept != "bytes"):
        remedy = f" {REMEDY}." if given == _FLOAT else ""
        raise Refusal(
            f"input {IMAGE!r} is {given}; pictures come as DT_STRING (files) or DT_UINT8 (RGB pixels, 0 to 255).{remedy}"
        )
    dimensions = proto.tensor_shape.dim
    shape = read_shape([one.size for one in dimensions[: MAX_DIMENSIONS + 1]], IMAGE)
    if given == "DT_STRING":
        # A tensor without dimensions is one string.
        return from_values(name, "BYTES", shape or (1,), list(proto.string_val))
    datatype, values = ("FP32", proto.float_val) if given == _FLOAT else ("UINT8", proto.int_val)
    if proto.tensor_content:
        return from_raw(IMAGE, datatype, shape, proto.tensor_content, accept)
    if len(values) > MAX_VALUES:
        raise TooLarge(
            f"input {IMAGE!r} holds {len(values):,} values; at most {MAX_VALUES:,} are taken one by one. Send them as "
            "tensor_content."
        )
    return from_values(IMAGE, datatype, shape, list(values), accept)


def _as_proto(tensor: Tensor) -> dict[str, Any]:
    head = {"dtype": TYPES[tensor.datatype], "tensor_shape": {"dim": [{"size": size} for size in tensor.shape]}}
    if tensor.datatype == "UINT8":  # arrays of pixels: number by number they would be far larger
        return {**head, "tensor_content": to_raw(tensor)}
    values: Sequence[Any] = tensor.data if isinstance(tensor.data, list) else tensor.data.reshape(-1).tolist()
    return {**head, _LISTS[tensor.datatype]: values}


def _signatures(described: DescribedService, told: Mapping[str, Any]) -> bytes:
    """A SignatureDefMap of what tfserving.py tells."""
    made = described.message("SignatureDefMap")(
        signature_def={
            name: {
                "inputs": {key: _info(value) for key, value in one["inputs"].items()},
                "outputs": {key: _info(value) for key, value in one["outputs"].items()},
                "method_name": one["method_name"],
            }
            for name, one in told.items()
        }
    )
    data: bytes = made.SerializeToString()
    return data


def _info(told: Mapping[str, Any]) -> dict[str, Any]:
    sizes = [{"size": int(one["size"])} for one in told["tensor_shape"]["dim"]]
    return {"name": told["name"], "dtype": told["dtype"], "tensor_shape": {"dim": sizes}}


def _state(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"version": int(row["version"]), "state": row["state"], "status": row["status"]}
