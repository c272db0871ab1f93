"""Whatever is sent to the API, it answers as its own description says: no failure of the server, no status, header or field that nobody described.

`make fuzz-api` runs the same for longer, with other requests at each run.
"""

from __future__ import annotations

import os
from contextlib import nullcontext, suppress

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from kb.web import limits
from kb.widget import server_keys

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "4"))
"""Requests to each address, in each mode, by each caller."""


@pytest.fixture
def services(services_with):
    return services_with(requests_per_minute=10**7)


@pytest.fixture
def callers(app, embedded, monkeypatch):
    """The application, and the headers of those who may call it: nobody, a browser of a site, the site's server, and whoever makes them up (None)."""
    monkeypatch.setattr(limits, "OF_A_PERSON", {})
    monkeypatch.setattr(limits, "OTHERWISE", 10**6)
    monkeypatch.setattr(limits, "OF_A_KEY", 10**6)
    server = embedded(*server_keys.Scope, sub="e-1024")
    browser = {"X-Zhida-Site": "travel", "Origin": "https://travel.example.com", "X-Zhida-Visitor": "0123456789abcdef" * 2}
    return app, {"nobody": {}, "anybody": None, "browser": browser, "server": server}


def play(app, headers, operation, mode, more):
    @hypothesis.seed(20261122) if "FUZZ_EXAMPLES" not in os.environ else lambda test: test
    @settings(max_examples=EXAMPLES, database=None, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate])
    @given(case=operation.as_strategy(generation_mode=mode, **more))
    def send(case):
        if headers is not None:
            case.headers = {name: value for name, value in (case.headers or {}).items() if name == "Idempotency-Key"} | headers
            case.query = {name: value for name, value in (case.query or {}).items() if name != "site"}
        case.call_and_validate(checks=CHECKS)
        sent.append(case)

    sent = []
    with suppress(Unsatisfiable) if mode is GenerationMode.NEGATIVE else nullcontext():  # any text is a right question
        send()
    return bool(sent)


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize("who", ["nobody", "anybody", "browser", "server"])
def test_the_api_answers_whatever_is_sent_as_its_description_says(callers, who, mode):
    app, headers = callers[0], callers[1][who]
    token = ""
    if headers:
        keyed = {**headers, "Idempotency-Key": "0123456789abcdef"}
        token = app.test_client().post("/api/v1/tickets", json={"question": "打印机卡纸怎么处理"}, headers=keyed).json["ticket"]["token"]
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    described = {f"{method.upper()} {path}" for path, methods in app.test_client().get("/api/v1/openapi.json").json["paths"].items() for method in methods}
    found = [one.ok() for one in schema.get_all_operations()]
    assert {one.label for one in found} == described - {"GET /api/v1/openapi.json"}  # which schemathesis leaves out, having read it
    held = sum(play(app, headers, one, mode, {"path_parameters": {"token": token}} if token and "{token}" in one.path else {}) for one in found)
    assert held == len(found) if mode is GenerationMode.POSITIVE else held >= len(found) / 2
