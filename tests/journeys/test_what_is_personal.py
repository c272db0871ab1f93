"""Planted personal data goes through the whole product and is found only where one person's own words are kept."""

from __future__ import annotations

PLANTED = ("13800138000", "110101199003070919", "zhang.san@example.com", "6222021234567890128")
CARDS = PLANTED[1], PLANTED[3]
WORDS = "我的手机是13800138000，身份证110101199003070919，邮箱zhang.san@example.com，卡号6222021234567890128"


def test_planted_data_stands_in_details_only_and_in_no_log_page_of_others_or_export(asker, second_asker, agent, rows, log):
    found = asker.ask(f"打印机卡纸怎么处理 {WORDS}").json["ticket"]
    path = found["url"].removeprefix("http://localhost")
    asker.submit(path, f"{path}/details", details=WORDS, contact="13800138000")
    agent.submit("/desk/1001", "/desk/1001/reply", body="请关机再开机。")
    agent.submit("/desk/1001", "/desk/1001/resolve", body="已修好。")
    asker.submit(path, f"{path}/reopen", details=WORDS)
    second_asker.ask("打印机卡纸怎么处理")

    kept_words = [text for text in PLANTED if text not in CARDS]
    assert all(text in asker.get(path).text for text in kept_words), "who wrote it reads it"
    assert all(text in agent.get("/desk/1001").text for text in kept_words), "and so do agents"
    assert [text for text in CARDS for page in (asker.get(path).text, agent.get("/desk/1001").text, repr(rows())) if text in page] == [], (
        "cards are kept nowhere"
    )
    kept = {table: repr(found) for table, found in rows().items()}
    kept["followers"] = kept["followers"].replace("'13800138000'", "", 1)  # the contact, which is a detail too
    assert [table for table, found in kept.items() for text in PLANTED if text in found and table != "details"] == []
    elsewhere = [
        log(),
        agent.get("/desk").text,
        agent.get("/analytics").text,
        agent.get("/analytics/gaps.csv").text,
        agent.get("/desk/1001/draft.md").text,
        second_asker.get("/mine").text,
        second_asker.get("/search?q=打印机卡纸怎么处理").text,
    ]
    assert [text for text in PLANTED for page in elsewhere if text in page] == []
