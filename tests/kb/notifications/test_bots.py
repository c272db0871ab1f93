"""Bots and the host app's hook against a real HTTP server on this machine; signatures are worked out anew here, by the platforms' own descriptions."""

import base64
import hashlib
import hmac
import json
import re
import threading
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest

from kb.accounts.identity import subject_of
from kb.config import Bot, Config
from kb.notifications import bots
from kb.notifications.channels import DeliveryError, Letter, Outgoing
from kb.notifications.courier import Courier
from kb.tickets import history
from kb.tickets.models import Follower
from kb.tickets.standing import Kind, Level

SITE = "https://help.example.com"
SECRET = "0123456789abcdef0123456789abcdef"
LETTER = Letter("T-1024 已超时：打印机卡纸", f"还没有人回复。\n请接手：{SITE}/desk/1024", "", f"{SITE}/desk/1024", "")
GUIDE = (Path(__file__).parents[3] / "docs" / "notifications.md").read_text(encoding="utf-8")


class Got(NamedTuple):
    path: str
    headers: Message
    body: bytes


class Receiver(ThreadingHTTPServer):
    """Whoever is told: keeps what came, and answers what it was told to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.got: list[Got] = []
        self.answer = (200, b'{"errcode":0,"errmsg":"ok"}', {})
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.got.append(Got(self.path, self.headers, self.rfile.read(int(self.headers["Content-Length"]))))
        status, body, headers = self.server.answer
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def receiver():
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def channel(receiver, now):
    """Make the one channel that some settings name; `{url}` in them is the receiver's address."""

    def make(**settings):
        environ = {name: value.format(url=receiver.url) for name, value in settings.items()}
        (only,) = bots.channels(Config.from_env({"KB_BASE_URL": SITE, **environ}), lambda: now).values()
        return only

    return make


def outgoing(letter=LETTER, **more):
    given = {"message_id": "<m-1@help.example.com>", "address": "", "topic": "alarmed", "letter": letter, "sub": "", "site": "", "ticket": "T-1024"}
    return Outgoing(**{**given, **more})


def text_of(kind, said):
    if kind == "wecom":
        return said["markdown"]["content"]
    if kind == "dingtalk":
        return said["markdown"]["title"] + said["markdown"]["text"]
    post = said["content"]["post"]["zh_cn"]
    return post["title"] + "\n".join(piece["text"] for paragraph in post["content"] for piece in paragraph)


def test_without_settings_there_is_no_channel():
    assert bots.channels(Config.from_env({})) == {}


def test_a_group_of_wecom_gets_its_markdown(receiver, channel):
    channel(KB_BOTS="wecom {url}/cgi-bin/webhook/send?key=k-1").send(outgoing())
    (got,) = receiver.got
    assert got.path == "/cgi-bin/webhook/send?key=k-1"
    assert got.headers["Content-Type"] == "application/json; charset=utf-8"
    content = f"**T-1024 已超时：打印机卡纸**\n还没有人回复。\n请接手：{SITE}/desk/1024\n[打开]({SITE}/desk/1024)"
    assert json.loads(got.body) == {"msgtype": "markdown", "markdown": {"content": content}}


def test_a_group_of_dingtalk_gets_its_markdown_signed_by_time_and_secret(receiver, channel, now):
    channel(KB_BOTS="dingtalk {url}/robot/send?access_token=t-1 SEC+secret").send(outgoing())
    (got,) = receiver.got
    asked = parse_qs(urlsplit(got.path).query)
    milliseconds = str(int(now.timestamp() * 1000))
    sign = base64.b64encode(hmac.new(b"SEC+secret", f"{milliseconds}\nSEC+secret".encode(), hashlib.sha256).digest()).decode()
    assert asked == {"access_token": ["t-1"], "timestamp": [milliseconds], "sign": [sign]}
    said = json.loads(got.body)
    assert said["at"] == {"isAtAll": False}
    assert said["markdown"]["title"] == "T-1024 已超时：打印机卡纸"
    assert f"还没有人回复。\n\n请接手：{SITE}/desk/1024" in said["markdown"]["text"]


