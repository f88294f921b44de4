"""The server does what /openapi.json says. In: requests that schemathesis makes of it. Out: answers that it describes."""

from __future__ import annotations

from typing import Any

import hypothesis
import pytest
import requests
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from .conftest import Running

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
NEGATIVE = schemathesis.GenerationMode.NEGATIVE
EXAMPLES = 4  # of each path and method


@pytest.mark.slow
def test_the_server_answers_as_it_is_described(shared: Running) -> None:
    base, document = f"http://127.0.0.1:{shared.http_port}", shared.get("/openapi.json").json
    statuses: dict[str, set[int]] = {}
    with requests.Session() as session:
        for found in schemathesis.openapi.from_dict(document).get_all_operations():
            operation = found.ok()
            name = f"{operation.method.upper()} {operation.path}"
            statuses[name] = _try(operation.as_strategy(), base, session)
            parts = document["paths"][operation.path][operation.method]
            if parts.keys() & {"parameters", "requestBody"}:
                _try(operation.as_strategy(generation_mode=NEGATIVE), base, session)
    described = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    assert statuses.keys() == described
    answered = {name for name, found in statuses.items() if 200 in found}
    assert len(answered) > len(described) / 2, statuses  # not everything is refused


def _try(cases: Any, base: str, session: requests.Session) -> set[int]:
    """Send some of these and check the answers; the statuses that came."""
    statuses = set()

    @hypothesis.seed(5)
    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.generate],
    )
    @hypothesis.given(case=cases)
    def ask(case: Any) -> None:
        response = case.call(base_url=base, session=session)
        statuses.add(response.status_code)
        case.validate_response(response, checks=CHECKS)

    ask()
    return statuses
