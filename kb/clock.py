"""The time: only edges call it, everything else is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

JUMP = timedelta(minutes=2)
"""How far the time may move against a clock that nobody sets, between two looks, before it is held to be wrong."""
HOLD = 600.0
"""Seconds for which a time that has jumped is not acted on: as long as somebody may need to notice, and set it right."""


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


class Steady:
    """Tells a time that runs from one that was set: what it is told is held against seconds that nobody sets (time.monotonic).

    A time that has jumped is held for `HOLD` seconds; if it is still the same then, it was meant, and counts. A machine that slept looks like one whose
    clock was set. Knows nothing of what was before it was made.
    """

    def __init__(self) -> None:
        """Begin with the first look."""
        self.jump = timedelta()
        """By how much the time jumped last."""
        self._last: tuple[datetime, float] | None = None
        self._until: float | None = None

    def held(self, now: datetime, seconds: float) -> bool:
        """Look at the time and at seconds that nobody sets; tell whether the time should not be acted on yet."""
        if self._last is not None:
            moved = (now - self._last[0]) - timedelta(seconds=seconds - self._last[1])
            if abs(moved) > JUMP:
                self.jump, self._until = moved, seconds + HOLD
        self._last = (now, seconds)
        if self._until is not None and seconds >= self._until:
            self._until = None
        return self._until is not None
