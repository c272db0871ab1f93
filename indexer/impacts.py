"""The compiled scorer: every posting's share of the score, worked out at build time, in arrays that a search only has to add up. The one door to numpy.

score(section) = Σ over the query's terms of  weight(term) · impact(term, section), where an impact is the sum of `ranking.term_score` over the fields of the
term's stream. A folder holds, for all streams one after the other (terms in order of their code points):

terms.txt        one term a line                     starts.npy     int64, terms + 1: where the postings of a term begin
documents.npy    uint32, positions, ascending        impacts.npy    float32, greater than 0
frequencies.npy  uint32, sections of each term       about.json     format, number of sections, terms of each stream
"""

from __future__ import annotations

import json
import os
from array import array
from bisect import bisect_left
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy's linear algebra starts threads as it loads, which must not be there when we fork
import numpy as np

from indexer import ranking
from indexer.backend import MAX_LIMIT, MAX_TERMS, SearchHit
from indexer.errors import DamagedIndexError
from indexer.kernel import CompiledKernel, library

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from indexer.backend import FieldPostings, Query, Stream

FORMAT = 1
STREAMS = tuple(dict.fromkeys(field.stream for field in ranking.FIELDS))
_KEPT_MASKS = 64


def write(folder: Path, fields: Iterable[FieldPostings]) -> None:
    """Write the impacts of an engine's postings into `folder`, which is made. Equal postings give equal bytes.

    Raises ValueError for a term with a line break.
    """
    given = list(fields)
    sections = len(given[0].lengths)
    parts = [_Part(sections, [postings for postings in given if postings.field.stream == stream]) for stream in STREAMS]
    about = {"format": FORMAT, "sections": sections, "terms": {stream: len(part.terms) for stream, part in zip(STREAMS, parts, strict=True)}}
    folder.mkdir(mode=0o700)
    (folder / "about.json").write_text(json.dumps(about), encoding="utf-8")
    terms = [term for part in parts for term in part.terms]
    if any("\n" in term for term in terms):
        raise ValueError("a term holds a line break")
    (folder / "terms.txt").write_text("\n".join(terms), encoding="utf-8", newline="")
    sizes = np.concatenate([part.sizes for part in parts])
    np.save(folder / "starts.npy", np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64))
    np.save(folder / "documents.npy", np.concatenate([part.documents for part in parts]).astype(np.uint32))
    np.save(folder / "impacts.npy", np.concatenate([part.impacts for part in parts]).astype(np.float32))
    np.save(folder / "frequencies.npy", np.concatenate([part.frequencies for part in parts]).astype(np.uint32))


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
    """Adds up and picks; see CompiledKernel."""

    name: str

    def best(self, rows: Sequence[int], weights: Sequence[float], mask: bytes | None, limit: int) -> list[SearchHit]: ...


class NumpyKernel:
    """The reference, and what ranks where nothing could be compiled: the same sums bit for bit, 5 to 20 times as slow."""

    name = "compiled (numpy)"

    def __init__(self, starts: NDArray[np.int64], documents: NDArray[np.uint32], impacts: NDArray[np.float32], sections: int) -> None:
        """Take arrays as `write` makes them."""
        self._starts, self._documents, self._impacts, self._sections = starts, documents, impacts, sections

    def best(self, rows: Sequence[int], weights: Sequence[float], mask: bytes | None, limit: int) -> list[SearchHit]:
        """See CompiledKernel.best."""
        starts = self._starts
        spans = [slice(starts[row], starts[row + 1]) for row in rows]
        documents = np.concatenate([self._documents[span] for span in spans])
        shares = np.concatenate([np.multiply(self._impacts[span], weight, dtype=np.float64) for span, weight in zip(spans, weights, strict=True)])
        sums = np.bincount(documents, shares, self._sections)
        if mask is not None:
            sums[np.frombuffer(mask, np.uint8) == 0] = 0
        floor = np.partition(sums, -limit)[-limit] if limit < self._sections else 0.0
        found = np.flatnonzero((sums >= floor) & (sums > 0))
        found = found[np.lexsort((found, -sums[found]))][:limit]
        return list(map(SearchHit._make, zip(found.tolist(), sums[found].tolist(), strict=True)))


