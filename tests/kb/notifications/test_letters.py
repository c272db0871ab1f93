"""What letters say: what this person may read, where to go on, and nothing that somebody else could use."""

from __future__ import annotations

import re
from unicodedata import east_asian_width

import pytest
from sqlalchemy import select

from kb.accounts import sign_in
from kb.accounts.models import SignInLink, StaffSession
from kb.notifications import outbox
from kb.notifications.courier import Courier
from kb.notifications.outbox import Topic
from kb.notifications.quoting import MOST_QUOTED, quoted
from kb.notifications.typesetting import wrapped
from kb.tickets import history, lifecycle, shares
from kb.tickets.models import Follower
from kb.tickets.standing import Alarm
from kb.web.wording import ALARM_NAMES
from kb.widget.models import Site
from tests.kb.notifications.conftest import Said


@pytest.fixture
def letters(courier, said, services):
    """Send what is due and return the new letters by topic and address."""

    def send():
        before = len(said.sent)
        services.now.forward(minutes=2)
        courier.work()
        return {(one.topic, one.address): one.letter for one in said.sent[before:]}

    return send


@pytest.fixture
def token_of(services):
    def read(share):
        with services.db.read() as session:
            return session.get(Follower, share).token

    return read


def columns(line):
    return sum(2 if east_asian_width(letter) in "WFA" else 1 for letter in line)


def test_an_answer_by_an_article_leads_to_it_and_to_the_persons_own_page(question, happens, letters, token_of):
    number, mine = question({"c:1": "lin@example.com"}, "发票查验不通过怎么办")
    happens(number, lifecycle.resolve, "王敏", article="invoices/verify-failed", body="当天的票第二天再查。")
    letter = letters()["resolved", "lin@example.com"]
    assert letter.subject == f"T-{number} 有答案了"
    assert "    当天的票第二天再查。" in letter.text
    assert "http://localhost/a/invoices/verify-failed" in letter.text
    assert f"http://localhost/t/{token_of(mine['c:1'])}" in letter.text
    assert "3 个工作日" in letter.text
    assert letter.unsubscribe in letter.text


def test_the_link_leads_to_the_section_that_answers_this_persons_own_words(question, happens, letters, services):
    published = services.library.current()
    place = next(place for place in published.sections if place.section.anchor and place.section.heading and place.article.id == "invoices/verify-failed")
    number, _ = question({"c:1": "lin@example.com"}, place.section.heading)
    happens(number, lifecycle.resolve, "王敏", article=place.article.id)
    assert f"http://localhost/a/{place.article.id}#{place.section.anchor}" in letters()["resolved", "lin@example.com"].text


def test_an_article_that_a_person_may_not_read_is_not_named_to_them(restricted, app_of, clock):
    said = Said()
    with restricted.db.write() as session:
        ticket = history.open_ticket(session, "银企直连证书过期", clock())
        share = shares.join(ticket, "c:1", shares.Wording("银企直连证书过期", "k"), clock(), receipt=True)
        share.contact = "lin@example.com"
        lifecycle.resolve(ticket, "王敏", clock(), article="finance/keys")
    clock.forward(minutes=2)
    Courier(restricted, {"mail": said}).work()
    (one,) = said.sent
    assert "finance" not in one.letter.text
    assert "更新" not in one.letter.text


@pytest.mark.parametrize(
    ("modules", "named"),
    [([], True), (["invoices"], True), (["travel"], False), (None, False)],
    ids=["all modules", "a module that it shows", "a module that it does not show", "a site that is none"],
)
def test_a_letter_to_a_sites_person_names_what_the_site_shows_to_everybody(question, happens, do, services, token_of, modules, named):
    article = "invoices/verify-failed"
    hook, mail = Said(), Said()
    if modules is not None:
        do(lambda session: session.add(Site(name="erp", origins=[], modules=modules, audience=["finance"], anonymous=True, created_at=services.now())))
    number, mine = question({"s:erp:u-77": "lin@example.com"})
    happens(number, lifecycle.resolve, "王敏", article=article, body="请看文章")
    Courier(services, {"hook": hook, "mail": mail}).work()
    (told,), (mailed,) = ([one.letter for one in channel.sent if one.topic == "resolved"] for channel in (hook, mail))
    assert "请看文章" in told.text
    assert told.url == f"http://localhost/t/{token_of(mine['s:erp:u-77'])}"
    title = services.library.current().articles[article].title
    assert [title in letter.text for letter in (told, mailed)] == [named, named]
    assert (f"/a/{article}" in mailed.text) is named


