"""Questions to suggest while somebody types: how editors worded them, found by what they begin with, contain, or hold in any order."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from indexer.article import Article


class Wordings:
    """Titles and similar questions by their letters, in the order in which they are suggested: short ones first, among equals titles before variants.

    For each character it knows the wordings that have it, so that only those with the rarest character of what is looked for are looked at.
    """

    def __init__(self, written: Mapping[str, Sequence[tuple[Article, str]]]) -> None:
        """Take for each wording, reduced to its letters, the articles that have it and how they write it."""
        self._written = written
        self._keys = sorted(written, key=lambda key: (len(key), not any(article.title == wording for article, wording in written[key]), key))
        self._having: dict[str, array[int]] = {}
        for number, key in enumerate(self._keys):
            for char in set(key):
                self._having.setdefault(char, array("I")).append(number)

    def matching(self, typed: str) -> Iterator[Sequence[tuple[Article, str]]]:
        """Yield the wordings that begin with these letters, then those that contain them elsewhere."""
        among = self._among(typed)
        yield from (self._written[key] for key in map(self._keys.__getitem__, among) if key.startswith(typed))
        yield from (self._written[key] for key in map(self._keys.__getitem__, among) if not key.startswith(typed) and _stands(typed, key))

    def holding(self, words: Sequence[Collection[str]]) -> Iterator[Sequence[tuple[Article, str]]]:
        """Yield the wordings that hold all these words, each under one of its names, in any order."""
        fewest = min(([self._among(name) for name in names] for names in words), key=lambda found: sum(map(len, found)), default=[])
        for number in sorted(set().union(*fewest)):
            key = self._keys[number]
            if all(any(_stands(name, key) for name in names) for names in words):
                yield self._written[key]

    def _among(self, letters: str) -> Sequence[int]:
        """Return the numbers of all wordings that may hold these letters: those with the rarest of them."""
        return min((self._having.get(char, ()) for char in letters), key=len, default=())


def _stands(letters: str, key: str) -> bool:
    """Tell whether letters stand in a wording; Latin ones only where a word begins: f is not in pdf."""
    at = key.find(letters)
    while at > 0 and _latin(key[at - 1]) and _latin(letters[0]):
        at = key.find(letters, at + 1)
    return at >= 0


def _latin(char: str) -> bool:
    return char.isascii() and char.isalnum()
