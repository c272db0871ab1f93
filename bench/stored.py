"""What clients were told, held against what stands in the database."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, text

import kb.models  # noqa: F401 - relationships between tables resolve once all are known
from kb.db import Database
from kb.search.models import Intent
from kb.tickets.models import Detail, Follower, Phrasing, Ticket
from kb.web.models import StoredAnswer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Told:
    """A write that was answered with success. `number` and `token`: the ticket that the answer named; `details`: the text that was added, "" for a question."""

    intent_id: str
    number: int
    token: str
    details: str = ""


@dataclass(frozen=True)
class Account:
    """Acknowledged writes against stored ones. `lost`, `double` and `unsound` say which are wrong: all three are empty when nothing was lost."""

    acknowledged: int
    intents: int
    tickets: int
    details: int
    keys: int
    lost: list[str] = field(default_factory=list)
    double: list[str] = field(default_factory=list)
    unsound: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether all that was acknowledged is stored once, and the database is whole."""
        return not (self.lost or self.double or self.unsound)


def audit(path: Path, told: Sequence[Told], keys: range) -> Account:
    """Compare what was acknowledged with an SQLite file. `keys`: how many Idempotency-Keys may have a stored answer, from those answered to those sent.

    Each question must have come from a person of its own, and no two details may be equal.
    """
    db = Database(f"sqlite:///{path}")
    try:
        with db.read() as session:
            intents, tickets, details, answers = (
                session.scalar(select(func.count()).select_from(table)) or 0 for table in (Intent, Ticket, Detail, StoredAnswer)
            )
            lost, double = _lost(session, told), _double(session)
            if answers not in keys:
                (lost if answers < keys.start else double).append(f"{answers} stored answers for {keys.start} to {keys.stop - 1} keys")
            return Account(len(told), intents, tickets, details, answers, lost, double, _unsound(session))
    finally:
        db.disconnect()


def _lost(session: Session, told: Sequence[Told]) -> list[str]:
    """Name what was acknowledged and is not there, or not as it was told."""
    mine = select(Intent.id, Follower.ticket_number, Follower.token).join(
        Follower, (Follower.person == Intent.person) & (Follower.ticket_number == Intent.ticket_number)
    )
    shares = {intent: (number, token) for intent, number, token in session.execute(mine)}
    texts = Counter(session.scalars(select(Detail.body)))
    lost = [f"{one.intent_id}: told {one.number}, stored {shares.get(one.intent_id)}" for one in told if shares.get(one.intent_id) != (one.number, one.token)]
    return lost + [f"{one.intent_id}: details" for one in told if one.details and not texts[one.details]]


def _double(session: Session) -> list[str]:
    """Name what was written more than once."""
    people = select(Follower.person).group_by(Follower.person).having(func.count() > 1)
    texts = select(Detail.body).group_by(Detail.body).having(func.count() > 1)
    return [f"a person with several shares: {one}" for one in session.scalars(people)] + [f"details twice: {one}" for one in session.scalars(texts)]


def _unsound(session: Session) -> list[str]:
    """Name what in the database contradicts itself."""
    shares = select(Follower.ticket_number, func.count()).group_by(Follower.ticket_number)
    wordings = select(Phrasing.ticket_number, func.sum(Phrasing.asked)).group_by(Phrasing.ticket_number)
    counted, asked = dict(session.execute(shares).all()), dict(session.execute(wordings).all())
    found = [
        f"T-{number} counts {people} people, {counted.get(number)} have a share, {asked.get(number)} asked"
        for number, people in session.execute(select(Ticket.number, Ticket.people))
        if not people == counted.get(number) == asked.get(number)
    ]
    damage: list[Any] = [row for row in session.execute(text("PRAGMA integrity_check")).scalars() if row != "ok"]
    damage += session.execute(text("PRAGMA foreign_key_check")).all()
    return found + [str(row) for row in damage]
