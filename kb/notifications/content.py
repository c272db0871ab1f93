"""What a letter says, before it is plain text, HTML or a line in a group. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Link(NamedTuple):
    """Where to go on; the first of a letter is what it is about."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Content:
    """What a letter says, before it is plain text or HTML. `said` is an agent's own words, kept line by line; `why` tells why somebody gets it.

    `leave` and `leave_all` are what the links are called that end such letters, and all to an address that somebody only wrote down; "" for none.
    """

    subject: str
    lead: str
    why: str
    links: tuple[Link, ...] = ()
    said: str = ""
    facts: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    leave: str = ""
    leave_all: str = ""
