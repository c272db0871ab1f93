"""Agents put wordings together that are one wish, and apart what are two. Each move notes what it moved, so that it can be moved back.

People go where their wordings go, with their details and files. Who has asked both what goes and what stays has a share in both; whoever has a share where
another of theirs comes to keeps that one, and the other's address leads there.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, update

from kb.errors import ConflictError, InvalidRequestError
from kb.search.models import Intent
from kb.tickets import history, realms
from kb.tickets.models import Attachment, Detail, Follower, Phrasing, PublicReply, Ticket, TicketEvent
from kb.tickets.standing import SYSTEM, Kind, as_stored

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from sqlalchemy.orm import Session


def merge(session: Session, source: Ticket, target: Ticket, agent: str, now: datetime) -> None:
    """Let `target` go on for everybody: all wordings and people of `source` come to it, with its public reply, and `source` closes.

    Raises InvalidRequestError for a ticket and itself, ConflictError when `target` has ended or `source` was merged before or is spam.
    """
    _require_two(source, target)
    if not target.open or source.closed_as in {"merged", "spam"}:
        raise ConflictError("只能并入还没解决的工单。请换一张，或先重新打开它。")
    replies = session.scalars(select(PublicReply.id).where(PublicReply.ticket_number == source.number, PublicReply.ended_at.is_(None)))
    moved = _shift(session, source, target, source.phrasings, now) | {"replies": _carry(session, PublicReply, replies, source, target)}
    waited = _waited(session, source, moved)
    timed = _settle(session, source, target, now)
    came = history.record(target, Kind.MOVED_IN, now, agent, target=str(source.number), data={"merged": [source.number], "runs": waited})
    history.record(source, Kind.MERGED, now, agent, target=str(target.number), data=moved | {"timed": [*timed, came.id]})


def move(session: Session, source: Ticket, phrasings: Collection[int], target: Ticket | None, agent: str, now: datetime) -> Ticket:
    """Move some wordings, with the people who used them, to another open ticket, or to a new one of their own (`target` None); return that ticket.

    Raises InvalidRequestError when nothing is chosen, or when nothing would stay behind; ConflictError when `target` has ended.
    """
    chosen = [phrasing for phrasing in source.phrasings if phrasing.id in set(phrasings)]
    if not chosen:
        raise InvalidRequestError("nothing_chosen", "先勾选要移动的问法。")
    if len(chosen) == len(source.phrasings):
        if target is None:
            raise InvalidRequestError("all_chosen", "拆分要留下至少一种问法。")
        merge(session, source, target, agent, now)
        return target
    if target is not None:
        _require_two(source, target)
        if not target.open:
            raise ConflictError("只能移到还没解决的工单。请换一张，或拆成新工单。")
    into = target or history.open_ticket(session, _most_asked(chosen), now, module=source.module, category=source.category, priority=source.priority)
    moved = _shift(session, source, into, chosen, now)
    waited = _waited(session, source, moved)
    responded = [source.responded_at.isoformat()] if target is None and source.responded_at is not None else []
    timed = _settle(session, source, into, now)
    came = history.record(into, Kind.MOVED_IN, now, agent, target=str(source.number), data={"runs": waited, "responded": responded})
    history.record(source, Kind.MOVED_OUT, now, agent, target=str(into.number), data=moved | {"timed": [*timed, came.id]})
    return into


def move_back(session: Session, source: Ticket, event: TicketEvent, agent: str, now: datetime) -> None:
    """Undo a move: what `event` moved out of `source` comes back, with those who have used these wordings since.

    Raises ConflictError when something of it was moved on since, or when `source` has ended since.
    """
    target, moved = history.find(session, int(event.target)), event.data or {}
    phrasings = [phrasing for phrasing in target.phrasings if phrasing.id in set(moved["phrasings"])]
    there = session.scalar(select(func.count()).where(Follower.id.in_(moved["followers"]), Follower.ticket_number == target.number))
    if (len(phrasings), there) != (len(moved["phrasings"]), len(moved["followers"])):
        raise ConflictError(f"这些问法后来又从 {target.name} 移走了。请先撤销那一步。")
    if event.kind == Kind.MOVED_OUT and source.ended_at is not None and source.ended_at > event.at:
        raise ConflictError(f"{source.name} 已经解决或关闭，不能再移回去。请先重新打开它。")
    for pair in moved["doubled"]:
        _part(session, pair, source)
    for share in moved["revived"]:
        _restore(session.get_one(Follower, share["id"]), share)
    session.flush()
    _shift(session, target, source, phrasings, now, back=moved)
    _carry(session, PublicReply, moved.get("replies", []), target, source)
    for timed in moved.get("timed", []):  # that somebody began to wait there, or nobody waited here, was the move's doing
        was = session.get_one(TicketEvent, timed)
        history.record(source if was.ticket_number == source.number else target, Kind.UNDONE, now, agent, undoes=was.id, target=was.kind)
    _settle(session, target, source, now)
    source.question = moved["question"][0]
    emptied = target.open and not target.phrasings and not target.people
    history.record(target, Kind.MERGED if emptied else Kind.MOVED_OUT, now, agent, target=str(source.number))


def _shift(
    session: Session, source: Ticket, target: Ticket, phrasings: list[Phrasing], now: datetime, back: dict[str, list[Any]] | None = None
) -> dict[str, list[Any]]:
    """Take wordings to another ticket with the people who used them, and return what it takes to bring them back; `back` is such a note.

    Ids of `phrasings`, `intents` and `followers` (shares that came or are new); which shares were `doubled`, or `revived` for who waits in both; what the
    `question` was.
    """
    here = {phrasing.text for phrasing in source.phrasings if phrasing not in phrasings}
    texts = {phrasing.text for phrasing in phrasings} - (here if back else set())
    staying, returning = here - texts, set(back["followers"] if back else [])
    brought = set(back["intents"] if back else [])
    asked = _asked(session, source, texts, staying, brought)
    known = {share.person: share for share in session.scalars(select(Follower).where(Follower.ticket_number == target.number))}
    coming, both = [], []
    for share in session.scalars(select(Follower).where(Follower.ticket_number == source.number, Follower.goes_on.is_(None)).order_by(Follower.id)):
        going, stayed = asked.get(share.person, ({}, {}))
        goes = share.wording in texts or share.id in returning or not staying
        since = stayed if goes else {intent: query for intent, query in going.items() if intent not in brought}  # what a move brought here was never asked here
        other = next(iter(since.values()), None) if share.withdrawn_at is None else None
        there = known.get(share.person)
        waits_there = there is not None and there.withdrawn_at is None
        if other is not None and not waits_there:
            both.append((share, source if goes else target, other))
        if goes and not (other is not None and waits_there):
            coming.append(share)
    note: dict[str, list[Any]] = {"question": [source.question], "doubled": _bring(session, coming, source, target, now)}
    session.flush()
    company = {ticket.number: realms.present(ticket) for ticket in (source, target)} if both else {}
    too = [_wait_too(session, *one, now, company) for one in both]
    session.flush()
    note["revived"] = [was for _, was in too if was is not None]
    note["followers"] = [share.id for share in [*coming, *(new for new, was in too if was is None)] if share.ticket_number == target.number]
    note["phrasings"] = _carry(session, Phrasing, [phrasing.id for phrasing in phrasings], source, target)
    note["intents"] = _carry(session, Intent, [intent for going, _ in asked.values() for intent in going], source, target)
    return note


def _asked(session: Session, source: Ticket, texts: set[str], staying: set[str], returning: set[str]) -> dict[str, tuple[dict[str, str], dict[str, str]]]:
    """Return, for each person, the questions (id → words) that go with these wordings and those that stay."""
    found: dict[str, tuple[dict[str, str], dict[str, str]]] = {}
    for intent, person, query in session.execute(select(Intent.id, Intent.person, Intent.query).where(Intent.ticket_number == source.number)):
        going, stayed = found.setdefault(person, ({}, {}))
        if intent in returning or query in texts or not staying:
            going[intent] = query
        elif query in staying:
            stayed[intent] = query
    return found


def _bring(session: Session, shares: list[Follower], source: Ticket, target: Ticket, now: datetime) -> list[dict[str, Any]]:
    """Move shares, and let those whose person has one there go on in it; return how to part these again. What was said where they come from stays readable."""
    persons = select(Follower.person).where(Follower.id.in_([share.id for share in shares]))
    there = {one.person: one for one in session.scalars(select(Follower).where(Follower.ticket_number == target.number, Follower.person.in_(persons)))}
    doubled, company = [], realms.present(target)
    for share in shares:
        into = there.get(share.person)
        read = _came_from(share) | {source.number: (source.version, share.reads_after)}
        if into is None:
            share.reads_after = _reads_after(share, target, company)
            share.ticket_number, share.came_from = target.number, _listed(read, target)
        elif share.withdrawn_at is None:
            if into.withdrawn_at is not None:
                into.reads_after = company.reads_after(into.person, into.site)
            doubled.append(_double(session, share, into, now))
            for number, (last, after) in _came_from(into).items():
                known = read.get(number, (last, after))
                read[number] = max(last, known[0]), min(after, known[1])
            into.came_from = _listed(read, target)
    return doubled


def _came_from(share: Follower) -> dict[int, tuple[int, int]]:
    """Return for each ticket that a share was in before the last event that its person read there, and the one after which they read."""
    return {int(number): (int(last), int(after)) for number, last, after in share.came_from}


def _listed(read: dict[int, tuple[int, int]], here: Ticket) -> list[list[int]]:
    """Return as it is stored what a person read in other tickets than this one."""
    return [[number, last, after] for number, (last, after) in read.items() if number != here.number]


def _reads_after(share: Follower, where: Ticket, company: realms.Present) -> int:
    """Return after which event somebody reads a ticket that an agent brings them to: where they were before as before, else as whoever comes."""
    known = _came_from(share).get(where.number)
    return known[1] if known is not None else company.reads_after(share.person, share.site)


def _double(session: Session, share: Follower, into: Follower, now: datetime) -> dict[str, Any]:
    """Let a person's share go on in another one of theirs, with details, files and how to reach them; return how they were."""
    details = list(session.scalars(select(Detail.id).where(Detail.follower_id == share.id)))
    files = list(session.scalars(select(Attachment.id).where(Attachment.follower_id == share.id)))
    was = {"share": share.id, "into": _state(into), "details": details, "files": files}
    _hand_over(session, details, files, share, into)
    into.waiting = share.waiting or (into.waiting and into.withdrawn_at is None)
    into.contact = into.contact or share.contact
    into.withdrawn_at = into.goes_on = None
    share.withdrawn_at, share.goes_on = now, into.id
    return was


