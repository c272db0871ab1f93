"""The port to a search engine. Engines see terms, never text, and know nothing of articles beyond the position of a section in the catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection

Stream = Literal["words", "pairs", "chars"]

MAX_TERMS = 128
"""Distinct terms of one query over all streams."""
MAX_LIMIT = 50


@dataclass(frozen=True, slots=True)
class WeightedTerm:
    """A term of the query: in which stream to look for it and how much it counts (1.0 = in full)."""

    stream: Stream
    text: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for. `among` limits the hits to these positions (audience, module); None means all."""

    terms: tuple[WeightedTerm, ...]
    limit: int = 10
    among: Collection[int] | None = None


@dataclass(frozen=True, slots=True)
class SearchHit:
    """The position of a section in the catalogue and its score, which is comparable only within one answer."""

    position: int
    score: float


class SearchBackend(Protocol):
    """A published index, open for reading by any number of threads."""

    def search(self, query: Query) -> list[SearchHit]:
        """Return the best sections, best first, ties by position; sections that share no term are not hits."""
        ...

    def document_frequency(self, stream: Stream, term: str) -> int:
        """Return in how many sections the term stands in this stream."""
        ...

    def completions(self, prefix: str, limit: int) -> list[str]:
        """Return words of the index that begin with `prefix`, in order."""
        ...

    def close(self) -> None:
        """Give back files and memory. Searches under way may fail."""
        ...
