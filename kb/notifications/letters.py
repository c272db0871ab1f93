"""A message as it goes out, written when it is sent, from what is true then; nothing when it is no longer true or no longer wanted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from kb.accounts.identity import subject_of
from kb.accounts.models import User
from kb.mail_address import digest
from kb.mailer import MAIL
from kb.notifications import muting, spreading
from kb.notifications.asker_letters import AskerLetters
from kb.notifications.bots import HOOK
from kb.notifications.channels import Letter, Outgoing
from kb.notifications.models import Notice
from kb.notifications.muting import Subject
from kb.notifications.outbox import Topic
from kb.notifications.staff_letters import StaffLetters
from kb.notifications.typesetting import indented, wrapped
from kb.tickets.models import Follower, TicketEvent

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy.orm import Session

    from indexer.published import Published
    from kb.notifications.content import Content
    from kb.notifications.models import Message
    from kb.notifications.spreading import Way
    from kb.tickets.sla import Policies

_TEMPLATES = Path(__file__).parents[2] / "templates" / "email"


def makes_link(notice: Notice) -> bool:
    """Tell whether writing the letter makes a secret link, so that it needs a session that is committed."""
    return notice.kind in {Topic.INVITED, Topic.RESET}


class Writer:
    """Writes the letters of one help centre."""

    def __init__(self, base_url: str, secret_key: str, policies: Policies) -> None:
        """Load the templates."""
        self._base_url = base_url
        self._to_askers = AskerLetters(base_url, policies)
        self._to_staff = StaffLetters(base_url, policies)
        self._secret_key = secret_key
        environment = Environment(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=select_autoescape(["html"]),
            undefined=StrictUndefined,
            trim_blocks=True,
        )
        environment.filters["wrapped"], environment.filters["indented"] = wrapped, indented
        self._text, self._html = environment.get_template("letter.txt"), environment.get_template("letter.html")

    def write(self, session: Session, message: Message, published: Callable[[], Published], now: datetime) -> Outgoing | None:
        """Return a message ready to go out, None when there is nothing to tell any more. Invitations and resets need a session that is committed after it.

        `published` is called only for what names an article: nothing else waits for a build.
        """
        notice = session.get_one(Notice, message.notice_id)
        event = session.get(TicketEvent, notice.event_id) if notice.event_id is not None else None
        if event is not None and spreading.taken_back(session, event):
            return None
        topic = Topic(notice.kind)
        about: Subject | None = None
        if message.follower_id is not None:
            share = spreading.onward(session, session.get_one(Follower, message.follower_id))
            way = _way(session, share, message)
            if way is None:
                return None
            about = Subject(share=message.follower_id, address=digest(message.address))
            content = self._to_askers.write(session, topic, share, event, published, now, proven=way.proven)
        elif message.user_id is not None:
            user = session.get_one(User, message.user_id)
            if user.disabled_at is not None or user.mail != message.address:
                return None
            content, about = self._to_staff.to_user(session, topic, user, notice, event, now), _about(topic, user, notice)
        else:
            content = self._to_staff.to_team(session, topic, notice, event, now)
        return self._outgoing(message, notice, content, about) if content is not None else None

    def _outgoing(self, message: Message, notice: Notice, content: Content, about: Subject | None) -> Outgoing:
        unsubscribe = self._ending(about) if about is not None else ""
        ending_all = self._ending(Subject(address=digest(message.address))) if content.leave_all else ""
        if message.channel == MAIL:
            text = self._text.render(content=content, unsubscribe=unsubscribe, ending_all=ending_all)
            html = self._html.render(content=content, unsubscribe=unsubscribe, ending_all=ending_all, subject=content.subject)
        else:
            text, html = "\n".join(filter(None, [content.lead, content.said, *content.facts])), ""
        url = content.links[0].url if content.links else ""
        page = next((link.url for link in content.links if "/t/" in link.url), url) if message.channel == HOOK else url
        subject = subject_of(message.address) if message.channel == HOOK else None
        letter = Letter(content.subject, text, html, page, unsubscribe)
        site, sub = subject if subject is not None else ("", "")
        ticket = f"T-{notice.ticket_number}" if notice.ticket_number is not None else ""
        return Outgoing(message.message_id, message.address, notice.kind, letter, sub, site, ticket)

    def _ending(self, about: Subject) -> str:
        """Return the address at which somebody ends letters about something."""
        return f"{self._base_url}/unsubscribe/{muting.token(self._secret_key, about)}"


def _way(session: Session, share: Follower, message: Message) -> Way | None:
    """Return the way by which somebody is to be reached where this message goes; None when they are not any more, or do not want to be."""
    if share.withdrawn_at is not None or share.muted_at is not None:
        return None
    account = spreading.account_of(share.person)
    user = session.get(User, account) if account is not None else None
    accounts = {user.id: user} if user is not None else {}
    ways = spreading.ways_to(share.person, share.contact, accounts, hook=True)
    way = next((way for way in ways if (way.channel, way.address) == (message.channel, message.address)), None)
    return way if way is None or way.proven or not spreading.wanting_none(session, [way.address]) else None


def _about(topic: Topic, user: User, notice: Notice) -> Subject | None:
    """Return what an agent can do without; nothing where the mail is what they came for."""
    if topic in {Topic.INVITED, Topic.RESET}:
        return None
    return Subject(user=user.id, number=notice.ticket_number or 0)
