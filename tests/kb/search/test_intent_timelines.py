"""What somebody sends, second by second, and what the server makes of it: what counts as a question, and who waits for an answer."""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from sqlalchemy import select

from kb.search.intents import MAX_QUERY, Trigger
from kb.search.models import Intent
from kb.tickets.intake import Finished, record
from kb.tickets.models import Follower, Ticket

MARS, SHOP = "火星基地的补给船几点到", "宠物医院怎么挂号"
VERIFY = "发票查验失败怎么办"
WAITS, COUNTED = True, False


@dataclass(frozen=True)
class Timeline:
    """`sent`: (second, wish and trigger, wording, verdict); `counts`: the wordings that count as questions; `tickets`: question → whether the asker waits."""

    sent: list[tuple[float, str, str, str]]
    counts: list[str] = field(default_factory=list)
    tickets: dict[str, bool] = field(default_factory=dict)


TIMELINES = {
    "Enter": Timeline([(0, "A enter", MARS, "unanswered")], [MARS], {MARS: WAITS}),
    "rest": Timeline([(5, "A idle", MARS, "unanswered")], [MARS], {MARS: COUNTED}),
    "leaving": Timeline([(2, "A leave", MARS, "unanswered")], [MARS], {MARS: COUNTED}),
    "a hit that did not answer": Timeline([(2, "A open", MARS, "unanswered")], [MARS], {MARS: COUNTED}),
    "rest, then Enter": Timeline([(5, "A idle", MARS, "unanswered"), (9, "A enter", MARS, "unanswered")], [MARS], {MARS: WAITS}),
    "Enter, then leaving": Timeline([(5, "A enter", MARS, "unanswered"), (9, "A leave", MARS, "unanswered")], [MARS], {MARS: WAITS}),
    "Enter twice": Timeline([(1, "A enter", MARS, "unanswered"), (2, "A enter", MARS, "unanswered")], [MARS], {MARS: WAITS}),
    "a send repeated after an hour offline": Timeline([(5, "A idle", MARS, "unanswered"), (3605, "A idle", MARS, "unanswered")], [MARS], {MARS: COUNTED}),
    "rest, then more words": Timeline([(5, "A idle", "火星基地", "unanswered"), (20, "B enter", MARS, "unanswered")], [MARS], {MARS: WAITS}),
    "Enter, then more words": Timeline([(0, "A enter", "火星基地的补给船", "unanswered"), (20, "B idle", MARS, "unanswered")], [MARS], {MARS: WAITS}),
    "Enter, then fewer words": Timeline(
        [(0, "A enter", MARS, "unanswered"), (20, "B idle", "补给船", "unanswered")], [MARS, "补给船"], {MARS: WAITS, "补给船": COUNTED}
    ),
    "left, then fewer words": Timeline([(0, "A leave", MARS, "unanswered"), (20, "B enter", "补给船", "unanswered")], ["补给船"], {"补给船": WAITS}),
    "a correction without a receipt": Timeline(
        [(5, "A idle", "火星车票谁来定", "unanswered"), (15, "B enter", "火星车票谁来订", "unanswered")], ["火星车票谁来订"], {"火星车票谁来订": WAITS}
    ),
    "another word after a receipt": Timeline(
        [(0, "A enter", "火星车票谁来订", "unanswered"), (10, "B enter", "木星车票谁来订", "unanswered")],
        ["火星车票谁来订", "木星车票谁来订"],
        {"火星车票谁来订": WAITS, "木星车票谁来订": WAITS},
    ),
    "the same sounds after a receipt": Timeline(
        [(0, "A enter", "火星基地的补给船几电到", "unanswered"), (30, "B enter", MARS, "unanswered")], [MARS], {MARS: WAITS}
    ),
    "another question": Timeline([(4, "A next", SHOP, "unanswered"), (9, "B enter", MARS, "unanswered")], [SHOP, MARS], {SHOP: COUNTED, MARS: WAITS}),
    "back and forth": Timeline(
        [(0, "A leave", MARS, "unanswered"), (5, "B leave", SHOP, "unanswered"), (10, "C enter", MARS, "unanswered")],
        [MARS, SHOP, MARS],
        {MARS: WAITS, SHOP: COUNTED},
    ),
    "asked again the next hour": Timeline([(0, "A enter", MARS, "unanswered"), (3600, "B enter", MARS, "unanswered")], [MARS, MARS], {MARS: WAITS}),
    "answered": Timeline([(5, "A idle", VERIFY, "answered")], [VERIFY]),
    "answered and opened": Timeline([(5, "A idle", VERIFY, "answered"), (9, "A open", VERIFY, "answered")], [VERIFY]),
    "answered after all": Timeline([(0, "A leave", "怎么撤回火星", "unanswered"), (9, "B enter", "怎么撤回", "answered")], ["怎么撤回"]),
    "unanswered after all": Timeline(
        [(0, "A leave", "怎么撤回", "answered"), (9, "B enter", "怎么撤回火星", "unanswered")], ["怎么撤回火星"], {"怎么撤回火星": WAITS}
    ),
    "an answer that was none": Timeline([(0, "A enter", VERIFY, "answered"), (9, "A unsolved", VERIFY, "answered")], [VERIFY], {VERIFY: WAITS}),
    "an answer that was none, said twice": Timeline(
        [(0, "A enter", VERIFY, "answered"), (9, "A unsolved", VERIFY, "answered"), (12, "A unsolved", VERIFY, "answered")], [VERIFY], {VERIFY: WAITS}
    ),
    "an answer that was none, then Enter": Timeline([(0, "A unsolved", VERIFY, "answered"), (9, "A enter", VERIFY, "answered")], [VERIFY], {VERIFY: WAITS}),
    "a lone Han character rests": Timeline([(5, "A idle", "票", "weak"), (6, "A leave", "票", "weak")]),
    "a lone letter is left": Timeline([(5, "A leave", "a", "empty")]),
    "pinyin rests and is converted": Timeline(
        [(5, "A idle", "huoxingjidi", "unanswered"), (9, "B idle", "火星基地", "unanswered")], ["火星基地"], {"火星基地": COUNTED}
    ),
    "pinyin and Enter": Timeline([(0, "A enter", "huoxingjidi", "unanswered")], ["huoxingjidi"], {"huoxingjidi": WAITS}),
    "letters that are no pinyin": Timeline([(5, "A idle", "xbox", "unanswered")], ["xbox"], {"xbox": COUNTED}),
    "nothing is asked": Timeline([(0, "A enter", "在吗", "empty"), (3, "A unsolved", "在吗", "empty")], ["在吗"]),
    "a greeting, then the question": Timeline([(0, "A enter", "在吗", "empty"), (9, "B enter", MARS, "unanswered")], ["在吗", MARS], {MARS: WAITS}),
    "words with emoji": Timeline([(0, "A enter", f"{MARS}😭", "unanswered"), (3, "B leave", MARS, "unanswered")], [MARS], {MARS: WAITS}),
    "more than 2,000 characters": Timeline([(0, "A enter", SHOP * 400, "unanswered")], [(SHOP * 400)[:MAX_QUERY]], {(SHOP * 400)[:MAX_QUERY]: WAITS}),
}


@pytest.mark.parametrize("name", TIMELINES)
def test_a_timeline_counts_what_somebody_meant_and_keeps_who_waits(db, shipped, now, name):
    timeline = TIMELINES[name]
    for second, how, wording, verdict in timeline.sent:
        wish, trigger = how.split()
        receipt = record(db, shipped, Finished(wish, wording, Trigger(trigger), "asker"), now + timedelta(seconds=second), 20)
        assert receipt.verdict.value == verdict, wording
    with db.read() as session:
        intents = session.scalars(select(Intent).where(Intent.superseded_by.is_(None)).order_by(Intent.at, Intent.id))
        shares = session.execute(
            select(Ticket.question, Follower.waiting).join(Follower, Follower.ticket_number == Ticket.number).where(Follower.withdrawn_at.is_(None))
        )
        assert [intent.query for intent in intents] == timeline.counts
        assert sorted(map(tuple, shares)) == sorted(timeline.tickets.items())
