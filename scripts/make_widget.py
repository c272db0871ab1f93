"""Write kb/static/widget.min.js, the widget as pages get it: `python -m scripts.make_widget` after any change of widget.js or intents.js."""

from __future__ import annotations

import re

import minify

from kb.widget.pages import SMALL, script_text

_OURS = ["composing", "draft", "due", "effects", "forget", "fullest", "loud", "newId", "owed", "sends", "shown", "together", "until", "wake", "wish"]
"""Properties of ours alone: names that no page, server or style sheet knows."""


def smaller(script: str) -> str:
    """Return a script that does the same in fewer bytes: without comments, its own names short, its style sheet on one line."""
    small: str = minify.string("application/javascript", script)
    small = re.sub(r"`\s*:host.*?`", lambda css: re.sub(r"\n\s*|;(?=\})", "", css[0]), small, flags=re.DOTALL)
    for at, name in enumerate(_OURS):
        small = re.sub(rf"\b{name}\b", f"_{at}", small)
    return f"// source: /static/widget.js\n{small}\n"


if __name__ == "__main__":
    SMALL.write_text(smaller(script_text()), encoding="utf-8")
    print(f"{SMALL.name}: {SMALL.stat().st_size} bytes")
