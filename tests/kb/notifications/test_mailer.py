"""Mail goes out whole, under its own Message-ID, to a real server that may refuse, stall or hang up; or into files."""

from __future__ import annotations

import email
import time
from email import policy

import pytest

from kb.config import SmtpServer
from kb.mailer import Folder, Smtp, compose
from kb.notifications.channels import DeliveryError

SENDER = ("知答", "help@example.com")


@pytest.fixture
def smtp():
    """Make the channel to a server, closed at the end."""
    made = []

    def make(server, **more):
        made.append(Smtp(server, SENDER, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


def refused(channel, outgoing):
    with pytest.raises(DeliveryError) as caught:
        channel.send(outgoing)
    return caught.value


def test_a_mail_arrives_as_it_was_written_with_all_that_mail_programs_look_at(post_office, smtp, outgoing, now):
    with post_office() as (post, server):
        smtp(server, now=lambda: now).send(outgoing(subject="T-1024 有答案了：打印机卡纸怎么处理，每次都要重开机才行", text="先关机。\n.\n再开机。"))
    (mail,) = post.mails
    assert mail["Subject"] == "T-1024 有答案了：打印机卡纸怎么处理，每次都要重开机才行"
    assert mail["From"] == "知答 <help@example.com>"
    assert mail["Message-ID"] == "<20261120T093000Z.1@localhost>"
    assert mail["Date"].datetime == now
    assert mail["List-Unsubscribe"] == "<http://localhost/unsubscribe/x>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["Auto-Submitted"] == "auto-generated"
    plain, html = mail.iter_parts()
    assert (plain.get_content_type(), plain.get_content()) == ("text/plain", "先关机。\r\n.\r\n再开机。\r\n")
    assert html.get_content_type() == "text/html"


def test_one_connection_carries_a_batch_and_a_new_one_is_opened_after_it_was_closed(post_office, smtp, outgoing):
    with post_office() as (post, server):
        channel = smtp(server)
        for number in range(3):
            channel.send(outgoing(number))
        assert post.connections == 1
        channel.close()
        channel.send(outgoing(4))
        assert post.connections == 2
    assert len(post.mails) == 4


@pytest.mark.parametrize("subject", ["答复\r\nBcc: all@example.com", "答复\nBcc: all@example.com", "答复\0\x0b\x85\u2028Bcc: x"])
def test_nothing_in_a_subject_becomes_a_header_of_its_own(outgoing, subject, now):
    mail = email.message_from_bytes(compose(outgoing(subject=subject), SENDER, now).as_bytes(), policy=policy.default)
    assert "Bcc" not in mail
    assert mail["Subject"].startswith("答复 ")


@pytest.mark.parametrize(
    "subject",
    [
        "报销 =?utf-8?q?=0aReply-To:_x@evil=2ecom?=",
        "=?utf-8?q?=0a=0aevil=2ecom/pay?=",
        "=?utf-8?b?DQpCY2M6IHhAeS56?=",
        "=?us-ascii?q?=ff?=怎么报",
        "=?utf-8?q?=ed=a0=80?=",
        "=?unknown-8bit?q?=ff=fe?=",
        "=?utf-16?b?AAA=?=",
        "=?rot13?q?abc?= =?undefined?q?abc?=",
        "=?utf-8?q?=41?= =?utf-8?q?=42?=",
        "=?utf-8?q?" + "a" * 60 + "?=",
        "plain words",
    ],
)
def test_what_looks_like_an_encoded_word_in_a_subject_is_what_was_typed(outgoing, subject, now):
    raw = compose(outgoing(subject=subject), SENDER, now).as_bytes()
    mail = email.message_from_bytes(raw, policy=policy.default)
    assert mail["Subject"] == subject
    assert mail.keys() == email.message_from_bytes(compose(outgoing(), SENDER, now).as_bytes()).keys()
    assert all(len(line) <= 78 and line.isascii() for line in raw.partition(b"Subject:")[2].partition(b"\r\nAuto-")[0].splitlines())


@pytest.mark.parametrize(
    "address", ["", "lin", "lin@example.com\r\nBcc: all@example.com", "lin@example.com, all@example.com", "林@example.com", "<lin@example.com>"]
)
def test_what_is_no_address_is_refused_for_good(outgoing, address, now):
    with pytest.raises(DeliveryError) as caught:
        compose(outgoing(address=address), SENDER, now)
    assert caught.value.permanent


def test_a_long_address_to_unsubscribe_stays_in_one_piece(outgoing, now):
    url = "https://a-rather-long-name.help.example.com/unsubscribe/" + "x" * 120
    raw = compose(outgoing(unsubscribe=url), SENDER, now).as_bytes()
    assert f"List-Unsubscribe: <{url}>\r\n".encode() in raw
    assert all(len(line) <= 998 for line in raw.splitlines())


def test_a_lone_half_of_a_character_ends_nothing(outgoing, now):
    assert compose(outgoing(text="坏的 \ud83d 字"), SENDER, now).as_bytes()


@pytest.mark.parametrize(
    ("place", "answer", "meaning"),
    [
        ("recipients", "550 no such user", (True, False, False)),
        ("recipients", "450 mailbox busy", (False, False, True)),
        ("recipients", "450 4.7.1 Greylisted", (False, False, True)),
        ("recipients", "451 4.3.0 Temporary lookup failure", (False, False, False)),
        ("recipients", "554 5.7.1 Access denied", (False, False, False)),
        ("recipients", "550 relaying not permitted", (False, False, False)),
        ("recipients", "421 shutting down", (False, True, False)),
        ("data", "554 looks like spam", (True, False, False)),
        ("data", "451 try later", (False, False, False)),
        ("data", "552 too large", (True, False, False)),
    ],
)
def test_a_refusal_says_whether_it_is_for_good_for_now_or_for_everything(post_office, smtp, outgoing, place, answer, meaning):
    with post_office() as (post, server):
        getattr(post, place).append(answer)
        error = refused(smtp(server), outgoing())
        assert (error.permanent, error.down, error.alone) == meaning
        assert answer[:3] in error.reason


def test_what_a_server_answers_is_told_without_the_address_that_it_quotes(post_office, smtp, outgoing):
    with post_office() as (post, server):
        post.recipients.append("450 4.2.0 <lin@example.com>: Recipient address rejected: Greylisted, RCPT TO:lin@example.com")
        error = refused(smtp(server), outgoing())
    assert error.reason.endswith("450 4.2.0 <l***@example.com>: Recipient address rejected: Greylisted, RCPT TO:l***@example.com")


def test_a_sender_who_is_not_taken_for_now_stops_everything_for_now(post_office, smtp, outgoing):
    with post_office() as (post, server):
        post.senders.append("452 4.3.1 insufficient storage")
        error = refused(smtp(server), outgoing())
    assert (error.permanent, error.down) == (False, True)


def test_after_a_refusal_the_next_mail_goes_out_by_the_same_connection(post_office, smtp, outgoing):
    with post_office() as (post, server):
        channel = smtp(server)
        post.recipients.append("550 no such user")
        refused(channel, outgoing(1))
        channel.send(outgoing(2))
        assert post.connections == 1
    assert post.ids == ["<20261120T093000Z.2@localhost>"]


@pytest.mark.parametrize("answer", ["hang up", "take and hang up"])
def test_a_mail_that_was_cut_is_tried_again_under_its_message_id(post_office, smtp, outgoing, answer):
    with post_office() as (post, server):
        channel = smtp(server)
        post.data.append(answer)
        error = refused(channel, outgoing())
        assert (error.permanent, error.down) == (False, False)
        channel.send(outgoing())
    assert set(post.ids) == {"<20261120T093000Z.1@localhost>"}


def test_a_server_that_ends_a_used_connection_is_called_again_at_once(post_office, smtp, outgoing):
    with post_office() as (post, server):
        channel = smtp(server)
        channel.send(outgoing(1))
        post.recipients.append("hang up")
        channel.send(outgoing(2))
        post.recipients.append("421 enough for one connection")
        channel.send(outgoing(3))
    assert len(post.mails) == 3
    assert post.connections == 3


def test_a_server_that_falls_silent_is_left_after_the_limit(post_office, smtp, outgoing):
    with post_office() as (post, server):
        post.data.append("stall")
        began = time.monotonic()
        error = refused(smtp(server, patience=0.2), outgoing())
        assert time.monotonic() - began < 5
        assert not error.permanent
        assert "没有回答" in error.reason


def test_nobody_there_is_told_as_a_whole_channel_that_is_down(smtp, outgoing, post_office):
    with post_office() as (_, server):
        pass
    error = refused(smtp(server), outgoing())
    assert error.down
    assert f"127.0.0.1:{server.port}" in error.reason


@pytest.mark.parametrize("host", ["mail..example.com", "a" * 64 + ".example.com"])
def test_a_name_that_no_name_server_can_be_asked_for_is_a_server_that_is_down(smtp, outgoing, host):
    error = refused(smtp(SmtpServer(host, 25, "no", "", "")), outgoing())
    assert error.down
    assert "请检查 KB_SMTP" in error.reason


def test_a_password_that_cannot_be_sent_stops_everything_for_now(post_office, smtp, outgoing, knows):
    with post_office(user="zhida", password="密码", **knows("zhida", "密码")) as (post, server):
        error = refused(smtp(server), outgoing())
        assert error.down
        assert "不能用的字符" in error.reason
        assert post.mails == []


def test_a_user_signs_in_and_a_wrong_password_stops_everything_without_being_told(post_office, smtp, outgoing, knows):
    with post_office(user="zhida", password="right-secret", **knows("zhida", "right-secret")) as (post, server):
        smtp(server).send(outgoing())
        assert [mail.signed_in for mail in post.mails] == [True]
        wrong = SmtpServer(server.host, server.port, "no", "zhida", "wrong-secret")
        error = refused(smtp(wrong), outgoing(2))
        assert error.down
        assert "用户名或密码" in error.reason
        assert "secret" not in error.reason
        assert "secret" not in repr(wrong)


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_mail_is_sealed_to_a_server_whose_certificate_is_trusted_and_to_no_other(post_office, smtp, outgoing, tls, with_certificate, certificate, monkeypatch):
    more = {"implicit": with_certificate} if tls == "implicit" else {"tls_context": with_certificate, "require_starttls": True}
    with post_office(tls=tls, host="localhost", **more) as (post, server):
        error = refused(smtp(server), outgoing())
        assert error.down
        assert "证书不可信" in error.reason
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
        smtp(server).send(outgoing())
    assert len(post.mails) == 1


def test_a_server_without_starttls_gets_no_mail_when_it_is_asked_for(post_office, smtp, outgoing):
    with post_office(tls="starttls") as (post, server):
        assert refused(smtp(server), outgoing()).down
    assert not post.mails


def test_without_a_server_a_mail_is_a_file_and_written_twice_it_is_one(tmp_path, outgoing):
    channel = Folder(tmp_path / "mail", SENDER)
    for number in (1, 1, 2):
        channel.send(outgoing(number))
    files = sorted((tmp_path / "mail").iterdir())
    assert [file.name for file in files] == ["20261120T093000Z-1.eml", "20261120T093000Z-2.eml"]
    assert email.message_from_bytes(files[0].read_bytes(), policy=policy.default)["Subject"] == "T-1024 有答案了"


def test_a_message_id_names_no_file_elsewhere(tmp_path, outgoing):
    channel = Folder(tmp_path / "mail", SENDER)
    channel.send(outgoing("../../x"))
    assert [file.name for file in (tmp_path / "mail").iterdir()] == ["20261120T093000Z-x.eml"]


def test_a_folder_that_cannot_be_written_stops_everything_for_now(tmp_path, outgoing):
    (tmp_path / "mail").write_text("a file where the folder should be")
    assert refused(Folder(tmp_path / "mail", SENDER), outgoing()).down
