"""What the clocks say in words: in what is left for the desk, in what to expect for who asked, and nothing that is not so."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from kb.accounts import sign_in
from kb.tickets import countdown, history, lifecycle, shares, sla_file, undoing
from kb.tickets.alarms import Reach, sweep
from kb.tickets.shares import Wording
from kb.tickets.sla_file import SHIPPED

POLICIES = sla_file.read()
MAIL = Reach(mail=True, group=False)


def at(text, day=23):
    """Return a time of a day in November 2026 in China; the 23rd is a Monday, the 28th and 29th are days off."""
    return datetime.fromisoformat(f"2026-11-{day}T{text}:00+08:00")


NEW_YEARS_EVE = datetime.fromisoformat("2026-12-31T17:25:00+08:00")


@dataclass
class Row:
    """What a row of a ticket has."""

    priority: str = "normal"
    category: str = "fault"
    module: str = "office"
    runs: list = field(default_factory=lambda: [[at("09:00").isoformat(), None]])
    responded_at: datetime | None = None
    resolved_at: datetime | None = None
    ended_at: datetime | None = None
    state: str = "new"
    assignee: str = ""
    alarm: str = ""
    escalated: str = ""
    awaited: bool = True
    open: bool = True


@pytest.mark.parametrize(
    ("row", "now", "words", "tone", "due"),
    [
        (Row(), at("09:00"), "回复剩 30 分钟", "", at("09:30")),
        (Row(), at("09:18"), "回复剩 12 分钟", "", at("09:30")),
        (Row(), at("09:23"), "回复剩 7 分钟", "near", at("09:30")),
        (Row(), datetime.fromisoformat("2026-11-23T09:29:30+08:00"), "回复剩不到 1 分钟", "near", at("09:30")),
        (Row(), datetime.fromisoformat("2026-11-23T09:30:30+08:00"), "回复刚刚超时", "late", at("09:30")),
        (Row(), at("09:55"), "回复已超 25 分钟", "late", at("09:30")),
        (Row(), at("12:30"), "回复已超 2 小时", "late", at("09:30")),  # 09:30-12:00, lunch counts nothing
        (Row(), at("13:30"), "回复已超 2 小时", "late", at("09:30")),
        (Row(), at("09:30", 25), "回复已超 2 个工作日", "late", at("09:30")),
        (Row(responded_at=at("09:05"), state="in_progress"), at("09:06"), "解决剩 7 小时", "", at("09:00", 24)),
        (Row(responded_at=at("09:05"), state="in_progress"), at("17:00"), "解决剩 1 小时", "near", at("09:00", 24)),  # 17:00-17:30, 08:30-09:00
        (Row(priority="urgent"), at("09:01"), "回复剩 4 分钟", "", at("09:05")),
        (Row(category="complaint", responded_at=at("09:01")), at("09:02"), "解决剩 2 个工作日", "", at("09:00", 26)),
        (Row(runs=[[at("17:25").isoformat(), None]]), at("20:00"), "明天 08:55 前回复", "", at("08:55", 24)),
        (Row(runs=[[at("17:25", 27).isoformat(), None]]), at("10:00", 28), "周一 08:55 前回复", "", at("08:55", 30)),
        (Row(runs=[[at("11:55").isoformat(), None]]), at("12:10"), "今天 13:55 前回复", "", at("13:55")),
        (
            Row(state="waiting", responded_at=at("09:05"), runs=[[at("09:00").isoformat(), at("09:05").isoformat()]]),
            at("10:00"),
            "等提问人，暂停计时",
            "paused",
            None,
        ),
    ],
)
def test_a_row_says_what_is_left_of_the_time_that_counts_now(row, now, words, tone, due):
    found = countdown.of_row(row, POLICIES, now)
    assert (found.words, found.tone, found.at) == (words, tone, due)


@pytest.mark.parametrize(
    "row",
    [
        Row(awaited=False, runs=[]),
        Row(awaited=False, runs=[[at("09:00").isoformat(), at("09:10").isoformat()]]),
        Row(state="resolved", open=False, responded_at=at("09:05"), resolved_at=at("09:05"), ended_at=at("09:05")),
    ],
)
def test_a_row_that_nobody_waits_for_says_nothing_of_time(row):
    assert countdown.of_row(row, POLICIES, at("10:00")) is None


def _policies(tmp_path, promises):
    """Return the shipped policies with other promises."""
    path = tmp_path / "sla.toml"
    path.write_text(SHIPPED.read_text(encoding="utf-8").split("[[promise]]")[0] + promises, encoding="utf-8")
    return sla_file.read(path)


def test_what_is_promised_is_said_in_full(tmp_path):
    said = [countdown.promised(promise, POLICIES) for promise in POLICIES.promises]
    assert said == [
        "紧急投诉：5 分钟内回复，1 小时内解决",
        "紧急：5 分钟内回复，1 小时内解决",
        "投诉：15 分钟内回复，3 个工作日内解决",
        "重要：15 分钟内回复，4 小时内解决",
        "普通：30 分钟内回复，1 个工作日内解决",
    ]
    own = _policies(tmp_path, '[[promise]]\nname = "全天"\nrespond = "90min"\nresolve = "48h"\nalways = true\n')
    assert countdown.promised(own.promises[0], own) == "全天：1 小时 30 分钟内回复，2 天内解决"
    row = Row(runs=[[at("20:00").isoformat(), None]])
    assert countdown.of_row(row, own, at("20:30")).words == "回复剩 1 小时", "what is promised for every hour never rests"
    nothing = _policies(tmp_path, '[[promise]]\nname = "尽快"\n')
    assert countdown.promised(nothing.promises[0], nothing) == "尽快"
    assert countdown.of_row(Row(), nothing, at("10:00")) is None
    assert countdown.of_ticket(Row(), nothing, at("10:00")) is None


@pytest.mark.parametrize(
    ("row", "now", "lines"),
    [
        (Row(), at("09:18"), [("首次回复", "11月23日 09:30 前，剩 12 分钟", ""), ("解决", "11月24日 09:00 前，剩 7 小时", "")]),
        (Row(), at("09:40"), [("首次回复", "11月23日 09:30 前，已超 10 分钟", "late"), ("解决", "11月24日 09:00 前，剩 6 小时", "")]),
        (
            Row(runs=[[at("17:25").isoformat(), None]]),
            at("20:00"),
            [("首次回复", "明天 08:55 前（休息中）", ""), ("解决", "明天 17:25 前（休息中）", "")],
        ),
        (
            Row(responded_at=at("09:05"), state="in_progress"),
            at("17:00"),
            [("首次回复", "11月23日 09:05 已回复，按时", "met"), ("解决", "11月24日 09:00 前，剩 1 小时", "near")],
        ),
        (
            Row(responded_at=at("10:00"), state="waiting", runs=[[at("09:00").isoformat(), at("10:00").isoformat()]]),
            at("17:00"),
            [("首次回复", "11月23日 10:00 已回复，晚了 30 分钟", "late"), ("解决", "等提问人补充，暂停计时，剩 6 小时", "paused")],
        ),
        (
            Row(awaited=False, runs=[[at("09:00").isoformat(), at("09:10").isoformat()]]),
            at("17:00"),
            [("首次回复", "现在没有人在等，暂停计时，剩 20 分钟", "paused"), ("解决", "现在没有人在等，暂停计时，剩 7 小时", "paused")],
        ),
        (
            Row(
                state="resolved",
                open=False,
                responded_at=at("09:10"),
                resolved_at=at("10:00", 24),
                ended_at=at("10:00", 24),
                runs=[[at("09:00").isoformat(), at("10:00", 24).isoformat()]],
            ),
            at("17:00", 27),
            [("首次回复", "11月23日 09:10 已回复，按时", "met"), ("解决", "11月24日 10:00 已解决，晚了 1 小时", "late")],
        ),
        (
            Row(state="closed", open=False, ended_at=at("09:10"), runs=[[at("09:00").isoformat(), at("09:10").isoformat()]]),
            at("17:00", 27),
            [("首次回复", "已结束", "met"), ("解决", "已结束", "met")],
        ),
    ],
)
def test_the_page_of_a_ticket_says_how_both_times_stand(row, now, lines):
    found = countdown.of_ticket(row, POLICIES, now)
    assert found.promised == "普通：30 分钟内回复，1 个工作日内解决"
    assert not found.raised
    assert [(name, line.words, line.tone) for name, line in found.lines] == lines


def test_a_time_that_month_end_shortened_is_said_to_be(now):
    row = Row(module="invoices", runs=[[at("09:00", 27).isoformat(), None]])
    found = countdown.of_ticket(row, POLICIES, at("09:01", 27))
    assert (found.promised, found.raised) == ("重要：15 分钟内回复，4 小时内解决", True)
    assert not countdown.of_ticket(Row(module="office", runs=row.runs), POLICIES, at("09:01", 27)).raised


@pytest.fixture
def share(db):
    """Open a ticket with somebody who waits since a moment, do something to it, and say what they may expect at another."""

    def share_(since, now, *, asked=False, priority="normal", receipt=True, then=lambda *_: None, reach=MAIL):
        with db.write() as session:
            ticket = history.open_ticket(session, "打印机卡纸", since, priority=priority, category="fault", module="office")
            mine = shares.join(ticket, "c:1", Wording("打印机卡纸", "key"), since, receipt=receipt)
            then(ticket, mine)
            number = mine.id
        sweep(db, POLICIES, {}, now, reach)
        with db.read() as session:
            return countdown.expected(session.get_one(shares.Follower, number), POLICIES, now, asked=asked)

    return share_


@pytest.mark.parametrize(
    ("since", "now", "words", "resting"),
    [
        (at("09:00"), at("09:00"), "预计今天 09:30 前回复", ""),
        (at("09:00") + timedelta(seconds=10), at("09:01"), "预计今天 09:31 前回复", ""),  # a started minute counts as a whole one
        (at("11:50"), at("11:55"), "预计今天 13:50 前回复", ""),
        (at("11:50"), at("12:10"), "预计今天 13:50 前回复", "现在是休息时间，客服今天 13:30 上班"),
        (at("17:20"), at("17:25"), "预计明天 08:50 前回复", ""),
        (at("20:00"), at("20:00"), "预计明天 09:00 前回复", "现在是休息时间，客服明天 08:30 上班"),
        (at("20:00", 27), at("20:00", 27), "预计 11月30日（周一）09:00 前回复", "现在是休息时间，客服 11月30日（周一）08:30 上班"),
        (at("17:00", 27), at("17:00", 27), "预计今天 17:30 前回复", ""),
        (NEW_YEARS_EVE, NEW_YEARS_EVE, "预计 2027年1月4日（周一）08:55 前回复", ""),
    ],
)
def test_who_asked_is_told_by_when_somebody_answers_and_when_people_work_again(share, since, now, words, resting):
    found = share(since, now)
    assert (found.what, found.late, found.words, found.resting) == ("reply", False, words, resting)


def test_moments_are_said_by_the_clocks_of_the_companys_zone(db, tmp_path):
    own = tmp_path / "sla.toml"
    own.write_text(SHIPPED.read_text(encoding="utf-8").replace("Asia/Shanghai", "Europe/London"), encoding="utf-8")
    london, morning = sla_file.read(own), datetime.fromisoformat("2026-11-23T08:40:00+00:00")
    with db.write() as session:
        ticket = history.open_ticket(session, "打印机卡纸", morning, priority="normal", category="fault")
        mine = shares.join(ticket, "c:1", Wording("打印机卡纸", "key"), morning, receipt=True)
        assert countdown.expected(mine, london, morning, asked=False).words == "预计今天 09:10 前回复"
        at_lunch = morning.replace(hour=12, minute=30)
        assert countdown.expected(mine, london, at_lunch, asked=False).resting == "现在是休息时间，客服今天 13:30 上班"
        assert countdown.of_ticket(ticket, london, morning).lines[0][1].words == "11月23日 09:10 前，剩 30 分钟"


def test_who_joins_others_that_wait_too_long_is_not_told_that_they_do(db):
    with db.write() as session:
        ticket = history.open_ticket(session, "打印机卡纸", at("09:00"), priority="normal", category="fault")
        first, last = (shares.join(ticket, f"c:{one}", Wording("打印机卡纸", "key"), at(since), receipt=True) for one, since in ((1, "09:00"), (2, "09:40")))
        words = [countdown.expected(mine, POLICIES, at("09:41"), asked=False).words for mine in (first, last)]
    assert words == ["比预计的晚了；有进展会马上告诉你", "前面的同事也在等；有进展会马上告诉你"]


def test_after_a_reply_it_is_said_by_when_it_is_solved(share):
    found = share(at("09:00"), at("09:10"), then=lambda ticket, _: lifecycle.reply(ticket, "在看", "王敏", at("09:05")))
    assert (found.what, found.words, found.at) == ("solution", "预计明天 09:00 前解决", at("09:00", 24))


@pytest.fixture
def people(db):
    """Add accounts that have mail and want reminders, but for what is said: `people(王敏={"role": "agent", "quiet": True})`."""

    def add(**named):
        with db.write() as session:
            for name, given in named.items():
                user = sign_in.add_user(session, name, given["role"], at("08:00"))
                user.mail, user.quiet, user.level = given.get("mail", f"{user.id}@example.com"), given.get("quiet", False), given.get("level", "")

    return add


AGENT, QUIET, ADMINISTRATOR = {"role": "agent"}, {"role": "agent", "quiet": True}, {"role": "administrator"}
SECOND = {"role": "agent", "level": "second"}
NOBODY = "比预计的晚了；有进展会马上告诉你"
AGENTS = "比预计的晚了，已提醒客服；有进展会马上告诉你"
LEVEL = "比预计的晚了，已提醒负责的同事；有进展会马上告诉你"


@pytest.mark.parametrize(
    ("accounts", "reach", "late", "later"),
    [
        ({"王敏": AGENT, "李雷": SECOND}, MAIL, AGENTS, LEVEL),
        ({"王敏": AGENT, "李雷": SECOND}, Reach(mail=False, group=False), NOBODY, NOBODY),  # mails are written to files: nobody gets them
        ({"王敏": AGENT, "李雷": SECOND}, Reach(mail=False, group=True), AGENTS, AGENTS),
        ({"王敏": QUIET}, MAIL, NOBODY, NOBODY),
        ({"王敏": {"role": "agent", "mail": ""}}, MAIL, NOBODY, NOBODY),
        ({"王敏": QUIET, "孙悦": ADMINISTRATOR}, MAIL, AGENTS, AGENTS),  # in the place of a second line that nobody is
        ({"王敏": QUIET, "李雷": SECOND | {"role": "operator"}}, MAIL, NOBODY, LEVEL),
        ({}, Reach(mail=True, group=True), AGENTS, AGENTS),
    ],
)
def test_who_was_told_that_it_is_late_is_named_only_when_they_were(db, people, share, accounts, reach, late, later):
    people(**accounts)
    found = share(at("09:00"), at("09:31"), reach=reach)
    assert (found.late, found.words, found.at) == (True, late, at("09:30"))
    sweep(db, POLICIES, {}, at("09:01", 24), reach)
    with db.read() as session:
        assert countdown.expected(session.get_one(shares.Follower, 1), POLICIES, at("09:01", 24), asked=False).words == later


def test_a_reminder_that_waits_for_others_is_not_told_of_before_it_goes_out(db, people, share):
    people(王敏=AGENT)
    share(at("09:00"), at("09:30"))  # told at once, so that the next waits until 09:45
    assert share(at("09:05"), at("09:36")).words == NOBODY
    with db.read() as session:
        assert countdown.expected(session.get_one(shares.Follower, 2), POLICIES, at("09:45"), asked=False).words == AGENTS


def test_whom_an_agent_asked_to_help_is_said_to_have_been_asked_until_that_is_taken_back(db, share):
    def escalate(ticket, _):
        lifecycle.escalate(ticket, "manager", "", "王敏", at("09:40"))

    asked = share(at("09:00"), at("09:45"), then=escalate)
    assert asked.words == "比预计的晚了，客服已请服务主管一起处理；有进展会马上告诉你"
    with db.write() as session:
        ticket = history.find(session, 1001)
        escalated = next(one for one in ticket.events if one.kind == "escalated")
        undoing.undo(session, ticket, escalated.id, "王敏", at("09:46"))
        assert countdown.expected(session.get_one(shares.Follower, 1), POLICIES, at("09:47"), asked=False).words == NOBODY


def test_what_was_told_in_an_earlier_round_is_not_told_of_in_the_next(db, people, share):
    people(王敏=AGENT)
    share(at("09:00"), at("09:45"))
    with db.write() as session:
        ticket = history.find(session, 1001)
        lifecycle.resolve(ticket, "王敏", at("10:00"), body="换一台")
        lifecycle.reopen(ticket, "还是卡", "王敏", at("10:30"))
        mine = session.get_one(shares.Follower, 1)
        assert countdown.expected(mine, POLICIES, at("11:05"), asked=False).words == NOBODY


def test_who_was_asked_back_is_told_that_it_goes_on_with_them_and_others_nothing_that_is_not_known(share):
    def ask(ticket, _):
        lifecycle.ask(ticket, "哪一台", "王敏", at("09:05"))

    found = share(at("09:00"), at("09:10"), asked=True, then=ask)
    assert (found.what, found.at, found.late, found.words) == ("solution", None, False, "等你补充后继续")
    assert share(at("09:00"), at("09:10"), then=ask) is None


@pytest.mark.parametrize("case", ["never told", "withdrawn", "resolved", "confirmed while open"])
def test_nothing_is_expected_where_nothing_was_promised(share, case):
    def then(ticket, mine):
        match case:
            case "withdrawn":
                shares.withdraw(ticket, mine, at("09:05"))
            case "resolved":
                lifecycle.resolve(ticket, "王敏", at("09:05"), body="换一台")
            case "confirmed while open":
                shares.join(ticket, "c:2", Wording("打印机卡纸", "key"), at("09:00"), receipt=True)
                lifecycle.reply(ticket, "换一台", "王敏", at("09:05"), mine)
                shares.settle(mine, at("09:06"))

    assert share(at("09:00"), at("09:10"), receipt=case != "never told", then=then) is None
