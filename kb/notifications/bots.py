"""Messages by HTTP: to the group bots of the team (企业微信, 钉钉, 飞书), and to the app that a person came from (`follower.notify`).

What people wrote goes into a group as plain words. Characters that mark something there (a mention, a link, bold) are replaced by their full-width
counterparts, which read the same and mark nothing: of the three dialects none escapes like another. Links to this help centre stay links.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from base64 import b64encode
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote, urlsplit

from kb import hooks
from kb.clock import utc_now
from kb.notifications.channels import Channel, DeliveryError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from kb.config import Bot, Config
    from kb.notifications.channels import Letter, Outgoing

HOOK = "hook"
"""The name of the channel to a host app."""
NAMES = {"wecom": "企业微信群机器人", "dingtalk": "钉钉群机器人", "feishu": "飞书群机器人", HOOK: "宿主应用", "webhook": "站点的通知地址"}
_MARKS = str.maketrans({mark: chr(ord(mark) + 0xFEE0) for mark in "@<>[]*_`#~|\\!"})
_LONGEST_TITLE = 240
"""Bytes of a title in a group."""
_LONGEST_TEXT = 2400
"""Bytes of a text in a group, links included: with title and link it stays below 4,096, the lowest limit of the three (企业微信)."""
_MOST_LINES = 40
_ENOUGH = {"wecom": {45009}, "dingtalk": {130101, 410100}, "feishu": {11232, 11233}}
"""What a bot answers that was sent too much."""
_GONE = {"wecom": {93000}, "dingtalk": {300001, 300005}, "feishu": {19001}}
"""What is answered for a bot that does not exist any more."""
_TOO_MANY = frozenset({429, 503})
_NOT_WANTED = frozenset({400, 410, 413, 422})
"""What a host app answers to a message that it will never take; 410: it does not know the person any more."""


def channels(config: Config, now: Callable[[], datetime] = utc_now) -> dict[str, Channel]:
    """Return the channels that the settings name, by name. A bot's name follows from its address: it stays the same wherever the bot stands in the settings."""
    bots: list[Channel] = [GroupBot(bot, config.base_url, now) for bot in config.bots]
    if config.follower_hook:
        bots.append(HostApp(config.follower_hook, config.hook_secret, now))
    return {channel.name: channel for channel in bots}


def label(name: str) -> str:
    """Return what people call one of these channels; "" for the name of none."""
    return NAMES.get(name.partition("-")[0], "")


class GroupBot:
    """The bot of one group chat."""

    def __init__(self, bot: Bot, base_url: str, now: Callable[[], datetime]) -> None:
        """Remember where the group is; nothing is opened."""
        self.name = f"{bot.kind}-{hashlib.sha256(bot.url.encode()).hexdigest()[:8]}"
        self._bot = bot
        self._base_url = base_url
        self._now = now

    def send(self, outgoing: Outgoing) -> None:
        """Write the letter into the group. Raises DeliveryError."""
        bot = self._bot
        said, url = _SAYS[bot.kind](outgoing.letter, self._base_url), bot.url
        if bot.secret and bot.kind == "dingtalk":
            url = _dingtalk_signed(url, bot.secret, self._now())
        elif bot.secret:
            said = {**_feishu_signature(bot.secret, self._now()), **said}
        _judge(bot.kind, _post(url, _json(said), {}))

    def close(self) -> None:
        """Nothing stays open."""


class HostApp:
    """The app that people came from: it tells them by its own means. docs/notifications.md says what it gets."""

    name = HOOK

    def __init__(self, url: str, secret: str, now: Callable[[], datetime]) -> None:
        """Remember where the app listens; nothing is opened."""
        self._url = url
        self._secret = secret
        self._now = now

    def send(self, outgoing: Outgoing) -> None:
        """Hand the letter over, signed. Raises DeliveryError."""
        letter, now = outgoing.letter, self._now()
        said = {
            "id": outgoing.message_id,
            "type": "follower.notify",
            "at": now.isoformat(),
            "topic": outgoing.topic,
            "site": outgoing.site,
            "sub": outgoing.sub,
            "ticket": outgoing.ticket,
            "title": letter.subject,
            "text": letter.text,
            "url": letter.url,
        }
        hand_over(HOOK, self._url, self._secret, said, now)

    def close(self) -> None:
        """Nothing stays open."""


def hand_over(kind: str, url: str, secret: str, said: dict[str, Any], now: datetime) -> None:
    """Post JSON to a program, signed and with the time, so that what is heard again later is known to be old. Raises DeliveryError."""
    body, timestamp = _json(said), str(int(now.timestamp()))
    answer = _post(url, body, {"X-Zhida-Timestamp": timestamp, "X-Zhida-Signature": f"v1={signature(secret, timestamp, body)}"})
    if not _taken(answer.status):
        _refused(NAMES[kind], answer.status, _NOT_WANTED)


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return HMAC-SHA256 over `timestamp.body` in hexadecimal."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def wecom(letter: Letter, base_url: str) -> dict[str, Any]:
    """Return the message for a group of 企业微信: its small Markdown, at most 4,096 bytes."""
    return {"msgtype": "markdown", "markdown": {"content": "\n".join([f"**{_title(letter)}**", *_lines(letter, base_url), *_link(letter)])}}


