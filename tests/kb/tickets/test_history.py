"""Whatever people and agents do, in whatever order: what stands beside the events is what they add up to, and what was undone leaves nothing behind."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from kb.errors import ConflictError, InvalidRequestError
from kb.search.models import Intent
from kb.tickets import history, lifecycle, regroup, shares, undoing, unseen
from kb.tickets.models import Attachment, Detail, Follower, Phrasing, PublicReply, Ticket, TicketEvent
from kb.tickets.shares import Wording
from kb.tickets.standing import Kind
from tests.kb.tickets.conftest import consistent

LOST, REJECTED, PRINTER, BUS = WORDS = ("发票丢了", "发票查验不过", "打印机", "班车")
PEOPLE = ("a", "b", "c")
ASKED = (((LOST, "a"), (REJECTED, "a"), (REJECTED, "b"), (LOST, "c")), ((PRINTER, "a"), (LOST, "b")), ((BUS, "c"), (REJECTED, "c")))
"""Who asked what in each of three tickets: people in more than one, the same words in two, one person with two wordings."""


class Desk:
    """Three tickets, what may be done with them, and a clock."""

    def __init__(self, session, now):
        self.session, self.at = session, now
        for asked in ASKED:
            ticket = history.open_ticket(session, asked[0][0], now)
            for word, person in asked:
                mine = self.ask(ticket, person, word)
                shares.add_details(mine, f"{word}，在三楼", None, self.tick())
                session.add(Attachment(follower_id=mine.id, name="a.png", media_type="image/png", size=1, digest=word, at=self.at))

    def tick(self):
        self.at += timedelta(minutes=1)
        return self.at

    def ticket(self, choice):
        numbers = list(self.session.scalars(select(Ticket.number).order_by(Ticket.number)))
        return self.session.get_one(Ticket, numbers[choice % len(numbers)])

    def share(self, choice):
        ids = list(self.session.scalars(select(Follower.id).order_by(Follower.id)))
        share = self.session.get_one(Follower, ids[choice % len(ids)])
        return shares.share(self.session, share.token)

    def ask(self, ticket, person, word):
        mine = shares.join(ticket, person, Wording(word, word, (word, "怎么")), self.tick(), receipt=word != BUS)
        count = self.session.scalar(select(func.count()).select_from(Intent))
        given = {"verdict": "unanswered", "score": 0.0, "matched": [], "missing": [], "build": "", "verdict_version": 1, "hits": 0, "trigger": "enter"}
        self.session.add(
            Intent(id=f"i{count}", person=person, query=word, key=word, at=self.at, staff=False, limited=False, ticket_number=ticket.number, **given)
        )
        return mine


def agent_steps(desk, one, two, more):
    """What an agent may take back, by name."""
    ticket, other = desk.ticket(one), desk.ticket(two)
    return {
        "assign": lambda: lifecycle.assign(ticket, ("lin", "wang", "")[more % 3], "lin", desk.tick()),
        "categorise": lambda: lifecycle.categorise(ticket, ("fault", "inquiry")[more % 2], "lin", desk.tick()),
        "prioritise": lambda: lifecycle.prioritise(ticket, ("urgent", "normal")[more % 2], "lin", desk.tick()),
        "file": lambda: lifecycle.file(ticket, ("m", "")[more % 2], "lin", desk.tick(), ["m"]),
        "resolve": lambda: lifecycle.resolve(ticket, "lin", desk.tick(), article=("", "m/a")[more % 2], body="见附件"),
        "spam": lambda: lifecycle.spam(ticket, "lin", desk.tick()),
        "dismiss": lambda: lifecycle.dismiss(ticket, "lin", desk.tick()),
        "publish": lambda: lifecycle.publish(ticket, "known", "正在修", "lin", "agent", desk.tick(), desk.at + timedelta(days=1)),
        "merge": lambda: regroup.merge(desk.session, ticket, other, "lin", desk.tick()),
        "move": lambda: regroup.move(desk.session, ticket, some(ticket, more), other, "lin", desk.tick()),
        "split": lambda: regroup.move(desk.session, ticket, some(ticket, more), None, "lin", desk.tick()),
    }


def other_steps(desk, one, two, more):
    """What stays done."""
    ticket, share = desk.ticket(one), desk.share(two)
    return {
        "ask": lambda: desk.ask(ticket, PEOPLE[two % 3], WORDS[more % 4]) if ticket.open else None,
        "withdraw": lambda: shares.withdraw(share.ticket, share, desk.tick()),
        "rejoin": lambda: shares.rejoin(share, desk.tick()),
        "details": lambda: shares.add_details(share, f"第 {more} 次", "8001", desk.tick()),
        "confirm": lambda: shares.confirm(share, desk.tick()),
        "rate": lambda: shares.rate(share, 1 + more % 5, "好", desk.tick()),
        "reopen": lambda: shares.reopen(share, "还是不行", desk.tick()),
        "reply": lambda: lifecycle.reply(ticket, "在查", "lin", desk.tick(), share if more % 2 and share.ticket_number == ticket.number else None),
        "ask back": lambda: lifecycle.ask(ticket, "哪一张", "lin", desk.tick()),
        "note": lambda: lifecycle.note(ticket, "查过了", "lin", desk.tick()),
        "reopen by agent": lambda: lifecycle.reopen(ticket, "答错了", "lin", desk.tick()),
        "expire": lambda: lifecycle.expire(ticket, desk.tick()),
        "suggest": lambda: lifecycle.suggest(ticket, ("m/a", "m/b", "")[more % 3], desk.tick()),
        "retire": lambda: lifecycle.retire(ticket, "lin", desk.tick()),
        "in turn": lambda: lifecycle.assign_in_turn(ticket, ["lin", "wang"], desk.tick()),
        "undo": lambda: undo_any(desk, ticket, more),
    }


def some(ticket, choice):
    return [phrasing.id for place, phrasing in enumerate(ticket.phrasings) if choice >> place & 1]


def undo_any(desk, ticket, choice):
    events = undoing.undoable(ticket)
    if events:
        undoing.undo(desk.session, ticket, events[choice % len(events)].id, "lin", desk.tick())


def attempt(desk, step):
    """Do a step as a request does: whole, or refused and without a trace."""
    try:
        with desk.session.begin_nested():
            step()
    except (ConflictError, InvalidRequestError):
        return False
    return True


def page(session, share):
    """Return where the address of a share leads."""
    onward = shares.share(session, session.get_one(Follower, share).token)
    return onward.ticket_number, onward.person, onward.waiting, onward.withdrawn_at


def picture(session):
    """Return what people and agents see of all tickets that do not stand there only because of what was undone."""
    session.flush()
    session.expire_all()
    return {
        "tickets": {one.number: (history.written(one), one.people, one.waiting, one.question) for one in session.scalars(select(Ticket))},
        "wordings": {one.id: (one.ticket_number, one.asked) for one in session.scalars(select(Phrasing))},
        "people": {one.id: page(session, one.id) for one in session.scalars(select(Follower))},
        "intents": {one.id: one.ticket_number for one in session.scalars(select(Intent))},
        "details": {one.id: page(session, one.follower_id) for one in session.scalars(select(Detail)) if one.follower_id},
        "files": {one.id: page(session, one.follower_id) for one in session.scalars(select(Attachment))},
        "replies": {one.id: (one.ticket_number, one.ended_at, one.replaced_by) for one in session.scalars(select(PublicReply))},
    }


choice = st.integers(0, 63)
steps = st.lists(st.tuples(st.booleans(), st.sampled_from(range(16)), choice, choice, choice), max_size=8)
cheap = settings(max_examples=8, deadline=None, database=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])


def play(desk, taken):
    for undoable, which, one, two, more in taken:
        offered = list((agent_steps if undoable else other_steps)(desk, one, two, more).values())
        attempt(desk, offered[which % len(offered)])


@cheap
@given(steps)
def test_after_any_steps_what_stands_beside_the_events_is_what_they_add_up_to(db, now, taken):
    with db.read() as session:
        desk = Desk(session, now)
        play(desk, taken)
        consistent(session)


@pytest.mark.parametrize("name", ["assign", "resolve", "publish", "merge", "move", "split"])
@settings(cheap, max_examples=3)
@example(before=[(False, 0, 0, 0, 0), (False, 0, 0, 0, 0), (False, 1, 0, 0, 0)], one=0, two=1, more=1)  # who took back what is moved
@given(before=steps, one=choice, two=choice, more=choice)
def test_what_is_undone_at_once_leaves_everything_as_it_was(db, now, name, before, one, two, more):
    with db.read() as session:
        desk = Desk(session, now)
        play(desk, before)
        seen = picture(session)
        newest = session.scalar(select(func.max(TicketEvent.id)))
        done = attempt(desk, agent_steps(desk, one, two, more)[name])
        step = session.scalar(select(TicketEvent).where(TicketEvent.id > newest, TicketEvent.actor == "lin").order_by(TicketEvent.id.desc()).limit(1))
        if not done or step is None:
            assert picture(session) == seen
            return
        ticket = session.get_one(Ticket, step.ticket_number)
        assert step.id in {event.id for event in undoing.undoable(ticket)}
        undoing.undo(session, ticket, step.id, "lin", desk.tick())
        undoing.undo(session, ticket, step.id, "lin", desk.tick())
        consistent(session)
        found = picture(session)
        for of, rows in seen.items():
            assert {id_: found[of].get(id_) for id_ in rows} == rows, of
        assert session.scalar(select(func.count()).where(TicketEvent.kind == Kind.UNDONE.value, TicketEvent.undoes == step.id)) == 1


@pytest.mark.parametrize(
    "step",
    [
        lambda ticket, _, now: shares.join(ticket, "z", Wording(PRINTER, "k", ("打印机",)), now, receipt=True),
        lambda ticket, _, now: shares.join(ticket, "p3", Wording("问法 3", "k3"), now, receipt=True),
        shares.withdraw,
        lambda _, mine, now: shares.add_details(mine, "在三楼", None, now),
        lambda ticket, _, __: shares.touched(ticket),
        lambda ticket, mine, now: lifecycle.reply(ticket, "在查", "lin", now, mine),
        lambda ticket, _, now: lifecycle.assign_in_turn(ticket, ["lin", "wang"], now),
        lambda ticket, _, now: lifecycle.suggest(ticket, "m/a", now),
        lambda ticket, _, __: unseen.require_unchanged(ticket, "lin", ticket.version),
    ],
)
def test_a_step_loads_nothing_of_the_others_however_many_they_are(db, now, step):
    with db.write() as session:
        number = history.open_ticket(session, "打印机", now).number
        ticket = session.get_one(Ticket, number)
        for person in range(30):
            mine = shares.join(ticket, f"p{person}", Wording(f"问法 {person}", f"k{person}", ("打印机",)), now, receipt=True)
            shares.add_details(mine, "卡纸", None, now)
        session.flush()
        session.expunge_all()
        ticket = session.get_one(Ticket, number)
        step(ticket, shares.of(session, ticket, "p7"), now)
        session.flush()
        loaded = [row for row in session.identity_map.values() if isinstance(row, (TicketEvent, Follower, Phrasing, Detail))]
        assert len(loaded) <= 6
        assert not {"events", "followers", "phrasings"} & set(vars(ticket))
