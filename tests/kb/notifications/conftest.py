"""A real SMTP server on this machine that takes mail, refuses it, falls silent or hangs up, as it is told; tickets whose people can be told, and a courier."""

from __future__ import annotations

import asyncio
import email
import socket
import ssl
import subprocess
from contextlib import contextmanager
from email import policy
from typing import TYPE_CHECKING

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult
from sqlalchemy import select

from kb.accounts import sign_in
from kb.config import SmtpServer
from kb.notifications.channels import DeliveryError, Letter, Outgoing
from kb.notifications.courier import Courier
from kb.notifications.models import Message, Notice
from kb.tickets import history, shares
from kb.tickets.shares import Wording

if TYPE_CHECKING:
    from pathlib import Path

LOCAL = "127.0.0.1"


class Post:
    """What the server does with mail. Answers are taken one for each sender, recipient and mail; an empty list means yes.

    An answer is a line of SMTP, or `stall` (nothing for as long as the test runs), `hang up` (the connection ends at once), `take and hang up` (after
    the mail has been taken, without a word).
    """

    def __init__(self) -> None:
        self.mails = []
        self.senders: list[str] = []
        self.recipients: list[str] = []
        self.data: list[str] = []
        self.connections = 0
        self._end = asyncio.Event()

    async def handle_EHLO(self, server, session, envelope, hostname, responses):  # noqa: ARG002, N802 - aiosmtpd calls it so
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_MAIL(self, server, session, envelope, address, options):  # noqa: ARG002, N802 - the same
        answer = self.senders.pop(0) if self.senders else "250 OK"
        if answer.startswith("250"):
            envelope.mail_from = address
        return answer

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: ARG002, N802 - the same
        answer = self.recipients.pop(0) if self.recipients else "250 OK"
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return await self._do(answer, server)

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - the same
        answer = self.data.pop(0) if self.data else "250 OK"
        if answer.startswith("250") or answer == "take and hang up":
            mail = email.message_from_bytes(envelope.original_content, policy=policy.default)
            mail.to, mail.signed_in = envelope.rcpt_tos[0], bool(session.authenticated)
            self.mails.append(mail)
        return await self._do(answer.removeprefix("take and "), server)

    async def _do(self, answer, server):
        if answer == "stall":
            await self._end.wait()
        if answer in {"stall", "hang up"}:
            server.transport.abort()
            return "421 closing"
        return answer

    def release(self):
        self._end.set()

    @property
    def ids(self) -> list[str]:
        return [mail["Message-ID"] for mail in self.mails]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOCAL, 0))
        return probe.getsockname()[1]


@pytest.fixture
def post_office():
    """Open a server for a block: `with post_office() as (post, server): …`; more keywords go to aiosmtpd, `port` takes one."""

    @contextmanager
    def open_(port=0, *, implicit=None, user="", password="", tls="no", host=LOCAL, **more):
        class There(Controller):
            def factory(self):
                talks.append(SMTP(self.handler, enable_SMTPUTF8=False, **more))
                return talks[-1]

        async def hang_up():
            post.release()
            for talk in talks:
                if talk.transport is not None:
                    talk.transport.abort()
            await asyncio.sleep(0.01)  # a turn of the loop, in which what was aborted is closed

        talks: list[SMTP] = []
        post = Post()
        port = port or free_port()
        controller = There(post, hostname=LOCAL, port=port, ssl_context=implicit)
        controller.start()
        try:
            yield post, SmtpServer(host, port, tls, user, password)
        finally:
            asyncio.run_coroutine_threadsafe(hang_up(), controller.loop).result(10)
            controller.stop()

    return open_


@pytest.fixture(scope="session")
def certificate(once):
    """A certificate for localhost that nobody has signed but itself, and its key."""

    def make(folder: Path) -> None:
        subject = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
        command = (
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            *subject,
            "-keyout",
            folder / "key.pem",
            "-out",
            folder / "cert.pem",
        )
        subprocess.run(command, check=True, capture_output=True)

    return once("mail-certificate", make)