def test_a_group_of_dingtalk_without_a_secret_is_asked_without_a_signature(receiver, channel):
    channel(KB_BOTS="dingtalk {url}/robot/send?access_token=t-1").send(outgoing())
    assert receiver.got[0].path == "/robot/send?access_token=t-1"


def test_a_group_of_feishu_gets_paragraphs_signed_by_time_and_secret(receiver, channel, now):
    receiver.answer = (200, b'{"code":0,"msg":"success","data":{}}', {})
    channel(KB_BOTS="feishu {url}/open-apis/bot/v2/hook/h-1 s3cret").send(outgoing())
    said = json.loads(receiver.got[0].body)
    seconds = str(int(now.timestamp()))
    assert said["timestamp"] == seconds
    assert said["sign"] == base64.b64encode(hmac.new(f"{seconds}\ns3cret".encode(), b"", hashlib.sha256).digest()).decode()
    assert said["msg_type"] == "post"
    assert said["content"]["post"]["zh_cn"]["title"] == "T-1024 已超时：打印机卡纸"
    assert said["content"]["post"]["zh_cn"]["content"][-1] == [{"tag": "a", "text": "打开", "href": f"{SITE}/desk/1024"}]


@pytest.mark.parametrize("kind", ["wecom", "dingtalk", "feishu"])
def test_what_people_wrote_mentions_nobody_and_marks_nothing(kind, receiver, channel):
    written = (
        '<@all> @all @所有人 <at user_id="all">所有人</at> **急** [领红包](http://evil.example) `x` # 大 > 引 ~~删~~ | \\ ![图](http://evil.example/i.png)'
    )
    channel(KB_BOTS=f"{kind} {{url}}/bot").send(outgoing(Letter(f"T-1024 {written}", f"{written}\n{SITE}/desk/1_2", "", f"{SITE}/desk/1024", "")))
    said = text_of(kind, json.loads(receiver.got[0].body))
    ours = said.replace("**T-1024", "").replace(f"[打开]({SITE}/desk/1024)", "")
    assert not set("@<>[]`#~|\\!") & set(ours)
    assert "http://evil" not in ours.partition("http：//")[2]
    assert "＠all" in ours
    assert f"{SITE}/desk/1_2" in ours


@pytest.mark.parametrize("kind", ["wecom", "dingtalk", "feishu"])
@pytest.mark.parametrize("letter", ["@", "发", "😀", "x\n"])
def test_a_long_message_is_cut_to_what_every_group_takes(kind, letter, receiver, channel):
    channel(KB_BOTS=f"{kind} {{url}}/bot").send(outgoing(Letter(letter * 3000, letter * 9000, "", f"{SITE}/desk/1024", "")))
    said = text_of(kind, json.loads(receiver.got[0].body))
    assert len(said.encode()) <= 4096
    assert len(receiver.got[0].body) <= 20_000
    assert "打开" in said
    assert "…" in said


