"""What a message says, written when it is sent, from what is true then; nothing when it is no longer true or no longer wanted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from unicodedata import east_asian_width, normalize

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from sqlalchemy import select

from indexer.published import ALL, EVERYONE
from kb.accounts import sign_in
from kb.accounts.identity import subject_of
from kb.accounts.models import User
from kb.accounts.roles import Right, is_staff, may
from kb.mailer import MAIL
from kb.notifications import muting, spreading
from kb.notifications.bots import HOOK
from kb.notifications.channels import Letter, Outgoing
from kb.notifications.models import Mute, Notice
from kb.notifications.muting import Subject
from kb.notifications.outbox import Topic
from kb.search.answer import answer
from kb.tickets import countdown, lifecycle, shares
from kb.tickets.models import Follower, Ticket, TicketEvent
from kb.tickets.queue import FAR, View
from kb.tickets.sla import clocks, round_of
from kb.tickets.standing import ASKER, SYSTEM, Alarm, Level
from kb.tickets.triage import PRIORITY_NAMES, Category, Priority
from kb.web.wording import ALARM_NAMES, LEVEL_NAMES, moment, role_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from indexer.published import Audience, Published
    from kb.notifications.models import Message
    from kb.notifications.spreading import Way
    from kb.tickets.sla import Policies

WIDTH = 74
"""Columns of plain text, in which a Chinese character takes two; closing marks may stand out by four more."""
MOST_QUOTED = 60
"""Characters of a question in a mail: somebody may have typed it to be read by somebody else."""
_IN_SUBJECT = 40
_LISTED = 20
"""Tickets that one mail about times lists."""
_FILE = r"(?:docx?|xlsx?|pptx?|pdf|ofd|txt|csv|jpe?g|png|exe)(?![a-z0-9.])"
"""How names of files end that no host's name ends in."""
_LATIN = "com|cn|net|org|cc|top|xyz|vip|io|me|info|shop|site|club|online|app|link|live|icu|win|pro|biz|tv|co"
_HAN = "中国|公司|网络|网址|网站|中文网|商城|网店|在线|集团|企业|购物|商店|手机|娱乐|游戏|公益|政务|香港|台湾|我爱你"
"""Ends of hosts' names: those that tell a name after a Chinese full stop, which may only end a sentence, and those in Chinese."""
_LINK = re.compile(
    r"[a-z][a-z0-9+.-]*://\S*"
    r"|(?<![a-z0-9])www[.。]\S*"
    rf"|(?:(?:[a-z0-9_-]+|[^\W\da-z_]+)(?:\.[\w-]+)*\.(?!{_FILE})[a-z]{{2,}}|(?:[a-z0-9-]+[.。])+(?:{_LATIN})(?![a-z])"
    rf"|(?<![\w-])(?!\d+\.)[\w-]+(?:\.[\w-]+)*\.(?:{_HAN})|\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?=[:/?#]))(?:[:/?#][!-~]*)?",
    re.IGNORECASE,
)
"""What mail programs, or people, take for an address, in a text in which every character stands for itself."""
_NO_LINE_BEGINS_WITH = frozenset("，。、；：？！）》」』”’…,.;:?!)]}%")
_NO_LINE_ENDS_WITH = "（“‘《「『([{"
_TEMPLATES = Path(__file__).parents[2] / "templates" / "email"
_ALARMS, _PRIORITIES = list(Alarm), list(Priority)
_AGENT_WHY = "知答的服务台通知，发给负责这张工单的人。请不要直接回复这封邮件。"


class Link(NamedTuple):
    """Where to go on; the first of a letter is what it is about."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Content:
    """What a letter says, before it is plain text or HTML. `said` is an agent's own words, kept line by line; `why` tells why somebody gets it."""

    subject: str
    lead: str
    why: str
    links: tuple[Link, ...] = ()
    said: str = ""
    facts: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    leave: str = ""


def makes_link(notice: Notice) -> bool:
    """Tell whether writing the letter makes a secret link, so that it needs a session that is committed."""
    return notice.kind in {Topic.INVITED, Topic.RESET}


