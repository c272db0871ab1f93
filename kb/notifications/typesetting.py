"""Plain text in lines that mail programs show as they are, with Chinese characters as wide as two. Pure."""

from __future__ import annotations

import re
from unicodedata import east_asian_width

WIDTH = 74
"""Columns of plain text, in which a Chinese character takes two; closing marks may stand out by four more."""
_NO_LINE_BEGINS_WITH = frozenset("，。、；：？！）》」』”’…,.;:?!)]}%")
_NO_LINE_ENDS_WITH = "（“‘《「『([{"


def wrapped(text: str, indent: str = "", most: int = WIDTH) -> str:
    """Return a text in lines of at most `most` columns; lines after the first begin with `indent`. What has no place to break stays whole."""
    lines = []
    for paragraph in text.splitlines():
        line, width = "", 0
        for piece in re.findall(r"[!-~]+|.", paragraph):
            wide = sum(_columns(letter) for letter in piece)
            if line.strip() and width + wide > most and piece not in _NO_LINE_BEGINS_WITH:
                opening = line[len(line.rstrip(_NO_LINE_ENDS_WITH)) :]
                lines.append(line.removesuffix(opening).rstrip())
                line, piece = indent, opening + piece.lstrip()  # noqa: PLW2901 - a space at a break is none
                width, wide = len(indent), sum(_columns(letter) for letter in piece)
            line, width = line + piece, width + wide
        lines.append(line.rstrip())
    return "\n".join(lines)


def _columns(letter: str) -> int:
    return 2 if east_asian_width(letter) in "WFA" else 1


def indented(text: str) -> str:
    """Return somebody's words set apart from ours."""
    return "\n".join(f"    {line}".rstrip() for line in wrapped(text.strip(), most=WIDTH - 4).splitlines())
