"""The time: only edges call it, everything else is told."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

JUMP = timedelta(minutes=2)
"""How far the time may move against a clock that nobody sets, between two looks, before it is held to be wrong."""
HOLD = 600.0
"""Seconds for which a time that has jumped is not acted on: as long as somebody may need to notice, and set it right."""
FAR = timedelta(days=30)
"""A time that has jumped further is hardly meant. A help centre may rest for as long."""
LONG_HOLD = 86_400.0
"""Seconds for which what cannot be taken back is not done at a time that has jumped so far."""


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


class Steady:
    """Tells a time that runs from one that was set: what it is told is held against seconds that nobody sets (time.monotonic).

    A time that has jumped is held for `HOLD` seconds; if it is still the same then, it was meant, and counts. What cannot be taken back is held for
    `LONG_HOLD` seconds when the jump was further than `FAR`. A machine that slept looks like one whose clock was set.
    """

    def __init__(self, known: Collection[datetime] = ()) -> None:
        """Begin with the first look. `known`: moments that were reached before; a first look that is further than `FAR` from one of them is a jump."""
        self.jump = timedelta()
        """By how much the time jumped last."""
        self._known = known
        self._last: tuple[datetime, float] | None = None
        self._until = self._until_final = -math.inf

    def held(self, now: datetime, seconds: float, *, final: bool = False) -> bool:
        """Look at the time and at seconds that nobody sets; tell whether the time should not be acted on yet. `final`: for what cannot be taken back."""
        moved = self._moved(now, seconds)
        if abs(moved) > JUMP:
            self.jump, self._until = moved, seconds + HOLD
            if abs(moved) > FAR:
                self._until_final = seconds + LONG_HOLD
        self._last = (now, seconds)
        return seconds < (max(self._until, self._until_final) if final else self._until)

    def _moved(self, now: datetime, seconds: float) -> timedelta:
        """Return how far the time is from where it should be by what is known."""
        if self._last is not None:
            return (now - self._last[0]) - timedelta(seconds=seconds - self._last[1])
        away = max((now - moment for moment in self._known), key=abs, default=timedelta())
        return away if abs(away) > FAR else timedelta()
