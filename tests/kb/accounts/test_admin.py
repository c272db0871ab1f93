"""管理 through the real pages."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest

from kb.accounts import audit, sign_in
from kb.accounts.audit import Deed
from kb.tickets.sla_file import SHIPPED

PASSWORD = "一句好记的话 2026"


@pytest.fixture
def id_of(services):
    def find(name):
        with services.db.read() as session:
            return sign_in.find_user(session, name).id

    return find


@pytest.fixture
def invite(administrator, read):
    """Invite somebody and return the path of the link on the page."""

    def do(name="新来的", role="agent", **more):
        answer = administrator.submit("/admin/people", "/admin/people", name=name, role=role, **more)
        assert answer.status_code == 200, answer.text
        urls = [line for line in read(answer.text).text.split() if line.startswith("http://localhost/sign-in/")]
        assert len(urls) == 1
        return urls[0].removeprefix("http://localhost")

    return do


def test_whoever_is_invited_sets_a_password_and_is_in_with_the_rights_of_their_role(invite, browser, administrator, log_of):
    link, client = invite(), browser()
    assert "设一个密码" in client.get(link).text
    refused = client.submit(link, password="")
    assert refused.status_code == 400
    assert "至少 10 个字符" in refused.text
    assert client.submit(link, password=PASSWORD).location == "/desk"
    assert client.get("/desk").status_code == 200
    assert client.get("/admin").status_code == 404
    assert browser().get(link).status_code == 410, "once"
    assert "登录着" in administrator.page("/admin/people").text
    assert [entry[:3] for entry in log_of() if entry[1] in {"invited", "password"}] == [
        ("管理员老周", "invited", "新来的"),
        ("新来的", "password", "新来的"),
    ]


def test_the_secret_of_an_invitation_is_shown_once_and_stored_nowhere(invite, administrator, rows):
    secret = invite().removeprefix("/sign-in/")
    assert secret not in str(rows())
    for path in ("/admin/people", "/admin/people/2", "/admin/audit"):
        assert secret not in administrator.get(path).text


def test_an_invitation_lasts_a_week(invite, browser, clock):
    link = invite()
    clock.forward(days=6, hours=23)
    assert browser().get(link).status_code == 200
    clock.forward(hours=2)
    assert browser().get(link).status_code == 410


def test_a_refused_invitation_keeps_what_was_typed_and_says_why(administrator, invite, rows):
    invite("新来的", mail="zhao@example.com")
    before = len(rows()["users"])
    for fields, words in [
        ({"name": "新来的"}, "已经有人用了"),
        ({"name": "又一个", "mail": "zhao@example.com"}, "已经是新来的的"),
        ({"name": "又一个", "mail": "nonsense"}, "邮箱写得不对"),
        ({"name": "又一个", "role": "root"}, "没有这种角色"),
        ({"name": "<script>alert(1)</script>" * 3}, "1 到 40"),
    ]:
        answer = administrator.submit("/admin/people", "/admin/people", **fields)
        assert answer.status_code == 400
        assert words in answer.text
        assert "<script>alert" not in answer.text
    assert 'value="nonsense"' in administrator.submit("/admin/people", "/admin/people", name="又一个", mail="nonsense").text
    assert len(rows()["users"]) == before


def test_a_name_is_text_wherever_it_stands(administrator, invite, id_of):
    name = "<b onclick=x>&\"'"
    invite(name)
    for path in ("/admin/people", f"/admin/people/{id_of(name)}", "/admin/audit"):
        page = administrator.get(path).text
        assert "<b onclick" not in page
        assert "&lt;b onclick=x&gt;" in page


def test_another_role_takes_effect_at_once_and_asks_to_sign_in_again(administrator, agent, id_of, account):
    page = f"/admin/people/{id_of('客服小林')}"
    assert administrator.submit(page, f"{page}/change", role="operator", level="second", mail="lin@example.com").location == f"{page}?done=change"
    assert agent.get("/desk").location.startswith("/sign-in")
    found = account("客服小林")
    assert (found.role, found.level, found.mail) == ("operator", "second", "lin@example.com")


def test_a_disabled_person_is_out_at_the_next_request_and_back_when_enabled(administrator, with_password, browser, id_of):
    lin = with_password("客服小林", "agent")
    page = f"/admin/people/{id_of('客服小林')}"
    administrator.submit(page, f"{page}/disable")
    assert lin.get("/desk").location.startswith("/sign-in")
    assert lin.get("/").status_code == 200, "like anybody else"
    refused = lin.submit("/sign-in", "/sign-in", name="客服小林", password=PASSWORD)
    assert refused.status_code == 403
    assert "姓名或密码不对" in refused.text, "nobody is told that the account is there"
    assert "/desk?assignee=" in administrator.get(f"{page}?done=disable").text
    administrator.submit(page, f"{page}/enable")
    assert browser().submit("/sign-in", "/sign-in", name="客服小林", password=PASSWORD).status_code == 303


def test_an_administrator_can_sign_somebody_out_and_give_them_a_new_link(administrator, agent, id_of, browser, read):
    page = f"/admin/people/{id_of('客服小林')}"
    administrator.submit(page, f"{page}/end")
    assert agent.get("/desk").location.startswith("/sign-in")
    answer = administrator.submit(page, f"{page}/link")
    url = next(word for word in read(answer.text).text.split() if "/sign-in/" in word)
    client = browser()
    assert client.submit(url.removeprefix("http://localhost"), password=PASSWORD).location == "/desk"


def test_the_last_administrator_stays_and_nobody_acts_on_themselves(administrator, signed_in, id_of, account):
    me = f"/admin/people/{id_of('管理员老周')}"
    buttons = {form["action"] for form in administrator.page(me).forms}
    assert buttons == {f"{me}/change", "/sign-out"}
    token = administrator.token(me)
    for action, fields in (("disable", {}), ("change", {"role": "agent", "level": "", "mail": ""})):
        answer = administrator.post(f"{me}/{action}", data={"csrf_token": token, **fields})
        assert answer.status_code == 409
        assert "另一位管理员" in answer.text
    other = signed_in("管理员老吴", "administrator")
    assert other.submit(me, f"{me}/disable").status_code == 303
    assert account("管理员老周").disabled_at is not None
    assert administrator.get("/admin").location.startswith("/sign-in")


@pytest.mark.parametrize("path", ["/admin/people/999", "/admin/people/0", "/admin/people/99999999999999999999", "/admin/people/x"])
def test_an_account_that_is_not_there_is_no_page(administrator, path):
    assert administrator.get(path).status_code == 404
    assert administrator.post(f"{path}/disable", data={"csrf_token": administrator.token()}).status_code == 404


def test_settings_and_promises_in_force_are_shown_without_secrets(administrator, services):
    page = administrator.get("/admin").text
    assert services.config.secret_key not in page
    for words in ("KB_DATA", str(services.config.data), "紧急", "5 分钟", "2 个工作日后给服务主管", "KB_SMTP"):
        assert words in page


def test_what_the_company_has_not_filled_in_is_listed_with_what_to_do_ways_to_reach_somebody_first(administrator):
    page = administrator.page("/admin").text
    told = page[page.index("公司信息还有") :]
    assert "_company.toml" in told
    assert told.index("finance_contact") < told.index("hotline") < told.index("invoice_title")
    assert "system_name" not in told[: told.index("里填写")]


def test_when_the_company_works_and_what_the_end_of_a_month_changes_is_said_below_the_promises(administrator, services, app_of, link_for, tmp_path):
    page = administrator.page("/admin").text
    for words in (
        "上班时间：每个工作日 08:30–12:00、13:30–17:30，共 7 小时 30 分钟（时区 Asia/Shanghai）",
        "月结：每月最初 2 个和最后 3 个工作日（连同夹在中间的休息日）里开始等的",
        "普通的按重要的时限，重要的按紧急的时限。服务台上的优先级不变。",
        "休息日：周末和国家法定节假日",
    ):
        assert words in page
    assert "另外休息" not in page
    own = tmp_path / "sla.toml"
    shipped = (
        SHIPPED.read_text(encoding="utf-8").replace("off = []", 'off = ["2026-11-27", "2026-11-24"]').replace("last = 3\nfirst = 2", "last = 0\nfirst = 4")
    )
    own.write_text(shipped.replace("work = []", 'work = ["2026-11-28"]'), encoding="utf-8")
    client = app_of(replace(services, config=replace(services.config, sla=own))).test_client()
    client.submit(link_for("管理员老周", "administrator"))
    theirs = client.page("/admin").text
    for words in ("本公司另外休息：2026-11-24、2026-11-27。", "本公司另外上班：2026-11-28。", "月结：每月最初 4 个工作日（连同"):
        assert words in theirs


def test_the_log_names_who_did_what_to_which_ticket(administrator, agent, ticket, read):
    agent.submit("/desk/1001", "/desk/1001/reply", body="请重启打印机")
    page = read(administrator.get("/admin/audit").text)
    assert "回复" in page.text
    assert "T-1001" in page.text
    assert "/desk/1001" in page.links
    assert "请重启打印机" not in page.text, "what was said stands with the ticket"
    only = read(administrator.get("/admin/audit?person=客服小林&deed=signed_in").text)
    assert "登录：链接" in only.text.replace(" ", "")
    assert "T-1001" not in only.text
    assert ticket["path"] not in page.links


def test_the_log_goes_on_page_after_page(administrator, services):
    with services.db.write() as session:
        for number in range(audit.ROWS + 10):
            audit.note(session, "老周", Deed.MAIL, f"同事{number}号", "", services.now())
    first = administrator.page("/admin/audit?deed=mail")
    [older] = [link for link in first.links if "before=" in link]
    second = administrator.page(older)
    assert "同事0号" in second.text
    assert "同事0号" not in first.text
    assert not [link for link in second.links if "before=" in link]


def test_the_table_opens_safely_and_that_it_was_taken_is_noted(administrator, invite, log_of):
    invite("=HYPERLINK(1)")
    answer = administrator.get("/admin/audit.csv?person=管理员老周")
    assert answer.mimetype == "text/csv"
    rows = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert rows[0] == ["时间", "谁", "做了什么", "对象", "详情"]
    assert [row[2:] for row in rows[1:]] == [["邀请", "'=HYPERLINK(1)", "客服"], ["登录", "", "链接"]]
    assert log_of()[-1] == ("管理员老周", "exported", "audit.csv", "")


def test_taking_the_list_of_gaps_is_noted(operator, log_of):
    assert operator.get("/analytics/gaps.csv").status_code == 200
    assert log_of()[-1] == ("运营小方", "exported", "unanswered.csv", "")


@pytest.mark.parametrize("query", ["deed=nothing", "before=x", "deed=' OR 1=1 --"])
def test_a_log_that_nobody_can_mean_is_refused_with_a_remedy(administrator, query):
    for path in ("/admin/audit", "/admin/audit.csv"):
        if path.endswith("csv") and "before" in query:
            continue
        assert administrator.get(f"{path}?{query}").status_code == 400