@pytest.fixture
def with_certificate(certificate):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    return context


@pytest.fixture
def knows():
    """Let a server know one user."""

    def authenticator(name, password):
        def check(server, session, envelope, mechanism, data):
            right = (data.login, data.password) == (name.encode(), password.encode())
            return AuthResult(success=right, handled=right)

        return {"authenticator": check, "auth_require_tls": False, "auth_exclude_mechanism": ["LOGIN"]}

    return authenticator


@pytest.fixture
def outgoing():
    """Make a message on its way."""

    def make(number=1, address="lin@example.com", subject="T-1024 有答案了", text="正文", unsubscribe="http://localhost/unsubscribe/x"):
        letter = Letter(subject, text, f"<p>{text}</p>", "http://localhost/t/x", unsubscribe)
        return Outgoing(f"<20261120T093000Z.{number}@localhost>", address, "resolved", letter, "", "", "T-1024")

    return make


class Said:
    """A channel that keeps what it is given, or fails as it is told: `fails` maps an address to a DeliveryError, and "" to one for all."""

    name = "mail"

    def __init__(self):
        self.sent: list[Outgoing] = []
        self.fails: dict[str, DeliveryError] = {}
        self.tried: list[str] = []

    def send(self, outgoing: Outgoing) -> None:
        self.tried.append(outgoing.message_id)
        error = self.fails.get("") or self.fails.get(outgoing.address)
        if error is not None:
            raise error
        self.sent.append(outgoing)

    def close(self) -> None:
        """Nothing is open."""

    @property
    def told(self) -> list[tuple[str, str]]:
        return sorted((one.topic, one.address) for one in self.sent)


@pytest.fixture
def said():
    return Said()


@pytest.fixture
def courier(services, said):
    """Make a courier whose mail goes to `said`, and whose rests are exact."""
    return Courier(services, {"mail": said}, lambda: 0.5)


@pytest.fixture
def do(services):
    """Do something in one transaction: `do(lambda session: …)`."""

    def do_(step):
        with services.db.write() as session:
            return step(session)

    return do_


@pytest.fixture
def account(do, services):
    """Make an account with mail and return its id: `account("王敏", "agent", level="second")`."""

    def make(name, role="agent", mail=None, **more):
        def add(session):
            user = sign_in.add_user(session, name, role, services.now())
            user.mail = f"{name_of[name]}@example.com" if mail is None else mail
            for field, value in more.items():
                setattr(user, field, value)
            return user.id

        return do(add)

    name_of = {"王敏": "wang", "李雷": "li", "管理员": "admin", "员工小钱": "qian", "员工小孙": "sun"}
    return make


@pytest.fixture
def question(do, services):
    """Open a ticket for which people wait, each with a contact: `question({"c:1": "lin@example.com"})`; their shares' ids by person."""

    def ask(contacts, words="打印机卡纸怎么处理", **guessed):
        def open_(session):
            ticket = history.open_ticket(session, words, services.now(), **guessed)
            made = {}
            for person, contact in contacts.items():
                share = shares.join(ticket, person, Wording(words, "key", ("打印机", "卡纸")), services.now(), receipt=True)
                if contact:
                    shares.add_details(share, "", contact, services.now())
                made[person] = share.id
            return ticket.number, made

        return do(open_)

    return ask


@pytest.fixture
def happens(do, services):
    """Let something happen to a ticket: `happens(1001, lifecycle.reply, "正在处理", "王敏")`; a minute later."""

    def step(number, deed, *arguments, **more):
        services.now.forward(minutes=2)
        do(lambda session: deed(history.find(session, number), *arguments, services.now(), **more))
        services.now.forward(minutes=2)

    return step


@pytest.fixture
def ended(services):
    """Return what became of each message: `{(topic, address): ended_as}`."""

    def read():
        with services.db.read() as session:
            rows = session.execute(select(Notice.kind, Message.address, Message.ended_as).join(Notice, Notice.id == Message.notice_id).order_by(Message.id))
            return {(kind, address): ended_as for kind, address, ended_as in rows}

    return read