def _part(session: Session, pair: dict[str, Any], source: Ticket) -> None:
    """Undo `_double`. What its person has taken back since stays taken back; a share that goes on elsewhere by now stays as it is."""
    share, into = session.get_one(Follower, pair["share"]), session.get_one(Follower, pair["into"]["id"])
    if share.ticket_number != source.number or share.goes_on != into.id:
        return
    _hand_over(session, pair["details"], pair["files"], into, share)
    share.withdrawn_at, share.goes_on, share.seen_at = into.withdrawn_at, None, into.seen_at
    if into.withdrawn_at is None:
        _restore(into, pair["into"])


def _hand_over(session: Session, details: list[int], files: list[int], share: Follower, to: Follower) -> None:
    """Give to one share of a person what another of theirs still has of these."""
    session.execute(update(Detail).where(Detail.id.in_(details), Detail.follower_id == share.id).values(follower_id=to.id))
    session.execute(update(Attachment).where(Attachment.id.in_(files), Attachment.follower_id == share.id).values(follower_id=to.id))
    for one in (share, to):
        session.expire(one, ["details", "files"])


def _state(share: Follower) -> dict[str, Any]:
    """Return whether and how a share counted."""
    withdrawn = share.withdrawn_at.isoformat() if share.withdrawn_at is not None else None
    return {"id": share.id, "waiting": share.waiting, "withdrawn": withdrawn, "goes_on": share.goes_on}


