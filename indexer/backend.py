"""The port to a search engine. Engines see terms, never text, and know nothing of articles beyond the position of a section in the catalogue."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from indexer.ranking import Field, Stream

MAX_TERMS = 128
"""Distinct terms of one query over all streams."""
MAX_LIMIT = 50


class WeightedTerm(NamedTuple):
    """A term of the query: in which stream to look for it and how much it counts (1.0 = in full; one of 0 or less is not looked for)."""

    stream: Stream
    text: str
    weight: float = 1.0


@dataclass(frozen=True)
class Sought:
    """The terms that a question looks for.

    `optional` ones are looked for after the others, and only those that stand in at most `rare` sections: longer lists cost much and decide nothing.
    """

    terms: tuple[WeightedTerm, ...]
    optional: tuple[WeightedTerm, ...] = ()
    rare: int = 0

    @cached_property
    def lines(self) -> bytes:
        """All terms as text, for engines that are not written in Python: a line each, the stream's first letter and the term."""
        return "".join([f"{stream[0]}{text}\n" for stream, text, _ in (*self.terms, *self.optional)]).encode(errors="surrogatepass")

    @cached_property
    def weights(self) -> array[float]:
        """The weights of all terms."""
        return array("d", [weight for _, _, weight in (*self.terms, *self.optional)])


class Query(NamedTuple):
    """What is searched for. `among` limits the hits to these positions (audience, module); None means all."""

    sought: Sought
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

    def document_frequencies(self, sought: Sought) -> list[int]:
        """Return in how many sections each term stands in its stream, the most of any of the stream's fields: first the terms, then the optional ones."""
        ...

    def completions(self, prefix: str, limit: int) -> list[str]:
        """Return words of the index (stream `words`, all fields) that begin with `prefix`, in order."""
        ...

    def close(self) -> None:
        """Give back files and memory. Searches under way may fail."""
        ...
