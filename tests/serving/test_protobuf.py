"""Message classes without generated code. In: our .proto files. Out: what protoc and other clients say of them."""

from __future__ import annotations

from importlib import resources
from typing import Any

import pytest

from tellapart.serving.protobuf import describe, read_service


def text(file: str) -> str:
    return resources.files("tellapart.serving").joinpath("protocols", file).read_text("utf-8")


@pytest.mark.parametrize("file", ["open_inference.proto", "health.proto"])
def test_our_reading_is_protocs(file: str) -> None:
    tools = pytest.importorskip("grpc_tools.protoc", reason="protoc comes with grpcio-tools")
    import tempfile
    from pathlib import Path

    from google.protobuf import descriptor_pb2

    folder = resources.files("tellapart.serving").joinpath("protocols")
    with tempfile.TemporaryDirectory() as made:
        out = Path(made) / "set"
        assert tools.main(["protoc", f"-I{folder}", f"--descriptor_set_out={out}", file]) == 0
        (wanted,) = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file
    for service in wanted.service:
        for method in service.method:
            method.ClearField("options")
    assert describe(text(file), file=file) == wanted


def fields(message: Any) -> dict[str, tuple[int, int, bool]]:
    return {one.name: (one.number, one.type, one.label == one.LABEL_REPEATED) for one in message.field}


def test_names_and_numbers_are_those_of_tritons_client() -> None:
    theirs = pytest.importorskip("tritonclient.grpc.service_pb2", reason="tritonclient is not installed")
    from google.protobuf import descriptor_pb2

    whole = descriptor_pb2.FileDescriptorProto()
    theirs.DESCRIPTOR.CopyToProto(whole)
    known = {message.name: message for message in whole.message_type}
    compared = 0
    for message in describe(text("open_inference.proto"), file="x").message_type:
        ours, other = fields(message), fields(known[message.name])
        if message.name.startswith("RepositoryModel") and message.name.endswith("Response"):
            continue  # KServe's, which Triton's clients skip
        assert ours.items() <= other.items(), message.name
        compared += len(ours)
    assert compared > 70


def test_messages_survive_the_wire() -> None:
    asked, _ = read_service(text("open_inference.proto"), file="y").methods["ModelInfer"]
    message = asked(
        model_name="m",
        inputs=[{"name": "image", "shape": [1], "parameters": {"x": {"int64_param": 5}}}],
        raw_input_contents=[b"ab"],
        parameters={"prepared": {"bool_param": True}},
    )
    back = asked.FromString(message.SerializeToString())
    assert back == message
    assert back.inputs[0].parameters["x"].WhichOneof("parameter_choice") == "int64_param"
    assert back.parameters["prepared"].bool_param is True


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ('syntax = "proto3"; option x = 1;', "'option' is not understood"),
        ('syntax = "proto3"; message A { B b = 1; }', "there is no type 'B'"),
        ('syntax "proto3";', "'\"proto3\"' where '=' should be"),
    ],
)
def test_what_is_not_understood_is_said(wrong: str, words: str) -> None:
    with pytest.raises(ValueError, match="x.proto") as error:
        describe(wrong, file="x.proto")
    assert words in str(error.value)
