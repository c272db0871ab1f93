"""The port to a search engine. Engines see terms, never text, and know nothing of articles beyond the position of a section in the catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from array import array
    from collections.abc import Collection, Sequence

    from indexer.ranking import Field

Stream = Literal["words", "pairs", "chars"]

MAX_TERMS = 128
"""Distinct terms of one query over all streams."""
MAX_LIMIT = 50


@dataclass(frozen=True, slots=True)
class WeightedTerm:
    """A term of the query: in which stream to look for it and how much it counts (1.0 = in full; one of 0 or less is not looked for)."""

    stream: Stream
    text: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for. `among` limits the hits to these positions (audience, module); None means all."""

    terms: tuple[WeightedTerm, ...]
    limit: int = 10
    among: Collection[int] | None = None


class SearchHit(NamedTuple):
    """The position of a section in the catalogue and its score, which is comparable only within one answer.

    A tuple, because fifty frozen dataclasses take longer to make than the compiled ranking of six thousand sections.
    """

    position: int
    score: float


@dataclass(frozen=True, slots=True)
class FieldPostings:
    """All that an engine holds of one field, as arrays, so that another engine can be made from it.

    `frequencies[i]` entries of `documents` (uint32 positions, ascending) and `counts` (float32) belong to `terms[i]`; the terms are in order of their
    code points. `lengths` (one per section of the index) and `average_length` are those that the engine scores with, which may be rounded.
    """

    field: Field
    terms: Sequence[str]
    frequencies: array[int]
    documents: array[int]
    counts: array[float]
    lengths: array[int]
    average_length: float


class SearchBackend(Protocol):
    """A published index, open for reading by any number of threads."""

    @property
    def name(self) -> str:
        """What ranks, for people: `whoosh`, `compiled (C)`."""
        ...

    @property
    def note(self) -> str:
        """Why nothing faster ranks, with the remedy; "" when there is nothing to say."""
        ...

    def search(self, query: Query) -> list[SearchHit]:
        """Return the best sections, best first, ties by position; sections that share no term are not hits."""
        ...

    def document_frequency(self, stream: Stream, term: str) -> int:
        """Return in how many sections the term stands in this stream: the most of any of its fields."""
        ...

    def completions(self, prefix: str, limit: int) -> list[str]:
        """Return words of the index (stream `words`, all fields) that begin with `prefix`, in order."""
        ...

    def close(self) -> None:
        """Give back files and memory. Searches under way may fail."""
        ...