def dingtalk(letter: Letter, base_url: str) -> dict[str, Any]:
    """Return the message for a group of 钉钉: Markdown, in which a line ends with an empty one; nobody is mentioned."""
    text = "\n\n".join([f"**{_title(letter)}**", *_lines(letter, base_url), *_link(letter)])
    return {"msgtype": "markdown", "markdown": {"title": _title(letter), "text": text}, "at": {"isAtAll": False}}


def feishu(letter: Letter, base_url: str) -> dict[str, Any]:
    """Return the message for a group of 飞书: paragraphs of words and links."""
    paragraphs = [[{"tag": "text", "text": line}] for line in _lines(letter, base_url)]
    content = [*paragraphs, [{"tag": "a", "text": "打开", "href": letter.url}]] if letter.url else paragraphs
    return {"msg_type": "post", "content": {"post": {"zh_cn": {"title": _title(letter), "content": content}}}}


_SAYS: dict[str, Callable[[Letter, str], dict[str, Any]]] = {"wecom": wecom, "dingtalk": dingtalk, "feishu": feishu}


def _title(letter: Letter) -> str:
    return _cut(" ".join(letter.subject.split()).translate(_MARKS), _LONGEST_TITLE)


def _lines(letter: Letter, base_url: str) -> list[str]:
    """Return the lines of a text in which nothing but a link to this help centre means more than its words, within the limit."""
    pieces = re.split(rf"({re.escape(base_url)}/[\w/?=&.%-]*)", letter.text.strip(), flags=re.ASCII)
    plain = "".join(piece if at % 2 else piece.translate(_MARKS).replace("://", "：//") for at, piece in enumerate(pieces))
    lines = [line.strip() for line in _cut(plain, _LONGEST_TEXT).splitlines() if line.strip()]
    return lines if len(lines) <= _MOST_LINES else [*lines[:_MOST_LINES], "…"]


def _link(letter: Letter) -> list[str]:
    return [f"[打开]({letter.url})"] if letter.url else []


def _cut(text: str, size: int) -> str:
    """Return as much of a text as `size` bytes hold, with a sign where it was cut."""
    whole = text.encode()
    return text if len(whole) <= size else f"{whole[: size - 3].decode(errors='ignore')}…"


def _dingtalk_signed(url: str, secret: str, now: datetime) -> str:
    """Return the address with the time in milliseconds and its signature."""
    timestamp = str(int(now.timestamp() * 1000))
    digest = hmac.new(secret.encode(), f"{timestamp}\n{secret}".encode(), hashlib.sha256).digest()
    return f"{url}{'&' if urlsplit(url).query else '?'}timestamp={timestamp}&sign={quote(b64encode(digest), safe='')}"


def _feishu_signature(secret: str, now: datetime) -> dict[str, str]:
    """Return the time in seconds and its signature: for 飞书 both make the key, and nothing is signed with it."""
    timestamp = str(int(now.timestamp()))
    digest = hmac.new(f"{timestamp}\n{secret}".encode(), b"", hashlib.sha256).digest()
    return {"timestamp": timestamp, "sign": b64encode(digest).decode()}


def _json(said: dict[str, Any]) -> bytes:
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


def _post(url: str, body: bytes, headers: dict[str, str]) -> hooks.Answer:
    try:
        return hooks.post(url, body, {"Content-Type": "application/json; charset=utf-8", **headers})
    except hooks.UnreachableError as error:
        raise DeliveryError(str(error), down=True) from error


def _judge(kind: str, answer: hooks.Answer) -> None:
    """Raise DeliveryError unless a group's bot says that it took the message; some send a status of failure with what they say, some do not."""
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        said = None
    code = _code(said)
    if code:
        reason = f"{NAMES[kind]}没有接收（{code} {_words(said)}）"
        if code in _GONE[kind]:
            raise DeliveryError(f"{reason}：机器人已被移除，请在 KB_BOTS 里换上新地址", permanent=True)
        raise DeliveryError(reason, down=code in _ENOUGH[kind])
    if not _taken(answer.status):
        _refused(NAMES[kind], answer.status)
    if code is None:
        raise DeliveryError(f"{NAMES[kind]}的回答看不懂：请核对 KB_BOTS 里的地址")


def _refused(name: str, status: int, never: frozenset[int] = frozenset()) -> NoReturn:
    if 300 <= status < 400:  # noqa: PLR2004 - redirects
        raise DeliveryError(f"{name}转到了别的地址（{status}），知答不跟过去：请把设置改成最终的地址")
    raise DeliveryError(f"{name}回答 {status}", permanent=status in never, down=status in _TOO_MANY)


def _taken(status: int) -> bool:
    return 200 <= status < 300  # noqa: PLR2004 - HTTP's successes


def _code(said: object) -> int | None:
    """Return the number by which a bot says how it went, 0 for well; 飞书 wrote it otherwise before 2021."""
    if not isinstance(said, dict):
        return None
    return next((said[name] for name in ("errcode", "code", "StatusCode") if type(said.get(name)) is int), None)


def _words(said: dict[str, Any]) -> str:
    """Return what a bot says went wrong, in one short line."""
    words = str(said.get("errmsg") or said.get("msg") or "")
    return " ".join("".join(letter if letter.isprintable() else " " for letter in words).split())[:120]
