"""What a question may become whose last word is still being typed on a Latin keyboard: `fap`, `fapiaoch`, `登录shib`, `of`."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from heapq import nsmallest
from itertools import islice, takewhile
from typing import TYPE_CHECKING

from indexer.segment import runs
from indexer.spelling import beginnings
from indexer.text import normalise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from indexer.lexicon import Entry, Lexicon

MOST = 8
"""Words that a beginning is completed to."""
_LETTERS = re.compile(r"[a-zü]+(?:'[a-zü]*)*")
_MIN_INITIALS = 2
_READ = 2000
"""Spellings with the same beginning that are compared: one letter may begin thousands."""


@dataclass(frozen=True, slots=True)
class Completion:
    """`head` is what stands before the last word (Han for whole words of pinyin), `words` what that word may become, the likeliest first.

    `unfinished`: the last word as it stands is no word of the index, so that nothing can be said yet about what the index lacks.
    """

    head: str
    words: tuple[str, ...]
    unfinished: bool


def complete(text: str, lexicon: Lexicon, known: Callable[[str], bool], completions: Callable[[str, int], list[str]]) -> Completion | None:
    """Return what a question may become, None when its last word is not typed in Latin letters or digits, or is left behind by a space.

    `known` tells whether the index knows a word, `completions` gives those that begin with a prefix.
    """
    normal = normalise(text)
    last = list(runs(normal.text))[-1:]
    typed = last[0][1] if last and last[0][0] == "code" else ""
    ending = normal.text.endswith((typed, f"{typed}'"))  # an input method parts syllables: fa'
    if not typed or not ending:
        return None
    start = normal.text.rindex(typed)
    source, _ = normal.source_span(start, start + len(typed))
    head = text[:source]
    latin = tuple(word for word in completions(typed, MOST + 1) if word != typed)[:MOST]
    if len(typed) > 1 and known(typed):
        return Completion(text, latin, unfinished=False)
    if not _LETTERS.fullmatch(typed):
        return Completion(head, latin, unfinished=True)
    letters = typed.replace("'", "").replace("ü", "v")
    ways = [("", letters), *beginnings(letters, lexicon)]
    for before, rest in ways:
        spelt = [entry.word for entry in _spelt(rest, lexicon)]
        if words := spelt if before else [*latin, *spelt]:
            return Completion(head + before, tuple(words[:MOST]), unfinished=True)
    return Completion(head + ways[-1][0], (), unfinished=True)


def _spelt(letters: str, lexicon: Lexicon) -> list[Entry]:
    """Return the names that are typed with these first letters, in pinyin or by initials, the likeliest first."""
    if not letters:
        return []
    found = {entry.word: entry for entry in _beginning(lexicon.by_beginning, letters)}
    if len(letters) >= _MIN_INITIALS:
        found |= {entry.word: entry for entry in _beginning(lexicon.by_first_letters, letters)}
    return nsmallest(MOST, found.values(), key=lambda entry: (-entry.weight, entry.word))


def _beginning(sorted_: Sequence[tuple[str, Entry]], letters: str) -> Iterator[Entry]:
    start = bisect_left(sorted_, letters, key=lambda pair: pair[0])
    among = islice(sorted_, start, start + _READ)
    return (entry for _, entry in takewhile(lambda pair: pair[0].startswith(letters), among))