@pytest.mark.parametrize(
    ("kind", "status", "answer", "permanent", "down", "reason"),
    [
        ("wecom", 200, b'{"errcode":45009,"errmsg":"api freq out of limit"}', False, True, "45009 api freq out of limit"),
        ("wecom", 200, b'{"errcode":93000,"errmsg":"invalid webhook url"}', True, False, "换上新地址"),
        ("wecom", 200, b'{"errcode":40058,"errmsg":"content exceed\\r\\nmax length"}', False, False, "40058 content exceed max length"),
        ("dingtalk", 200, b'{"errcode":130101,"errmsg":"send too fast"}', False, True, "130101"),
        ("dingtalk", 200, b'{"errcode":310000,"errmsg":"sign not match"}', False, False, "310000 sign not match"),
        ("dingtalk", 200, b'{"errcode":300005,"errmsg":"token is not exist"}', True, False, "换上新地址"),
        ("feishu", 200, b'{"code":11232,"msg":"frequency limited"}', False, True, "frequency limited"),
        ("feishu", 200, b'{"code":19001,"msg":"access token invalid"}', True, False, "换上新地址"),
        ("feishu", 400, b'{"code":9499,"msg":"Bad Request"}', False, False, "9499 Bad Request"),
        ("feishu", 200, b'{"code":true}', False, False, "看不懂"),
        ("wecom", 200, b"<html>hello", False, False, "看不懂"),
        ("wecom", 200, b"[" * 60000, False, False, "看不懂"),
        ("wecom", 200, b"[0]", False, False, "看不懂"),
        ("wecom", 200, b"", False, False, "看不懂"),
        ("wecom", 429, b"slow down", False, True, "429"),
        ("wecom", 503, b'{"errcode":0}', False, True, "503"),
        ("wecom", 502, b"", False, False, "502"),
    ],
)
def test_a_bot_that_did_not_take_a_message_says_so_in_its_own_way(kind, status, answer, permanent, down, reason, receiver, channel):
    receiver.answer = (status, answer, {})
    with pytest.raises(DeliveryError) as raised:
        channel(KB_BOTS=f"{kind} {{url}}/bot?key=k-1").send(outgoing())
    assert (raised.value.permanent, raised.value.down) == (permanent, down)
    assert reason in raised.value.reason
    assert "k-1" not in raised.value.reason


def test_an_old_answer_of_feishu_is_understood(receiver, channel):
    receiver.answer = (200, b'{"Extra":null,"StatusCode":0,"StatusMessage":"success"}', {})
    channel(KB_BOTS="feishu {url}/bot").send(outgoing())
    assert len(receiver.got) == 1


def test_a_group_that_cannot_be_reached_is_down_and_its_key_is_not_told(channel, receiver):
    bot = channel(KB_BOTS="wecom {url}/bot?key=k-1")
    receiver.shutdown()
    receiver.server_close()
    with pytest.raises(DeliveryError) as raised:
        bot.send(outgoing())
    assert (raised.value.down, raised.value.reason) == (True, "127.0.0.1 拒绝连接")


def test_a_bot_keeps_its_name_wherever_it_stands_in_the_settings():
    first, second = "wecom https://a.example/?key=1", "wecom https://a.example/?key=2"
    names = list(bots.channels(Config.from_env({"KB_BOTS": f"{first}\n{second}"})))
    assert list(bots.channels(Config.from_env({"KB_BOTS": f"{second},{first}"}))) == names[::-1]
    assert [bots.label(name) for name in (*names, "hook", "mail")] == ["企业微信群机器人", "企业微信群机器人", "宿主应用", ""]


def told(receiver, channel):
    channel(KB_FOLLOWER_HOOK="{url}/hooks/zhida", KB_HOOK_SECRET=SECRET).send(
        outgoing(
            Letter("T-1024 有新回复", "请重启。", "<p>请重启。</p>", f"{SITE}/t/abc", f"{SITE}/unsubscribe/abc"), topic="replied", site="travel", sub="e-7"
        )
    )
    return receiver.got[-1]


def test_a_host_app_is_told_whom_to_tell_what(receiver, channel, now):
    got = told(receiver, channel)
    assert got.path == "/hooks/zhida"
    assert json.loads(got.body) == {
        "id": "<m-1@help.example.com>",
        "type": "follower.notify",
        "at": now.isoformat(),
        "topic": "replied",
        "site": "travel",
        "sub": "e-7",
        "ticket": "T-1024",
        "title": "T-1024 有新回复",
        "text": "请重启。",
        "url": f"{SITE}/t/abc",
    }
    assert "请重启" in got.body.decode()


def documented():
    """Return the function that the documents show for checking a signature."""
    names: dict = {}
    exec(re.search(r"```python\n(.*?)```", GUIDE, re.DOTALL)[1], names)  # noqa: S102 - the documents' own example is what is tested
    return names["genuine"]


