"""The compiled scorer: every posting's share of the score, worked out at build time, in arrays that a search only has to add up. The one door to numpy.

score(section) = Σ over the query's terms of  weight(term) · impact(term, section), where an impact is the sum of `ranking.term_score` over the fields of the
term's stream. A folder holds, for all streams one after the other (terms in order of their code points):

terms.txt      one term a line                 starts.npy     int64, terms + 1: where the postings of a term begin
documents.npy  uint32, positions, ascending    impacts.npy    float32, greater than 0
slots.npy      a hash table of the terms: key, row (the number of the term) and frequency (sections that it stands in); key 0 = an empty place
about.json     format, number of sections, terms of each stream, the hash's seed
"""

from __future__ import annotations

import json
import os
from bisect import bisect_left
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Any, Protocol

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy's linear algebra starts threads as it loads, which must not be there when we fork
import numpy as np

from indexer import ranking
from indexer.backend import MAX_LIMIT, MAX_TERMS, SearchHit
from indexer.errors import DamagedIndexError
from indexer.kernel import CompiledKernel, library

if TYPE_CHECKING:
    from array import array
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from indexer.backend import FieldPostings, Query, Sought

FORMAT = 2
STREAMS = tuple(dict.fromkeys(field.stream for field in ranking.FIELDS))
SLOT = np.dtype([("key", np.uint64), ("row", np.uint32), ("frequency", np.uint32)])
_KEPT_MASKS = 64
_MOST_SECTIONS = 2**31
"""Sections of one index; the kernel counts them in 32 bits, a window beyond the last."""


def write(folder: Path, fields: Iterable[FieldPostings]) -> None:
    """Write the impacts of an engine's postings into `folder`, which is made. Equal postings give equal bytes.

    Raises ValueError for a term with a line break.
    """
    given = list(fields)
    sections = len(given[0].lengths)
    parts = [_Part(sections, [postings for postings in given if postings.field.stream == stream]) for stream in STREAMS]
    streams = {stream: len(part.terms) for stream, part in zip(STREAMS, parts, strict=True)}
    folder.mkdir(mode=0o700)
    terms = [term for part in parts for term in part.terms]
    if any("\n" in term for term in terms):
        raise ValueError("a term holds a line break")
    (folder / "terms.txt").write_text("\n".join(terms), encoding="utf-8", newline="")
    sizes = np.concatenate([part.sizes for part in parts])
    np.save(folder / "starts.npy", np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64))
    np.save(folder / "documents.npy", np.concatenate([part.documents for part in parts]).astype(np.uint32))
    np.save(folder / "impacts.npy", np.concatenate([part.impacts for part in parts]).astype(np.float32))
    lines = [f"{stream[0]}{term}".encode() for stream, part in zip(STREAMS, parts, strict=True) for term in part.terms]
    slots, seed = slots_of(lines, np.concatenate([part.frequencies for part in parts]))
    np.save(folder / "slots.npy", slots)
    about = {"format": FORMAT, "sections": sections, "terms": streams, "seed": seed}
    (folder / "about.json").write_text(json.dumps(about), encoding="utf-8")


def key_of(lines: Sequence[bytes], seed: int) -> NDArray[np.uint64]:
    """Return the hash of each line, never 0: FNV-1a, stirred; the same as in _kernel.c."""
    sizes = np.array([len(line) for line in lines], np.int64)
    letters = np.frombuffer(b"".join(lines), np.uint8)
    begins = np.concatenate([[0], np.cumsum(sizes)])[:-1]
    keys = np.full(len(lines), np.uint64(14695981039346656037 ^ seed))
    for at in range(int(sizes.max(initial=0))):
        longer = np.flatnonzero(sizes > at)
        keys[longer] = (keys[longer] ^ letters[begins[longer] + at]) * np.uint64(1099511628211)
    keys = (keys ^ keys >> np.uint64(32)) * np.uint64(0x9E3779B97F4A7C15)
    keys ^= keys >> np.uint64(29)
    keys[keys == 0] = 1
    return keys