def test_a_role_that_a_site_vouched_for_opens_no_article_in_a_letter(restricted, clock):
    """Whoever follows a link out of a letter comes to our own pages, where nobody vouches for them; and a role may have ended since."""
    hook = Said()
    with restricted.db.write() as session:
        session.add(Site(name="erp", origins=[], modules=[], audience=["finance"], anonymous=True, created_at=clock()))
        ticket = history.open_ticket(session, "银企直连证书过期", clock())
        shares.join(ticket, "s:erp:u-77", shares.Wording("银企直连证书过期", "k"), clock(), receipt=True)
        lifecycle.resolve(ticket, "王敏", clock(), article="finance/keys")
    clock.forward(minutes=2)
    Courier(restricted, {"hook": hook}).work()
    (one,) = hook.sent
    assert "finance" not in one.letter.text + one.letter.url
    assert "更新" not in one.letter.text


def test_what_was_said_to_one_person_stands_in_no_other_letter(question, happens, letters):
    number, _ = question({"c:1": "a@example.com", "c:2": "b@example.com"})
    happens(number, lambda ticket, now: shares.add_details(ticket.followers[0], "我的工号是 4711", None, now))
    happens(number, lambda ticket, now: lifecycle.reply(ticket, "只给你：密码已重置", "王敏", now, to=ticket.followers[0]))
    happens(number, lambda ticket, now: lifecycle.note(ticket, "内部：这个人总来问", "王敏", now))
    happens(number, lifecycle.reply, "给大家：已修好", "王敏")
    found = letters()
    to_others = "".join(letter.text + letter.html + letter.subject for (_, address), letter in found.items() if address != "a@example.com")
    assert "给大家：已修好" in to_others
    assert not any(secret in to_others for secret in ("只给你", "4711", "内部"))


def test_details_that_a_person_adds_are_not_mailed_to_the_agent(question, happens, letters, account):
    account("王敏")
    number, _ = question({"c:1": ""})
    happens(number, lifecycle.assign, "王敏", "王敏")
    happens(number, lambda ticket, now: shares.add_details(ticket.followers[0], "卡号 6222 0000", None, now))
    letter = letters()["added", "wang@example.com"]
    assert "6222" not in letter.text + letter.html + letter.subject
    assert f"http://localhost/desk/{number}" in letter.text


@pytest.mark.parametrize(
    "words",
    [
        "中奖了 https://evil.example.com/win?x=1 快点",
        "看 evil.example.com 有惊喜",
        "WWW.EVIL.COM/abc",
        "evil．example．com 全角",
        "加我 me@evil.example.com",
        "ftp://evil.example.com",
        "javascript://x",
        "xn--e1afmkfd.xn--p1ai/路径",
        "http://1.2.3.4/x",
        "领补贴请打开evil.com领取",
        "evil。com/pay",
        "钓鱼evil.中国/pay",
        "EVIL.公司",
        "打开 1.2.3.4/pay",
        "http:／／evil.com",
        "打开www。evil。com",
        "EVIL.COM点",
        "evil.com_点",
        "ｅｖｉｌ．ｃｏｍ",
        "ⓔvil․com",
    ],
)
def test_nobody_sends_a_link_or_a_long_text_to_an_agent_through_us(question, happens, letters, account, words):
    account("王敏")
    number, _ = question({"c:1": ""}, words + "，" + "请务必看看" * 40)
    happens(number, lifecycle.assign, "王敏", "李雷")
    letter = letters()["assigned", "wang@example.com"]
    ours = re.sub(r"http://localhost/[\w/?=&.%-]*", "", letter.text + letter.html)
    ours = re.sub(r"<!doctype html>.*?</head>|style=\"[^\"]*\"", "", ours, flags=re.DOTALL)
    for sign in ("evil", "://", "www", "xn--", "1.2.3.4"):
        assert sign not in ours.lower() + letter.subject.lower(), sign
    assert (ours + letter.subject).count("请务必看看") <= 6 * MOST_QUOTED / 5