def test_the_documented_check_tells_our_messages_from_others(receiver, channel, now):
    got, genuine, at = told(receiver, channel), documented(), now.timestamp()
    assert genuine(got.headers, got.body, SECRET, at)
    assert genuine(got.headers, got.body, SECRET, at + 299)
    assert not genuine(got.headers, got.body + b" ", SECRET, at)
    assert not genuine(got.headers, got.body, "f" * 32, at)
    assert not genuine(got.headers, got.body, SECRET, at + 301)
    assert not genuine({**got.headers, "X-Zhida-Timestamp": str(int(at) + 1)}, got.body, SECRET, at)
    assert not genuine({}, got.body, SECRET, at)
    assert not genuine({"X-Zhida-Timestamp": "²", "X-Zhida-Signature": "v1=é"}, got.body, SECRET, at)


def test_the_documented_fields_are_those_that_are_sent(receiver, channel):
    example = json.loads(re.search(r'\n(\{"id".*?\})\n```', GUIDE, re.DOTALL)[1])
    assert list(example) == list(json.loads(told(receiver, channel).body))


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_success_of_a_host_app_means_taken(status, receiver, channel):
    receiver.answer = (status, b"", {})
    told(receiver, channel)
    assert len(receiver.got) == 1


@pytest.mark.parametrize(
    ("status", "permanent", "down"),
    [
        (400, True, False),
        (401, False, False),
        (404, False, False),
        (410, True, False),
        (413, True, False),
        (422, True, False),
        (429, False, True),
        (500, False, False),
        (503, False, True),
    ],
)
def test_a_host_app_says_by_its_status_whether_to_come_again(status, permanent, down, receiver, channel):
    receiver.answer = (status, b"", {})
    with pytest.raises(DeliveryError) as raised:
        told(receiver, channel)
    assert (raised.value.permanent, raised.value.down) == (permanent, down)
    assert raised.value.reason == f"宿主应用回答 {status}"


def test_a_signed_message_is_not_carried_on_to_where_an_answer_points(receiver, channel):
    receiver.answer = (307, b"", {"Location": f"{receiver.url}/elsewhere"})
    with pytest.raises(DeliveryError, match="不跟过去"):
        told(receiver, channel)
    assert [got.path for got in receiver.got] == ["/hooks/zhida"]


def test_a_person_of_a_host_app_is_known_by_its_site_and_own_id():
    assert subject_of("s:travel:e-7") == ("travel", "e-7")
    assert subject_of("s:travel:dept:7") == ("travel", "dept:7")
    assert [subject_of(person) for person in ("u:7", "c:s:x:y", "", "s:", "s:travel", "s:travel:", "s::7")] == [None] * 7


def test_the_courier_tells_the_team_and_the_host_app_by_these_channels(receiver, services_with, clock, now):
    bot = Bot("wecom", f"{receiver.url}/bot")
    services = services_with(bots=(bot,), follower_hook=f"{receiver.url}/hook", hook_secret=SECRET)
    with services.db.write() as session:
        ticket = history.open_ticket(session, "@all 打印机卡纸", now, priority="normal", category="inquiry")
        session.add(Follower(ticket_number=ticket.number, person="s:travel:e-7", token="t" * 32, wording="打印机卡纸", waiting=True, joined_at=now))
        history.count_people(ticket, now)
        history.record(ticket, Kind.REPLIED, now, "客服小林", body="请打开后盖，把纸取出来。")
        history.record(ticket, Kind.ESCALATED, now, "客服小林", target=Level.MANAGER.value)
    clock.forward(minutes=2)
    courier = Courier(services)
    courier.work()
    courier.work()
    told = {got.path: json.loads(got.body) for got in receiver.got}
    assert len(receiver.got) == len(told) == 2, "each is told once"
    assert "＠all 打印机卡纸" in told["/bot"]["markdown"]["content"]
    assert "[打开](http://localhost/desk/1001)" in told["/bot"]["markdown"]["content"]
    assert (told["/hook"]["site"], told["/hook"]["sub"], told["/hook"]["topic"], told["/hook"]["ticket"]) == ("travel", "e-7", "replied", "T-1001")
    assert told["/hook"]["url"] == f"http://localhost/t/{'t' * 32}"
    assert "请打开后盖" in told["/hook"]["text"]
