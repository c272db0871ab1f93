"""Percentiles, tables, and the machine that figures were measured on."""

from __future__ import annotations

import math
import os
import platform
import statistics
import unicodedata
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle and the tail of a series of measurements, in its unit."""

    p50: float
    p95: float


def spread_of(values: Iterable[float]) -> Spread:
    """Return median and 95th percentile (nearest rank) of at least one value."""
    ordered = sorted(values)
    return Spread(statistics.median(ordered), percentile(ordered, 0.95))


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value that `share` of at least one ascending value do not exceed (nearest rank)."""
    return ordered[math.ceil(share * len(ordered)) - 1]


def median_of(rounds: Sequence[Spread]) -> Spread:
    """Return the medians of the rounds' p50 and p95, so that one disturbed round does not decide."""
    return Spread(statistics.median(one.p50 for one in rounds), statistics.median(one.p95 for one in rounds))


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table with aligned columns, the first to the left and the others to the right."""
    lines = [header, *rows]
    widths = [max(_width(line[column]) for line in lines) for column in range(len(header))]
    padded = [" | ".join(_pad(cell, width, left=at == 0) for at, (cell, width) in enumerate(zip(line, widths, strict=True))) for line in lines]
    rule = "|".join(f"{'-' * (width + 1)}{'-' if at == 0 else ':'}" for at, width in enumerate(widths))
    return "\n".join([f"| {padded[0]} |", f"|{rule}|", *(f"| {line} |" for line in padded[1:])])


def machine(*packages: str) -> str:
    """Return one line on the machine, the interpreter and the versions of `packages`, without any name of the host."""
    found = [f"{package} {_version(package)}" for package in packages]
    return f"{os.cpu_count()} cores ({_processor()}), {platform.system()}, Python {platform.python_version()}; {', '.join(found)}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    names = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _pad(text: str, width: int, *, left: bool) -> str:
    space = " " * (width - _width(text))
    return text + space if left else space + text
