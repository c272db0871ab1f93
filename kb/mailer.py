"""Mail: the one door to e-mail building and smtplib. To a server by SMTP, or without one as files that any mail program opens."""

from __future__ import annotations

import os
import re
import smtplib
import ssl
from email import policy
from email.header import Header
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, NoReturn

from kb.clock import utc_now
from kb.mail_address import is_address, shortened
from kb.notifications.channels import Channel, DeliveryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from email.policy import Policy
    from pathlib import Path

    from kb.config import Config, SmtpServer
    from kb.notifications.channels import Outgoing

MAIL = "mail"
"""The name of this channel, whatever carries it."""
_FOLDER = "mail"
PATIENCE = 10.0
"""Seconds that the server may take for each answer."""
_CLOSING = 421
_FOR_GOOD = 500
_TOO_LARGE = 552
_OF_THE_SERVER = re.compile(r"\b(?:4\.3|5\.7)\.\d|relay", re.IGNORECASE)
"""In an answer about a recipient: it is about the server itself, or about what it lets us do, which somebody may set right."""
_SOMEBODY = re.compile(r"[^\s<>()\"':;,@]+@[\w.-]+")


class _Unfolded(UnstructuredHeader, BaseHeader):
    """A header that stays one line: folding takes a long address for words and encodes it, and then nobody can follow it."""

    def fold(self, *, policy: Policy) -> str:
        """Return the header with its name, on one line."""
        return f"{self.name}: {self}{policy.linesep}"


class _Words(UnstructuredHeader, BaseHeader):
    """A header that says what was typed. The library would decode `=?utf-8?q?=0a?=` in it first: a line break, and after it a header of its own."""

    @classmethod
    def parse(cls, value: str, kwds: dict[str, Any]) -> None:
        """Take the text for what it is."""
        super().parse("", kwds)
        kwds["decoded"] = value

    def fold(self, *, policy: Policy) -> str:
        """Return the header with its name, all of its words encoded."""
        return f"{self.name}: {Header(str(self), 'utf-8', header_name=self.name).encode(linesep=policy.linesep)}{policy.linesep}"


_headers = HeaderRegistry()
for _name in ("message-id", "list-unsubscribe"):
    _headers.map_to_type(_name, _Unfolded)
_headers.map_to_type("subject", _Words)
_POLICY = policy.SMTP.clone(header_factory=_headers)


def channel(config: Config, now: Callable[[], datetime] = utc_now) -> Channel:
    """Return what carries mail under these settings; nothing is opened yet."""
    return Smtp(config.smtp, config.mail_from, now) if config.smtp is not None else Folder(config.data / _FOLDER, config.mail_from, now)


def tidy(data: Path, kept: Callable[[], Iterable[str]]) -> int:
    """Remove the files of mails in a data folder whose Message-IDs are not among those that `kept` returns; return how many. Raises OSError."""
    folder = data / _FOLDER
    found = list(folder.iterdir()) if folder.is_dir() else []  # before it is asked what is kept: a mail is known before it is a file
    names = {_file_name(message_id) for message_id in kept()} if found else set()
    over = [path for path in found if path.name.lstrip(".").partition(".")[0] not in names]
    for path in over:
        path.unlink(missing_ok=True)
    return len(over)


def compose(outgoing: Outgoing, sender: tuple[str, str], at: datetime) -> EmailMessage:
    """Return a mail as it goes out. Raises DeliveryError, for good, for an address that is none: nothing that people wrote becomes a header of its own."""
    if not is_address(outgoing.address):
        raise DeliveryError("这不是一个邮箱地址", permanent=True)
    letter, (name, address) = outgoing.letter, sender
    user, _, domain = address.rpartition("@")
    mail = EmailMessage(policy=_POLICY)
    mail["Message-ID"] = outgoing.message_id
    mail["Date"] = format_datetime(at)
    mail["From"] = Address(_line(name), user, domain)
    mail["To"] = outgoing.address
    mail["Subject"] = _line(letter.subject)
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"  # what Exchange looks at instead
    if letter.unsubscribe:
        mail["List-Unsubscribe"] = f"<{letter.unsubscribe}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(_whole(letter.text), cte="base64")
    mail.add_alternative(_whole(letter.html), subtype="html", cte="base64")
    return mail


