"""One wish of one person, however many keystrokes: when it is finished, when it is the same wish as before, and what follows from it.

The rule, for operators:
- Searching never writes. A finished question is sent once, by Enter, by opening a hit, by “没找到？记下我的问题”, or without a click by leaving, 5 s of rest or
  a next question.
- Rest, leaving and a next question never finish a lone Han character, a single letter or pinyin that was not converted yet.
- A question that continues, shortens or corrects the same person's last one within 30 s revises it instead of counting twice.
- A public reply that stands above the hits is an answer: no ticket, unless the person presses “没找到” or “我也遇到”.
- `unanswered` becomes a ticket: with a receipt after Enter or “没找到”, else as 无人等待. `empty` never does. “没找到” does whatever the verdict.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import SequenceMatcher
from enum import StrEnum

from indexer.pinyin import spell
from indexer.question import MAX_CHARACTERS
from indexer.text import bare, folded
from kb.search.answerability import Verdict

REVISION_WINDOW = timedelta(seconds=30)
SIMILAR = 0.6
"""Share of common characters from which two wordings are one wish being corrected; 差旅标准 and 差旅补贴 (0.5) are two."""
_COMPARED = 80
"""Characters of which the similarity is measured; it takes quadratic time."""
MAX_QUERY = 2000
"""Characters of a question that are kept."""
_PINYIN = re.compile(
    r"(?>(?:[bpmfdtnlgkhjqxrzcsyw]|zh|ch|sh)?(?:iang|iong|uang|ang|eng|ing|ong|iao|ian|uai|uan|van|ai|ei|ao|ou|an|en|in|un|vn|er|ia|ie|iu|ua|uo|ui|ue|ve|a|o|e|i|u|v)'?)++"
)  # atomic: `aoaoao…b` can be cut into syllables in exponentially many ways


class Trigger(StrEnum):
    """What finished a question."""

    ENTER = "enter"
    OPEN = "open"
    UNSOLVED = "unsolved"
    LEAVE = "leave"
    IDLE = "idle"
    NEXT = "next"

    @property
    def receipt(self) -> bool:
        """True when the person sees what becomes of the question, and so waits for it."""
        return self in {Trigger.ENTER, Trigger.UNSOLVED}


class Effect(StrEnum):
    """What a finished question leads to."""

    NOTHING = "nothing"
    COUNTED = "counted"
    TICKET = "ticket"


@dataclass(frozen=True, slots=True)
class Asked:
    """A wording at a time."""

    query: str
    at: datetime


def finishes(query: str, trigger: Trigger) -> bool:
    """Tell whether this trigger finishes this wording: rest and leaving do not finish what is visibly half typed."""
    text = bare(query)
    if trigger not in {Trigger.LEAVE, Trigger.IDLE, Trigger.NEXT}:
        return True
    return len(text) > 1 and not (text.isascii() and text.isalpha() and _PINYIN.fullmatch(folded(query).replace(" ", "")))


def revises(before: Asked, after: Asked, *, promised: bool = False) -> bool:
    """Tell whether `after` is the same wish in better words: it continues, shortens, converts or corrects `before` within 30 s.

    `promised`: the person was given a receipt for `before`. Then only more words or the same sounds revise it; fewer or other words are a second question
    (体检费能报吗 after 健身费能报吗), and the promise stands.
    """
    if not timedelta(0) <= after.at - before.at <= REVISION_WINDOW:
        return False
    old, new = bare(before.query[:MAX_CHARACTERS]), bare(after.query[:MAX_CHARACTERS])
    if not old or not new:
        return False
    if new != old and new in old:
        return not promised
    if new.startswith(old) or new.endswith(old):
        return True
    if promised:
        return spell(old) == spell(new)
    matcher = SequenceMatcher(None, old[:_COMPARED], new[:_COMPARED], autojunk=False)
    return (matcher.quick_ratio() >= SIMILAR and matcher.ratio() >= SIMILAR) or spell(old) == spell(new)


def effect(verdict: Verdict, trigger: Trigger, *, replied: bool = False) -> Effect:
    """Return what a finished question leads to: a ticket when it is unanswered or the person says so, never for an empty one.

    `replied`: a public reply to it stood above the hits. Then only who says that it did not help gets a ticket.
    """
    if verdict is Verdict.EMPTY:
        return Effect.COUNTED
    return Effect.TICKET if trigger is Trigger.UNSOLVED or (verdict is Verdict.UNANSWERED and not replied) else Effect.COUNTED


def stronger(new: Trigger, old: Trigger) -> bool:
    """Tell whether a repeated question now says more than before: a person waits who did not, or asks for a person's answer."""
    rank = {Trigger.UNSOLVED: 2, Trigger.ENTER: 1}
    return rank.get(new, 0) > rank.get(old, 0)
