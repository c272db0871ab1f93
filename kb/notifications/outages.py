"""Which channels cannot be reached, as the courier last found: a small file that the desk reads. Without it nothing is lost but since when."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Outage:
    """A channel that cannot be reached: since when, and why in words."""

    since: datetime
    reason: str


def read(path: Path) -> dict[str, Outage]:
    """Return what stands in the file, by channel; nothing when there is none, or not a whole one."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return {name: Outage(datetime.fromisoformat(one["since"]), str(one["reason"])) for name, one in stored.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def write(path: Path, outages: Mapping[str, Outage]) -> None:
    """Put these in the place of what stood there."""
    aside = path.with_name(f".{path.name}")
    aside.write_text(json.dumps({name: {"since": one.since.isoformat(), "reason": one.reason} for name, one in outages.items()}), encoding="utf-8")
    aside.replace(path)