class Writer:
    """Writes the letters of one help centre."""

    def __init__(self, base_url: str, secret_key: str, policies: Policies) -> None:
        """Load the templates."""
        self._base_url = base_url
        self._policies = policies
        self._secret_key = secret_key
        environment = Environment(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=select_autoescape(["html"]),
            undefined=StrictUndefined,
            trim_blocks=True,
        )
        environment.filters["wrapped"], environment.filters["indented"] = wrapped, _indented
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
            about = Subject(share=message.follower_id, address=muting.digest(message.address))
            content = self._to_asker(session, topic, share, event, published, now, proven=way.proven)
        elif message.user_id is not None:
            user = session.get_one(User, message.user_id)
            if user.disabled_at is not None or user.mail != message.address:
                return None
            content, about = self._to_user(session, topic, user, notice, event, now), _about(topic, user, notice)
        else:
            content = self._to_team(session, topic, notice, event, now)
        return self._outgoing(message, notice, content, about) if content is not None else None

    def _outgoing(self, message: Message, notice: Notice, content: Content, about: Subject | None) -> Outgoing:
        unsubscribe = f"{self._base_url}/unsubscribe/{muting.token(self._secret_key, about)}" if about is not None else ""
        if message.channel == MAIL:
            text = self._text.render(content=content, unsubscribe=unsubscribe)
            html = self._html.render(content=content, unsubscribe=unsubscribe, subject=content.subject)
        else:
            text, html = "\n".join(filter(None, [content.lead, content.said, *content.facts])), ""
        url = content.links[0].url if content.links else ""
        page = next((link.url for link in content.links if "/t/" in link.url), url) if message.channel == HOOK else url
        subject = subject_of(message.address) if message.channel == HOOK else None
        letter = Letter(content.subject, text, html, page, unsubscribe)
        site, sub = subject if subject is not None else ("", "")
        ticket = f"T-{notice.ticket_number}" if notice.ticket_number is not None else ""
        return Outgoing(message.message_id, message.address, notice.kind, letter, sub, site, ticket)

    def _to_asker(
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
            subject=f"{share.ticket.name} {title}{f'：{quoted(share.wording, _IN_SUBJECT)}' if named else ''}",
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

    def _to_user(self, session: Session, topic: Topic, user: User, notice: Notice, event: TicketEvent | None, now: datetime) -> Content | None:
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

    def _to_team(self, session: Session, topic: Topic, notice: Notice, event: TicketEvent | None, now: datetime) -> Content | None:
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
            subject=f"{ticket.name} {title}：{quoted(ticket.question, _IN_SUBJECT)}",
            lead=lead,
            facts=(
                f"问题：{quoted(ticket.question, 2 * MOST_QUOTED)}",
                f"优先级：{priority}　在等：{ticket.waiting} 人　处理人：{ticket.assignee or '还没有'}",
            ),
            links=(self._work([ticket], user),),
            why=_AGENT_WHY,
            leave="不再接收这张工单的邮件",
        )

    def _alarmed(self, session: Session, notice: Notice, user: User | None, now: datetime) -> Content | None:
        """Return what is about to be late or is, the worst first, of what was when it was noted; None when none of it is any more."""
        numbers = {int(number) for number in (notice.data or {}).get("numbers", ())}
        loaded = session.scalars(select(Ticket).where(Ticket.number.in_(numbers), Ticket.open))
        late = sorted((one for one in loaded if one.alarm or one.escalated), key=_order)
        if not late:
            return None
        facts = [f"{one.name} {self._how_late(one, now)}：{quoted(one.question, _IN_SUBJECT)}" for one in late[:_LISTED]]
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


_VERDICT = ("解决了：打开“我的提问”，点“已解决”。", "没解决：在同一页点“仍未解决”，写一句哪里还不行，客服接着处理。")


def _way(session: Session, share: Follower, message: Message) -> Way | None:
    """Return the way by which somebody is to be reached where this message goes; None when they are not any more, or do not want to be."""
    if share.withdrawn_at is not None or share.muted_at is not None:
        return None
    account = spreading.account_of(share.person)
    user = session.get(User, account) if account is not None else None
    accounts = {user.id: user} if user is not None else {}
    ways = spreading.ways_to(share.person, share.contact, accounts, hook=True)
    return next((way for way in ways if (way.channel, way.address) == (message.channel, message.address)), None)


def _about(topic: Topic, user: User, notice: Notice) -> Subject | None:
    """Return what an agent can do without; nothing where the mail is what they came for."""
    if topic in {Topic.INVITED, Topic.RESET}:
        return None
    return Subject(user=user.id, number=notice.ticket_number or 0)


def _section(published: Published, wording: str, article: str, audience: Audience) -> tuple[str, str]:
    """Return the path of the section of an article that answers these words best, and its heading; its beginning when none is found."""
    found = next((hit for hit in answer(published, wording, audience=audience).hits if hit.article.id == article), None)
    return (found.path, found.section.heading) if found is not None else (f"/a/{article}", "")


def quoted(text: str, most: int = MOST_QUOTED) -> str:
    """Return what somebody typed as one line of at most `most` characters, in which nothing is a link: nobody sends theirs to others through us."""
    line = " ".join(_without_links("".join(letter if letter.isprintable() else " " for letter in text)).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _without_links(text: str) -> str:
    """Return a text with a sign in the place of what looks like a link, be it in full-width or in circled letters."""
    plain = "".join(one if len(one := normalize("NFKC", letter)) == 1 else letter for letter in text)
    kept, end = [], 0
    for found in _LINK.finditer(plain):
        kept += [text[end : found.start()], "…"]
        end = found.end()
    return "".join([*kept, text[end:]])


def wrapped(text: str, indent: str = "", most: int = WIDTH) -> str:
    """Return a text in lines of at most `most` columns; lines after the first begin with `indent`. What has no place to break stays whole."""
    lines = []
    for paragraph in text.splitlines():
        line, width = "", 0
        for piece in re.findall(r"[!-~]+|.", paragraph):
            wide = sum(_columns(letter) for letter in piece)
            if line.strip() and width + wide > most and piece not in _NO_LINE_BEGINS_WITH:
                opening = line[len(line.rstrip(_NO_LINE_ENDS_WITH)) :]
                lines.append(line.removesuffix(opening).rstrip())
                line, piece = indent, opening + piece.lstrip()  # noqa: PLW2901 - a space at a break is none
                width, wide = len(indent), sum(_columns(letter) for letter in piece)
            line, width = line + piece, width + wide
        lines.append(line.rstrip())
    return "\n".join(lines)


def _columns(letter: str) -> int:
    return 2 if east_asian_width(letter) in "WFA" else 1


def _indented(text: str) -> str:
    """Return somebody's words set apart from ours."""
    return "\n".join(f"    {line}".rstrip() for line in wrapped(text.strip(), most=WIDTH - 4).splitlines())
