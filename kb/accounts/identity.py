"""Who a person is to the app that they came from."""

from __future__ import annotations

from typing import NamedTuple


class Subject(NamedTuple):
    """A host app's person: the app's site, and the app's own id of the person."""

    site: str
    sub: str


def subject_of(person: str) -> Subject | None:
    """Return whom a host app knows as `person`, `s:<site>:<sub>`; None for everybody else."""
    kind, _, rest = person.partition(":")
    site, colon, sub = rest.partition(":")
    return Subject(site, sub) if kind == "s" and site and colon and sub else None