def _restore(share: Follower, state: dict[str, Any]) -> None:
    """Let a share count as `_state` found it."""
    share.waiting, share.goes_on = state["waiting"], state["goes_on"]
    share.withdrawn_at = datetime.fromisoformat(state["withdrawn"]) if state["withdrawn"] is not None else None


def _wait_too(
    session: Session, share: Follower, where: Ticket, wording: str, now: datetime, company: dict[int, realms.Present]
) -> tuple[Follower, dict[str, Any] | None]:
    """Let somebody who asked for two things wait for the other one too. Returns their share there, and how it was if they had taken it back."""
    there = session.scalar(select(Follower).where(Follower.ticket_number == where.number, Follower.person == share.person))
    if there is not None:
        was = _state(there)
        there.reads_after = _reads_after(share, where, company[where.number])
        there.withdrawn_at, there.goes_on, there.waiting = None, None, share.waiting
        return there, was
    token, came_from = secrets.token_urlsafe(24), [one for one in share.came_from if one[0] != where.number]
    new = Follower(
        ticket_number=where.number,
        person=share.person,
        token=token,
        wording=wording,
        waiting=share.waiting,
        joined_at=now,
        seen_at=share.seen_at,
        contact=share.contact,
        came_from=came_from,
        reads_after=_reads_after(share, where, company[where.number]),
        site=share.site,
        context=share.context,
    )
    session.add(new)
    return new, None


