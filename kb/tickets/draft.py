"""From a ticket to a Markdown draft: its wordings become `questions:`, and `answers:` names it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from indexer.article import PLACEHOLDER
from kb.tickets import lifecycle

if TYPE_CHECKING:
    from datetime import date

    from kb.tickets.models import Ticket

MAX_QUESTIONS = 8


def draft(ticket: Ticket, today: date) -> str:
    """Return a Markdown file for an editor to finish; the agent's last reply is its first text."""
    wordings = [phrasing.text for phrasing in sorted(ticket.phrasings, key=lambda one: (-one.asked, one.id)) if phrasing.asked]
    meta = {
        "title": ticket.question,
        "questions": wordings[:MAX_QUESTIONS],
        "kind": "faq",
        "owner": "finance-support",
        "review_by": today.replace(year=today.year + 1) if (today.month, today.day) != (2, 29) else today.replace(year=today.year + 1, day=28),
        "answers": [ticket.name],
    }
    reply = next((event.body for event in reversed(ticket.events) if event.kind in {lifecycle.Kind.REPLIED, lifecycle.Kind.RESOLVED} and event.body), "")
    body = reply or PLACEHOLDER
    front = yaml.safe_dump(meta, allow_unicode=True, sort_keys=False, width=1000)
    return f"---\n{front}---\n\n{body}\n\n## 怎么做\n\n1. {PLACEHOLDER}\n\n## 还是不行怎么办\n\n准备好截图，联系财务支持：{{{{company.finance_contact}}}}。\n"
