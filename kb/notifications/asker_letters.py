"""What somebody who asked is told: what their own page shows them, and where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kb.notifications import readers, spreading
from kb.notifications.content import Content, Link
from kb.notifications.outbox import Topic
from kb.notifications.quoting import IN_SUBJECT, quoted
from kb.search.answer import answer
from kb.tickets import countdown, lifecycle, shares
from kb.tickets.standing import ASKER
from kb.web.wording import moment

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy.orm import Session

    from indexer.published import Audience, Published
    from kb.tickets.models import Follower, TicketEvent
    from kb.tickets.sla import Policies

_LEAVE_ALL = "不再给这个邮箱发信"
_VERDICT = ("解决了：打开“我的提问”，点“已解决”。", "没解决：在同一页点“仍未解决”，写一句哪里还不行，客服接着处理。")


class AskerLetters:
    """Letters to those who asked."""

    def __init__(self, base_url: str, policies: Policies) -> None:
        """Take where the pages are, and what is promised."""
        self._base_url = base_url
        self._policies = policies

    def write(
        self,
        session: Session,
        topic: Topic,
        share: Follower,
        event: TicketEvent | None,
        published: Callable[[], Published],
        now: datetime,
        *,
        proven: bool,
    ) -> Content | None:
        """Return what one person is told, None when it is no longer true for them.

        `proven`: the address is known to be theirs. Any other gets no word that the asker typed: whoever writes down a stranger's sends them none of theirs.
        """
        ticket = share.ticket
        if topic is Topic.RECEIVED and ticket.open and share.waiting:
            return self._received(share, now, proven=proven)
        if topic is Topic.REOPENED and event is not None and ticket.open and share.waiting:
            return self._reopened(share, event, proven=proven)
        if event is None or topic is Topic.REOPENED or not shares.may_read(share, event):
            return None
        if topic is Topic.ASKED:
            return self._asked(share, event, proven=proven) if ticket.open and not shares.done(share) else None
        if topic is Topic.RESOLVED:
            return self._resolved(session, share, event, published, proven=proven) if not ticket.open and ticket.closed_as in {"", "expired"} else None
        return self._replied(share, event, proven=proven)

    def _received(self, share: Follower, now: datetime, *, proven: bool) -> Content:
        others = shares.others_waiting(share)
        expected = countdown.expected(share, self._policies, now, asked=False)
        stranger = () if proven else (f"这不是你提的？点最下面的“{_LEAVE_ALL}”，就不会再收到。",)
        asked = f"你的提问“{quoted(share.wording)}”" if proven else "你的提问"
        return self._for_asker(
            share,
            "已记下",
            f"{asked}已记下，编号 {share.ticket.name}。{f'另有 {others} 位同事在等同一个答案。' if others > 0 else ''}",
            facts=(f"{expected.words}。",) if expected else (),
            steps=("有了回复或答案，会再发邮件给你。", "想补充单号、提示或截图：打开上面的页面。", *stranger),
            proven=proven,
        )

    def _asked(self, share: Follower, event: TicketEvent, *, proven: bool) -> Content:
        return self._for_asker(
            share,
            "客服想请你补充",
            f"关于{_question(share, proven=proven)}，客服想请你补充：",
            label="去回答",
            said=event.text,
            steps=("打开上面的页面写下回答，要附截图也在那里添加。", "收到后，客服接着处理。"),
            proven=proven,
        )

    def _replied(self, share: Follower, event: TicketEvent, *, proven: bool) -> Content:
        steps: tuple[str, ...] = _VERDICT
        if shares.done(share):
            steps = ("你已经确认解决，这封信只让你知道有这句补充。",)
        elif share.ticket.open:
            steps = ("这样就解决了：打开上面的页面，点“这样就解决了，不用再等”。", "还没解决：在同一页补充说明，客服接着处理。")
        return self._for_asker(share, "客服有回复", f"关于{_question(share, proven=proven)}，客服回复：", said=event.text, steps=steps, proven=proven)

    def _resolved(self, session: Session, share: Follower, event: TicketEvent, published: Callable[[], Published], *, proven: bool) -> Content:
        audience = readers.of_person(session, share.person)
        article = published().article(event.article, audience) if event.article else None
        links: tuple[Link, ...] = ()
        facts: tuple[str, ...] = ()
        if article is not None:
            path, heading = _section(published(), share.wording, article.id, audience)
            links = (Link("看答案", f"{self._base_url}{path}"),)
            facts = (f"答案在这篇文章里：{article.title}{f'（{heading}）' if heading and heading != article.title else ''}",)
        steps: tuple[str, ...] = _VERDICT
        resolved_at = share.ticket.resolved_at
        if shares.done(share):
            steps = ("你之前已经确认解决，这封信只让你知道现在有了正式的答案。",)
        elif resolved_at is not None and share.ticket.closed_as == "":
            closes = moment(self._policies.hours.days_after(resolved_at, lifecycle.EXPIRES_AFTER_WORKING_DAYS), self._policies.hours.zone)
            steps = (*steps, f"到 {closes}（{lifecycle.EXPIRES_AFTER_WORKING_DAYS} 个工作日）没有人说没解决，就自动关闭；关闭后也能重新打开。")
        asked = _question(share, proven=proven)
        lead = f"{f'你问的{asked}' if proven else f'{asked} '}有答案了。{'客服的答复：' if event.text else ''}"
        return self._for_asker(share, "有答案了", lead, said=event.text, facts=facts, links=links, steps=steps, proven=proven)

    def _reopened(self, share: Follower, event: TicketEvent, *, proven: bool) -> Content:
        who = "另一位同事说还没解决，" if event.actor == ASKER else "客服发现答复还不够，"
        return self._for_asker(
            share,
            "重新打开了",
            f"{_question(share, proven=proven)}：{who}这个提问已重新打开，会接着处理。",
            steps=("有了新的答复，会再告诉你。", "如果你那里已经好了：打开上面的页面，点“这样就解决了，不用再等”。"),
            proven=proven,
        )

    def _for_asker(
        self,
        share: Follower,
        title: str,
        lead: str,
        *,
        proven: bool,
        label: str = "打开我的提问",
        said: str = "",
        facts: tuple[str, ...] = (),
        links: tuple[Link, ...] = (),
        steps: tuple[str, ...] = (),
    ) -> Content:
        whose = "你在知答提了这个问题" if spreading.account_of(share.person) is not None else "有人用这个邮箱在知答提了问"
        return Content(
            subject=f"{share.ticket.name} {title}{f'：{quoted(share.wording, IN_SUBJECT)}' if proven else ''}",
            lead=lead,
            said=said,
            facts=facts,
            links=(*links, Link(label, f"{self._base_url}/t/{share.token}")),
            steps=steps,
            why=f"{whose}（{share.ticket.name}），所以发给你。网址只属于你，请不要转发；也不要直接回复这封邮件。",
            leave="不再接收这个提问的邮件",
            leave_all="" if proven else _LEAVE_ALL,
        )


def _question(share: Follower, *, proven: bool) -> str:
    """Return what a letter calls somebody's question: their own words where the address is theirs, else its number."""
    return f"“{quoted(share.wording)}”" if proven else f"你的提问 {share.ticket.name}"


def _section(published: Published, wording: str, article: str, audience: Audience) -> tuple[str, str]:
    """Return the path of the section of an article that answers these words best, and its heading; its beginning when none is found."""
    found = next((hit for hit in answer(published, wording, audience=audience).hits if hit.article.id == article), None)
    return (found.path, found.section.heading) if found is not None else (f"/a/{article}", "")
