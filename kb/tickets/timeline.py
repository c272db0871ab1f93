"""What happened to a ticket, in the words of the desk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from kb.tickets import lifecycle, undoing, unseen
from kb.tickets.models import Attachment, Ticket, TicketEvent
from kb.tickets.standing import ASKER, LEVEL_NAMES, NEWS, SYSTEM, Alarm, Kind, Level
from kb.tickets.triage import CATEGORY_NAMES, PRIORITY_NAMES
from kb.web.wording import ALARM_NAMES, event_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from indexer.published import Published

_CATEGORIES = {category.value: name for category, name in CATEGORY_NAMES.items()}
_PRIORITIES = {priority.value: name for priority, name in PRIORITY_NAMES.items()}
_SPOKEN = NEWS | {Kind.NOTED, Kind.ADDED, Kind.RATED, Kind.REOPENED, Kind.PUBLISHED}
"""What is somebody's words, as opposed to a step."""
_UNSHOWN = frozenset({Kind.AWAITED, Kind.UNAWAITED})
"""What only tells from when time counts, and what takes that back."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of what happened. `who` did `what`, in words; `other` is the number of another ticket that it names.

    `files` came with it and are still there. `internal`: only agents read it. `to`: the one person it was said to, "" for all.
    `forgotten`: its text was cleared in time. `new`: others did it after what this agent had seen. `undoable`: it may be taken back now;
    `mine`: this agent did it.
    """

    id: int
    at: datetime
    who: str
    what: str
    kind: str
    text: str = ""
    article: str = ""
    title: str = ""
    other: int | None = None
    files: tuple[Attachment, ...] = ()
    to: str = ""
    spoken: bool = False
    internal: bool = False
    forgotten: bool = False
    undone: bool = False
    undoable: bool = False
    mine: bool = False
    new: bool = False


@dataclass(frozen=True, slots=True)
class Words:
    """What it takes to say what happened: titles of articles, what each person is called (by the id of their share), names of modules."""

    published: Published
    labels: Mapping[int, str]
    modules: Mapping[str, str]

    def entries(self, session: Session, ticket: Ticket, agent: str, since: int | None) -> list[Entry]:
        """Return everything that happened to a ticket, and the tickets that were merged into it."""
        loaded = select(TicketEvent).where(TicketEvent.ticket_number == ticket.number).options(joinedload(TicketEvent.detail)).order_by(TicketEvent.id)
        events = [event for event in session.scalars(loaded) if not {event.kind, event.target if event.undoes else ""} & _UNSHOWN]
        undone = {event.undoes for event in events if event.undoes is not None}
        undoable = {event.id for event in undoing.undoable(ticket)}
        new = {event.id for event in unseen.news_since(ticket, agent, since)} if since is not None else set()
        files = self._files(session, events)
        whats = {event.id: self._what(event) for event in events}
        entries = [
            Entry(
                id=event.id,
                at=event.at,
                who=self._who(event),
                what=_undoing(event, whats) if event.undoes is not None else whats[event.id],
                kind=event.kind,
                text="" if event.kind == Kind.OPENED and event.body == ticket.question else event.text,
                article=event.article,
                title=self._title(event.article),
                other=int(event.target) if event.kind in {Kind.MOVED_OUT, Kind.MOVED_IN, Kind.MERGED} else None,
                files=tuple(files[id_] for id_ in _named_files(event) if id_ in files),
                to=self._label(event.follower_id) if event.follower_id is not None and event.kind in NEWS else "",
                spoken=event.kind in _SPOKEN,
                internal=event.kind == Kind.NOTED,
                forgotten=event.detail is not None and event.detail.forgotten_at is not None and not event.text,
                undone=event.id in undone,
                undoable=event.id in undoable,
                mine=event.actor == agent,
                new=event.id in new,
            )
            for event in events
        ]
        return sorted(entries, key=lambda entry: entry.id)

    def _files(self, session: Session, events: Sequence[TicketEvent]) -> dict[int, Attachment]:
        """Return the files that came with events and have not been removed."""
        named = [id_ for event in events for id_ in _named_files(event)]
        return {file.id: file for file in session.scalars(select(Attachment).where(Attachment.id.in_(named)))}

    def _who(self, event: TicketEvent) -> str:
        if event.actor == SYSTEM:
            return "系统"
        return event.actor if event.actor != ASKER else self._label(event.follower_id)

    def _label(self, follower: int | None) -> str:
        return "提问人" if follower is None else self.labels.get(follower, "一位已移走的提问人")

    def _title(self, article: str) -> str:
        found = self.published.articles.get(article)
        return found.title if found is not None else article

    def _what(self, event: TicketEvent) -> str:
        """Return what happened, its target in words."""
        kind, target = Kind(event.kind), event.target
        name = event_name(kind)
        if kind in {Kind.REPLIED, Kind.ASKED}:
            return f"{name} {self._label(event.follower_id) if event.follower_id is not None else '所有人'}"
        if kind is Kind.FILED:
            return f"{name} {self.modules.get(target, target) or '未归类'}"
        if kind is Kind.MOVED_OUT:
            moved = len((event.data or {}).get("phrasings", ()))
            return f"移走 {moved} 种问法，到" if moved else "问法移回"
        if kind is Kind.MOVED_IN and (event.data or {}).get("merged"):
            return "并入这一张："
        if kind is Kind.ADDED and _named_files(event):
            return "添加了文件"
        in_words = {
            Kind.ASSIGNED: "接手" if target == event.actor else f"{name} {target}" if target else "放回未分配",
            Kind.CATEGORISED: f"{name} {_CATEGORIES.get(target, '未定')}",
            Kind.PRIORITISED: f"{name} {_PRIORITIES.get(target, '未定')}",
            Kind.PUBLISHED: f"{name}（{lifecycle.PUBLIC_KINDS.get(target, target)}）",
            Kind.REOPENED: "说仍未解决" if event.actor == ASKER else name,
            Kind.RETIRED: "公开回复由文章代替" if event.article else name,
            Kind.RATED: f"{name} {target} 分",
            Kind.RESOLVED: "用文章解决" if event.article else name,
            Kind.SUGGESTED: name if event.article else "先前建议的文章不再合适",
            Kind.DISMISSED: "不是这篇",
            Kind.ALARMED: (ALARM_NAMES[Alarm(target)] or "时限还早，收回提醒") if kind is Kind.ALARMED else "",
            Kind.ESCALATED: f"升级给{LEVEL_NAMES[Level(target)]}" if kind is Kind.ESCALATED and target else "取消升级",
        }
        return in_words.get(kind, name)


def _undoing(event: TicketEvent, whats: Mapping[int, str]) -> str:
    """Return what was taken back: of those who asked nobody can take back more than their going."""
    return "恢复了提问" if event.actor == ASKER else f"撤销：{whats.get(event.undoes or 0, '一步操作')}"


def _named_files(event: TicketEvent) -> list[int]:
    """Return the ids of the files that a person added with this event."""
    return list((event.data or {}).get("files", ())) if event.kind == Kind.ADDED else []
