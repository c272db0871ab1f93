"""What somebody who asked is told: what their own page shows them, and where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from indexer.published import ALL, EVERYONE
from kb.accounts.models import User
from kb.accounts.roles import is_staff
from kb.notifications import spreading
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
        """Return what one person is told, None when it is no longer true for them. `proven`: the address is known to be theirs."""
        ticket = share.ticket
        if topic is Topic.RECEIVED and ticket.open and share.waiting:
            return self._received(share, now, proven=proven)
        if topic is Topic.REOPENED and event is not None and ticket.open and share.waiting:
            return self._reopened(share, event)
        if event is None or topic is Topic.REOPENED or not shares.may_read(share, event):
            return None
        if topic is Topic.ASKED:
            return self._asked(share, event) if ticket.open and not shares.done(share) else None
        if topic is Topic.RESOLVED:
            return self._resolved(session, share, event, published) if not ticket.open and ticket.closed_as in {"", "expired"} else None
        return self._replied(share, event)

    def _received(self, share: Follower, now: datetime, *, proven: bool) -> Content:
        """Return the receipt. At an address that nobody has shown to be theirs it holds no word of the asker's: strangers can cause it alone."""
        others = share.ticket.waiting - 1
        expected = countdown.expected(share, self._policies, now, asked=False)
        stranger = () if proven else ("这不是你提的？点最下面的链接，就不会再收到。",)
        asked = f"你的提问“{quoted(share.wording)}”" if proven else "你的提问"
        return self._for_asker(
            share,
            "已记下",
            f"{asked}已记下，编号 {share.ticket.name}。{f'另有 {others} 位同事在等同一个答案。' if others > 0 else ''}",
            facts=(f"{expected.words}。",) if expected else (),
            steps=("有了回复或答案，会再发邮件给你。", "想补充单号、提示或截图：打开上面的页面。", *stranger),
            named=proven,
        )

    def _asked(self, share: Follower, event: TicketEvent) -> Content:
        return self._for_asker(
            share,
            "客服想请你补充",
            f"关于“{quoted(share.wording)}”，客服想请你补充：",
            label="去回答",
            said=event.text,
            steps=("打开上面的页面写下回答，要附截图也在那里添加。", "收到后，客服接着处理。"),
        )

    def _replied(self, share: Follower, event: TicketEvent) -> Content:
        steps: tuple[str, ...] = _VERDICT
        if shares.done(share):
            steps = ("你已经确认解决，这封信只让你知道有这句补充。",)
        elif share.ticket.open:
            steps = ("这样就解决了：打开上面的页面，点“这样就解决了，不用再等”。", "还没解决：在同一页补充说明，客服接着处理。")
        return self._for_asker(share, "客服有回复", f"关于“{quoted(share.wording)}”，客服回复：", said=event.text, steps=steps)

    def _resolved(self, session: Session, share: Follower, event: TicketEvent, published: Callable[[], Published]) -> Content:
        audience = self._audience(session, share)
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
        lead = f"你问的“{quoted(share.wording)}”有答案了。" if not event.text else f"你问的“{quoted(share.wording)}”有答案了。客服的答复："
        return self._for_asker(share, "有答案了", lead, said=event.text, facts=facts, links=links, steps=steps)

    def _reopened(self, share: Follower, event: TicketEvent) -> Content:
        who = "另一位同事说还没解决，" if event.actor == ASKER else "客服发现答复还不够，"
        return self._for_asker(
            share,
            "重新打开了",
            f"“{quoted(share.wording)}”：{who}这个提问已重新打开，会接着处理。",
            steps=("有了新的答复，会再告诉你。", "如果你那里已经好了：打开上面的页面，点“这样就解决了，不用再等”。"),
        )

    def _for_asker(
        self,
        share: Follower,
        title: str,
        lead: str,
        *,
        label: str = "打开我的提问",
        said: str = "",
        facts: tuple[str, ...] = (),
        links: tuple[Link, ...] = (),
        steps: tuple[str, ...] = (),
        named: bool = True,
    ) -> Content:
        whose = "你在知答提了这个问题" if spreading.account_of(share.person) is not None else "有人用这个邮箱在知答提了问"
        return Content(
            subject=f"{share.ticket.name} {title}{f'：{quoted(share.wording, IN_SUBJECT)}' if named else ''}",
            lead=lead,
            said=said,
            facts=facts,
            links=(*links, Link(label, f"{self._base_url}/t/{share.token}")),
            steps=steps,
            why=f"{whose}（{share.ticket.name}），所以发给你。网址只属于你，请不要转发；也不要直接回复这封邮件。",
            leave="不再接收这个提问的邮件",
        )

    def _audience(self, session: Session, share: Follower) -> Audience:
        """Return what somebody may read as they are when they are signed in."""
        account = spreading.account_of(share.person)
        user = session.get(User, account) if account is not None else None
        return ALL if user is not None and is_staff(user.role) else EVERYONE


def _section(published: Published, wording: str, article: str, audience: Audience) -> tuple[str, str]:
    """Return the path of the section of an article that answers these words best, and its heading; its beginning when none is found."""
    found = next((hit for hit in answer(published, wording, audience=audience).hits if hit.article.id == article), None)
    return (found.path, found.section.heading) if found is not None else (f"/a/{article}", "")