class _Arrays:
    """The files of a folder, mapped into memory and checked, so that neither kernel can be led outside of them."""

    def __init__(self, folder: Path) -> None:
        about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        if about["format"] != FORMAT or tuple(about["terms"]) != STREAMS:
            raise ValueError("another format")
        self.sections = int(about["sections"])
        self.starts: NDArray[np.int64] = _mapped(folder / "starts.npy", np.int64)
        self.documents: NDArray[np.uint32] = _mapped(folder / "documents.npy", np.uint32)
        self.impacts: NDArray[np.float32] = _mapped(folder / "impacts.npy", np.float32)
        self.frequencies = array("I", _mapped(folder / "frequencies.npy", np.uint32).tobytes())
        text = (folder / "terms.txt").read_bytes().decode()
        terms = text.split("\n") if text else []
        self.rows: dict[Stream, dict[str, int]] = {}
        start = 0
        for stream in STREAMS:
            end = start + int(about["terms"][stream])
            self.rows[stream] = dict(zip(terms[start:end], range(start, end), strict=True))
            start = end
        self._check(len(terms))

    def _check(self, terms: int) -> None:
        starts, documents = self.starts, self.documents
        ends = starts[1:-1] - 1  # the last posting of each term but the last one
        rising = documents[1:] > documents[:-1]
        sound = (
            sum(map(len, self.rows.values())) == terms == len(self.frequencies) == len(starts) - 1
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


def _mapped(path: Path, kind: type[np.generic]) -> NDArray[Any]:
    found = np.lib.format.open_memmap(path, mode="r")  # never np.load, which would take a zip archive or a pickle too
    if found.dtype != np.dtype(kind) or found.ndim != 1:
        raise ValueError(f"{path.name} holds something else")
    return found


class ImpactsBackend:
    """A folder of impacts open for reading. Hits and scores are those of the engine whose postings they were made from, up to float32."""

    def __init__(self, folder: Path, *, compiled: bool = True) -> None:
        """Open with the compiled kernel, or with numpy where there is none or none is wanted. Raises DamagedIndexError."""
        try:
            arrays = _Arrays(folder)
        except Exception as error:  # numpy reads a file's head as Python, and a damaged one raises whatever that may raise
            raise DamagedIndexError(f"{folder.name} cannot be read ({type(error).__name__}: {error})") from error
        self._masks: dict[frozenset[int], bytes] = {}
        self._words = list(arrays.rows["words"])
        found = library() if compiled else "numpy was asked for"
        self.note = found if isinstance(found, str) else ""
        addresses = (arrays.starts.ctypes.data, arrays.documents.ctypes.data, arrays.impacts.ctypes.data)
        kernel: _Kernel = (
            NumpyKernel(arrays.starts, arrays.documents, arrays.impacts, arrays.sections)
            if isinstance(found, str)
            else CompiledKernel(found, *addresses, terms=len(arrays.frequencies), sections=arrays.sections)
        )
        self.name = kernel.name
        self._open: tuple[_Arrays, _Kernel] | None = (arrays, kernel)

    def search(self, query: Query) -> list[SearchHit]:
        """See SearchBackend."""
        arrays, kernel = self._opened()  # the arrays are held while we search: the kernel sees addresses only
        rows, weights = [], []
        for term in query.terms[:MAX_TERMS]:
            row = arrays.rows[term.stream].get(term.text)
            if row is not None and term.weight > 0:
                rows.append(row)
                weights.append(term.weight)
        if not rows or query.limit < 1:
            return []
        mask = None if query.among is None else self._mask(query.among, arrays.sections)
        return kernel.best(rows, weights, mask, min(query.limit, MAX_LIMIT))

    def document_frequency(self, stream: Stream, term: str) -> int:
        """See SearchBackend."""
        arrays, _ = self._opened()
        row = arrays.rows[stream].get(term)
        return 0 if row is None else arrays.frequencies[row]

    def completions(self, prefix: str, limit: int) -> list[str]:
        """See SearchBackend."""
        self._opened()
        start = bisect_left(self._words, prefix)
        return [word for word in self._words[start : start + max(0, limit)] if word.startswith(prefix)]

    def close(self) -> None:
        """See SearchBackend. The files stay mapped until the searches under way have ended."""
        self._open = None

    def _opened(self) -> tuple[_Arrays, _Kernel]:
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
