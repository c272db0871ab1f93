"""A ticket for which two people wait."""

from __future__ import annotations

import pytest

from kb.tickets import history, shares
from kb.tickets.shares import Wording


@pytest.fixture
def two(db, now):
    """Do something in one transaction to a ticket for which two people wait, and return what comes of it: `two(lambda ticket, hers, his: …)`."""

    def two_(do):
        with db.write() as session:
            ticket = history.open_ticket(session, "打印机卡纸怎么处理", now)
            both = [shares.join(ticket, person, Wording("打印机卡纸怎么处理", "key"), now, receipt=True) for person in ("asker", "colleague")]
            return do(ticket, *both)

    return two_
