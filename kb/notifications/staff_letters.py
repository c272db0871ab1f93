"""What agents, their leaders and the team are told, and the links by which somebody comes into their account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from kb.accounts import sign_in
from kb.accounts.roles import Right, may
from kb.notifications.content import Content, Link
from kb.notifications.models import Mute
from kb.notifications.outbox import Topic
from kb.notifications.quoting import IN_SUBJECT, MOST_QUOTED, quoted
from kb.tickets.models import Ticket
from kb.tickets.queue import FAR, View
from kb.tickets.sla import clocks, round_of
from kb.tickets.standing import ASKER, LEVEL_NAMES, SYSTEM, Alarm, Level
from kb.tickets.triage import PRIORITY_NAMES, Category, Priority
from kb.web.wording import ALARM_NAMES, role_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from kb.accounts.models import User
    from kb.notifications.models import Notice
    from kb.tickets.models import TicketEvent
    from kb.tickets.sla import Policies

_LISTED = 20
"""Tickets that one mail about times lists."""
_ALARMS, _PRIORITIES = list(Alarm), list(Priority)
_WHY = "知答的服务台通知，发给负责这张工单的人。请不要直接回复这封邮件。"


class StaffLetters:
    """Letters to people with accounts, and to the team's groups."""

    def __init__(self, base_url: str, policies: Policies) -> None:
        """Take where the pages are, and what is promised."""
        self._base_url = base_url
        self._policies = policies

    def to_user(self, session: Session, topic: Topic, user: User, notice: Notice, event: TicketEvent | None, now: datetime) -> Content | None:
        """Return what one person with an account is told, None when it is no longer true or wanted."""
        if topic is Topic.INVITED and user.password_hash:
            return None  # they came by the link that they were given otherwise
        if topic in {Topic.INVITED, Topic.RESET}:
            return self._access(session, topic, user, now)
        if topic is Topic.ALARMED:
            return None if user.quiet else self._alarmed(session, notice, user, now)
        if event is None or session.get(Mute, (user.id, event.ticket_number)) is not None:
            return None
        ticket = session.get_one(Ticket, event.ticket_number)
        if topic is Topic.ESCALATED:
            return self._escalated(ticket, event, user)
        return self._to_assignee(topic, ticket, event) if ticket.open and ticket.assignee == user.name != event.actor else None

    def _access(self, session: Session, topic: Topic, user: User, now: datetime) -> Content:
        dont = "请不要转发：拿到链接的人可以用你的账号登录。"
        if topic is Topic.INVITED:
            return Content(
                "知答：请设置你的密码",
                f"{user.name}，你好。管理员为你开了知答的账号，角色是{role_name(user.role)}。",
                "有人邀请你使用知答。如果你不知道这是什么，不用理会，链接会自己失效。",
                (Link("设置密码并登录", f"{self._base_url}/sign-in/{sign_in.invitation(session, user, now)}"),),
                steps=("链接 7 天内有效，只能用一次。", dont),
            )
        return Content(
            "知答：重设密码",
            f"{user.name}，你好。有人（应该是你）申请重设知答的密码。",
            "如果不是你申请的，不用理会：没有人打开上面的链接，密码就不变。",
            (Link("重设密码", f"{self._base_url}/sign-in/{sign_in.reset(session, user, now)}"),),
            steps=("链接 30 分钟内有效，只能用一次。", dont),
        )

    def _to_assignee(self, topic: Topic, ticket: Ticket, event: TicketEvent) -> Content:
        if topic is Topic.ASSIGNED:
            who = "系统按模块把这张工单分给了你。" if event.actor == SYSTEM else f"{event.actor}把这张工单交给了你。"
            return self._for_agent(ticket, "交给你了", who)
        if topic is Topic.ADDED:
            return self._for_agent(ticket, "提问人补充了", "提问人补充了说明或文件，内容在工单里看。")
        who = "提问人说还没解决" if event.actor == ASKER else f"{event.actor}重新打开了它"
        return self._for_agent(ticket, "重新打开了", f"你处理的工单重新打开了：{who}。原因在工单里看。")

    def to_team(self, session: Session, topic: Topic, notice: Notice, event: TicketEvent | None, now: datetime) -> Content | None:
        """Return what the group of the team is told, None when it is no longer true."""
        if topic is Topic.ESCALATED and event is not None:
            return self._escalated(session.get_one(Ticket, event.ticket_number), event, None)
        return self._alarmed(session, notice, None, now) if topic is Topic.ALARMED else None

    def _escalated(self, ticket: Ticket, event: TicketEvent, user: User | None) -> Content | None:
        if not ticket.open or not ticket.escalated:
            return None
        level = LEVEL_NAMES[Level(event.target)]
        who = f"这张工单超过了承诺的时间，已自动升级给{level}。" if event.actor == SYSTEM else f"{event.actor}把这张工单升级给了{level}。"
        return self._for_agent(ticket, f"升级给{level}", who, user)

    def _for_agent(self, ticket: Ticket, title: str, lead: str, user: User | None = None) -> Content:
        priority = PRIORITY_NAMES[Priority(ticket.priority)] if ticket.priority else "—"
        return Content(
            subject=f"{ticket.name} {title}：{quoted(ticket.question, IN_SUBJECT)}",
            lead=lead,
            facts=(
                f"问题：{quoted(ticket.question, 2 * MOST_QUOTED)}",
                f"优先级：{priority}　在等：{ticket.waiting} 人　处理人：{ticket.assignee or '还没有'}",
            ),
            links=(self._work([ticket], user),),
            why=_WHY,
            leave="不再接收这张工单的邮件",
        )

    def _alarmed(self, session: Session, notice: Notice, user: User | None, now: datetime) -> Content | None:
        """Return what is about to be late or is, the worst first, of what was when it was noted; None when none of it is any more."""
        numbers = {int(number) for number in (notice.data or {}).get("numbers", ())}
        loaded = session.scalars(select(Ticket).where(Ticket.number.in_(numbers), Ticket.open))
        late = sorted((one for one in loaded if one.alarm or one.escalated), key=_order)
        if not late:
            return None
        facts = [f"{one.name} {self._how_late(one, now)}：{quoted(one.question, IN_SUBJECT)}" for one in late[:_LISTED]]
        more = (f"还有 {len(late) - _LISTED} 张，打开下面的页面看。",) if len(late) > _LISTED else ()
        return Content(
            subject=facts[0] if len(late) == 1 else f"{len(late)} 张工单快到时限或已超时",
            lead="请看一下这张工单的时限：" if len(late) == 1 else "请看一下这些工单的时限，最急的在前：",
            facts=(*facts, *more),
            links=(self._work(late, user),),
            why="知答的服务台按承诺的时间提醒你。请不要直接回复这封邮件。",
            leave="不再接收时限提醒",
        )

    def _work(self, tickets: Sequence[Ticket], user: User | None) -> Link:
        """Return where somebody, or the team (None), goes on with tickets: whoever may not open the desk goes to what they may."""
        if user is not None and not may(user.role, Right.DESK):
            if all(ticket.category == Category.COMPLAINT for ticket in tickets):
                return Link("打开投诉处理单", f"{self._base_url}/supervision/complaints")
            return Link("打开服务监督", f"{self._base_url}/supervision")
        if len(tickets) == 1:
            return Link("打开工单", f"{self._base_url}/desk/{tickets[0].number}")
        return Link("打开服务台", f"{self._base_url}/desk?view={View.NEAR.value}")

    def _how_late(self, ticket: Ticket, now: datetime) -> str:
        """Return how far a ticket's time has run, and who looks at it besides."""
        level, alarm = LEVEL_NAMES[Level(ticket.escalated)], Alarm(ticket.alarm)
        response = clocks(self._policies, round_of(ticket), now).response
        unanswered = alarm is Alarm.RESOLUTION_NEAR and response.late and response.met_at is None
        said = (ALARM_NAMES[Alarm.RESPONSE_LATE] if unanswered else "", ALARM_NAMES[alarm], f"已升级给{level}" if level else "")
        return "，".join(filter(None, said))


def _order(ticket: Ticket) -> tuple[int, int, datetime, int]:
    """Return by what tickets are sorted: how far their time has run, the furthest first, then priority, then the moment when they are or were due."""
    rank = _PRIORITIES.index(Priority(ticket.priority)) if ticket.priority else len(_PRIORITIES)
    return -_ALARMS.index(Alarm(ticket.alarm)), rank, ticket.due_at or FAR, ticket.number
