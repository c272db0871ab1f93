"""The excerpt of a section that shows why it was found: the same for every engine, marked on the original text."""

from __future__ import annotations

import html
import re
from bisect import bisect_left
from typing import TYPE_CHECKING

from indexer.text import normalise

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from indexer.text import Normalised

LENGTH = 110
"""Characters of an excerpt."""
_MOST_PLACES = 2000
"""Places where one term is looked for, and of all terms together those that are marked: a text that is full of them needs no more to be told by."""
_LEAD = 24
"""Characters shown before the first mark, at most; fewer when a clause begins nearer."""
_BOUNDARIES = "。！？；\n"
_SPECIAL = re.compile("[&<>\"']")
_GAP = re.compile("[^0-9A-Za-z]")


def marked(text: str, terms: Collection[str], normal: Normalised | None = None) -> str:
    """Return the whole text as escaped HTML with `<mark>` around the normalised `terms`, at most the first 2,000 of them.

    `normal` is the text's normal form, where that is known.
    """
    normal = normal or normalise(text)
    return _mark(text, 0, len(text), _in_source(normal, _spans(normal, terms)))


def snippet(text: str, terms: Collection[str], length: int = LENGTH, normal: Normalised | None = None) -> str:
    """Return about `length` characters of `text` where most of it is marked, as escaped HTML with `<mark>`; `normal` as for `marked`.

    What it takes follows from the length of the text alone, not from how often a term stands there or how its characters are put together.
    """
    normal = normal or normalise(text)
    spans = _spans(normal, terms)
    start = normal.offsets[_best_start(spans, length)] if spans else 0
    start = _sentence_start(text, start) if start + length < len(text) or start > _LEAD else 0
    end = min(len(text), start + length)
    offsets = normal.offsets
    left, right = (start, end) if isinstance(offsets, range) else (bisect_left(offsets, start), bisect_left(offsets, end))
    first = max(0, bisect_left(spans, (left, 0)) - 1)
    cut = _mark(text, start, end, _in_source(normal, spans[first : bisect_left(spans, (right, 0))]))
    return f"{'…' if start else ''}{cut}{'…' if end < len(text) else ''}"


def _spans(normal: Normalised, terms: Collection[str]) -> list[tuple[int, int]]:
    """Return where terms stand in the normal form, joined where they touch, in order; a Latin one only as a word and not inside another (`app` in `happy`)."""
    text, found = normal.text, []
    find = text.find
    for term in terms:
        at = find(term) if term else -1
        if at >= 0:
            size, latin, left = len(term), term[0].isascii(), _MOST_PLACES
            while at >= 0 and left:
                if not latin or _whole(text, at, term):
                    found.append((at, at + size))
                left -= 1  # a place inside a longer word costs as much to look at
                at = find(term, _next_word(text, at) if latin else at + 1)
    if len(found) > 1:
        found.sort()
        found = _joined(found[:_MOST_PLACES])
    return found


def _in_source(normal: Normalised, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return spans if isinstance(normal.offsets, range) else _joined(normal.source_span(*span) for span in spans)


def _next_word(text: str, at: int) -> int:
    """Return where the next Latin word can begin: a megabyte of one letter is one word and looked at once."""
    gap = _GAP.search(text, at)
    return gap.end() if gap else len(text)


def _whole(text: str, at: int, term: str) -> bool:
    before, after = text[at - 1 : at], text[at + len(term) : at + len(term) + 1]
    return not (before.isascii() and before.isalnum()) and not (after.isascii() and after.isalnum())


def _joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    last = -1
    for start, end in spans:
        if start > last:
            joined.append((start, end))
            last = end
        elif end > last:
            joined[-1] = (joined[-1][0], end)
            last = end
    return joined


def _best_start(spans: list[tuple[int, int]], length: int) -> int:
    """Return the start of the first span from which a window holds the most marked characters; at least that span, however long."""
    best = most = held = end = 0
    for at, (start, first_end) in enumerate(spans):
        while end < len(spans) and (end <= at or spans[end][1] <= start + length):
            held += spans[end][1] - spans[end][0]
            end += 1
        if held > most:
            best, most = start, held
        held -= first_end - start
    return best


def _sentence_start(text: str, at: int) -> int:
    """Return where the clause before `at` begins, at most a few words back; else just those few words."""
    before = text[max(0, at - _LEAD) : at]
    boundary = max((before.rfind(sign) for sign in _BOUNDARIES), default=-1)
    return at - len(before) + boundary + 1 if boundary >= 0 else at - len(before)


def _mark(text: str, start: int, end: int, spans: Iterable[tuple[int, int]]) -> str:
    shown = text[start:end]
    escape = html.escape if _SPECIAL.search(shown) else str
    parts, at = [], start
    for left, right in spans:
        left, right = max(left, at), min(right, end)  # noqa: PLW2901 - clipped to the window
        if left < right:
            parts += [escape(text[at:left]), "<mark>", escape(text[left:right]), "</mark>"]
            at = right
    parts.append(escape(text[at:end]))
    return "".join(parts).replace("\n", " ")
