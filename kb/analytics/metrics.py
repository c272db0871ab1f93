"""Rates over finished questions, each with its definition. Unit = intent (see kb.search.intents); staff and revised intents are left out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import case, func, select

from kb.search.answerability import Verdict
from kb.search.models import Intent

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

PERIOD = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Rate:
    """How many of how many; `percent` is None, shown as —, when there is nothing to divide by."""

    part: int
    whole: int

    @property
    def percent(self) -> float | None:
        """The rate in percent, 0-100."""
        return 100 * self.part / self.whole if self.whole else None


@dataclass(frozen=True, slots=True)
class Measure:
    """A rate with its name and its definition, as people read them."""

    name: str
    definition: str
    rate: Rate


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of the last 30 days."""

    intents: int
    people: int
    measures: tuple[Measure, ...]


def counted(since: datetime) -> tuple[ColumnElement[bool], ...]:
    """Return what makes an intent count: after `since`, not staff's, not revised by a later one, and really asking something."""
    return (Intent.at > since, Intent.staff.is_(False), Intent.superseded_by.is_(None), Intent.verdict != Verdict.EMPTY.value)


def summary(session: Session, now: datetime) -> Summary:
    """Return the figures of the 30 days before `now`."""

    def how_many(*conditions: ColumnElement[bool]) -> ColumnElement[int]:
        return func.coalesce(func.sum(case((_all(conditions), 1), else_=0)), 0)

    answered = Intent.verdict == Verdict.ANSWERED.value
    row = session.execute(
        select(
            func.count(),
            func.count(func.distinct(Intent.person)),
            how_many(Intent.verdict == Verdict.UNANSWERED.value),
            how_many(Intent.verdict == Verdict.WEAK.value),
            how_many(answered),
            how_many(answered, Intent.opened.is_(None)),
            how_many(Intent.trigger == "unsolved"),
        ).where(*counted(now - PERIOD))
    ).one()
    total, people, unanswered, weak, answers, unopened, unsolved = (int(value) for value in row)
    return Summary(
        total,
        people,
        (
            Measure("无答案率", "判定为“无答案”的提问 ÷ 全部提问。空白和无意义的输入不算。", Rate(unanswered, total)),
            Measure("弱答案率", "只找到部分相关内容的提问 ÷ 全部提问。与无答案率分开算，不重叠。", Rate(weak, total)),
            Measure(
                "有答案未打开率",
                "判定为“有答案”、但没有点开任何文章的提问 ÷ 判定为“有答案”的提问。答案已整段显示在结果页上，所以未打开不等于没解决。",
                Rate(unopened, answers),
            ),
            Measure("仍未解决率", "点了“没找到？记下我的问题”的提问 ÷ 全部提问。", Rate(unsolved, total)),
        ),
    )


def _all(conditions: tuple[ColumnElement[bool], ...]) -> ColumnElement[bool]:
    combined = conditions[0]
    for condition in conditions[1:]:
        combined = combined & condition
    return combined