def test_what_people_type_is_text_in_html_too(question, happens, letters, read):
    number, _ = question({"c:1": "lin@example.com"}, "<script>alert(1)</script> 打印 & 卡纸")
    happens(number, lifecycle.reply, "<img src=x onerror=alert(1)>\n第二行", "王敏")
    found = letters()
    assert len(found) == 2
    for letter in found.values():
        page = read(letter.html)
        assert not {"script", "img", "iframe", "form"} & {tag for tag, _ in page.elements}
        assert not [name for _, given in page.elements for name in given if name.startswith("on")]
        assert all(link.startswith("http://localhost/") for link in page.links)


def test_plain_text_fits_into_78_columns_but_for_addresses_and_the_replys_own_long_words(question, happens, letters, account):
    account("王敏")
    number, _ = question({"c:1": "lin@example.com"}, "打印机卡纸怎么处理，每次都要重开机，已经三天了，换过纸盒也没有用，同事的也一样")
    happens(number, lifecycle.assign, "王敏", "李雷")
    happens(number, lifecycle.reply, "先关机，等三十秒再开。" * 20 + "\n\n1. 打开后盖（听到“咔”的一声）。\n2. " + "x" * 200, "王敏")
    happens(number, lifecycle.ask, "还卡吗？", "王敏")
    happens(number, lifecycle.resolve, "王敏", body="换了一台。")
    happens(number, lambda ticket, now: shares.reopen(ticket.followers[0], "还是卡", now))
    for letter in letters().values():
        for line in letter.text.splitlines():
            assert columns(line) <= 78 or "http://" in line or "xxxx" in line, line
            assert not re.match(r"\s*[，。、；：？！）》」』”]", line), line
            assert line == "-- " or line == line.rstrip()


def test_wrapping_keeps_every_character_and_ends_no_line_with_an_opening_bracket():
    text = "打开“我的发票”（在首页右上角），" * 12
    assert wrapped(text).replace("\n", "") == text
    assert not any(line.endswith(("（", "“")) for line in wrapped(text).splitlines())
    assert all(columns(line) <= 78 for line in wrapped(text).splitlines())
    assert wrapped("") == ""


def test_no_letter_to_an_address_that_nobody_has_shown_to_be_theirs_holds_a_word_of_the_askers(question, happens, letters):
    number, _ = question({"c:1": "victim@example.com", "c:2": "mate@example.com"}, "加微信 abc-123 转账")
    sent = list(letters().values())
    happens(number, lifecycle.reply, "请看制度", "王敏")
    happens(number, lifecycle.ask, "哪一台？", "王敏")
    sent += letters().values()
    happens(number, lifecycle.resolve, "王敏", article="invoices/verify-failed", body="请看文章")
    sent += letters().values()
    happens(number, lambda ticket, now: shares.reopen(ticket.followers[1], "加微信也不行", now))
    sent += letters().values()
    assert {letter.subject for letter in sent} == {f"T-{number} {title}" for title in ("已记下", "客服有回复", "客服想请你补充", "有答案了", "重新打开了")}
    for letter in sent:
        assert not [word for word in ("微信", "abc", "转账") if word in letter.subject + letter.text + letter.html]
    assert any(f"关于你的提问 T-{number}，客服回复：" in letter.text for letter in sent)


def test_who_has_an_account_reads_their_question_in_every_letter(question, happens, letters, account):
    sun = account("员工小孙", "asker")
    number, _ = question({f"u:{sun}": ""}, "打印机卡纸怎么处理")
    happens(number, lifecycle.reply, "先关机", "王敏")
    happens(number, lifecycle.resolve, "王敏", body="换了一台")
    for letter in letters().values():
        assert letter.subject.endswith("：打印机卡纸怎么处理")
        assert "“打印机卡纸怎么处理”" in letter.text
        assert "不再给这个邮箱发信" not in letter.text, "an account has its own settings"


