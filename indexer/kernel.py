"""The one door to the compiled kernel (_kernel.c), which adds up impacts and picks the best sections.

A plain shared library called through ctypes rather than an extension module: it needs a C compiler at install, but not Python's headers, which a fresh
machine often lacks. Measured, the way into it costs 2 µs of the 25 that a query takes.
"""

from __future__ import annotations

import ctypes
import hashlib
import threading
from array import array
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from indexer.backend import MAX_LIMIT, MAX_TERMS, SearchHit, Sought, WeightedTerm

if TYPE_CHECKING:
    from numpy.typing import NDArray

_REFUSED = 2**32 - 1
_WINDOW = 32768
"""Sections whose sums are worked out at a time, as in _kernel.c."""
_MOST_LINES = 1024
"""Terms of one call, as in _kernel.c."""


class _Impacts(ctypes.Structure):
    _fields_ = (
        ("slots", ctypes.c_void_p),
        ("last_slot", ctypes.c_uint64),
        ("seed", ctypes.c_uint64),
        ("starts", ctypes.c_void_p),
        ("documents", ctypes.c_void_p),
        ("impacts", ctypes.c_void_p),
        ("sections", ctypes.c_uint32),
    )


class _Room(ctypes.Structure):
    _fields_ = (
        ("sums", ctypes.c_void_p),
        ("found", ctypes.c_void_p * MAX_TERMS),
        ("weights", ctypes.c_double * MAX_TERMS),
        ("reached", ctypes.c_int64 * MAX_TERMS),
        ("positions", ctypes.c_uint32 * MAX_LIMIT),
        ("scores", ctypes.c_double * MAX_LIMIT),
    )


_LIMITS = (ctypes.sizeof(_Impacts), ctypes.sizeof(_Room), MAX_LIMIT, MAX_TERMS, _WINDOW, _MOST_LINES)
"""What both sides of the call must agree on, in the order of `kernel_limits`."""


@cache
def library(folder: Path = Path(__file__).parent) -> ctypes.CDLL | str:
    """Return the compiled kernel, or why there is none that fits this source."""
    path, source = folder / "_kernel.so", folder / "_kernel.c"
    if not path.is_file():
        return "no compiled kernel; install a C compiler and run `make setup`"
    try:
        found = ctypes.CDLL(str(path))
        found.kernel_source.restype = ctypes.c_char_p
        digest = found.kernel_source().decode()
    except (OSError, AttributeError) as error:
        return f"the compiled kernel cannot be loaded ({error}); run `make setup`"
    if digest != hashlib.sha256(source.read_bytes()).hexdigest():
        return "the compiled kernel is that of another version; run `make setup`"
    found.kernel_limits.restype = ctypes.POINTER(ctypes.c_uint32 * len(_LIMITS))
    if (limits := tuple(found.kernel_limits().contents)) != _LIMITS:
        return f"the compiled kernel has other limits ({limits}) than kernel.py ({_LIMITS}); they are set in _kernel.c, kernel.py and backend.py"
    pointer, number = ctypes.c_void_p, ctypes.c_uint32
    found.kernel_best.argtypes = (pointer, ctypes.c_char_p, number, pointer, number, number, number, ctypes.c_char_p, number, pointer)
    found.kernel_frequencies.argtypes = (pointer, ctypes.c_char_p, number, number, pointer)
    found.kernel_best.restype = found.kernel_frequencies.restype = number
    return found


class Arrays(Protocol):
    """An index's arrays, mapped into memory; see `impacts`."""

    slots: NDArray[Any]
    seed: int
    starts: NDArray[Any]
    documents: NDArray[Any]
    impacts: NDArray[Any]
    sections: int


class CompiledKernel:
    """The kernel over one index. Any number of threads may call it: each has its sums, and Python's lock is not held meanwhile."""

    name = "compiled (C)"

    def __init__(self, library_: ctypes.CDLL, arrays: Arrays) -> None:
        """Take arrays that were checked: every slot names a term, starts ascend, documents are sections."""
        self._best, self._frequencies = library_.kernel_best, library_.kernel_frequencies
        self._arrays = arrays
        addresses = (arrays.starts.ctypes.data, arrays.documents.ctypes.data, arrays.impacts.ctypes.data)
        self._impacts = _Impacts(arrays.slots.ctypes.data, len(arrays.slots) - 1, arrays.seed, *addresses, arrays.sections)
        self._address = ctypes.addressof(self._impacts)
        self._local = threading.local()

    def best(self, sought: Sought, mask: bytes | None, limit: int) -> list[SearchHit]:
        """Return the best `limit` sections, best first, ties by position.

        Raises ValueError for a mask of another length than there are sections or a limit outside 1 to MAX_LIMIT.
        """
        if mask is not None and len(mask) != self._arrays.sections:
            raise ValueError("the mask is of another index")
        lines, weights, required = sought.lines, sought.weights, len(sought.terms)
        if required > MAX_TERMS or len(weights) > _MOST_LINES:
            return self.best(_cut(sought), mask, limit)
        room, address = self._room()
        found = self._best(self._address, lines, len(lines), weights.buffer_info()[0], len(weights), required, max(0, sought.rare), mask, limit, address)
        if found == _REFUSED:
            if limit in range(1, MAX_LIMIT + 1):
                return self.best(_single_lines(sought), mask, limit)
            raise ValueError(f"a limit of {limit} is out of range")
        return list(map(SearchHit._make, zip(room.positions[:found], room.scores[:found], strict=True)))

    def frequencies(self, sought: Sought) -> list[int]:
        """See SearchBackend.document_frequencies."""
        lines, count = sought.lines, len(sought.terms) + len(sought.optional)
        counts = array("I", bytes(4 * count))
        if count > _MOST_LINES or self._frequencies(self._address, lines, len(lines), count, counts.buffer_info()[0]):
            return [0 if "\n" in term.text else self.frequencies(Sought((term,)))[0] for term in (*sought.terms, *sought.optional)]
        return counts.tolist()

    def _room(self) -> tuple[_Room, int]:
        try:
            kept: tuple[_Room, int, object] = self._local.room
        except AttributeError:
            sums = (ctypes.c_double * min(_WINDOW, max(1, self._arrays.sections)))()
            room = _Room(ctypes.addressof(sums))
            kept = self._local.room = (room, ctypes.addressof(room), sums)
        return kept[0], kept[1]


def _cut(sought: Sought) -> Sought:
    return replace(sought, terms=sought.terms[:MAX_TERMS], optional=sought.optional[: _MOST_LINES - MAX_TERMS])


def _single_lines(sought: Sought) -> Sought:
    """Return the terms without those that hold a line break, which stand in no index; each of the others keeps its place in the count."""
    known = (term if "\n" not in term.text else WeightedTerm(term.stream, "") for term in sought.terms)
    return replace(sought, terms=tuple(known), optional=tuple(term for term in sought.optional if "\n" not in term.text))