def _line(text: str) -> str:
    """Return a text as one line without control characters."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _whole(text: str) -> str:
    return text.encode(errors="replace").decode()  # a lone half of a pair would end the sending of everything else


class Smtp:
    """A mail server. One connection is kept from the first `send` to `close`; a message that was cut is sent again under the same Message-ID."""

    name = MAIL

    def __init__(self, server: SmtpServer, sender: tuple[str, str], now: Callable[[], datetime] = utc_now, patience: float = PATIENCE) -> None:
        """Remember where the server is; nothing is opened."""
        self._server = server
        self._sender = sender
        self._now = now
        self._patience = patience
        self._connection: smtplib.SMTP | None = None

    def send(self, outgoing: Outgoing) -> None:
        """Hand a mail to the server. Raises DeliveryError."""
        mail = compose(outgoing, self._sender, self._now()).as_bytes()
        used = self._connection is not None
        try:
            self._hand_over(mail, outgoing.address)
        except (_ConnectionLostError, DeliveryError) as error:
            lost = isinstance(error, _ConnectionLostError) or error.down
            if not (used and lost):
                raise _cut(error) from error
            try:
                self._hand_over(mail, outgoing.address)  # servers end a connection after a number of mails, or after a rest
            except _ConnectionLostError as again:
                raise _cut(again) from again

    def close(self) -> None:
        """End the connection politely; a server that does not answer is left."""
        if self._connection is not None:
            try:
                self._connection.quit()
            except (OSError, smtplib.SMTPException):
                self._connection.close()
            self._connection = None

    def _hand_over(self, mail: bytes, address: str) -> None:
        connection = self._connection = self._connection or self._open()
        try:
            connection.sendmail(self._sender[1], [address], mail)
        except smtplib.SMTPRecipientsRefused as error:
            ((code, words),) = error.recipients.values()
            theirs = _OF_THE_SERVER.search(_said(words)) is None
            self._refused(code, words, "收件地址", permanent=theirs and code >= _FOR_GOOD, alone=theirs and code < _FOR_GOOD and code != _CLOSING)
        except smtplib.SMTPSenderRefused as error:
            large = error.smtp_code == _TOO_LARGE
            self._refused(error.smtp_code, error.smtp_error, "发件地址（KB_MAIL_FROM）", permanent=large, down=not large)
        except smtplib.SMTPDataError as error:
            self._refused(error.smtp_code, error.smtp_error, "这封邮件", permanent=error.smtp_code >= _FOR_GOOD)
        except (OSError, smtplib.SMTPException) as error:
            self._drop()
            raise _ConnectionLostError from error

    def _open(self) -> smtplib.SMTP:
        """Return a connection that is ready for mail. Raises DeliveryError, for everything for now: the next mail would fare no better."""
        server = self._server
        at = f"{server.host}:{server.port}"
        try:
            if server.tls == "implicit":
                connection: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, timeout=self._patience, context=ssl.create_default_context())
            else:
                connection = smtplib.SMTP(server.host, server.port, timeout=self._patience)
        except (OSError, ValueError, smtplib.SMTPException) as error:
            raise DeliveryError(f"连不上邮件服务器 {at}（{_why(error)}）。请检查 KB_SMTP 和网络。", down=True) from error
        try:
            connection.ehlo_or_helo_if_needed()
            if server.tls == "starttls":
                connection.starttls(context=ssl.create_default_context())
            if server.user:
                connection.login(server.user, server.password)
        except smtplib.SMTPAuthenticationError as error:
            connection.close()
            raise DeliveryError(f"邮件服务器 {at} 不接受 KB_SMTP 里的用户名或密码（{error.smtp_code}）。", down=True) from error
        except (OSError, ValueError, smtplib.SMTPException) as error:  # ValueError: what the server said, or is to be told, is no ASCII
            connection.close()
            raise DeliveryError(f"和邮件服务器 {at} 没有谈成（{_why(error)}）。请检查 KB_SMTP：端口和加密方式是否相配。", down=True) from error
        return connection

    def _refused(self, code: int, words: bytes | str, what: str, *, permanent: bool, down: bool = False, alone: bool = False) -> NoReturn:
        if code == _CLOSING:
            self._drop()
        reason = f"邮件服务器不收{what}：{code} {_said(words)}".rstrip()
        raise DeliveryError(reason, permanent=permanent, down=down or code == _CLOSING, alone=alone)

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _ConnectionLostError(Exception):
    """The server went away, or fell silent, in the middle of a mail."""


def _cut(error: _ConnectionLostError | DeliveryError) -> DeliveryError:
    if isinstance(error, DeliveryError):
        return error
    return DeliveryError(f"发到一半，邮件服务器{_why(error.__cause__)}。稍后会再发，编号不变。")


def _why(error: BaseException | None) -> str:
    """Return what went wrong in a few words, without what the server said: it may quote a password."""
    if error is not None and isinstance(error.__context__, TimeoutError):
        return "没有回答"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"回答 {error.smtp_code}"
    reasons: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
        (TimeoutError, "没有回答"),
        (ConnectionRefusedError, "拒绝连接"),
        ((smtplib.SMTPServerDisconnected, ConnectionError), "断开了连接"),
        (ssl.SSLCertVerificationError, "证书不可信"),
        (ValueError, "主机名、用户名或密码里有不能用的字符"),
    )
    named = next((words for kind, words in reasons if isinstance(error, kind)), None)
    return named or (error.strerror if isinstance(error, OSError) else None) or type(error).__name__


def _said(words: bytes | str) -> str:
    """Return a server's answer as one short line that names nobody."""
    line = _line(words.decode(errors="replace") if isinstance(words, bytes) else words)
    return _SOMEBODY.sub(lambda found: shortened(found[0]), line)[:160]


def _file_name(message_id: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", message_id.partition("@")[0].strip("<"))


class Folder:
    """Mails as files, `<time>-<random>.eml` after the Message-ID: the same mail written twice is one file."""

    name = MAIL

    def __init__(self, folder: Path, sender: tuple[str, str], now: Callable[[], datetime] = utc_now) -> None:
        """Remember the folder; it is made with the first mail."""
        self._folder = folder
        self._sender = sender
        self._now = now

    def send(self, outgoing: Outgoing) -> None:
        """Write a mail, whole or not at all. Raises DeliveryError when the disk refuses."""
        mail = compose(outgoing, self._sender, self._now()).as_bytes()
        name = _file_name(outgoing.message_id)
        aside = self._folder / f".{name}.{os.getpid()}"
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            with aside.open("wb") as file:
                file.write(mail)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(self._folder / f"{name}.eml")
            handle = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            raise DeliveryError(f"写不进 KB_DATA 里的 mail 文件夹（{error.strerror}）。请检查磁盘空间和权限。", down=True) from error

    def close(self) -> None:
        """Nothing stays open."""
