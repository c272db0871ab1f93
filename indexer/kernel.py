"""The one door to the compiled kernel (_kernel.c), which adds up impacts and picks the best sections.

A plain shared library called through ctypes rather than an extension module: it needs a C compiler at install, but not Python's headers, which a fresh
machine often lacks. Measured, the way into it costs 2 µs of the 25 that a query takes.
"""

from __future__ import annotations

import ctypes
import hashlib
import threading
from array import array
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from indexer.backend import MAX_LIMIT, SearchHit

if TYPE_CHECKING:
    from collections.abc import Sequence

_REFUSED = 2**32 - 1


class _Impacts(ctypes.Structure):
    _fields_ = (
        ("starts", ctypes.c_void_p),
        ("documents", ctypes.c_void_p),
        ("impacts", ctypes.c_void_p),
        ("terms", ctypes.c_uint32),
        ("sections", ctypes.c_uint32),
    )


class _Room(ctypes.Structure):
    _fields_ = (("sums", ctypes.c_void_p), ("positions", ctypes.c_uint32 * MAX_LIMIT), ("scores", ctypes.c_double * MAX_LIMIT))


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
    pointer, number = ctypes.c_void_p, ctypes.c_uint32
    found.kernel_best.argtypes = (pointer, pointer, pointer, number, pointer, number, pointer)
    found.kernel_best.restype = number
    return found


class CompiledKernel:
    """The kernel over one index. Any number of threads may call it: each has its sums, and Python's lock is not held meanwhile."""

    name = "compiled (C)"

    def __init__(self, library_: ctypes.CDLL, starts: int, documents: int, impacts: int, terms: int, sections: int) -> None:
        """Take the addresses of arrays that outlive this object and were checked: starts ascending, documents below `sections`."""
        self._best = library_.kernel_best
        self._impacts = _Impacts(starts, documents, impacts, terms, sections)
        self._sections = sections
        self._local = threading.local()

    def best(self, rows: Sequence[int], weights: Sequence[float], mask: bytes | None, limit: int) -> list[SearchHit]:
        """Return the best `limit` sections for these terms (rows of the index), best first, ties by position.

        Raises ValueError for a row that does not exist, a mask of another length than there are sections, or a limit outside 1 to MAX_LIMIT.
        """
        if len(rows) != len(weights) or (mask is not None and len(mask) != self._sections) or not 1 <= limit <= MAX_LIMIT:
            raise ValueError("rows and weights differ in number, the mask is of another index, or the limit is out of range")
        room, address = self._room()
        numbers, factors = array("I", rows), array("d", weights)
        found = self._best(ctypes.addressof(self._impacts), numbers.buffer_info()[0], factors.buffer_info()[0], len(numbers), mask, limit, address)
        if found == _REFUSED:
            raise ValueError("a row is out of range")
        return list(map(SearchHit._make, zip(room.positions[:found], room.scores[:found], strict=True)))

    def _room(self) -> tuple[_Room, int]:
        try:
            kept: tuple[_Room, int, object] = self._local.room
        except AttributeError:
            sums = (ctypes.c_double * max(1, self._sections))()
            room = _Room(ctypes.addressof(sums))
            kept = self._local.room = (room, ctypes.addressof(room), sums)
        return kept[0], kept[1]
