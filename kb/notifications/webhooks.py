"""Messages to the servers of sites: what happens to the questions of their people. docs/api.md says what they get.

One message for each thing that happens and each webhook, however many of a site's people it concerns. It is written when it is sent, from what is true then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kb.accounts.identity import subject_of
from kb.notifications import bots, readers, spreading
from kb.notifications.channels import Letter, Outgoing
from kb.notifications.models import Notice
from kb.notifications.outbox import Topic
from kb.notifications.spreading import WEBHOOK, WEBHOOK_TOPICS
from kb.tickets import shares
from kb.tickets.models import Ticket, TicketEvent

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy.orm import Session

    from indexer.published import Published
    from kb.db import Database
    from kb.notifications.channels import Channel
    from kb.notifications.models import Message
    from kb.tickets.models import Follower

MOST_PEOPLE = 200
"""People that one message names; `count` says how many there are, and GET /api/v1/tickets tells of all."""


class SiteServer:
    """One address at which a site's server listens."""

    def __init__(self, name: str, url: str, secret: str, now: Callable[[], datetime]) -> None:
        """Remember where it is; nothing is opened."""
        self.name = name
        self._url = url
        self._secret = secret
        self._now = now

    def send(self, outgoing: Outgoing) -> None:
        """Hand it over, signed. Raises DeliveryError."""
        now = self._now()
        said = {"id": outgoing.message_id, "type": outgoing.topic, "at": now.isoformat(), "site": outgoing.site, "ticket": outgoing.ticket}
        bots.hand_over(WEBHOOK, self._url, self._secret, {**said, **(outgoing.told or {})}, now)

    def close(self) -> None:
        """Nothing stays open."""


def channels(db: Database, now: Callable[[], datetime]) -> dict[str, Channel]:
    """Return the webhooks in force as channels, by name."""
    with db.read() as session:
        found = {spreading.webhook_name(one): one for one in spreading.webhooks_in_force(session)}
        return {name: SiteServer(name, one.url, one.secret, now) for name, one in found.items()}


def is_one(channel: str) -> bool:
    """Tell whether a channel of this name is a webhook."""
    return channel.startswith(f"{WEBHOOK}-")


def write(session: Session, message: Message, published: Callable[[], Published], base_url: str) -> Outgoing | None:
    """Return a message ready to go out, None when it concerns nobody of the site any more; an answer concerns those who may read it.

    `published` is called only for what names an article.
    """
    notice, site = session.get_one(Notice, message.notice_id), message.address
    event = session.get(TicketEvent, notice.event_id) if notice.event_id is not None else None
    if event is not None and spreading.taken_back(session, event):
        return None
    topic = Topic(notice.kind)
    theirs = [share for share in spreading.concerned(session, notice, event, topic) if _is_of(share, site)]
    answers = event is not None and topic in {Topic.REPLIED, Topic.RESOLVED}
    if event is not None and answers:
        theirs = [share for share in theirs if shares.may_read(share, event)]
    if not theirs:
        return None
    number = event.ticket_number if event is not None else theirs[0].ticket_number
    told: dict[str, Any] = {
        "happened_at": (event.at if event is not None else notice.at).isoformat(),
        "state": session.get_one(Ticket, number).state,
        "people": [_person(share, base_url) for share in theirs[:MOST_PEOPLE]],
        "count": len(theirs),
    }
    if event is not None and answers:
        readable = bool(event.article) and published().article(event.article, readers.of_site(session, site)) is not None
        told |= {"text": event.text, "article": event.article if readable else "", "url": f"{base_url}/a/{event.article}" if readable else None}
    letter = Letter(WEBHOOK_TOPICS[topic], "", "", "", "")
    return Outgoing(message.message_id, site, WEBHOOK_TOPICS[topic], letter, "", site, f"T-{number}", told)


def _is_of(share: Follower, site: str) -> bool:
    subject = subject_of(share.person)
    return subject is not None and subject.site == site


def _person(share: Follower, base_url: str) -> dict[str, str]:
    subject = subject_of(share.person)
    return {"sub": subject.sub if subject is not None else "", "question": share.wording, "token": share.token, "url": f"{base_url}/t/{share.token}"}
