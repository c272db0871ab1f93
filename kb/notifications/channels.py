"""The port to what carries messages: one message's content, where it goes, and what may go wrong on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Letter:
    """What one message says. `text` and `html` say the same; `url` is where to go on; `unsubscribe` is empty where nobody can."""

    subject: str
    text: str
    html: str
    url: str
    unsubscribe: str


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A letter on its way to one address. `message_id` stays the same at every try.

    `site` and `sub` name a host app's person, or are empty; `ticket` reads T-1024, or is empty. `told`: what a site's server reads instead of the letter.
    """

    message_id: str
    address: str
    topic: str
    letter: Letter
    sub: str
    site: str
    ticket: str
    told: dict[str, Any] | None = None


class DeliveryError(Exception):
    """A message was not taken; `reason` says why in words that may be shown on the desk, without secrets.

    `permanent`: this address or this message will never be taken. `down`: the whole channel is unreachable, so that nothing else need be tried for now
    and the try does not count. Neither: try this one again later; with `alone` that is about this address only and says nothing of the channel.
    """

    def __init__(self, reason: str, *, permanent: bool = False, down: bool = False, alone: bool = False) -> None:
        """Keep the reason and what it means for the next try."""
        super().__init__(reason)
        self.reason = reason
        self.permanent = permanent
        self.down = down
        self.alone = alone


class Channel(Protocol):
    """One way out. Not shared by threads."""

    name: str

    def send(self, outgoing: Outgoing) -> None:
        """Hand one message over; returning means that the other side took it. Raises DeliveryError."""

    def close(self) -> None:
        """Let go of what is open; the next `send` opens it again."""
