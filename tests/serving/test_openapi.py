"""The description of the paths. In: /openapi.json, and the routes that there are. Out: they agree."""

from __future__ import annotations

import re
from typing import Any

from tellapart.serving import corrections, inference_protocol, plain, tfserving
from tellapart.serving.bodies import Limits

from .conftest import Running


def test_every_route_is_described_and_nothing_else(shared: Running) -> None:
    described = {
        (path, method.upper())
        for path, methods in shared.get("/openapi.json").json["paths"].items()
        for method in methods
    }
    routes = corrections.routes(shared.service, Limits(), None)
    for protocol in (plain, tfserving, inference_protocol):
        routes += protocol.routes(shared.service, Limits())
    there = {(route.path, method) for route in routes for method in route.methods or () if method != "HEAD"}
    there |= {("/metrics", "GET"), ("/openapi.json", "GET")}
    assert described == {one for one in there if not one[0].endswith(":regress")}  # told to every client: not supported


def test_references_and_parameters_resolve(shared: Running) -> None:
    document = shared.get("/openapi.json").json
    schemas = document["components"]["schemas"]
    found: list[str] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if "$ref" in value:
                found.append(value["$ref"].removeprefix("#/components/schemas/"))
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(document)
    assert set(found) == set(schemas)
    for path, methods in document["paths"].items():
        named = {
            one["name"] for method in methods.values() for one in method.get("parameters", []) if one["in"] == "path"
        }
        assert named == set(re.findall(r"{(\w+)}", path))
