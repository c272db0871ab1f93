"""Every stored table, imported in one place so that migrations and relationships see them all."""

from kb.accounts.models import FailedSignIn, SignInLink, StaffSession, User
from kb.db import Base
from kb.reading.models import Feedback
from kb.search.models import Intent
from kb.tickets.models import Follower, Phrasing, Ticket, TicketEvent

__all__ = ["Base", "FailedSignIn", "Feedback", "Follower", "Intent", "Phrasing", "SignInLink", "StaffSession", "Ticket", "TicketEvent", "User"]
