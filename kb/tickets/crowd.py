"""Who is nobody in particular can be a thousand people: what the anonymous people at one address turn into tickets is counted together."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

PEOPLE = 12
"""How many people who use up their hour one address may be: with the default, 240 questions. A company behind one address stays below."""
_HOUR = timedelta(hours=1)


class Crowd:
    """The questions of anonymous people that became tickets within an hour, by address, in this process. Any number of threads may use it."""

    def __init__(self, allowed: int) -> None:
        """Let `allowed` questions of one address in an hour become tickets."""
        self._allowed = allowed
        self._asked: defaultdict[str, deque[datetime]] = defaultdict(deque)
        self._lock = threading.Lock()

    def full(self, source: str, now: datetime) -> bool:
        """Tell whether an address had all of its hour; "", an address that is unknown or not counted, never has."""
        with self._lock:
            return self._recent(source, now) >= self._allowed

    def add(self, source: str, now: datetime) -> None:
        """Count a question that became a ticket."""
        if source:
            with self._lock:
                for known in [*self._asked]:  # those that have asked nothing since go
                    self._recent(known, now)
                self._asked[source].append(now)

    def _recent(self, source: str, now: datetime) -> int:
        """Return how many of an address are younger than an hour; drop the others, and with the last one the address."""
        if source not in self._asked:
            return 0
        asked = self._asked[source]
        while asked and now - asked[0] >= _HOUR:
            asked.popleft()
        if not asked:
            del self._asked[source]
        return len(asked)
