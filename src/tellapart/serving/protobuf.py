"""A .proto file to message classes, without generated code. In: its text. Out: Service. Next: grpc_service.py.

Generated modules want the protobuf that made them, and put their names into one pool for the whole process, where those of
tritonclient and of kserve clash already. A pool of our own clashes with nobody. Only what our own files use is understood.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_TOKEN = re.compile(r'"[^"]*"|[\w.]+|[^\s\w]')
_COMMENT = re.compile(r"//[^\n]*")
_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS: Mapping[str, int] = {
    name: _Field.Type.Value(f"TYPE_{name.upper()}")
    for name in ("bool", "int32", "int64", "uint32", "uint64", "float", "double", "string", "bytes")
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service of a .proto file."""

    name: str  # with its package
    methods: Mapping[str, tuple[Any, Any]]  # name -> message classes of request and response


def read_service(text: str, *, file: str) -> Service:
    """The one service of a .proto file, with classes for its messages. Raises: ValueError for what is not understood."""
    described = describe(text, file=file)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(described)
    service = described.service[0]

    def message(name: str) -> Any:
        return message_factory.GetMessageClass(pool.FindMessageTypeByName(name.lstrip(".")))

    methods = {method.name: (message(method.input_type), message(method.output_type)) for method in service.method}
    return Service(name=f"{described.package}.{service.name}", methods=methods)


def describe(text: str, *, file: str) -> descriptor_pb2.FileDescriptorProto:
    """What protoc would say of the file. Raises: ValueError."""
    found = descriptor_pb2.FileDescriptorProto(name=file)
    parser = _Parser(iter(_TOKEN.findall(_COMMENT.sub("", text))), found)
    parser.read_file()
    for message in found.message_type:
        parser.name_types(message, (message.name,))
    return found


class _Parser:
    def __init__(self, tokens: Iterator[str], found: descriptor_pb2.FileDescriptorProto) -> None:
        self._tokens, self._found = tokens, found

    def read_file(self) -> None:
        for word in self._tokens:
            if word == "syntax":
                self._expect("=")
                self._found.syntax = next(self._tokens).strip('"')
                self._expect(";")
            elif word == "package":
                self._found.package = next(self._tokens)
                self._expect(";")
            elif word == "service":
                self._read_service()
            elif word == "message":
                self._read_message(self._found.message_type.add())
            else:
                raise ValueError(f"{self._found.name}: {word!r} is not understood")

    def name_types(self, message: descriptor_pb2.DescriptorProto, path: tuple[str, ...]) -> None:
        """Say of every field whether its type is a message or an enum, and where that is."""
        for field in message.field:
            if field.type_name:
                field.type_name, field.type = self._find(field.type_name, path)
        for nested in message.nested_type:
            self.name_types(nested, (*path, nested.name))

    def _read_service(self) -> None:
        service = self._found.service.add(name=next(self._tokens))
        self._expect("{")
        for word in self._tokens:
            if word == "}":
                return
            self._expect_next("rpc", word)
            name = next(self._tokens)
            self._expect("(")
            asked = next(self._tokens)
            for sign in (")", "returns", "("):
                self._expect(sign)
            answered = next(self._tokens)
            for sign in (")", "{", "}"):
                self._expect(sign)
            package = self._found.package
            service.method.add(name=name, input_type=f".{package}.{asked}", output_type=f".{package}.{answered}")

    def _read_message(self, message: descriptor_pb2.DescriptorProto) -> None:
        message.name = next(self._tokens)
        self._expect("{")
        for word in self._tokens:
            if word == "}":
                return
            if word == "message":
                self._read_message(message.nested_type.add())
            elif word == "enum":
                self._read_enum(message.enum_type.add())
            elif word == "oneof":
                message.oneof_decl.add(name=next(self._tokens))
                self._expect("{")
                while (kind := next(self._tokens)) != "}":
                    self._read_field(message, kind).oneof_index = len(message.oneof_decl) - 1
            elif word == "map":
                self._read_map(message)
            else:
                self._read_field(message, word)

    def _read_field(self, message: descriptor_pb2.DescriptorProto, kind: str) -> descriptor_pb2.FieldDescriptorProto:
        field = message.field.add(label=_Field.LABEL_OPTIONAL)
        if kind == "repeated":
            field.label, kind = _Field.LABEL_REPEATED, next(self._tokens)
        if kind in _SCALARS:
            field.type = _SCALARS[kind]
        else:
            field.type_name = kind
        field.name = next(self._tokens)
        field.json_name = _camel(field.name)
        self._expect("=")
        field.number = int(next(self._tokens))
        self._expect(";")
        return field

    def _read_map(self, message: descriptor_pb2.DescriptorProto) -> None:
        """map<K, V> is a repeated message of key and value, as the language says."""
        self._expect("<")
        key = next(self._tokens)
        self._expect(",")
        value = next(self._tokens)
        self._expect(">")
        field = self._read_field(message, "bytes")
        field.label, field.type = _Field.LABEL_REPEATED, _Field.TYPE_MESSAGE
        field.type_name = _camel(f"_{field.name}_entry")
        entry = message.nested_type.add(name=field.type_name)
        entry.options.map_entry = True
        for number, (name, kind) in enumerate((("key", key), ("value", value)), 1):
            one = entry.field.add(name=name, number=number, label=_Field.LABEL_OPTIONAL, json_name=name)
            if kind in _SCALARS:
                one.type = _SCALARS[kind]
            else:
                one.type_name = kind

    def _read_enum(self, enum: descriptor_pb2.EnumDescriptorProto) -> None:
        enum.name = next(self._tokens)
        self._expect("{")
        while (name := next(self._tokens)) != "}":
            self._expect("=")
            enum.value.add(name=name, number=int(next(self._tokens)))
            self._expect(";")

    def _find(self, name: str, path: tuple[str, ...]) -> tuple[str, Any]:
        """A type's full name and kind; the innermost of that name counts."""
        for depth in range(len(path), -1, -1):
            messages, enums = self._inside(path[:depth])
            full = ".".join(("", self._found.package, *path[:depth], name))
            if name in messages:
                return full, _Field.TYPE_MESSAGE
            if name in enums:
                return full, _Field.TYPE_ENUM
        raise ValueError(f"{self._found.name}: there is no type {name!r}")

    def _inside(self, path: tuple[str, ...]) -> tuple[set[str], set[str]]:
        messages, enums = self._found.message_type, self._found.enum_type
        for name in path:
            message = next(one for one in messages if one.name == name)
            messages, enums = message.nested_type, message.enum_type
        return {one.name for one in messages}, {one.name for one in enums}

    def _expect(self, sign: str) -> None:
        self._expect_next(sign, next(self._tokens, ""))

    def _expect_next(self, sign: str, found: str) -> None:
        if found != sign:
            raise ValueError(f"{self._found.name}: {found!r} where {sign!r} should be")


def _camel(name: str) -> str:
    """protoc's own rule: the letter after an underscore becomes a capital."""
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name)
