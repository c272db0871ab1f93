"""Whether promises were kept, worked out by hand: working hours are 08:30-12:00 and 13:30-17:30 in China, a working day is 450 minutes."""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from kb.accounts.models import AuditEntry
from kb.analytics import supervision
from kb.analytics.metrics import Rate
from kb.analytics.supervision import Figures
from kb.analytics.supervision_pages import promised, spent
from kb.errors import InvalidRequestError
from kb.tickets import history
from kb.tickets.models import Follower
from kb.tickets.sla import Promise
from kb.tickets.standing import ASKER, SYSTEM, Kind, Level

CHINA = ZoneInfo("Asia/Shanghai")


def at(text: str, month: int = 11) -> datetime:
    """Return a moment of November 2026 in China: `18 09:00`."""
    day, clock = text.split()
    return datetime.fromisoformat(f"2026-{month:02}-{day}T{clock}+08:00")


@pytest.fixture
def went(services):
    """Let a ticket go its course: `went("问题", began, (Kind, when, actor, more), …)`; who asks waits unless `silent`. Returns its number."""

    def course(question, began, *steps, silent=False, **guessed):
        with services.db.write() as session:
            ticket = history.open_ticket(session, question, began, **{"category": "inquiry", "priority": "normal", **guessed})
            follower = Follower(ticket_number=ticket.number, person=f"c:{question}", token=question * 8, wording=question, waiting=not silent, joined_at=began)
            session.add(follower)
            history.count_people(ticket, began)
            for kind, when, actor, *more in steps:
                history.record(ticket, kind, at(when), actor, follower=follower if actor == ASKER else None, **(more[0] if more else {}))
            return ticket.number

    return course


@pytest.fixture
def month(went):
    """November until Friday the 20th, 17:30."""
    reply, resolve, rate = Kind.REPLIED, Kind.RESOLVED, Kind.RATED

    def mine(when, agent="王敏"):
        return (Kind.ASSIGNED, when, SYSTEM, {"target": agent})

    def points(when, count):
        return (rate, when, ASKER, {"target": str(count)})

    went(
        "旧问题",
        at("29 09:00", 10),
        (Kind.ASSIGNED, "02 09:00", SYSTEM, {"target": "王敏"}),
        (resolve, "02 10:00", "王敏"),
        points("03 09:00", 5),
        module="account",
    )
    went(
        "查验失败",
        at("18 09:00"),
        mine("18 09:01"),
        (reply, "18 09:10", "王敏"),
        (resolve, "18 11:00", "王敏"),
        points("18 11:30", 5),
        points("18 11:40", 4),
        module="invoices",
    )
    went(
        "抬头写错",
        at("18 11:50"),
        mine("18 11:55"),
        (reply, "18 14:00", "王敏"),
        (resolve, "19 14:00", "王敏"),
        points("19 15:00", 2),
        module="invoices",
    )
    went(
        "登录不了",
        at("19 09:00"),
        mine("19 09:01", "李雷"),
        (Kind.ASKED, "19 09:05", "李雷"),
        (Kind.ADDED, "19 16:00", ASKER),
        (resolve, "19 17:00", "李雷"),
        (Kind.REOPENED, "20 09:00", ASKER),
        module="account",
        priority="high",
    )
    went("全公司都进不去", at("20 17:26"), priority="urgent")
    went("垃圾", at("19 09:00"), (Kind.SPAM, "20 09:00", "李雷"), module="account")
    went("没人等", at("19 09:00"), silent=True, module="account")


@pytest.fixture
def report(services):
    def read(name="this-month"):
        now, policies = services.now(), services.policies
        with services.db.read() as session:
            return supervision.report(session, policies, supervision.period(name, now, policies.hours.zone), now)

    return read


NOTHING = Figures(0, 0, 0, 0, Rate(0, 0), None, None, Rate(0, 0), Rate(0, 0), 0, None, Rate(0, 0))


