"""The widget's script and a page of another look that embeds it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flask import Blueprint, Response, render_template, request, send_file

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

_SCRIPT = Path(__file__).parents[1] / "static" / "widget.js"


def blueprint() -> Blueprint:
    """Return /widget/v1.js and /widget/demo."""
    views = Blueprint("widget", __name__)

    @views.get("/widget/v1.js")
    def script() -> ResponseReturnValue:
        response: Response = send_file(_SCRIPT, mimetype="text/javascript", conditional=True, max_age=300)
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return response

    @views.get("/widget/demo")
    def demo() -> ResponseReturnValue:
        return render_template("widget/demo.html", url=f"{request.host_url}widget/v1.js")

    return views