def slots_of(lines: Sequence[bytes], frequencies: NDArray[np.int64]) -> tuple[NDArray[Any], int]:
    """Return the hash table of terms (a stream's letter and the term, as bytes) and the seed with which no two have the same key."""
    seed = 0
    while len(np.unique(keys := key_of(lines, seed))) < len(lines):
        seed += 1
    slots = np.zeros(1 << max(1, (2 * len(lines)).bit_length()), SLOT)
    last = np.uint64(len(slots) - 1)
    waiting = np.arange(len(lines))
    home = keys & last
    while waiting.size:  # each round gives every free place to the first that wants it; the others look one further
        wanted, first = np.unique(home[waiting], return_index=True)
        free = slots["key"][wanted] == 0
        placed = waiting[first[free]]
        slots["key"][wanted[free]], slots["row"][wanted[free]], slots["frequency"][wanted[free]] = keys[placed], placed, frequencies[placed]
        waiting = np.setdiff1d(waiting, placed, assume_unique=True)
        home[waiting] = (home[waiting] + np.uint64(1)) & last
    return slots, seed


class _Part:
    """One stream with its fields added up."""

    def __init__(self, sections: int, fields: Sequence[FieldPostings]) -> None:
        self.terms = sorted(set(chain.from_iterable(postings.terms for postings in fields)))
        row = {term: number for number, term in enumerate(self.terms)}
        rows = [np.array([row[term] for term in postings.terms], np.int64) for postings in fields]
        self.frequencies = np.zeros(len(self.terms), np.int64)
        for postings, numbers in zip(fields, rows, strict=True):
            self.frequencies[numbers] = np.maximum(self.frequencies[numbers], _array(postings.frequencies, np.uint32))
        distinct, which = np.unique(self.frequencies, return_inverse=True)
        idf = np.array([ranking.inverse_document_frequency(sections, int(frequency)) for frequency in distinct], np.float64)[which]
        cells, scores = [np.zeros(0, np.int64)], [np.zeros(0)]
        for postings, numbers in zip(fields, rows, strict=True):
            row_of = np.repeat(numbers, _array(postings.frequencies, np.uint32))
            documents = _array(postings.documents, np.uint32)
            relative = _array(postings.lengths, np.uint32)[documents] / postings.average_length
            cells.append(row_of * sections + documents)
            scores.append(_term_scores(idf[row_of], _array(postings.counts, np.float32).astype(np.float64), relative, postings.field))
        cell, score = np.concatenate(cells), np.concatenate(scores)
        order = np.argsort(cell, kind="stable")
        cell, score = cell[order], score[order]
        first = np.flatnonzero(np.concatenate([[True], cell[1:] != cell[:-1]])) if cell.size else np.zeros(0, np.int64)
        self.impacts = np.add.reduceat(score, first) if cell.size else score
        self.documents = cell[first] % max(1, sections)
        self.sizes = np.bincount(cell[first] // max(1, sections), minlength=len(self.terms))


def _term_scores(weight: Any, frequency: Any, relative_length: Any, field: ranking.Field) -> Any:
    """Return `ranking.term_score` of whole arrays: arithmetic is all it does, so that the formula stands in one place."""
    return ranking.term_score(weight, frequency, relative_length, field)


def _array(values: array[Any], kind: type[np.generic]) -> NDArray[Any]:
    return np.frombuffer(values, kind) if values else np.zeros(0, kind)


class _Kernel(Protocol):
    """Finds terms, adds up and picks; see CompiledKernel."""

    name: str

    def best(self, sought: Sought, mask: bytes | None, limit: int) -> list[SearchHit]: ...

    def frequencies(self, sought: Sought) -> list[int]: ...


class NumpyKernel:
    """The reference, and what ranks where nothing could be compiled: the same sums bit for bit, 5 to 20 times as slow."""

    name = "compiled (numpy)"

    def __init__(self, arrays: MappedArrays) -> None:
        """Take arrays that were checked."""
        self._arrays = arrays
        self._counts = np.zeros(len(arrays.starts) - 1, np.uint32)
        self._counts[arrays.slots["row"][arrays.slots["key"] != 0]] = arrays.slots["frequency"][arrays.slots["key"] != 0]
        self._rows: dict[ranking.Stream, dict[str, int]] = {}
        start = 0
        for stream, terms in arrays.terms().items():
            self._rows[stream] = dict(zip(terms, range(start, start + len(terms)), strict=True))
            start += len(terms)

    def best(self, sought: Sought, mask: bytes | None, limit: int) -> list[SearchHit]:
        """See CompiledKernel.best."""
        sections, starts = self._arrays.sections, self._arrays.starts
        counts = self.frequencies(sought)[len(sought.terms) :]
        optional = (term for term, count in zip(sought.optional, counts, strict=True) if count <= sought.rare)
        asked = [*sought.terms[:MAX_TERMS], *optional][:MAX_TERMS]
        found = [(self._rows[stream][text], weight) for stream, text, weight in asked if weight > 0 and text in self._rows[stream]]
        if not found:
            return []
        spans = [slice(starts[row], starts[row + 1]) for row, _ in found]
        documents = np.concatenate([self._arrays.documents[span] for span in spans])
        shares = np.concatenate([np.multiply(self._arrays.impacts[span], weight, dtype=np.float64) for span, (_, weight) in zip(spans, found, strict=True)])
        sums = np.bincount(documents, shares, sections)
        if mask is not None:
            sums[np.frombuffer(mask, np.uint8) == 0] = 0
        floor = np.partition(sums, -limit)[-limit] if limit < sections else 0.0
        best = np.flatnonzero((sums >= floor) & (sums > 0))
        best = best[np.lexsort((best, -sums[best]))][:limit]
        return list(map(SearchHit._make, zip(best.tolist(), sums[best].tolist(), strict=True)))

    def frequencies(self, sought: Sought) -> list[int]:
        """See SearchBackend.document_frequencies."""
        rows = [self._rows[stream].get(text) for stream, text, _ in (*sought.terms, *sought.optional)]
        return [0 if row is None else int(self._counts[row]) for row in rows]


class MappedArrays:
    """The files of a folder, mapped into memory and checked, so that neither kernel can be led outside of them."""

    def __init__(self, folder: Path) -> None:
        """Map and check the files. Raises OSError, ValueError or KeyError for files that are not what `write` wrote."""
        about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        if about["format"] != FORMAT or tuple(about["terms"]) != STREAMS:
            raise ValueError("another format")
        self.sections = int(about["sections"])
        self.starts: NDArray[np.int64] = _mapped(folder / "starts.npy", np.int64)
        self.documents: NDArray[np.uint32] = _mapped(folder / "documents.npy", np.uint32)
        self.impacts: NDArray[np.float32] = _mapped(folder / "impacts.npy", np.float32)
        self.slots: NDArray[Any] = _mapped(folder / "slots.npy", SLOT)
        self.seed = int(about["seed"])
        self._text = folder / "terms.txt"
        self._sizes = {stream: int(about["terms"][stream]) for stream in STREAMS}
        self.terms()
        self._check()

    def terms(self) -> dict[ranking.Stream, list[str]]:
        """Return the terms of each stream, in order; they are read anew, because only few need them. Raises ValueError when their number is another."""
        text = self._text.read_bytes().decode()
        terms = text.split("\n") if text else []
        if len(terms) != sum(self._sizes.values()):
            raise ValueError("terms are missing")
        ends = list(accumulate(self._sizes.values()))
        return {stream: terms[end - size : end] for (stream, size), end in zip(self._sizes.items(), ends, strict=True)}

    def _check(self) -> None:
        starts, documents, slots = self.starts, self.documents, self.slots
        ends = starts[1:-1] - 1  # the last posting of each term but the last one
        rising = documents[1:] > documents[:-1]
        taken = slots[slots["key"] != 0]
        count = len(starts) - 1
        sound = (
            sum(self._sizes.values()) == count == len(taken)
            and len(slots) > count
            and len(slots) & (len(slots) - 1) == 0
            and (not count or int(taken["row"].max()) < count)
            and 0 <= self.sections <= _MOST_SECTIONS
            and 0 <= self.seed < 1 << 64
            and starts[0] == 0
            and starts[-1] == len(documents) == len(self.impacts)
            and bool((starts[1:] > starts[:-1]).all())
            and (not len(documents) or int(documents.max()) < self.sections)
            and int(rising.sum()) + int((~rising[ends]).sum()) == len(rising)
            and bool((self.impacts > 0).all())
            and bool(np.isfinite(self.impacts).all())
        )
        if not sound:
            raise ValueError("the arrays do not fit together")


def _mapped(path: Path, kind: type[np.generic] | np.dtype[Any]) -> NDArray[Any]:
    found = np.lib.format.open_memmap(path, mode="r")  # never np.load, which would take a zip archive or a pickle too
    if found.dtype != np.dtype(kind) or found.ndim != 1:
        raise ValueError(f"{path.name} holds something else")
    return found


class ImpactsBackend:
    """A folder of impacts open for reading. Hits and scores are those of the engine whose postings they were made from, up to float32."""

    def __init__(self, folder: Path, *, compiled: bool = True) -> None:
        """Open with the compiled kernel, or with numpy where there is none or none is wanted. Raises DamagedIndexError."""
        try:
            arrays = MappedArrays(folder)
        except Exception as error:  # numpy reads a file's head as Python, and a damaged one raises whatever that may raise
            raise DamagedIndexError(f"{folder.name} cannot be read ({type(error).__name__}: {error})") from error
        self._masks: dict[frozenset[int], bytes] = {}
        found = library() if compiled else "numpy was asked for"
        self.note = found if isinstance(found, str) else ""
        kernel: _Kernel = NumpyKernel(arrays) if isinstance(found, str) else CompiledKernel(found, arrays)
        self.name = kernel.name
        self._open: tuple[MappedArrays, _Kernel] | None = (arrays, kernel)
        self._words: list[str] | None = None

    def search(self, query: Query) -> list[SearchHit]:
        """See SearchBackend."""
        arrays, kernel = self._opened()  # the arrays are held while we search: the kernel sees addresses only
        if query.limit < 1:
            return []
        mask = None if query.among is None else self._mask(query.among, arrays.sections)
        return kernel.best(query.sought, mask, min(query.limit, MAX_LIMIT))

    def document_frequencies(self, sought: Sought) -> list[int]:
        """See SearchBackend."""
        return self._opened()[1].frequencies(sought)

    def completions(self, prefix: str, limit: int) -> list[str]:
        """See SearchBackend. The words are read at the first call."""
        arrays, _ = self._opened()
        if self._words is None:
            self._words = arrays.terms()["words"]
        start = bisect_left(self._words, prefix)
        return [word for word in self._words[start : start + max(0, limit)] if word.startswith(prefix)]

    def close(self) -> None:
        """See SearchBackend. The files stay mapped until the searches under way have ended."""
        self._open = None

    def _opened(self) -> tuple[MappedArrays, _Kernel]:
        if self._open is None:
            raise ValueError("the index is closed")
        return self._open

    def _mask(self, among: Collection[int], sections: int) -> bytes:
        """Return one byte per section, 1 = may be a hit. A frozenset's is kept: an audience's sections are the same in every search."""
        key = among if isinstance(among, frozenset) else frozenset(among)
        mask = self._masks.get(key)
        if mask is None:
            bytes_ = bytearray(sections)
            for position in key:
                if 0 <= position < sections:
                    bytes_[position] = 1
            if len(self._masks) >= _KEPT_MASKS:
                self._masks.clear()
            mask = self._masks[key] = bytes(bytes_)
        return mask
