"""The description of the API, OpenAPI 3.1, made from what stands beside each view. The program does not start with an address of the API without one."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeVar

from flask import Blueprint, current_app, jsonify, request

from kb.errors import KbError
from kb.web import language, limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from flask import Flask
    from flask.typing import ResponseReturnValue

    from kb.widget.server_keys import Scope

PREFIX = "/api/v1"
JSON = "application/json"
Schema = dict[str, Any]
"""A JSON Schema."""
_View = TypeVar("_View", bound="Callable[..., Any]")


class Named(dict[str, Any]):
    """A schema that stands once in the description, under its name."""

    def __init__(self, name: str, schema: Schema) -> None:
        """Be that schema."""
        super().__init__(schema)
        self.name = name


@dataclass(frozen=True, slots=True)
class Answer:
    """What an address answers: in words, and the schema of its JSON."""

    words: str
    schema: Schema


@dataclass(frozen=True, slots=True)
class Operation:
    """What one address does. A test sends `example` (and `path`, which fills the address) and looks whether the answer is as described.

    `scope`: what a server's key must be good for, None where none gets in. `personal`: it is about the person who asks, who therefore has to say who they
    are. `query` and `path` are schemas by name, `form` is the schema of a multipart form. `refused`: statuses of errors besides those of every address.
    `keyed`: it takes an Idempotency-Key. `any_key`: a server's key of whatever scope gets in.
    """

    summary: str
    answers: Mapping[int, Answer]
    scope: Scope | None
    description: str = ""
    query: Mapping[str, Schema] = field(default_factory=dict)
    path: Mapping[str, Schema] = field(default_factory=dict)
    body: Schema | None = None
    form: Schema | None = None
    refused: tuple[int, ...] = ()
    keyed: bool = False
    personal: bool = False
    any_key: bool = False


def text(words: str, *, most: int | None = None, example: str | None = None, one_of: tuple[str, ...] = ()) -> Schema:
    """Return the schema of a text."""
    found: Schema = {"type": "string", "description": words}
    return found | ({"maxLength": most} if most else {}) | ({"examples": [example]} if example is not None else {}) | ({"enum": list(one_of)} if one_of else {})


def number(words: str, low: int = 0, high: int | None = None, default: int | None = None) -> Schema:
    """Return the schema of a whole number."""
    found: Schema = {"type": "integer", "description": words, "minimum": low}
    return found | ({"maximum": high} if high is not None else {}) | ({"default": default} if default is not None else {})


def flag(words: str) -> Schema:
    """Return the schema of true or false."""
    return {"type": "boolean", "description": words}


def moment(words: str) -> Schema:
    """Return the schema of a point in time."""
    return {"type": "string", "format": "date-time", "description": words}


def listed(items: Schema, words: str = "") -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": items, **({"description": words} if words else {})}


def maybe(schema: Schema) -> Schema:
    """Return the schema of what may also be null."""
    return {"anyOf": [schema, {"type": "null"}]}


def record(fields: Mapping[str, Schema], *, optional: Mapping[str, Schema] | None = None, example: Any = None) -> Schema:
    """Return the schema of an object. More fields may come: the API only ever adds."""
    found: Schema = {"type": "object", "properties": {**fields, **(optional or {})}, "required": list(fields)}
    return found | ({"examples": [example]} if example is not None else {})


PROBLEM = Named(
    "Problem",
    record(
        {"error": record({"code": text("For programs; stays the same."), "message": text("For people: what is wrong and what to do.")})},
        example={"error": {"code": "bad_field", "message": "limit must be a whole number from 1 to 50"}},
    ),
)
OK = Named("Done", record({"status": {"const": "ok"}}))
_REFUSALS = {
    400: "A field or parameter is missing or cannot be used.",
    401: "The signed identity or the server key is not valid, or none was sent where one is needed.",
    403: "The origin is not one of the site's, the site is unknown, or the server key lacks the scope.",
    404: "There is no such thing, or not for this person.",
    409: "Not possible as things stand, or the same request is being answered at this moment.",
    413: "The request is too large.",
    415: "The body is of another media type.",
    422: "The Idempotency-Key came with another request before.",
    429: "Too many requests: Retry-After says for how many seconds to wait.",
    503: "Nothing can be searched or stored at this moment; Retry-After says for how many seconds to wait.",
}
_ALWAYS = (400, 401, 403, 429, 503)
_LIMITS = {
    "RateLimit-Limit": {"description": "Requests that are allowed in the window.", "schema": {"type": "integer"}},
    "RateLimit-Remaining": {"description": "Requests that are left in the window.", "schema": {"type": "integer"}},
    "RateLimit-Reset": {"description": "Seconds until the window has room again.", "schema": {"type": "integer"}},
}
_SCHEMES = {
    "site": {"type": "apiKey", "in": "header", "name": "X-Zhida-Site", "description": "The public name of the site that embeds us."},
    "siteInQuery": {"type": "apiKey", "in": "query", "name": "site", "description": "The same, of a page whose browser need not ask before it sends."},
    "visitor": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Zhida-Visitor",
        "description": "32 random hexadecimal digits that a browser keeps: nobody's name.",
    },
    "identity": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "Signed by the site for one person, for 15 minutes at most."},
    "serverKey": {"type": "http", "scheme": "bearer", "bearerFormat": "zk_<id>_<secret>", "description": "For servers only. X-Zhida-Sub says on whose behalf."},
}


def described(operation: Operation) -> Callable[[_View], _View]:
    """Let a view say what it does."""

    def mark(view: _View) -> _View:
        view.__dict__["operation"] = operation
        return view

    return mark


def operation_of(app: Flask, endpoint: str | None) -> Operation | None:
    """Return what a view says it does, None for a page."""
    view = app.view_functions.get(endpoint or "")
    found: Operation | None = view.__dict__.get("operation") if view is not None else None
    return found


def blueprint(base_url: str) -> Blueprint:
    """Return /api/v1/openapi.json."""
    views = Blueprint("openapi", __name__, url_prefix=PREFIX)

    @views.get("/openapi.json")
    @described(Operation("This description", {200: Answer("OpenAPI 3.1.", {"type": "object"})}, scope=None, any_key=True))
    def description() -> ResponseReturnValue:
        response = jsonify(document(current_app, base_url))
        response.add_etag()
        return response.make_conditional(request)

    return views


def require_descriptions(app: Flask) -> None:
    """Raise KbError when an address of the API is not described."""
    if missing := sorted(rule.endpoint for rule in _rules(app) if operation_of(app, rule.endpoint) is None):
        raise KbError(f"nobody described {', '.join(missing)}: put @described(…) of kb/web/openapi.py below its route")


def document(app: Flask, base_url: str) -> dict[str, Any]:
    """Return the whole description."""
    components: dict[str, Schema] = {}
    paths: dict[str, dict[str, Any]] = {}
    for rule in sorted(_rules(app), key=lambda one: one.rule):
        operation = operation_of(app, rule.endpoint)
        if operation is None:
            continue
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            address = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
            paths.setdefault(address, {})[method.lower()] = _described(rule.endpoint, rule.rule, operation, components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Zhida",
            "version": version("zhida"),
            "description": "Search, articles and questions of the help centre. v1 only ever gets more fields, addresses and values.",
        },
        "servers": [{"url": base_url}],
        "paths": paths,
        "components": {"schemas": dict(sorted(components.items())), "securitySchemes": _SCHEMES},
    }


def _rules(app: Flask) -> Iterator[Any]:
    return (rule for rule in app.url_map.iter_rules() if rule.rule.startswith(f"{PREFIX}/"))


def _described(endpoint: str, rule: str, operation: Operation, components: dict[str, Schema]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": endpoint.replace(".", "_").rstrip("_"),
        "summary": operation.summary,
        "parameters": list(_parameters(rule, operation, components)),
        "responses": _responses(operation, components),
        "security": _security(operation),
    }
    if operation.description:
        found["description"] = operation.description
    if operation.body is not None or operation.form is not None:
        media, schema = (JSON, operation.body) if operation.body is not None else ("multipart/form-data", operation.form)
        found["requestBody"] = {"required": True, "content": {media: {"schema": _resolved(schema, components)}}}
    return found


def _parameters(rule: str, operation: Operation, components: dict[str, Schema]) -> Iterator[dict[str, Any]]:
    for kind, name in re.findall(r"<(?:(\w+):)?(\w+)>", rule):
        schema = operation.path.get(name) or ({"type": "integer", "minimum": 0} if kind == "int" else {"type": "string"})
        yield {"in": "path", "name": name, "required": True, "schema": _resolved(schema, components)}
    for name, schema in operation.query.items():
        yield {"in": "query", "name": name, "schema": _resolved(schema, components)}
    if {"siteInQuery": []} in _security(operation):
        words = (
            "With `site` in the query: 32 hexadecimal digits, random for each load of a page, whose requests are counted together. Nothing else is looked at."
        )
        yield {"in": "query", "name": limits.PAGE_LOAD, "schema": text(words)}
    yield {"in": "query", "name": language.NAME, "schema": text("The language of what is said to people; zh-CN unless asked.", one_of=language.LANGUAGES)}
    if operation.keyed:
        words = "A new random text for each new request: whoever got no answer sends the same again, and it is done once."
        yield {"in": "header", "name": "Idempotency-Key", "schema": {"type": "string", "pattern": "^[!-~]{16,128}$", "description": words}}


def _responses(operation: Operation, components: dict[str, Schema]) -> dict[str, Any]:
    statuses = {*_ALWAYS, *operation.refused}
    if operation.body is not None or operation.form is not None:
        statuses |= {413, 415}
    if operation.keyed:
        statuses |= {409, 422}
    found = {
        str(status): {"description": answer.words, "headers": _LIMITS, "content": {JSON: {"schema": _resolved(answer.schema, components)}}}
        for status, answer in operation.answers.items()
    }
    problem = {"content": {JSON: {"schema": _resolved(PROBLEM, components)}}}
    return found | {str(status): {"description": _REFUSALS[status], **problem} for status in sorted(statuses)}


def _security(operation: Operation) -> list[dict[str, list[str]]]:
    ways: list[dict[str, list[str]]] = [{"site": [], "visitor": []}, {"site": [], "identity": []}]
    if not operation.personal:
        ways.insert(0, {})
        if operation.body is None:
            ways.insert(1, {"siteInQuery": []})
    if operation.any_key:
        return [*ways, {"serverKey": []}]
    return ways if operation.scope is None else [*ways, {"serverKey": [operation.scope.value]}]


def _resolved(schema: Any, components: dict[str, Schema]) -> Any:
    """Return a schema in which each named one is a reference to where it stands once."""
    if isinstance(schema, Named):
        if schema.name not in components:
            components[schema.name] = {}  # a schema may hold itself
            components[schema.name] = {key: _resolved(value, components) for key, value in schema.items()}
        return {"$ref": f"#/components/schemas/{schema.name}"}
    if isinstance(schema, dict):
        return {key: _resolved(value, components) for key, value in schema.items()}
    return [_resolved(value, components) for value in schema] if isinstance(schema, list) else schema
