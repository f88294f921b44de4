"""Message classes of what protoc said of our .proto files. In: both. Out: they agree, and with other clients."""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2

from tellapart.serving.protobuf import read_service


@pytest.fixture(scope="module")
def protocols(repository: Path) -> Path:
    return repository / "src" / "tellapart" / "serving" / "protocols"


@pytest.fixture(scope="module")
def described(protocols: Path) -> dict[str, descriptor_pb2.FileDescriptorProto]:
    found = descriptor_pb2.FileDescriptorSet.FromString((protocols / "protocols.binpb").read_bytes())
    return {file.name: file for file in found.file}


def test_it_is_what_protoc_says_of_the_files_as_they_are(repository: Path, protocols: Path, tmp_path: Path) -> None:
    python = repository / ".venv-clients" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        # Never skipped where it counts.
        (pytest.fail if "CI" in os.environ else pytest.skip)("`make .venv-clients/.installed` brings protoc")
    files = sorted(path.name for path in protocols.glob("*.proto"))
    command = [python, "-m", "grpc_tools.protoc", f"-I{protocols}", f"--descriptor_set_out={tmp_path / 'set'}", *files]
    subprocess.run(command, check=True, timeout=60)
    wanted = descriptor_pb2.FileDescriptorSet.FromString((tmp_path / "set").read_bytes())
    found = descriptor_pb2.FileDescriptorSet.FromString((protocols / "protocols.binpb").read_bytes())
    assert found == wanted, "run `make protocols`"


@pytest.mark.parametrize("file", ["open_inference.proto", "health.proto", "tensorflow_serving.proto"])
def test_every_name_and_number_of_a_file_is_in_it(
    protocols: Path, described: dict[str, descriptor_pb2.FileDescriptorProto], file: str
) -> None:
    """Without protoc: what stands before each = in the text."""
    text = re.sub(r"//.*", "", (protocols / file).read_text(encoding="utf-8"))
    wanted = Counter((name, int(number)) for name, number in re.findall(r"(\w+)\s*=\s*(\d+)\s*;", text))
    assert wanted
    assert Counter(numbered(described[file])) == wanted
    assert [method.name for service in described[file].service for method in service.method] == re.findall(
        r"\brpc (\w+)", text
    )


def numbered(file: descriptor_pb2.FileDescriptorProto) -> Iterator[tuple[str, int]]:
    """Fields and values of enums, but for the keys and values of maps, which the language makes up."""
    for enum in file.enum_type:
        yield from ((value.name, value.number) for value in enum.value)
    messages = list(file.message_type)
    while messages:
        message = messages.pop()
        messages += message.nested_type
        for enum in message.enum_type:
            yield from ((value.name, value.number) for value in enum.value)
        if not message.options.map_entry:
            yield from ((field.name, field.number) for field in message.field)


def fields(message: Any) -> dict[str, tuple[int, int, bool]]:
    return {one.name: (one.number, one.type, one.label == one.LABEL_REPEATED) for one in message.field}


def test_names_and_numbers_are_those_of_tritons_client(
    described: dict[str, descriptor_pb2.FileDescriptorProto],
) -> None:
    theirs = pytest.importorskip("tritonclient.grpc.service_pb2", reason="tritonclient is not installed")
    whole = descriptor_pb2.FileDescriptorProto()
    theirs.DESCRIPTOR.CopyToProto(whole)
    config = descriptor_pb2.FileDescriptorProto()
    pytest.importorskip("tritonclient.grpc.model_config_pb2").DESCRIPTOR.CopyToProto(config)
    known = {message.name: message for message in (*whole.message_type, *config.message_type)}
    compared = 0
    for message in described["open_inference.proto"].message_type:
        ours, other = fields(message), fields(known[message.name])
        if message.name.startswith("RepositoryModel") and message.name.endswith("Response"):
            continue  # KServe's, which Triton's clients skip
        assert ours.items() <= other.items(), message.name
        compared += len(ours)
    assert compared > 70


def test_messages_survive_the_wire() -> None:
    asked, _ = read_service("open_inference.proto", "GRPCInferenceService").methods["ModelInfer"]
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


def test_another_file_is_a_bug() -> None:
    with pytest.raises(KeyError, match="other.proto"):
        read_service("other.proto", "Health")
    with pytest.raises(KeyError, match="Other"):
        read_service("health.proto", "Other")
    with pytest.raises(KeyError, match="Other"):
        read_service("health.proto", "Health").message("Other")