@pytest.mark.usefixtures("month")
def test_the_figures_of_a_month_are_those_of_an_example_computed_by_hand(report):
    """First responses took 10, 40 (over lunch) and 5 minutes; the round after the reopening had none for 420, and the urgent one has had 4 of its 5."""
    found = report()
    assert found.total == Figures(2, 1, 1, 5, Rate(2, 4), 10.0, 40.0, Rate(2, 4), Rate(1, 3), 3, pytest.approx(11 / 3), Rate(2, 3))
    assert dict(found.modules) == {
        "invoices": Figures(0, 0, 0, 2, Rate(1, 2), 25.0, 40.0, Rate(1, 2), Rate(0, 2), 2, 3.0, Rate(1, 2)),
        "account": Figures(1, 0, 1, 2, Rate(1, 2), 5.0, 5.0, Rate(1, 2), Rate(1, 1), 1, 5.0, Rate(1, 1)),
        "": Figures(1, 1, 0, 1, Rate(0, 0), None, None, Rate(0, 0), Rate(0, 0), 0, None, Rate(0, 0)),
    }
    assert [(name, each.begun) for name, each in found.agents] == [("李雷", 2), ("王敏", 2), ("", 1)]
    assert [(one.question, one.around.began) for one in found.late] == [("登录不了", at("20 09:00"))]


@pytest.mark.usefixtures("month")
def test_of_last_month_only_what_began_then_is_counted_and_what_waits_now_is_the_same(report):
    found = report("last-month").total
    assert (found.begun, found.resolution_late, found.ratings) == (1, Rate(1, 1), 0)
    assert (found.waiting, found.near, found.late) == (2, 1, 1)


def test_what_nobody_answered_in_time_stays_late_while_the_time_for_its_solution_runs_out(went, report, operator, read):
    """Of the 450 minutes for the solution 345 are over on Friday at half past five, more than three quarters; of the 30 for the response all."""
    went("没人理", at("20 10:15"))
    went("快到了", at("20 17:05"))
    went("都超了", at("18 17:00"))
    found = report()
    assert [(one.question, one.clocks.alarm) for one in found.late] == [("都超了", "resolution_late"), ("没人理", "resolution_near")]
    assert (found.total.near, found.total.late) == (1, 2)
    text = read(operator.get("/supervision").text).text
    assert "没人理 T-1001 · 未归类 · 1 人 没有人接手 11月20日 10:15 首次回复超了 5 小时 15 分钟" in text
    assert "首次回复超了 2 个工作日，解决超了 1 个工作日 30 分钟" in text
    assert [(row["即将超时"], row["已超时"]) for row in table(operator.get("/supervision/figures.csv"))] == [("1", "2")] * 3


def test_without_tickets_nothing_is_divided_by(report):
    found = report()
    assert (found.total, found.modules, found.agents, found.late, found.complaints) == (NOTHING, [], [], [], [])
    assert found.total.response_late.percent is None


@pytest.mark.parametrize(("count", "most"), [(1, 1), (9, 9), (10, 9), (11, 10), (20, 18), (100, 90)])
def test_nine_of_ten_first_responses_took_no_longer(count, most, went, report):
    for minutes in range(1, count + 1):
        answered = (at("18 09:00") + timedelta(minutes=minutes)).astimezone(CHINA)
        went(f"问题{minutes}", at("18 09:00"), (Kind.REPLIED, f"{answered:%d %H:%M}", "王敏"))
    assert report().total.response_most == most


def test_months_are_those_of_the_company_and_end_where_the_next_begins():
    now = datetime.fromisoformat("2026-12-31T16:30:00+00:00")  # half past midnight on New Year's Day in China
    this, last, recent = (supervision.period(name, now, CHINA) for name in ("this-month", "last-month", "30-days"))
    assert this.since.isoformat() == "2027-01-01T00:00:00+08:00"
    assert (last.since.isoformat(), last.until) == ("2026-12-01T00:00:00+08:00", this.since)
    assert (this.holds(now), last.holds(now), recent.holds(now)) == (True, False, True)
    assert recent.since == now - timedelta(days=30)
    assert supervision.period("", now, CHINA) == this
    assert not this.holds(None)
    with pytest.raises(InvalidRequestError, match="本月"):
        supervision.period("1999", now, CHINA)


@pytest.mark.usefixtures("month")
def test_it_is_read_in_three_statements_however_many_tickets_there_are(services, report, asked, went):
    for number in range(30):
        went(f"投诉{number}", at("17 09:00"), category="complaint", module="invoices")
    assert len(asked(services.db, report).sql) == 3


def steps(complaint):
    return [(step.due_at and step.due_at.astimezone(CHINA).strftime("%d %H:%M"), step.within, step.late) for step in of(complaint)]


def of(complaint):
    return complaint.answered, complaint.escalated, complaint.solved


