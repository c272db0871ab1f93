"""The widget's script, what it says in other languages, and a page of another look that embeds it."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Blueprint, Response, jsonify, render_template, request

from kb.errors import NotFoundError
from kb.web.language import taiwans
from kb.widget.demo import demo_of

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

_STATIC = Path(__file__).parents[1] / "static"
SMALL = _STATIC / "widget.min.js"
"""What pages get: script_text() with everything short that can be, made by scripts/make_widget.py."""
_ENGLISH = Path(__file__).with_name("english.toml")
_LANGUAGES = ("en", "zh-TW")
_KEPT = 300
"""Seconds for which a page may use the script without asking again."""


def blueprint(base_url: str) -> Blueprint:
    """Return /widget/v1.js, /widget/texts/<lang>.json and /widget/demo; `base_url` stands in the lines that are copied."""
    views = Blueprint("widget", __name__)

    @views.get("/widget/v1.js")
    def script() -> ResponseReturnValue:
        return _for_any_page(Response(_small(), mimetype="text/javascript"))

    @views.get("/widget/texts/<lang>.json")
    def texts(lang: str) -> ResponseReturnValue:
        said = texts_in(lang)
        if said is None:
            raise NotFoundError("挂件没有这种语言。可以用 zh-TW 或 en。")
        return _for_any_page(jsonify(said))

    @views.get("/widget/demo")
    def demo() -> ResponseReturnValue:
        return render_template("widget/demo.html", **demo_of(base_url, request.args))

    return views


def _for_any_page(response: Response) -> ResponseReturnValue:
    response.cache_control.max_age = _KEPT
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.headers["Access-Control-Allow-Origin"] = "*"  # the same for everybody; `integrity` and modules need it
    response.add_etag()
    return response.make_conditional(request)


@cache
def _small() -> str:
    return SMALL.read_text(encoding="utf-8").partition("\n")[2]  # without the line that tells what it was made from


def warm_up() -> None:
    """Make what the first page in each language would wait for."""
    for lang in _LANGUAGES:
        texts_in(lang)


@cache
def texts_in(lang: str) -> dict[str, str] | None:
    """Return what the widget says in a language, by what it says in Simplified Chinese; None for a language that it does not speak."""
    if lang not in _LANGUAGES:
        return None
    english: dict[str, str] = tomllib.loads(_ENGLISH.read_text(encoding="utf-8"))
    return english if lang == "en" else {said: taiwans(said) for said in english}


def script_text() -> str:
    """Return the widget as one plain script: the rule that the search page imports as a module, then the widget, in a function that leaves no names.

    What pages get is made from it.
    """
    rule, widget = ((_STATIC / name).read_text(encoding="utf-8") for name in ("intents.js", "widget.js"))
    usage, _, rest = widget.partition("*/\n")
    rule = re.sub(r"^export |^ *//.*\n| +//.*", "", rule, flags=re.MULTILINE)  # its comments are for readers of the repository
    return f'{usage}*/\n(function () {{\n"use strict";\n{rule}{rest}}})();\n'