def _carry(session: Session, kind: type[Phrasing | Intent | PublicReply], ids: Iterable[Any], source: Ticket, target: Ticket) -> list[Any]:
    """Make those of these rows that belong to `source` belong to `target`; return the ids."""
    listed = list(ids)
    session.execute(update(kind).where(kind.id.in_(listed), kind.ticket_number == source.number).values(ticket_number=target.number))
    return listed


def _waited(session: Session, source: Ticket, moved: dict[str, list[Any]]) -> list[list[str | None]]:
    """Return the runs of a ticket in which those who leave it have waited: none of them counts from before the first of them came."""
    came = select(func.min(Follower.joined_at)).where(Follower.id.in_(moved["followers"]), Follower.waiting.is_(True), Follower.withdrawn_at.is_(None))
    first = session.scalar(came)
    if first is None or not source.open:
        return []
    runs = [(max(since, first), until) for since, until in history.written(source).runs if until is None or until > first]
    return as_stored(runs)


def _settle(session: Session, source: Ticket, target: Ticket, now: datetime) -> list[int]:
    """Count people again, let wordings be found where they are now, and name a ticket by a wording that it has. One in which nobody is left closes.

    Return the ids of the events that this brought about: that somebody waits, that nobody does, that a ticket closed.
    """
    session.flush()
    counted: list[TicketEvent | None] = []
    for ticket in (source, target):
        session.expire(ticket, ["phrasings", "followers"])
        counted.append(history.count_people(ticket, now))
        if ticket.open and not ticket.people and ticket.phrasings:
            counted.append(history.record(ticket, Kind.WITHDRAWN, now, SYSTEM))
        history.reindex(ticket)
    if source.phrasings and source.question not in {phrasing.text for phrasing in source.phrasings}:
        source.question = _most_asked(source.phrasings)
    return [event.id for event in counted if event is not None]


def _most_asked(phrasings: list[Phrasing]) -> str:
    return max(phrasings, key=lambda phrasing: (phrasing.asked, -phrasing.id)).text


def _require_two(source: Ticket, target: Ticket) -> None:
    if source.number == target.number:
        raise InvalidRequestError("same_ticket", "不能并入它自己。请写另一张工单的编号。")