def test_the_course_of_a_complaint_says_what_was_due_when_and_what_was_late(went, report):
    """900 minutes after Monday 09:00 it is Wednesday 09:00, and 1,350 minutes after it Thursday 09:00."""
    went(
        "态度太差",
        at("16 09:00"),
        (Kind.REPLIED, "16 09:20", "王敏"),
        (Kind.ESCALATED, "18 08:50", SYSTEM, {"target": "manager"}),
        (Kind.RESOLVED, "19 10:00", "王敏"),
        category="complaint",
    )
    (complaint,) = report().complaints
    assert steps(complaint) == [("16 09:15", 900, True), ("18 09:00", 54_000, False), ("19 09:00", 81_000, True)]
    assert [step.done_at for step in of(complaint)] == [at("16 09:20"), at("18 08:50"), at("19 10:00")]
    assert complaint.level is Level.MANAGER


def test_time_in_which_a_complaint_waits_for_who_asked_moves_what_is_due_later(went, report):
    """10 minutes counted before the pause of a day; what was met before it was due by the time of then. Nobody called the manager in time."""
    went(
        "一直没人管",
        at("16 09:00"),
        (Kind.ASKED, "16 09:10", "王敏"),
        (Kind.ADDED, "17 09:10", ASKER),
        (Kind.RESOLVED, "20 08:45", "王敏"),
        category="complaint",
    )
    (complaint,) = report().complaints
    assert steps(complaint) == [("16 09:15", 900, False), ("19 09:00", 54_000, True), ("20 09:00", 81_000, False)]
    assert complaint.escalated.needless


def test_while_a_complaint_waits_for_who_asked_nothing_is_due(went, report):
    went("要个说法", at("16 09:00"), (Kind.ASKED, "16 09:10", "王敏"), category="complaint")
    (complaint,) = report().complaints
    assert steps(complaint) == [("16 09:15", 900, False), (None, 54_000, False), (None, 81_000, False)]


def test_a_call_for_the_manager_that_was_taken_back_is_none(went, report, services):
    number = went("投诉", at("16 09:00"), (Kind.ESCALATED, "16 09:30", "王敏", {"target": "manager"}), category="complaint")
    with services.db.write() as session:
        ticket = history.find(session, number)
        history.record(ticket, Kind.UNDONE, at("16 09:31"), "王敏", undoes=ticket.version)
    (complaint,) = report().complaints
    assert complaint.escalated.done_at is None
    assert complaint.escalated.late


@pytest.mark.parametrize(("came", "late"), [("18 09:00", False), ("18 09:04", False), ("18 09:06", True)])
def test_what_the_program_brings_to_the_manager_at_its_next_look_is_in_time(went, report, came, late):
    """Due on Wednesday at nine; the look that finds it due comes some seconds later."""
    went("态度太差", at("16 09:00"), (Kind.REPLIED, "16 09:05", "王敏"), (Kind.ESCALATED, came, SYSTEM, {"target": "manager"}), category="complaint")
    (complaint,) = report().complaints
    assert (complaint.escalated.due_at, complaint.escalated.late) == (at("18 09:00"), late)


def test_a_complaint_solved_on_its_first_day_needs_no_manager_and_an_old_one_still_open_is_there(went, report):
    went("老投诉", at("08 09:00", 10), (Kind.REPLIED, "02 09:10", "王敏"), category="complaint")
    went("更老的", at("08 09:00", 10), (Kind.RESOLVED, "01 09:10", "王敏"), category="complaint")
    went("新投诉", at("18 09:00"), (Kind.RESOLVED, "18 10:00", "王敏"), category="complaint")
    old, new = report().complaints
    assert (old.served.question, new.served.question) == ("老投诉", "新投诉")
    assert (new.escalated.needless, new.escalated.late, new.answered.late) == (True, False, True)


def test_durations_and_promises_read_as_people_say_them():
    assert [spent(seconds) for seconds in (0, 29, 60, 3600, 11_100)] == ["0 分钟", "0 分钟", "1 分钟", "1 小时", "3 小时 5 分钟"]
    assert spent(2 * 27_000 + 3600, 27_000) == "2 个工作日 1 小时"
    assert promised(Promise("投诉", 900.0, 81_000.0, 54_000.0, Level.MANAGER), 27_000) == "15 分钟内回复，2 个工作日内服务主管介入，3 个工作日内解决"
    assert promised(Promise("值班", None, 86_400.0, always=True), 27_000) == "24 小时内解决"


