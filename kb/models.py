"""Every stored table, imported in one place so that migrations and relationships see them all."""

from kb.accounts.models import AuditEntry, FailedSignIn, SignInLink, StaffSession, User
from kb.db import Base
from kb.notifications.models import Message, Mute, Notice
from kb.reading.models import Feedback
from kb.search.models import Intent
from kb.tickets.models import Attachment, Detail, Follower, Phrasing, PhrasingTerm, Presence, PublicReply, Replay, Ticket, TicketEvent
from kb.web.models import StoredAnswer
from kb.widget.models import ServerKey, SigningKey, Site, Webhook

__all__ = [
    "Attachment",
    "AuditEntry",
    "Base",
    "Detail",
    "FailedSignIn",
    "Feedback",
    "Follower",
    "Intent",
    "Message",
    "Mute",
    "Notice",
    "Phrasing",
    "PhrasingTerm",
    "Presence",
    "PublicReply",
    "Replay",
    "ServerKey",
    "SignInLink",
    "SigningKey",
    "Site",
    "StaffSession",
    "StoredAnswer",
    "Ticket",
    "TicketEvent",
    "User",
    "Webhook",
]
