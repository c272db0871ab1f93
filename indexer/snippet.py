"""The excerpt of a section that shows why it was found: the same for every engine, marked on the original text."""

from __future__ import annotations

import html
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

from indexer.text import normalise

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

LENGTH = 110
"""Characters of an excerpt."""
_LEAD = 24
"""Characters shown before the first mark, at most; fewer when a clause begins nearer."""
_BOUNDARIES = "。！？；\n"


def marked(text: str, terms: Collection[str]) -> str:
    """Return the whole text as escaped HTML with `<mark>` around the normalised `terms`."""
    return _mark(text, 0, len(text), _spans(text, terms))


def snippet(text: str, terms: Collection[str], length: int = LENGTH) -> str:
    """Return about `length` characters of `text` where most of it is marked, as escaped HTML with `<mark>`."""
    spans = _spans(text, terms)
    start = _best_start(spans, length) if spans else 0
    start = _sentence_start(text, start) if start + length < len(text) or start > _LEAD else 0
    end = min(len(text), start + length)
    cut = _mark(text, start, end, spans)
    return f"{'…' if start else ''}{cut}{'…' if end < len(text) else ''}"


def _spans(text: str, terms: Collection[str]) -> list[tuple[int, int]]:
    """Return where terms stand in the source text, joined where they touch, in order."""
    normal = normalise(text)
    found: list[tuple[int, int]] = []
    for term in terms:
        at = normal.text.find(term) if term else -1
        while at >= 0:
            if _whole(normal.text, at, term):
                found.append(normal.source_span(at, at + len(term)))
            at = normal.text.find(term, at + 1)
    return _joined(sorted(found))


def _whole(text: str, at: int, term: str) -> bool:
    """Tell whether a Latin term stands there as a word and not inside another one (`app` in `happy`)."""
    if not term[0].isascii():
        return True
    before, after = text[at - 1 : at], text[at + len(term) : at + len(term) + 1]
    return not (before.isascii() and before.isalnum()) and not (after.isascii() and after.isalnum())


def _joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        elif end > start:
            joined.append((start, end))
    return joined


def _best_start(spans: list[tuple[int, int]], length: int) -> int:
    """Return the span's start from which a window holds the most marked characters."""
    ends = [end for _, end in spans]
    marked_before = [0, *accumulate(end - start for start, end in spans)]
    held = [marked_before[max(i, bisect_right(ends, start + length))] - marked_before[i] for i, (start, _) in enumerate(spans)]
    return spans[held.index(max(held))][0]


def _sentence_start(text: str, at: int) -> int:
    """Return where the clause before `at` begins, at most a few words back; else just those few words."""
    before = text[max(0, at - _LEAD) : at]
    boundary = max((before.rfind(sign) for sign in _BOUNDARIES), default=-1)
    return at - len(before) + boundary + 1 if boundary >= 0 else at - len(before)


def _mark(text: str, start: int, end: int, spans: list[tuple[int, int]]) -> str:
    parts, at = [], start
    for left, right in spans:
        left, right = max(left, at), min(right, end)  # noqa: PLW2901 - clipped to the window
        if left < right:
            parts += [html.escape(text[at:left]), "<mark>", html.escape(text[left:right]), "</mark>"]
            at = right
    parts.append(html.escape(text[at:end]))
    return "".join(parts).replace("\n", " ")
