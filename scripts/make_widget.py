"""Write kb/static/widget.min.js, the widget as pages get it: `make widget` after any change of widget.js or intents.js. Needs node, and the registry of npm."""

from __future__ import annotations

import hashlib
import re
import subprocess
from pathlib import Path

from kb.widget.pages import SMALL, script_text

_TERSER = "terser@5.51.2"
_OURS = [
    "again", "before", "composing", "draft", "due", "effects", "forget", "fullest", "gone", "held", "live", "loud", "newId", "owed", "remember",
    "rest", "sends", "sent", "shown", "signer", "taken", "token", "typing", "until", "wake", "wish",
]  # fmt: skip
"""Properties of ours alone: names by which nothing of a page, a server or a style sheet is asked for in the script."""
_SEARCH_PAGE = {
    ', text = "", live = false, together = false': ", live",
    "tidy(text);\n  return {": '"";\n  return {',
    "live, together,": "live,",
    "now.together": "false",
}
"""What begin() of intents.js takes for the search page alone, and what it is in the widget."""
_OPTIONS = ["--compress", "passes=4,toplevel,unsafe_arrows,ecma=2020", "--mangle", "toplevel", "--mangle-props", f"builtins,regex=/^({'|'.join(_OURS)})$/"]


def smaller(script: str) -> str:
    """Return a script that does the same in fewer bytes: without comments, its own names short, its style sheet on one line."""
    for theirs, ours in _SEARCH_PAGE.items():
        if theirs not in script:
            raise ValueError(f"intents.js has no {theirs!r} any more")
        script = script.replace(theirs, ours)
    script = re.sub(r"`\s*:host.*?`", lambda css: re.sub(r"\n\s*|;(?=\s*\})", "", css[0]), script, flags=re.DOTALL)
    script = re.sub(r"--(?=(?:accent|bg|ink|line|mark|on|soft)\b)(\w)\w*", r"--\1", script)
    script = re.sub(r"\bdocument(?=[.[])", "doc", script).replace('"use strict";', "const doc = document;")
    script = re.sub(r"\bconst (?=[\[{\w])", "let ", script)  # one word for both: declarations join, and a word less to tell
    return subprocess.run(["npx", "--yes", _TERSER, *_OPTIONS], input=script, capture_output=True, check=True, text=True, encoding="utf-8").stdout


def stamped(small: str) -> str:
    """Return what is kept: a first line, which pages do not get, tells what it was made from and by what, so that a look at it needs no node."""
    made_of = [script_text(), Path(__file__).read_text(encoding="utf-8"), small]
    return f"//{hashlib.sha256(''.join(made_of).encode()).hexdigest()[:8]}\n{small}"


if __name__ == "__main__":
    SMALL.write_text(stamped(smaller(script_text())), encoding="utf-8")
    print(f"{SMALL.name}: {SMALL.stat().st_size} bytes")
