"""What agents see of messages that do not arrive, and the page by which anybody ends messages to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Blueprint, Response, redirect, render_template, request

from kb.accounts import audit
from kb.accounts.audit import Deed
from kb.errors import NotFoundError
from kb.mail_address import shortened
from kb.mailer import MAIL
from kb.notifications import bots, messages, muting, outages
from kb.notifications.outbox import Topic
from kb.notifications.spreading import TEAM
from kb.tickets import alarms
from kb.tickets.models import Follower
from kb.web.visitor import signed_in
from kb.web.wording import moment

if TYPE_CHECKING:
    from datetime import datetime

    from flask.typing import ResponseReturnValue
    from sqlalchemy.orm import Session

    from kb.notifications.models import Message
    from kb.notifications.muting import Subject
    from kb.services import Services

TOPIC_NAMES = {
    Topic.RECEIVED: "提问已记下",
    Topic.ASKED: "请提问人补充",
    Topic.REPLIED: "客服回复",
    Topic.RESOLVED: "有答案了",
    Topic.REOPENED: "重新打开",
    Topic.CLOSED: "已结束",
    Topic.ASSIGNED: "交给客服",
    Topic.ADDED: "提问人补充",
    Topic.ESCALATED: "升级",
    Topic.ALARMED: "时限提醒",
    Topic.INVITED: "邀请",
    Topic.RESET: "重设密码",
}


@dataclass(frozen=True, slots=True)
class Route:
    """A channel as the desk shows it: since when it cannot be reached and why, and how many messages wait for it since when."""

    name: str
    down_since: datetime | None
    reason: str
    waiting: int
    waiting_since: datetime | None


def blueprint(services: Services) -> Blueprint:
    """Return /desk/outbox and what can be done there."""
    views = Blueprint("outbox", __name__)

    @views.get("/desk/outbox")
    def page() -> ResponseReturnValue:
        with services.db.read() as session:
            return render_template(
                "notifications/outbox.html",
                routes=_routes(services, session),
                dead=messages.dead(session),
                topics=TOPIC_NAMES,
                channel=_channel_name,
                address=_address,
                to_files=services.config.smtp is None,
                done=request.args.get("done", ""),
            )

    @views.post("/desk/outbox/retry")
    def retry_all() -> ResponseReturnValue:
        now = services.now()
        with services.db.write() as session:
            number = messages.retry_all(session, now)
            if number:
                audit.note(session, signed_in().name, Deed.OUTBOX_RETRIED, f"全部 {number} 条", "", now)
        return redirect("/desk/outbox?done=retry", 303)

    @views.post("/desk/outbox/<int:message>/<action>")
    def act(message: int, action: str) -> ResponseReturnValue:
        now = services.now()
        steps = {"retry": (messages.retry, Deed.OUTBOX_RETRIED), "drop": (messages.drop, Deed.OUTBOX_DROPPED)}
        if action not in steps:
            raise NotFoundError("没有这个操作。请从“通知发送”页上的按钮进入。")
        step, deed = steps[action]
        with services.db.write() as session:
            step(session, message, now)
            audit.note(session, signed_in().name, deed, f"消息 {message}", "", now)
        return redirect(f"/desk/outbox?done={action}", 303)

    return views


def unsubscribing(services: Services) -> Blueprint:
    """Return /unsubscribe/<token>. Its POST takes no cookie and no form token: mail providers send it for whoever presses their button."""
    views = Blueprint("unsubscribe", __name__)

    @views.get("/unsubscribe/<token>")
    def ask(token: str) -> ResponseReturnValue:
        return _shown(token)

    @views.post("/unsubscribe/<token>")
    def leave(token: str) -> ResponseReturnValue:
        subject = muting.read(services.config.secret_key, token)
        with services.db.write() as session:
            if request.form.get("again"):
                muting.unmute(session, subject)
            else:
                muting.mute(session, subject, services.now())
        return _shown(token, done=True)

    def _shown(token: str, *, done: bool = False) -> Response:
        key = services.config.secret_key
        subject = muting.read(key, token)
        with services.db.read() as session:
            muted, everything = muting.muted(session, subject), muting.everything(session, subject)
            if everything is not None and muting.muted(session, everything):
                subject, muted = everything, True
            page = Response(
                render_template(
                    "notifications/unsubscribe.html",
                    token=muting.token(key, subject),
                    muted=muted,
                    done=done,
                    what=_what(session, subject),
                    asker=not subject.user,
                    whole=subject == everything,
                    everything=muting.token(key, everything) if everything is not None else "",
                )
            )
        page.headers["Referrer-Policy"] = "no-referrer"
        page.headers["Cache-Control"] = "no-store"
        return page

    return views


def troubles(services: Services) -> str:
    """Return in one sentence what keeps messages from arriving, "" when nothing does."""
    down = outages.read(services.config.data / "outages.json")
    with services.db.read() as session:
        dead = messages.count_dead(session)
        unheard = alarms.unheard(session, alarms.Reach.of(services.config))
    said = [f"{_channel_name(name)}从 {moment(outage.since, services.policies.hours.zone)} 起连不上，消息在等" for name, outage in down.items()]
    said += [f"{dead} 条消息没有发出去"] if dead else []
    said += ["有工单快到时限或已超时，时限提醒却没有人收得到：要有人留了邮箱、开着提醒，并设置好邮件服务器；或者设置群机器人"] if unheard else []
    return "；".join(said) + ("。" if said else "")


def _routes(services: Services, session: Session) -> list[Route]:
    """Return the channels that the settings name, mail first, and those of earlier settings that messages still wait for."""
    config, down = services.config, outages.read(services.config.data / "outages.json")
    waiting = {one.channel: one for one in messages.waiting(session)}
    found = []
    for name in dict.fromkeys([MAIL, *bots.channels(config), *waiting, *down]):
        outage, one = down.get(name), waiting.get(name)
        found.append(
            Route(_channel_name(name), outage.since if outage else None, outage.reason if outage else "", one.number if one else 0, one.since if one else None)
        )
    return found


def _channel_name(name: str) -> str:
    return "邮件" if name == MAIL else bots.label(name) or "已去掉的渠道"


def _address(message: Message) -> str:
    return "团队的群" if message.address == TEAM else shortened(message.address)


def _what(session: Session, subject: Subject) -> str:
    """Return what messages are about, in words that tell strangers nothing."""
    if subject.share:
        share = session.get(Follower, subject.share)
        return f"提问 {share.ticket.name} " if share is not None else "这个提问"
    if not subject.user:
        return "到这个邮箱"
    return f"工单 T-{subject.number} " if subject.number else "时限提醒"
