"""The asker's page and 我的提问, by forms."""

from __future__ import annotations

import io

import pytest
from sqlalchemy import select
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from kb.files import MAX_FILE
from kb.tickets import history, lifecycle, progress, regroup, retention
from kb.tickets.models import Follower

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\2\0\0\0....\0\0\0\0IEND\xaeB`\x82"


def steps(page):
    """Return the names of the steps of a page that lie behind, and the current one."""
    classes = [
        (given.get("class"), given.get("aria-current")) for tag, given in page.elements if tag == "li" and given.get("class") in {"past", "now", "ahead"}
    ]
    names = [name for name in page.text.split("往来")[0].split() if name in {"已记下", "客服在处理", "等你补充", "已解决", "已确认", "已关闭"}]
    assert [current for kind, current in classes if kind == "now"] == ["step"]
    return [name for name, (kind, _) in zip(names, classes, strict=False) if kind != "ahead"]


def upload(client, ticket, *files):
    """Choose files (name, content) in the page's form and send them in one go, as a browser without scripts does."""
    chosen = [FileStorage(io.BytesIO(content), name) for name, content in files]
    boundary, body = encode_multipart({"csrf_token": client.token(ticket["path"]), "file": chosen})
    return client.post(f"{ticket['path']}/files", data=body, content_type=f"multipart/form-data; boundary={boundary}")


def files_of(page, ticket):
    """Return the paths of the files that a page links to."""
    return sorted({link for link in page.links if link.startswith(f"{ticket['path']}/files/")})


def test_my_questions_lists_mine_and_says_when_there_is_a_reply(asker, second_asker, agent, ticket, read, clock):
    assert "打印机卡纸怎么处理" in asker.get("/mine").text
    assert "有新回复" not in asker.get("/mine").text
    assert "还没有记下过问题" in second_asker.get("/mine").text
    clock.forward(minutes=5)
    agent.submit("/desk/1001", "/desk/1001/reply", body="正在处理")
    assert "有新回复" in asker.get("/mine").text
    assert "1 条回复" in read(asker.get("/").text).text, "the badge stands on every page"
    assert "条回复" not in second_asker.get("/").text


def test_a_reply_stays_news_until_it_is_seen_and_looking_alone_does_not_count(asker, agent, ticket, clock):
    clock.forward(minutes=5)
    agent.submit("/desk/1001", "/desk/1001/reply", body="正在处理")
    for _ in range(2):
        assert "正在处理" in asker.get(ticket["path"]).text
    assert "有新回复" in asker.get("/mine").text
    asker.submit(ticket["path"], f"{ticket['path']}/seen")
    assert "有新回复" not in asker.get("/mine").text


def test_an_asker_adds_details_as_written_for_the_agents(asker, agent, ticket, rows):
    answer = asker.submit(ticket["path"], f"{ticket['path']}/details", details=" 三楼 \n的打印机", contact="8001")
    assert (answer.status_code, answer.location) == (303, f"{ticket['path']}?done=details")
    assert "已保存" in asker.get(answer.location).text
    assert [row[3] for row in rows()["details"]] == ["三楼 \n的打印机"]
    assert asker.page(ticket["path"]).form(f"{ticket['path']}/details", {"details": ""})["fields"]["contact"] == "8001"
    assert "三楼" in agent.get("/desk/1001").text


def test_too_much_of_a_detail_is_refused_with_the_limit(asker, ticket, read):
    answer = asker.submit(ticket["path"], f"{ticket['path']}/details", details="长" * 20_001)
    assert answer.status_code == 400
    assert "20000" in read(answer.text).text


def test_the_receipt_offers_undo_and_undo_ends_the_waiting(asker, clock):
    receipt = asker.submit("/", "/search", q="打印机卡纸怎么处理").location
    path = next(link for link in asker.page(receipt).links if link.startswith("/t/")).partition("#")[0]
    asker.submit(receipt, f"{path}/withdraw")
    assert "你已撤销这个提问" in asker.get(path).text
    assert path not in asker.page("/mine").links
    assert "T-1001" not in asker.get(receipt).text
    clock.forward(minutes=11)
    assert "打印机" not in asker.get("/mine").text


def test_a_resolved_question_is_confirmed_or_reopened_by_its_asker(asker, agent, ticket, clock):
    agent.submit("/desk/1001", "/desk/1001/resolve", body="换一台打印机")
    page = asker.get(ticket["path"]).text
    assert "解决了吗" in page
    assert "换一台打印机" in page
    clock.forward(minutes=5)
    asker.submit(ticket["path"], f"{ticket['path']}/reopen", details="还是卡纸")
    assert "客服在处理" in asker.get(ticket["path"]).text
    assert "还是卡纸" in agent.get("/desk/1001").text
    agent.submit("/desk/1001", "/desk/1001/resolve", body="已换新机")
    asker.submit(ticket["path"], f"{ticket['path']}/confirm")
    assert "已确认解决" in asker.get(ticket["path"]).text


def test_an_article_that_was_withdrawn_leaves_a_way_on(asker, agent, ticket, services, monkeypatch):
    agent.submit("/desk/1001", "/desk/1001/resolve", article="mobile/no-notifications")
    assert "/a/mobile/no-notifications" in asker.get(ticket["path"]).text
    monkeypatch.delitem(services.library.current().articles, "mobile/no-notifications")
    page = asker.get(ticket["path"]).text
    assert "/a/mobile/no-notifications" not in page
    assert "仍未解决" in page


def test_the_page_shows_how_many_others_wait_and_nothing_of_them(asker, second_asker, ticket, read):
    second_asker.ask("打印机卡纸 怎么处理")
    text = read(asker.get(ticket["path"]).text).text
    assert "另有 1 位同事在等" in text
    assert "打印机卡纸 怎么处理" not in text


def test_a_form_without_its_token_changes_nothing(asker, ticket, rows):
    before = rows()
    for action in ("details", "withdraw", "confirm", "reopen", "seen"):
        assert asker.post(f"{ticket['path']}/{action}", data={"details": "x"}).status_code == 400
        assert asker.post(f"{ticket['path']}/{action}", data={"details": "x", "csrf_token": "made-up"}).status_code == 400
    assert rows() == before


def test_an_unknown_action_is_not_found(asker, ticket):
    assert asker.post(f"{ticket['path']}/resolve", data={"csrf_token": asker.token(), "body": "x"}).status_code == 404


def test_the_progress_line_says_what_is_true(asker, agent_does, ticket, clock, services):
    def page():
        return asker.page(ticket["path"])

    assert steps(page()) == ["已记下"]
    with services.db.write() as session:
        lifecycle.assign_in_turn(history.find(session, 1001), ["客服小王"], clock())
    assert steps(page()) == ["已记下"], "it was dealt out, nobody has taken it up"
    assert "已交给客服" in page().text
    clock.forward(minutes=10)
    agent_does(lifecycle.reply, body="在查")
    assert steps(page()) == ["已记下", "客服在处理"]
    agent_does(lifecycle.resolve, body="换一台")
    assert steps(page()) == ["已记下", "客服在处理", "已解决"]
    asker.submit(ticket["path"], f"{ticket['path']}/confirm")
    assert steps(page()) == ["已记下", "客服在处理", "已解决", "已确认"]


def test_a_question_back_stands_above_everything_with_one_next_step(asker, second_asker, agent_does, ticket, clock):
    other = second_asker.ask("打印机卡纸怎么处理").json["ticket"]["url"].removeprefix("http://localhost")
    clock.forward(minutes=5)
    agent_does(lifecycle.ask, body="屏幕上的代码是多少？", to=ticket["token"])
    page = asker.page(ticket["path"])
    assert steps(page) == ["已记下", "客服在处理", "等你补充"]
    assert page.text.index("屏幕上的代码是多少") < page.text.index("文件")
    assert [form["action"] for form in page.forms if "details" in form["fields"]] == [f"{ticket['path']}/details"]
    assert "需要你" in asker.page("/mine").text
    assert "屏幕上的代码" not in second_asker.get(other).text
    assert steps(second_asker.page(other)) == ["已记下", "客服在处理"], "nothing is wanted of her"
    asker.submit(ticket["path"], f"{ticket['path']}/seen")
    assert "需要你" in asker.page("/mine").text, "read is not answered"
    asker.submit(ticket["path"], f"{ticket['path']}/details", details="13.20")
    assert steps(asker.page(ticket["path"])) == ["已记下", "客服在处理"]
    assert "在等答案" in asker.page("/mine").text
    assert "需要你" not in asker.page("/mine").text


def test_what_all_were_asked_each_may_answer_until_they_did_themselves(asker, second_asker, agent_does, ticket, clock):
    other = second_asker.ask("打印机卡纸怎么处理").json["ticket"]["url"].removeprefix("http://localhost")
    clock.forward(minutes=5)
    agent_does(lifecycle.ask, body="哪一层？")
    assert "客服想请你补充" in asker.get(ticket["path"]).text
    second_asker.submit(other, f"{other}/details", details="三楼")
    page = asker.get(ticket["path"]).text
    assert "客服想请你补充" in page
    assert "三楼" not in page
    assert "客服想请你补充" not in second_asker.get(other).text
    asker.submit(ticket["path"], f"{ticket['path']}/details", details="四楼")
    assert "客服想请你补充" not in asker.get(ticket["path"]).text


def test_the_thread_shows_what_was_said_to_me_and_by_me_and_nothing_of_the_others(asker, second_asker, agent_does, ticket, read, clock):
    other = second_asker.ask("打印机卡纸怎么处理").json["ticket"]["url"].removeprefix("http://localhost/t/")
    asker.submit(ticket["path"], f"{ticket['path']}/details", details="三楼")
    clock.forward(minutes=5)
    agent_does(lifecycle.note, body="内部：又是三楼")
    agent_does(lifecycle.reply, body="已报修")
    agent_does(lifecycle.reply, body="你的那台明天到", to=other)
    agent_does(lifecycle.resolve, article="mobile/no-notifications", body="修好了")
    page = asker.page(ticket["path"])
    assert [word for word in ("三楼", "已报修", "修好了", "客服答复 · 11月20日 17:35") if word not in page.text] == []
    assert "/a/mobile/no-notifications" in page.links
    assert [word for word in ("又是三楼", "明天到") if word in page.text] == []
    hers = second_asker.get(f"/t/{other}").text
    assert "明天到" in hers
    assert "只发给你" in hers
    assert "又是三楼" not in hers


def test_why_an_agent_opened_it_again_is_not_for_askers(asker, agent_does, ticket):
    agent_does(lifecycle.resolve, body="修好了")
    agent_does(lifecycle.reopen, why="领导又来催")
    page = asker.get(ticket["path"]).text
    assert "客服重新打开了这个提问" in page
    assert "领导" not in page


def test_withdrawing_has_a_way_back_on_the_page_and_for_ten_minutes_in_the_list(asker, ticket, clock, rows):
    asker.submit(ticket["path"], f"{ticket['path']}/details", details="三楼")
    asker.submit(ticket["path"], f"{ticket['path']}/withdraw")
    assert [row[4:6] for row in rows()["tickets"]] == [("closed", 0)]
    answer = asker.submit("/mine", f"{ticket['path']}/rejoin")
    assert "已恢复" in asker.get(answer.location).text
    assert [(row[4], row[5]) for row in rows()["tickets"]] == [("new", 1)]
    assert "三楼" in asker.get(ticket["path"]).text
    assert ticket["path"] in asker.page("/mine").links
    asker.submit(ticket["path"], f"{ticket['path']}/withdraw")
    clock.forward(minutes=11)
    assert "恢复" not in asker.page("/mine").text
    asker.submit(ticket["path"], f"{ticket['path']}/rejoin")
    assert asker.ask("打印机卡纸怎么处理").json["ticket"]["followers"] == 1


def test_better_words_replace_a_question_without_offering_the_old_one(asker, clock):
    asker.ask("食堂几点开门", intent_id="one")
    clock.forward(seconds=5)
    asker.ask("停车证怎么办理", intent_id="one")
    assert "食堂" not in asker.get("/mine").text


def test_who_comes_back_finds_the_answer_that_came_meanwhile(asker, second_asker, agent_does, ticket):
    second_asker.ask("打印机卡纸怎么处理")
    asker.submit(ticket["path"], f"{ticket['path']}/withdraw")
    agent_does(lifecycle.resolve, body="换一台")
    asker.submit(ticket["path"], f"{ticket['path']}/rejoin")
    page = asker.get(ticket["path"]).text
    assert "换一台" in page
    assert "解决了吗" in page


@pytest.mark.parametrize(
    ("end", "says"),
    [
        ("expired", "答复后 3 个工作日没有人说还有问题，已自动关闭"),
        ("spam", "客服认为这不是一个需要回答的问题，已关闭"),
        ("colleague", "已解决，另一位同事已确认"),
    ],
)
def test_every_end_has_its_plain_sentence(asker, second_asker, agent_does, ticket, services, end, says):
    other = second_asker.ask("打印机卡纸怎么处理").json["ticket"]["url"].removeprefix("http://localhost")
    if end == "spam":
        agent_does(lifecycle.spam)
    else:
        agent_does(lifecycle.resolve, body="换一台")
        if end == "colleague":
            second_asker.submit(other, f"{other}/confirm")
        else:
            with services.db.write() as session:
                lifecycle.expire(history.find(session, 1001), services.now())
    page = asker.page(ticket["path"])
    assert says in page.text
    assert (f"{ticket['path']}/reopen" in {form["action"] for form in page.forms}) == (end != "spam")
    asker.post(f"/api/v1/tickets/{ticket['token']}/seen", json={})
    assert "已结束" in asker.page("/mine").text


def test_satisfaction_is_rated_with_a_word_and_can_be_changed(asker, agent_does, ticket, rows):
    agent_does(lifecycle.resolve, body="换一台")
    assert "很满意" not in asker.get(ticket["path"]).text, "first whether it is solved"
    asker.submit(ticket["path"], f"{ticket['path']}/confirm")
    for mark, word in (("5", "很快"), ("2", "又坏了")):
        assert "谢谢你的评价" in asker.get(asker.submit(ticket["path"], f"{ticket['path']}/rate", satisfaction=mark, word=word).location).text
    page = asker.page(ticket["path"])
    assert [given["value"] for tag, given in page.elements if tag == "input" and given.get("type") == "radio" and "checked" in given] == ["2"]
    assert page.form(f"{ticket['path']}/rate", {"word": ""})["fields"]["word"] == "又坏了"
    refused = asker.post(f"{ticket['path']}/rate", data={"csrf_token": asker.token(), "satisfaction": "9", "word": "留着"})
    assert (refused.status_code, "请选 1 到 5 分" in refused.text, "留着" in refused.text) == (400, True, True)


def test_what_was_written_is_still_there_when_it_is_refused(asker, agent_does, ticket):
    agent_does(lifecycle.ask, body="哪一层？")
    answer = asker.submit(ticket["path"], f"{ticket['path']}/details", details="三楼" * 10_001)
    assert answer.status_code == 400
    assert "三楼三楼" in answer.text


def test_files_are_added_without_scripts_downloaded_and_removed(asker, ticket, read, services):
    assert upload(asker, ticket, ("卡纸 照片.png", PNG), ("说明.txt", "第三张".encode())).location == f"{ticket['path']}?done=files#files"
    page = asker.page(ticket["path"])
    links = files_of(page, ticket)
    assert len(links) == 2
    saved = asker.get(links[0])
    assert (saved.data, saved.mimetype) == (PNG, "image/png")
    assert saved.headers["Content-Disposition"].startswith("attachment; filename")
    assert {name: saved.headers[name] for name in ("Cache-Control", "Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy")} == {
        "Cache-Control": "private, no-store",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
    asker.submit(ticket["path"], f"{links[0]}/remove")
    assert files_of(asker.page(ticket["path"]), ticket) == links[1:]
    assert asker.get(links[0]).status_code == 404
    assert "已移除的文件" in asker.get(ticket["path"]).text
    assert len(list(services.config.files.glob("??/*"))) == 1, "its content is gone as well"


def test_one_bad_file_is_named_with_its_remedy_and_the_others_are_kept(asker, ticket, read):
    answer = upload(asker, ticket, ("一.png", PNG), ("坏.zip", b"PK\x03\x04aaaa"), ("大.png", PNG + bytes(MAX_FILE)), ("二.txt", b"x"))
    page = read(answer.text)
    assert answer.status_code == 415
    assert [
        word for word in ("“坏.zip”不能添加", "压缩包请解压后逐个添加", "“大.png”太大：每个文件 5 MB 以内", "其余 2 个文件已添加") if word not in page.text
    ] == []
    assert len(files_of(page, ticket)) == 2
    assert "还没有选文件" in upload(asker, ticket).text


def test_a_file_that_is_there_already_is_named_and_the_new_ones_are_counted(asker, ticket, read):
    upload(asker, ticket, ("一.png", PNG))
    page = read(upload(asker, ticket, ("一.png", PNG), ("二.txt", b"x")).text)
    assert "“一.png”这个文件已经添加过" in page.text
    assert "其余 1 个文件已添加" in page.text
    assert "个文件已添加" not in upload(asker, ticket).text, "nothing chosen, nothing added"


@pytest.mark.parametrize("action", ["details", "files", "reopen", "files/1/remove"])
def test_the_address_of_an_action_leads_back_to_the_page_when_it_is_opened(asker, ticket, action):
    answer = asker.get(f"{ticket['path']}/{action}")
    assert (answer.status_code, answer.location) == (303, ticket["path"])


def test_an_address_that_leads_nowhere_shows_the_way_to_my_questions_and_home(asker):
    answer = asker.get("/t/guessed")
    assert answer.status_code == 404
    assert {"/mine", "/"} <= set(asker.page("/t/guessed").links)


def test_who_is_helped_by_a_reply_waits_no_longer_and_the_last_one_ends_the_ticket(asker, second_asker, agent_does, ticket, rows, clock):
    other = second_asker.ask("打印机卡纸怎么处理").json["ticket"]["url"].removeprefix("http://localhost")
    clock.forward(minutes=5)
    agent_does(lifecycle.reply, body="关机再开")
    asker.submit(ticket["path"], f"{ticket['path']}/settle")
    page = asker.page(ticket["path"])
    assert "你已确认解决。另一位同事还没解决，客服在继续处理。" in page.text
    assert [form["action"] for form in page.forms if form["action"].startswith("/t/")] == [f"{ticket['path']}/reopen"], "nothing is to be done"
    assert "在等答案" in asker.page("/mine").text
    assert [row[4] for row in rows()["tickets"]] == ["in_progress"]
    second_asker.submit(other, f"{other}/settle")
    assert [row[4] for row in rows()["tickets"]] == ["confirmed"]
    assert steps(asker.page(ticket["path"]))[-1] == "已确认"
    assert "已结束" in asker.page("/mine").text


def test_who_joins_after_a_reply_finds_no_news_and_may_take_it_back_or_say_that_it_helps(asker, second_asker, agent_does, ticket, clock):
    clock.forward(minutes=5)
    agent_does(lifecycle.reply, body="在修")
    clock.forward(minutes=5)
    other = second_asker.ask("打印机卡纸怎么处理").json["ticket"]["url"].removeprefix("http://localhost")
    assert "新回复" not in second_asker.page("/mine").text
    second_asker.submit(other, f"{other}/withdraw")
    assert "你已撤销" in second_asker.get(other).text
    second_asker.submit(other, f"{other}/rejoin")
    second_asker.submit(other, f"{other}/settle")
    assert "你已确认解决" in second_asker.get(other).text


def test_who_asks_what_was_answered_reads_the_answer_and_says_whether_it_helped(asker, second_asker, agent, agent_does, ticket):
    agent_does(lifecycle.resolve, body="重启打印机。")
    asker.submit(ticket["path"], f"{ticket['path']}/reopen")
    asked = second_asker.submit("/", "/search", q="打印机卡纸怎么处理").location
    page = second_asker.page(asked)
    receipt = page.text.partition("客服已有答复（T-1001）")[2]
    assert "重启打印机。" in receipt
    assert "另有 1 位同事在等。" in receipt
    assert "还没有答案，已替你记下" not in page.text
    reopen = next(action for form in page.forms for action in form["actions"] if action.endswith("/reopen"))
    second_asker.submit(asked, reopen, details="")
    mine = second_asker.page(reopen.removesuffix("/reopen")).text
    assert "你补充了" in mine
    assert "仍未解决" in mine
    assert "提问人 2 补充说明" in agent.page("/desk/1001").text
    assert second_asker.submit(asked, reopen.replace("/reopen", "/settle")).status_code == 303
    assert "你已确认解决" in second_asker.page(reopen.removesuffix("/reopen")).text


def test_a_reply_is_new_and_only_what_waits_for_my_word_needs_me(asker, agent_does, ticket, clock):
    clock.forward(minutes=5)
    agent_does(lifecycle.reply, body="在修")
    assert ("需要你" in asker.page("/mine").text, "有新回复" in asker.page("/mine").text) == (False, True)
    agent_does(lifecycle.resolve, body="修好了")
    asker.submit(ticket["path"], f"{ticket['path']}/seen")
    assert "需要你" in asker.page("/mine").text, "looked at is not decided"
    asker.submit(ticket["path"], f"{ticket['path']}/confirm")
    assert "需要你" not in asker.page("/mine").text


def test_what_came_after_a_page_was_made_stays_news(asker, agent_does, ticket, clock):
    clock.forward(minutes=5)
    agent_does(lifecycle.reply, body="在查")
    seen = asker.page(ticket["path"]).form(f"{ticket['path']}/seen", {"last": ""})["fields"]
    clock.forward(minutes=5)
    agent_does(lifecycle.reply, body="查到了")
    clock.forward(minutes=5)
    asker.post(f"{ticket['path']}/seen", data=seen)
    assert "有新回复" in asker.page("/mine").text
    asker.post(f"/api/v1/tickets/{ticket['token']}/seen", json={"last": 10**6})
    assert "有新回复" not in asker.page("/mine").text


def test_the_sixth_file_is_refused_by_name_and_a_place_is_made_by_removing_one(asker, ticket, read):
    answer = upload(asker, ticket, *((f"{number}.txt", str(number).encode()) for number in range(6)))
    assert answer.status_code == 409
    assert "“5.txt”没有添加：最多 5 个文件" in read(answer.text).text
    links = files_of(read(answer.text), ticket)
    assert len(links) == 5
    asker.submit(ticket["path"], f"{links[0]}/remove")
    assert upload(asker, ticket, ("5.txt", b"5")).status_code == 303


def test_only_the_form_for_files_takes_megabytes_and_not_without_end(asker, ticket, rows):
    assert upload(asker, ticket, ("一.txt", b"x" * MAX_FILE), ("二.txt", b"x" * (MAX_FILE - 1))).status_code == 303
    assert sorted(row[4] for row in rows()["attachments"]) == [MAX_FILE - 1, MAX_FILE]
    form = {"data": b"", "content_type": "multipart/form-data; boundary=x"}
    refused = asker.post(f"{ticket['path']}/files", environ_overrides={"CONTENT_LENGTH": str(5 * MAX_FILE + 2**20 + 1)}, **form)
    assert (refused.status_code, "每个文件 5 MB 以内" in refused.text) == (413, True)
    assert asker.post(f"{ticket['path']}/details", data={"csrf_token": asker.token(), "details": "x" * 300_000}).status_code == 413


def test_nobody_opens_or_removes_a_file_by_another_address(asker, second_asker, ticket, rows):
    hers = second_asker.ask("打印机卡纸怎么处理").json["ticket"]["url"].removeprefix("http://localhost")
    upload(asker, ticket, ("一.png", PNG))
    (number,) = (row[0] for row in rows()["attachments"])
    before = rows()
    for path in (f"{hers}/files/{number}", f"/t/guessed/files/{number}", f"{ticket['path']}/files/{number + 1}", f"{ticket['path']}/files/{10**30}"):
        assert second_asker.get(path).status_code == 404
        assert second_asker.post(f"{path}/remove", data={"csrf_token": second_asker.token()}).status_code == 404
    assert rows() == before
    assert asker.get(f"{ticket['path']}/files/{number}").data == PNG


def test_a_file_alone_answers_the_question_back(asker, agent_does, ticket):
    agent_does(lifecycle.ask, body="请拍一张照片")
    upload(asker, ticket, ("一.png", PNG))
    page = asker.get(ticket["path"]).text
    assert "客服想请你补充" not in page
    assert "客服在处理" in page


def test_after_the_end_files_stay_until_they_are_cleared(asker, agent_does, ticket, services, clock):
    asker.submit(ticket["path"], f"{ticket['path']}/details", details="三楼", contact="8001")
    upload(asker, ticket, ("一.png", PNG))
    agent_does(lifecycle.resolve, body="换一台")
    (link,) = files_of(asker.page(ticket["path"]), ticket)
    for refused in (upload(asker, ticket, ("二.txt", b"x")), asker.post(f"{link}/remove", data={"csrf_token": asker.token()})):
        assert refused.status_code == 409
        assert "已经结束" in refused.text
    assert asker.get(link).data == PNG
    clock.forward(days=91)
    retention.forget(services.db, services.files, services.now())
    page = asker.page(ticket["path"])
    assert [word for word in ("内容已按期清除", "文件已按期清除", "换一台") if word not in page.text] == []
    assert "三楼" not in page.text
    assert asker.get(link).status_code == 404


def test_a_page_goes_on_in_the_ticket_that_another_was_merged_into(asker, second_asker, services, ticket, clock):
    second_asker.ask("食堂几点开门")
    with services.db.write() as session:
        regroup.merge(session, history.find(session, 1001), history.find(session, 1002), "客服小林", clock())
    clock.forward(minutes=5)
    with services.db.write() as session:
        lifecycle.reply(history.find(session, 1002), "八点", "客服小林", clock())
    page = asker.page(ticket["path"])
    assert "打印机卡纸怎么处理" in page.text
    assert "八点" in page.text
    assert "食堂" not in page.text


def test_no_personal_words_stand_in_addresses_or_logs(asker, ticket, log):
    answers = [
        asker.submit(ticket["path"], f"{ticket['path']}/details", details="王小明的打印机", contact="13800138000"),
        upload(asker, ticket, ("王小明.txt", b"x")),
        upload(asker, ticket, ("王小明.zip", b"PK\x03\x04")),
    ]
    assert [answer.status_code for answer in answers] == [303, 303, 415]
    said = log() + "".join(answer.location or "" for answer in answers)
    assert [word for word in ("王小明", "13800138000", "%E7%8E%8B") if word in said] == []
    assert {answer.headers["Referrer-Policy"] for answer in (asker.get(ticket["path"]), answers[2])} == {"no-referrer"}


def test_my_questions_take_few_queries_however_many_there_are(asker, services, clock, statements):
    for question in ("食堂几点开门", "停车证怎么办理", "会议室投影仪连不上", "打印机卡纸怎么处理", "年假还剩几天", "工牌丢了找谁"):
        asker.ask(question)
        clock.forward(minutes=2)
    with services.db.read() as session:
        person = session.scalars(select(Follower.person)).first()
        with statements() as seen:
            assert len(progress.overview(session, person, clock()).waiting) == 6
    assert len(seen) <= 5


def test_who_waits_reads_by_when_somebody_answers_and_when_people_work_again(asker, agent_does, ticket):
    """It is half past five on a Friday."""
    says = "预计 11月23日（周一）09:00 前回复"
    page = asker.page(ticket["path"])
    assert says in page.text
    assert "现在是休息时间，客服 11月23日（周一）08:30 上班。" in page.text
    assert ("time", {"datetime": "2026-11-23T01:00:00+00:00"}) in page.elements
    assert says in asker.page("/mine").text
    agent_does(lifecycle.ask, body="哪一台")
    assert "等你补充后继续" in asker.page(ticket["path"]).text
    agent_does(lifecycle.resolve, body="换一台")
    assert "预计" not in asker.page(ticket["path"]).text
    assert "预计" not in asker.page("/mine").text