def test_a_receipt_holds_the_question_only_where_the_address_is_known_to_be_the_askers(question, letters, account):
    sun = account("员工小孙", "asker")
    number, _ = question({"c:1": "victim@example.com", f"u:{sun}": ""}, "加微信 abc-123 转账")
    sent = letters()
    stranger, own = sent["received", "victim@example.com"], sent["received", "sun@example.com"]
    assert "微信" not in stranger.subject + stranger.text + stranger.html
    assert stranger.subject == f"T-{number} 已记下"
    assert "这不是你提的？" in stranger.text
    assert "加微信 abc-123 转账" in own.subject
    assert "加微信 abc-123 转账" in own.text


@pytest.mark.parametrize(
    "words",
    [
        "系统导出的报表.xlsx打不开",
        "发票.pdf 传不上去",
        "1.公司怎么报销 2.网络很慢",
        "出差去上海。公司说不报",
        "超过 3.5 万怎么办",
        "IP 是 192.168.1.5，连不上",
        "SAP。CRM 也进不去",
    ],
)
def test_what_only_looks_a_little_like_a_link_is_quoted_as_it_is(words):
    assert quoted(words) == words


def test_a_question_is_quoted_as_one_line():
    assert quoted("打印机\r\n\t卡纸\u2028怎么办\0") == "打印机 卡纸 怎么办"
    assert len(quoted("长" * 500)) == MOST_QUOTED


def test_an_invitation_and_a_reset_hold_a_link_that_works_and_nothing_else_is_kept_of_it(letters, account, do, services, app):
    wang = account("王敏")
    do(lambda session: outbox.note_for(session, wang, Topic.INVITED, services.now()))
    letter = letters()["invited", "wang@example.com"]
    path = re.search(r"http://localhost(/sign-in/\S+)", letter.text)[1]
    assert app.test_client().get(path).status_code == 200
    assert "7 天" in letter.text
    assert letter.unsubscribe == ""
    do(lambda session: outbox.note_for(session, wang, Topic.RESET, services.now()))
    reset = letters()["reset", "wang@example.com"]
    assert app.test_client().get(re.search(r"http://localhost(/sign-in/\S+)", reset.text)[1]).status_code == 200
    with services.db.read() as session:
        stored = " ".join(session.scalars(select(SignInLink.token_hash)))
        assert path.rpartition("/")[2] not in stored
        assert list(session.scalars(select(StaffSession))) == []


def test_whoever_has_come_already_is_not_invited_any_more(letters, account, do, services):
    wang = account("王敏")
    do(lambda session: outbox.note_for(session, wang, Topic.INVITED, services.now()))
    do(lambda session: sign_in.set_password(sign_in.find_user(session, "王敏"), "一句好记的话 2026"))
    assert letters() == {}


def test_no_letter_holds_a_session_or_the_key(question, happens, letters, services, account):
    account("王敏")
    number, _ = question({"c:1": "lin@example.com"})
    happens(number, lifecycle.assign, "王敏", "李雷")
    happens(number, lifecycle.reply, "正在处理", "王敏")
    for letter in letters().values():
        whole = letter.text + letter.html
        assert services.config.secret_key not in whole
        assert not re.search(r"eyJ[\w-]+\.", whole), "no JWT"
        assert "kb_session" not in whole


def test_a_reminder_lists_only_what_is_late_still(letters, account, question, do, services):
    wang = account("王敏")
    first, _ = question({"c:1": ""}, "第一个问题")
    second, _ = question({"c:2": ""}, "第二个问题")
    for number in (first, second):
        do(lambda session, number=number: setattr(history.find(session, number), "alarm", "response_late"))
    do(lambda session: outbox.note_for(session, wang, Topic.ALARMED, services.now(), {"numbers": [first, second], "alarms": ["response_late"] * 2}))
    do(lambda session: lifecycle.spam(history.find(session, first), "王敏", services.now()))
    letter = letters()["alarmed", "wang@example.com"]
    assert "第二个问题" in letter.text
    assert "第一个问题" not in letter.text
    assert f"http://localhost/desk/{second}" in letter.text


