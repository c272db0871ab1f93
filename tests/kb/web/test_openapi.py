"""The API describes itself, and is as it says."""

from __future__ import annotations

import io
import re

import jsonschema_rs
import pytest

from kb.app import create_app
from kb.errors import KbError
from kb.search import api
from kb.web import openapi

KEYED = {"Idempotency-Key": "0123456789abcdef"}


@pytest.fixture
def description(asker):
    answer = asker.get("/api/v1/openapi.json")
    assert answer.status_code == 200
    return answer.json


def test_every_address_of_the_api_is_described(app, description):
    routes = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/")
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert {(path, method) for path, methods in description["paths"].items() for method in methods} == routes
    assert description["openapi"] == "3.1.0"


def test_the_program_does_not_start_with_an_address_that_nobody_described(services, monkeypatch):
    monkeypatch.setattr(api, "described", lambda _: lambda view: view)
    with pytest.raises(KbError, match=r"search_api\.search.*@described"):
        create_app(services)


def test_what_is_described_is_valid_and_every_reference_leads_somewhere(description):
    def references(part):
        if isinstance(part, dict):
            yield from [part["$ref"]] if "$ref" in part else []
            for value in part.values():
                yield from references(value)
        elif isinstance(part, list):
            for value in part:
                yield from references(value)

    names = {f"#/components/schemas/{name}" for name in description["components"]["schemas"]}
    assert set(references(description)) == names
    for name in names:
        jsonschema_rs.validator_for({"$ref": name, "components": description["components"]})


def test_every_address_of_the_api_says_which_scope_opens_it_to_servers(description):
    scopes = {scope for methods in description["paths"].values() for one in methods.values() for way in one["security"] for scope in way.get("serverKey", ())}
    assert scopes == {"search", "tickets:read", "tickets:write", "articles:read"}


def test_the_examples_of_the_description_can_be_sent_and_the_answers_are_as_described(app, description, embedded):
    """With a server's key for everything, in the order of a visit: ask, add a file, look, remove it."""
    client, headers = app.test_client(), {**embedded(*api_scopes(description), sub="e-1"), **KEYED}
    token = client.post("/api/v1/tickets", json={"question": "打印机卡纸怎么处理"}, headers=headers).json["ticket"]["token"]
    examples = {"token": token, "action": "details", "file": "1"}
    sent = 0
    order = sorted(((path, method) for path, methods in description["paths"].items() for method in methods), key=lambda one: ("remove" in one[0], one))
    for path, method in order:
        operation = description["paths"][path][method]
        if not any("serverKey" in way for way in operation["security"]):
            continue
        fields = {one["name"]: (one["schema"].get("examples") or [None])[0] for one in operation["parameters"]}
        address = path.format(**{**fields, **examples})
        query = {one["name"]: fields[one["name"]] for one in operation["parameters"] if one["in"] == "query" and fields[one["name"]]}
        media = operation.get("requestBody", {}).get("content", {})
        more = {"json": media["application/json"]["schema"].get("examples", [{}])[0]} if "application/json" in media else {}
        if "multipart/form-data" in media:
            more = {"data": {"file": (io.BytesIO(b"number,amount\n1,20\n"), "list.csv")}}
        number = {"Idempotency-Key": f"request-{sent:010}"}
        answer = client.open(address, method=method, query_string=query, headers={**headers, **number}, **more)
        described = operation["responses"][str(answer.status_code)]
        assert answer.status_code < 300, (method, address, answer.text)
        schema = {**described["content"]["application/json"]["schema"], "components": description["components"]}
        assert list(jsonschema_rs.validator_for(schema).iter_errors(answer.json)) == [], (method, address)
        sent += 1
    assert sent >= 13


def api_scopes(description):
    return sorted(
        {scope for methods in description["paths"].values() for one in methods.values() for way in one["security"] for scope in way.get("serverKey", ())}
    )


def test_a_description_that_has_not_changed_is_not_sent_again(asker):
    first = asker.get("/api/v1/openapi.json")
    assert asker.get("/api/v1/openapi.json", headers={"If-None-Match": first.headers["ETag"]}).status_code == 304


def test_what_stands_twice_in_schemas_stands_once_in_the_description():
    components = {}
    inner = openapi.Named("Inner", openapi.record({"a": openapi.text("A.")}))
    found = openapi._resolved({"one": inner, "two": [inner]}, components)  # noqa: SLF001 - what the document is made by
    assert found == {"one": {"$ref": "#/components/schemas/Inner"}, "two": [{"$ref": "#/components/schemas/Inner"}]}
    assert list(components) == ["Inner"]