@pytest.mark.usefixtures("month")
def test_the_page_shows_numbers_with_their_definitions_and_what_is_late(operator, read):
    page = read(operator.get("/supervision").text)
    assert "首次回复超时率 50.0% 2 / 4 没在承诺的时间内回复的 ÷ 已经回复或已经超时的" in page.text
    assert "重新打开率 33.3% 1 / 3" in page.text
    assert "平均分 3.7 3 个评价" in page.text
    assert "一半的工单在这个时间内得到回复，九成在 40 分钟内" in page.text
    assert "登录不了 T-1004" in page.text
    assert "解决超了 3 小时" in page.text
    assert "没有人接手" in page.text
    assert not [link for link in page.links if link.startswith("/desk")]


@pytest.mark.usefixtures("month")
def test_those_with_the_desk_go_on_to_the_ticket_and_find_the_page_from_others(administrator, agent):
    assert "/desk/1004" in administrator.page("/supervision").links
    assert "/supervision" in administrator.page("/analytics").links
    assert "/supervision" not in agent.page("/analytics").links
    assert agent.get("/supervision").status_code == 404


def test_a_period_without_anything_says_so(operator):
    page = operator.get("/supervision?period=30-days").text
    assert "这段时间没有新进的工单" in page
    assert "没有投诉" in operator.get("/supervision/complaints").text
    assert operator.get("/supervision?period=ever").status_code == 400


def test_a_sheet_of_a_complaint_shows_its_three_days(went, operator, read):
    went("态度太差", at("16 09:00"), (Kind.REPLIED, "16 09:20", "王敏"), (Kind.RESOLVED, "16 10:00", "王敏"), category="complaint")
    text = read(operator.get("/supervision/complaints").text).text
    assert "15 分钟内回复，2 个工作日内服务主管介入，3 个工作日内解决" in text
    assert "回复 15 分钟内 11月16日 09:15 11月16日 09:20 超时" in text
    assert "服务主管介入 2 个工作日内 11月18日 09:00 — 已结束，不需要" in text
    assert "解决 3 个工作日内 11月19日 09:00 11月16日 10:00 按时" in text


def test_what_people_wrote_is_shown_as_they_wrote_it(went, operator):
    went("<script>alert(1)</script>", at("16 09:00"), category="complaint", module="<b>")
    for path in ("/supervision", "/supervision/complaints"):
        page = operator.get(path).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)" in page
        assert "<b>" not in page


def table(answer):
    assert answer.mimetype == "text/csv"
    header, *rows = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    return [dict(zip(header, row, strict=True)) for row in rows]


@pytest.mark.usefixtures("month")
def test_the_tables_hold_what_the_page_shows(operator):
    figures = table(operator.get("/supervision/figures.csv"))
    assert [(row["范围"], row["名称"], row["新进"]) for row in figures[:2]] == [("全部", "本月", "5"), ("模块", "登录与账号", "2")]
    assert (figures[0]["首次回复超时率%"], figures[0]["首次回复中位数(分钟)"], figures[0]["平均分"]) == ("50", "10", "3.7")
    assert [row["首次回复超时率%"] for row in figures if row["名称"] == "没有人接手"] == [""]
    tickets = table(operator.get("/supervision/tickets.csv"))
    assert [(row["工单"], row["首次回复用时(分钟)"], row["首次回复超时"], row["解决用时(分钟)"], row["又打开"]) for row in tickets] == [
        ("T-1002", "10", "", "120", ""),
        ("T-1003", "40", "是", "490", ""),
        ("T-1004", "5", "", "65", "是"),
        ("T-1004", "420", "是", "420", ""),
        ("T-1005", "4", "", "4", ""),
    ]


def test_the_table_of_complaints_is_safe_to_open_and_downloads_are_noted(went, operator, services):
    went("=HYPERLINK(1)", at("16 09:00"), (Kind.REPLIED, "16 09:20", "王敏"), category="complaint")
    (row,) = table(operator.get("/supervision/complaints.csv?period=30-days"))
    assert row["问题"] == "'=HYPERLINK(1)"
    assert (row["收到"], row["首次回复期限"], row["首次回复"], row["回复超时"]) == ("2026-11-16 09:00", "2026-11-16 09:15", "2026-11-16 09:20", "是")
    assert (row["升级给"], row["升级期限"], row["升级"], row["升级超时"]) == ("服务主管", "2026-11-18 09:00", "", "是")
    with services.db.read() as session:
        noted = session.execute(select(AuditEntry.actor, AuditEntry.deed, AuditEntry.object)).all()
    assert ("运营小方", "exported", "complaints.csv") in [tuple(entry) for entry in noted]