def test_a_reminder_of_many_has_the_worst_first_and_leads_to_their_list(letters, account, question, do, services):
    """The first two were asked on Friday at ten; nobody answered one of them, so that its response is late as well."""
    wang, at = account("王敏"), services.now().replace(hour=2, minute=0)
    numbers = [question({f"c:{words}": ""}, words)[0] for words in ("快到了", "没人理", "普通的", "着急的", "还没回复的")]

    def happened(session):
        for number, (alarm, priority) in zip(
            numbers,
            [("response_near", ""), ("resolution_near", ""), ("resolution_late", "normal"), ("resolution_late", "urgent"), ("response_late", "high")],
            strict=True,
        ):
            ticket = history.find(session, number)
            ticket.alarm, ticket.priority, ticket.runs = alarm, priority, [[at.isoformat(), None]]

    do(happened)
    do(lambda session: outbox.note_for(session, wang, Topic.ALARMED, services.now(), {"numbers": numbers}))
    letter = letters()["alarmed", "wang@example.com"]
    near, ignored, usual, urgent, unanswered = numbers
    assert re.findall(r"T-(\d+)", letter.text) == [str(number) for number in (urgent, usual, ignored, unanswered, near)]
    assert f"T-{ignored} {ALARM_NAMES[Alarm.RESPONSE_LATE]}，{ALARM_NAMES[Alarm.RESOLUTION_NEAR]}：没人理" in letter.text
    assert letter.url == "http://localhost/desk?view=near"


@pytest.mark.parametrize(("category", "path"), [("complaint", "/supervision/complaints"), ("fault", "/supervision")])
def test_whoever_may_not_open_the_desk_is_led_to_what_they_may_open(letters, account, question, happens, do, services, operator, category, path):
    han = account("员工小钱", "operator", level="manager")
    number, _ = question({"c:1": ""}, "态度太差", category=category)
    happens(number, lifecycle.escalate, "manager", "", "王敏")
    do(lambda session: outbox.note_for(session, han, Topic.ALARMED, services.now(), {"numbers": [number]}))
    sent = letters()
    for topic in ("escalated", "alarmed"):
        letter = sent[topic, "qian@example.com"]
        assert letter.url == f"http://localhost{path}"
        assert "/desk" not in letter.text + letter.html
    page = operator.get(path)
    assert page.status_code == 200
    assert "态度太差" in page.text or category == "fault"
    assert operator.get(f"/desk/{number}").status_code == 404


def test_a_group_gets_short_lines_without_a_way_to_unsubscribe(services, question, happens):
    group = Said()
    number, _ = question({"c:1": ""})
    happens(number, lifecycle.escalate, "second", "", "王敏")
    Courier(services, {"wecom-1": group}).work()
    (one,) = group.sent
    assert (one.ticket, one.letter.url, one.letter.unsubscribe) == (f"T-{number}", f"http://localhost/desk/{number}", "")
    assert one.letter.text.startswith("王敏把这张工单升级给了二线。\n")


def test_a_host_app_learns_whose_message_it_is_and_where_that_persons_page_is(services, question, happens, token_of):
    hook = Said()
    number, mine = question({"s:erp:u-77": ""})
    happens(number, lifecycle.reply, "正在处理", "王敏")
    Courier(services, {"hook": hook}).work()
    replied = next(one for one in hook.sent if one.topic == "replied")
    assert (replied.site, replied.sub, replied.ticket) == ("erp", "u-77", f"T-{number}")
    assert replied.letter.url == f"http://localhost/t/{token_of(mine['s:erp:u-77'])}"
    assert "正在处理" in replied.letter.text


def test_reset_links_of_somebody_disabled_meanwhile_are_not_sent(letters, account, do, services):
    wang = account("王敏")
    do(lambda session: outbox.note_for(session, wang, Topic.RESET, services.now()))
    do(lambda session: setattr(sign_in.find_user(session, "王敏"), "disabled_at", services.now()))
    assert letters() == {}


def test_who_asked_is_told_by_mail_what_their_page_says_they_may_expect(question, letters):
    question({"c:1": "lin@example.com"})
    assert "\n预计 11月23日（周一）09:00 前回复。\n" in letters()["received", "lin@example.com"].text
