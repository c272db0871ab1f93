"""From a ticket to a Markdown draft: its wordings become `questions:`, and `answers:` names it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from indexer.article import PLACEHOLDER
from kb.masking import masks
from kb.tickets.names import personal_names
from kb.tickets.standing import Kind

if TYPE_CHECKING:
    from datetime import date

    from kb.tickets.models import Ticket

MAX_QUESTIONS = 8


def draft(ticket: Ticket, today: date) -> str:
    """Return a Markdown file for an editor to finish; the agent's last reply is its first text; a remark that was sent with an article is none.

    A wording that seems to name a person, or from which something personal was masked, stands in a comment to be rewritten, neither in the title nor in
    `questions:`. Of each kind there are the MAX_QUESTIONS that were asked most.
    """
    wordings = [phrasing.text for phrasing in sorted(ticket.phrasings, key=lambda one: (-one.asked, one.id)) if phrasing.asked]
    plain = [wording for wording in wordings if not _personal(wording)]
    named = [wording for wording in wordings if _personal(wording)]
    title = next((wording for wording in [ticket.question, *plain] if not _personal(wording)), PLACEHOLDER)
    meta = {
        "kind": "faq",
        "owner": "finance-support",
        "review_by": today.replace(year=today.year + 1) if (today.month, today.day) != (2, 29) else today.replace(year=today.year + 1, day=28),
        "answers": [ticket.name],
    }
    front = "".join(
        [
            _to_rewrite([ticket.question] if title != ticket.question else []),
            _yaml({"title": title}),
            _to_rewrite(named[:MAX_QUESTIONS]),
            _yaml({"questions": plain[:MAX_QUESTIONS]}),
            _yaml(meta),
        ]
    )
    reply = next((event.body for event in reversed(ticket.events) if event.kind in {Kind.REPLIED, Kind.RESOLVED} and event.body and not event.article), "")
    body = reply or PLACEHOLDER
    return f"---\n{front}---\n\n{body}\n\n## 怎么做\n\n1. {PLACEHOLDER}\n\n## 还是不行怎么办\n\n准备好截图，联系财务支持：{{{{company.finance_contact}}}}。\n"


def _personal(wording: str) -> str:
    """Say what keeps a wording from being published: 含人名“李经理”, 含个人信息“[手机号]”, or "" for nothing."""
    found = (("含人名", personal_names(wording)), ("含个人信息", masks(wording)))
    return "，".join(f"{kind}“{'”“'.join(these)}”" for kind, these in found if these)


def _to_rewrite(wordings: list[str]) -> str:
    """Return a YAML comment of one line for each wording; what YAML does not take even in a comment becomes a space."""
    lines = (f"请改写后再发布（{_personal(wording)}）：{wording}" for wording in wordings)
    return "".join(f"# {' '.join(''.join(char if char.isprintable() else ' ' for char in line).split())}\n" for line in lines)


def _yaml(meta: dict[str, object]) -> str:
    return yaml.safe_dump(meta, allow_unicode=True, sort_keys=False, width=1000)
