"""CSV that opens safely in a spreadsheet: no cell can begin a formula."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from indexer.text import normalise

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")


def safe_cell(value: object) -> str:
    """Return a cell's text; what a spreadsheet would read as a formula (full-width signs too) gets a leading apostrophe."""
    text = str(value)
    seen = normalise(text).text.lstrip()
    dangerous = text.startswith(_FORMULA) or seen.startswith(_FORMULA)
    return f"'{text}" if dangerous else text


def to_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return RFC 4180 CSV with a byte order mark, without which Excel takes Chinese for another encoding."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(header)
    writer.writerows([safe_cell(value) for value in row] for row in rows)
    return f"\ufeff{out.getvalue()}"
