"""The widget's script and a page of another look that embeds it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Blueprint, Response, render_template, request

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

_STATIC = Path(__file__).parents[1] / "static"
_KEPT = 300
"""Seconds for which a page may use the script without asking again."""


def blueprint() -> Blueprint:
    """Return /widget/v1.js and /widget/demo."""
    views = Blueprint("widget", __name__)

    @views.get("/widget/v1.js")
    def script() -> ResponseReturnValue:
        response = Response(script_text(), mimetype="text/javascript")
        response.cache_control.max_age = _KEPT
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        response.add_etag()
        return response.make_conditional(request)

    @views.get("/widget/demo")
    def demo() -> ResponseReturnValue:
        return render_template("widget/demo.html", url=f"{request.host_url}widget/v1.js")

    return views


@cache
def script_text() -> str:
    """Return the widget as one plain script: the rule that the search page imports as a module, then the widget, in a function that leaves no names."""
    rule, widget = ((_STATIC / name).read_text(encoding="utf-8") for name in ("intents.js", "widget.js"))
    usage, _, rest = widget.partition("*/\n")
    rule = re.sub(r"^export |^ *//.*\n| +//.*", "", rule, flags=re.MULTILINE)  # its comments are for readers of the repository
    return f'{usage}*/\n(function () {{\n"use strict";\n{rule}{rest}}})();\n'
