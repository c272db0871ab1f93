"""Reading what a program or a form sent: right types or a clear refusal."""

from __future__ import annotations

from typing import Any

from flask import request
from werkzeug.exceptions import BadRequest

from kb.errors import InvalidRequestError

_NAMES = {"question": "问题", "query": "问题", "details": "补充说明", "contact": "联系方式", "word": "评价", "reason": "原因"}
"""What people call the fields that they fill in."""


def json_object() -> dict[str, Any]:
    """Return the request's JSON object. Raises InvalidRequestError for anything else, lone surrogates included."""
    if not request.is_json:
        raise InvalidRequestError("not_json", "send a JSON object with Content-Type: application/json", 415)
    try:
        data = request.get_json()
    except RecursionError as error:
        raise InvalidRequestError("bad_json", "the JSON is nested too deeply") from error
    except BadRequest as error:
        raise InvalidRequestError("bad_request", "the body is no JSON: it is cut off, or not encoded as UTF-8 JSON") from error
    if not isinstance(data, dict):
        raise InvalidRequestError("bad_json", 'send a JSON object, as in {"query": "…"}')
    return data


def text_of(data: dict[str, Any], name: str, *, most: int, required: bool = True) -> str:
    """Return a text field, "" when it may be absent. Raises InvalidRequestError for another type, a missing or too long one."""
    value = data.get(name)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or (required and not clean(value).strip()):
        raise InvalidRequestError("bad_field", f"{name} must be a text that is not empty")
    if len(value) > most:
        raise InvalidRequestError("too_long", f"{_NAMES.get(name, name)}（{name}）太长了：有 {len(value)} 个字，最多 {most} 个。请删减后再提交。")
    return clean(value)


def clean(text: str) -> str:
    """Return `text` without NUL and lone surrogates, which no database keeps."""
    return text.replace("\0", "").encode("utf-8", "ignore").decode("utf-8")


def number_arg(name: str, default: int, low: int, high: int) -> int:
    """Return a number from the query string, within bounds. Raises InvalidRequestError for anything else."""
    value = request.args.get(name, "")
    if not value:
        return default
    if not (value.isascii() and value.isdigit()) or len(value) > 9 or not low <= int(value) <= high:  # noqa: PLR2004 - digits of a sane number
        raise InvalidRequestError("bad_field", f"{name} must be a whole number from {low} to {high}")
    return int(value)
