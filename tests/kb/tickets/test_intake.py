import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from kb.accounts.models import User
from kb.errors import ConflictError
from kb.search.answer import answer
from kb.search.answerability import Verdict
from kb.search.intents import Trigger
from kb.search.models import Intent
from kb.tickets import history, lifecycle, queue, regroup, shares
from kb.tickets.intake import Finished, module_of, receipt_of, record
from kb.tickets.models import FIRST_NUMBER, Ticket
from kb.tickets.shares import Wording
from kb.tickets.standing import SYSTEM, State

MARS = "火星基地的补给船几点到"
SHOP = "宠物医院怎么挂号"


@pytest.fixture(scope="module")
def articles(shipped):
    return shipped


@pytest.fixture
def ask(db, articles, now):
    """Finish a question: `ask(query)` with an id of its own, `at` seconds after the start, by the asker, with Enter."""
    count = iter(range(10_000))

    def ask_(query, at=0.0, *, person="asker", trigger=Trigger.ENTER, id_=None, allowed=20, **more):
        finished = Finished(id_ or f"intent-{next(count)}", query, Trigger(trigger), person, **more)
        return record(db, articles, finished, now + timedelta(seconds=at), allowed)

    return ask_


@pytest.fixture
def tickets(db):
    """What stands on the desk: number → (state, question, people, people waiting, wordings)."""

    def tickets_():
        with db.read() as session:
            return {
                ticket.number: (
                    State(ticket.state),
                    ticket.question,
                    [one.person for one in shares.followers(ticket)],
                    ticket.waiting,
                    {phrasing.text: phrasing.asked for phrasing in ticket.phrasings},
                )
                for ticket in session.scalars(select(Ticket))
            }

    return tickets_


@pytest.fixture
def with_ticket(db, now):
    """Do something to a ticket and its first share: `with_ticket(lambda ticket, share, at: …)`."""

    def with_ticket_(do, number=FIRST_NUMBER, at=60):
        with db.write() as session:
            ticket = history.find(session, number)
            do(ticket, ticket.followers[0], now + timedelta(seconds=at))

    return with_ticket_


def intents(db):
    with db.read() as session:
        return {intent.id: intent for intent in session.scalars(select(Intent))}


def test_a_question_nobody_can_answer_becomes_one_ticket(ask, tickets):
    receipt = ask(MARS)
    assert (receipt.verdict, receipt.new, receipt.number, receipt.followers, receipt.limited) == (Verdict.UNANSWERED, True, FIRST_NUMBER, 1, False)
    assert len(receipt.token) >= 22
    assert tickets() == {FIRST_NUMBER: (State.NEW, MARS, ["asker"], 1, {MARS: 1})}


def test_an_answered_question_is_counted_and_opens_nothing(ask, tickets, db):
    receipt = ask("审批中的单据能撤销吗")
    assert (receipt.verdict, receipt.number, receipt.token, receipt.followers) == (Verdict.ANSWERED, None, "", 0)
    assert tickets() == {}
    assert len(intents(db)) == 1


@pytest.mark.parametrize("query", ["???", "在吗", "有人吗", "怎么办", "asdf", "\x00", "12345678901"])
def test_who_asks_nothing_never_gets_a_ticket(ask, tickets, query):
    for trigger in Trigger:
        assert ask(query, trigger=trigger).number is None
    assert tickets() == {}


def test_the_person_decides_that_an_answer_was_none(ask, tickets):
    receipt = ask("审批中的单据能撤销吗", trigger="unsolved")
    assert (receipt.verdict, receipt.number) == (Verdict.ANSWERED, FIRST_NUMBER)
    assert tickets()[FIRST_NUMBER][3] == 1


@pytest.mark.parametrize(("trigger", "waiting"), [("enter", 1), ("unsolved", 1), ("leave", 0), ("idle", 0), ("next", 0), ("open", 0)])
def test_only_who_saw_a_receipt_waits(ask, tickets, trigger, waiting):
    ask(MARS, trigger=trigger)
    assert tickets()[FIRST_NUMBER][2:4] == (["asker"], waiting)


def test_who_left_and_comes_back_to_press_enter_waits(ask, tickets):
    ask(MARS, trigger="leave", id_="one")
    ask(MARS, 5, trigger="enter", id_="one")
    assert tickets()[FIRST_NUMBER][:4] == (State.NEW, MARS, ["asker"], 1)


@pytest.mark.parametrize("trigger", ["leave", "idle"])
@pytest.mark.parametrize("query", ["票", "huoxing", "huo xing"])
def test_what_is_half_typed_leaves_no_trace(ask, tickets, db, query, trigger):
    assert ask(query, trigger=trigger).number is None
    assert intents(db) == {}
    assert tickets() == {}


@pytest.mark.parametrize("other", ["请问火星基地的补给船几点到？", "火星基地的補給船幾點到", "补给船几点到火星基地"])
def test_the_same_question_in_other_words_joins_the_ticket(ask, tickets, other):
    ask(MARS)
    receipt = ask(other, 100, person="colleague")
    assert (receipt.number, receipt.followers) == (FIRST_NUMBER, 2)
    assert tickets() == {FIRST_NUMBER: (State.NEW, MARS, ["asker", "colleague"], 2, {MARS: 1, other: 1})}


def test_another_question_opens_another_ticket(ask, tickets):
    assert ask(MARS).number == FIRST_NUMBER
    assert ask(SHOP, 60).number == FIRST_NUMBER + 1
    assert len(tickets()) == 2


def test_the_same_id_and_question_are_answered_the_same_and_stored_once(ask, tickets, db):
    first = ask(MARS, id_="one")
    for at in (1, 100, 100_000):
        again = ask(MARS, at, id_="one")
        assert (again.new, again.number, again.token, again.followers) == (False, first.number, first.token, 1)
    assert tickets()[FIRST_NUMBER][4] == {MARS: 1}
    assert list(intents(db)) == ["one"]


def test_one_person_who_asks_again_later_is_still_one_person(ask, tickets):
    first = ask(MARS)
    again = ask(MARS, 3600)
    assert (again.number, again.token, again.followers) == (first.number, first.token, 1)
    assert tickets()[FIRST_NUMBER][4] == {MARS: 2}


def test_an_id_of_somebody_else_is_refused(ask, tickets, db):
    ask(MARS, id_="one")
    with pytest.raises(ConflictError):
        ask(SHOP, id_="one", person="intruder")
    with pytest.raises(ConflictError):
        ask(MARS, id_="one", person="intruder")
    assert receipt_of(db, "one", "intruder") is None
    assert receipt_of(db, "one", "asker").number == FIRST_NUMBER
    assert receipt_of(db, "two", "asker") is None
    assert tickets()[FIRST_NUMBER][2] == ["asker"]


# What becomes of a question that is typed on: (seconds, wording, trigger) … → the questions of the tickets that stay open.
TIMELINES = {
    "typed on": ([(0, "火星基地", "leave"), (8, MARS, "enter")], [MARS]),
    "corrected": ([(0, "火星基地的补给船几电到", "enter"), (10, MARS, "enter")], [MARS]),
    "corrected at the last moment": ([(0, "火星基地的补给船几电到", "enter"), (30, MARS, "enter")], [MARS]),
    "too late for a correction": ([(0, "火星基地的补给船几电到", "enter"), (31, MARS, "enter")], ["火星基地的补给船几电到", MARS]),
    "answered after all": ([(0, "怎么撤回火星", "leave"), (9, "怎么撤回", "enter")], []),
    "fewer words after a receipt": ([(0, MARS, "enter"), (10, "补给船", "enter")], [MARS, "补给船"]),
    "two wishes": ([(0, MARS, "enter"), (10, SHOP, "enter")], [MARS, SHOP]),
    "back and forth": ([(0, MARS, "leave"), (5, SHOP, "leave"), (10, MARS, "enter")], [MARS, SHOP]),
}


@pytest.mark.parametrize("name", TIMELINES)
def test_a_wish_that_is_typed_on_is_one_wish(ask, tickets, name):
    steps, questions = TIMELINES[name]
    for at, query, trigger in steps:
        ask(query, at, trigger=trigger)
    assert [ticket[1] for ticket in tickets().values() if ticket[0] is not State.CLOSED] == questions
    assert all(ticket[2] == ["asker"] for ticket in tickets().values() if ticket[0] is not State.CLOSED)


def test_another_question_under_the_same_id_revises_it(ask, tickets, db):
    first = ask("火星基地的补给船", id_="one")
    second = ask(SHOP, 300, id_="one")
    assert (second.new, second.number, second.token) == (False, first.number, first.token)
    assert tickets() == {FIRST_NUMBER: (State.NEW, SHOP, ["asker"], 1, {SHOP: 1})}
    assert list(intents(db)) == ["one"]


def test_a_revision_that_is_answered_withdraws_the_ticket(ask, tickets):
    ask(MARS, id_="one")
    receipt = ask("审批中的单据能撤销吗", 5, id_="one")
    assert (receipt.verdict, receipt.number) == (Verdict.ANSWERED, None)
    assert tickets()[FIRST_NUMBER][0] is State.CLOSED


def test_a_revision_leaves_the_ticket_to_the_others_who_wait(ask, tickets):
    ask(MARS, person="colleague")
    ask(MARS, 60, id_="one")
    ask(SHOP, 65, id_="one")
    found = tickets()
    assert found[FIRST_NUMBER][1:3] == (MARS, ["colleague"])
    assert found[FIRST_NUMBER + 1][1:3] == (SHOP, ["asker"])


def test_a_revision_joins_a_ticket_that_is_there_and_closes_its_own(ask, tickets):
    ask(SHOP, person="colleague")
    ask(MARS, 60, id_="one")
    receipt = ask(SHOP, 65, id_="one")
    assert (receipt.number, receipt.followers) == (FIRST_NUMBER, 2)
    assert tickets()[FIRST_NUMBER + 1][0] is State.CLOSED


def test_a_ticket_that_an_agent_touched_is_not_reworded(ask, tickets, with_ticket):
    ask(MARS, id_="one")
    with_ticket(lambda ticket, _, at: lifecycle.assign(ticket, "agent", "agent", at), at=1)
    ask(SHOP, 5, id_="one")
    found = tickets()
    assert found[FIRST_NUMBER][:3] == (State.ASSIGNED, MARS, ["asker"])
    assert found[FIRST_NUMBER + 1][1] == SHOP


def test_a_revision_that_is_answered_keeps_the_share_in_a_touched_ticket(ask, tickets, with_ticket):
    ask(MARS, id_="one")
    with_ticket(lambda ticket, _, at: lifecycle.reply(ticket, "在查", "agent", at), at=1)
    assert ask("审批中的单据能撤销吗", 5, id_="one").number == FIRST_NUMBER
    assert tickets()[FIRST_NUMBER][2] == ["asker"]


def test_a_revision_counts_once_in_the_analytics(ask, db):
    ask("火星基地", trigger="leave", id_="one")
    ask(MARS, 8, id_="two")
    found = intents(db)
    assert (found["one"].superseded_by, found["two"].superseded_by) == ("two", None)
    assert found["one"].ticket_number is None


def test_a_refinement_of_somebody_else_is_not_mine(ask, tickets):
    ask("火星基地", person="colleague")
    ask(MARS, 5)
    assert [ticket[2] for ticket in tickets().values()] == [["colleague"], ["asker"]]


def test_undo_takes_my_share_back_and_asking_again_opens_anew(ask, tickets, with_ticket, db):
    ask(MARS, id_="one")
    with_ticket(shares.withdraw)
    assert tickets()[FIRST_NUMBER][:3] == (State.CLOSED, MARS, [])
    assert receipt_of(db, "one", "asker").number is None
    assert ask(MARS, 70, id_="one").number is None
    assert ask(MARS, 75, id_="two").number == FIRST_NUMBER + 1


def test_a_resolved_ticket_is_not_joined(ask, tickets, with_ticket):
    ask(MARS)
    with_ticket(lambda ticket, _, at: lifecycle.resolve(ticket, "agent", at, body="八点"))
    assert ask(MARS, 100, person="colleague").number == FIRST_NUMBER + 1


def test_a_reopened_ticket_is_joined_again(ask, with_ticket):
    ask(MARS)
    with_ticket(lambda ticket, _, at: lifecycle.resolve(ticket, "agent", at, body="八点"))
    with_ticket(lambda _, share, at: shares.reopen(share, "没到", at))
    assert ask(MARS, 100, person="colleague").number == FIRST_NUMBER


def test_the_searches_of_staff_are_counted_and_told_so_but_are_no_demand(ask, tickets, db):
    receipt = ask(MARS, staff=True)
    assert (receipt.number, receipt.limited) == (None, True)
    assert tickets() == {}
    (intent,) = intents(db).values()
    assert (intent.staff, intent.limited) == (True, True)


def test_a_person_over_the_limit_is_told_so_and_others_are_not(ask, tickets):
    subjects = [MARS, SHOP, "量子纠缠实验室预约", "潜水艇租赁价格"]
    receipts = [ask(query, 60 * i, allowed=3) for i, query in enumerate(subjects)]
    assert [receipt.limited for receipt in receipts] == [False, False, False, True]
    assert receipts[3].number is None
    assert len(tickets()) == 3
    assert ask(subjects[3], 300, person="colleague", allowed=3).limited is False
    assert ask(subjects[3], 3700, allowed=3).limited is False


def test_somebody_at_the_limit_may_still_correct_their_last_question(ask):
    ask("火星基地的补给船几电到", id_="one", allowed=1)
    receipt = ask(MARS, 5, id_="one", allowed=1)
    assert (receipt.limited, receipt.number) == (False, FIRST_NUMBER)


def test_many_people_at_once_become_one_ticket(ask, tickets):
    with ThreadPoolExecutor(8) as pool:
        receipts = list(pool.map(lambda i: ask(MARS, person=f"person-{i}"), range(24)))
    assert {receipt.number for receipt in receipts} == {FIRST_NUMBER}
    assert sorted(receipt.followers for receipt in receipts) == list(range(1, 25))
    assert len({receipt.token for receipt in receipts}) == 24
    assert tickets()[FIRST_NUMBER][4] == {MARS: 24}


def test_one_request_sent_eight_times_at_once_is_one_intent(ask, tickets, db):
    with ThreadPoolExecutor(8) as pool:
        receipts = list(pool.map(lambda _: ask(MARS, id_="one"), range(8)))
    assert sorted(receipt.new for receipt in receipts) == [False] * 7 + [True]
    assert len({receipt.token for receipt in receipts}) == 1
    assert tickets()[FIRST_NUMBER][4] == {MARS: 1}
    assert len(intents(db)) == 1


@pytest.mark.parametrize(
    ("query", "secrets"),
    [
        ("我的手机13800138000收不到火星短信", ["13800138000"]),
        ("我的手机 138 0013 8000 收不到火星短信", ["0013"]),
        ("火星卡号4111 1111 1111 1111不对", ["4111", "1111"]),
        ("火星发票抬头写成了王小明，怎么改", ["王小明"]),
        ("我的密码是 P@ssw0rd-Test 登不上火星", ["p@ssw0rd-test", "P@ssw0rd-Test"]),
        ("火星邮箱 zhang.san@example.com 收不到", ["zhang.san", "example.com"]),
        ("火" * 1995 + "13800138000", ["13800"]),
    ],
)
def test_personal_data_is_in_no_row_of_any_table(ask, db, query, secrets):
    assert ask(query, trigger="unsolved").number == FIRST_NUMBER
    with db.read() as session:
        tables = session.scalars(text("SELECT name FROM sqlite_master WHERE type = 'table'")).all()
        rows = json.dumps([[list(map(str, row)) for row in session.execute(text(f'SELECT * FROM "{table}"'))] for table in tables], ensure_ascii=False)  # noqa: S608
    assert "火" in rows
    assert [secret for secret in secrets if secret in rows] == []


def test_the_reason_of_the_verdict_is_kept(ask, db):
    ask(MARS, id_="one")
    intent = intents(db)["one"]
    assert "火星" in "".join(intent.missing)
    assert (intent.verdict, intent.trigger, intent.query) == ("unanswered", "enter", MARS)
    assert 0 <= intent.score < 1


def test_the_hit_that_was_opened_is_kept_and_not_overwritten(ask, db):
    ask("审批中的单据能撤销吗", id_="one", trigger="open", opened="approvals/withdraw", rank=1)
    ask("审批中的单据能撤销吗", id_="one", trigger="open", opened="approvals/rejected", rank=2)
    assert (intents(db)["one"].opened, intents(db)["one"].rank) == ("approvals/withdraw", 1)


def test_an_endless_question_is_kept_cut(ask, db):
    ask("火星" * 20_000, id_="one")
    assert len(intents(db)["one"].query) == 2000


@pytest.mark.parametrize("query", ["火星\x00基地", "'; DROP TABLE tickets; --火星", "火星" + "\u202e" * 50, "😀火星🚀", "<script>alert(1)</script>火星"])
def test_any_text_becomes_a_ticket_that_can_be_read_again(ask, tickets, query):
    assert ask(query).number == FIRST_NUMBER
    assert tickets()[FIRST_NUMBER][0] is State.NEW


def test_a_late_retry_of_a_question_that_was_revised_is_told_of_its_ticket(ask):
    ask(MARS[:6], id_="first", trigger=Trigger.IDLE)
    revised = ask(MARS, 5, id_="second")
    retry = ask(MARS[:6], 9, id_="first", trigger=Trigger.IDLE)
    assert (retry.number, retry.token) == (revised.number, revised.token)


def test_a_single_letter_is_never_finished_by_resting_on_it(ask, db):
    ask("x", trigger=Trigger.IDLE)
    with db.read() as session:
        assert list(session.scalars(select(Intent))) == []


def test_an_opened_article_that_does_not_exist_is_not_stored(ask, db):
    ask(MARS, trigger=Trigger.OPEN, opened="抬头写成王小明", rank=1)
    with db.read() as session:
        assert session.scalars(select(Intent)).one().opened is None


def test_a_second_question_in_similar_words_leaves_the_first_one_its_promise(ask, tickets):
    numbers = [ask(question, at).number for at, question in enumerate(["健身费能报吗", "体检费能报吗", "电话费能报吗"])]
    assert len(set(numbers)) == 3
    assert [tickets()[number][1] for number in numbers] == ["健身费能报吗", "体检费能报吗", "电话费能报吗"]


def test_words_that_somebody_added_details_to_are_never_replaced(ask, tickets, with_ticket):
    number = ask("幼儿园学费能报吗").number
    with_ticket(lambda _, share, at: shares.add_details(share, "孩子在总部园", "", at))
    ask("幼儿园学费能报吗 2026年的", 5)
    assert tickets()[number][1] == "幼儿园学费能报吗"


def test_no_ticket_drops_out_of_sight_however_many_there_are(db, ask, now):
    ask(MARS)
    with db.write() as session:
        for number in range(600):
            ticket = history.open_ticket(session, f"没人等的问题{number}", now)
            shares.join(ticket, f"person {number}", Wording(ticket.question, f"key {number}"), now, receipt=False)
    with db.read() as session:
        found = queue.open_tickets(session)
        assert len(found) == 601
        assert found[0].question == MARS
        assert queue.counts_by_state(session) == {"new": 601}


@pytest.mark.parametrize(
    ("question", "module"),
    [
        ("差旅标准多久更新一次", "travel"),
        ("预算冻结了怎么解", "budget"),
        ("凭证日期填哪天", "integration"),
        ("食堂几点开门", ""),
        ("社保卡去哪里领", ""),
        ("班车几点发", ""),
        ("老师好，打印机放在哪层", ""),
    ],
)
def test_a_module_is_guessed_only_where_the_articles_are_about_the_subject(articles, question, module):
    assert module_of(answer(articles, question)) == module


@pytest.fixture
def owned(articles, monkeypatch):
    """Let every module be owned by these accounts."""
    return lambda *owners: monkeypatch.setattr(articles, "modules", tuple(replace(module, owners=owners) for module in articles.modules))


def account(db, now, name, role):
    with db.write() as session:
        session.add(User(name=name, role=role, created_at=now, password_hash=""))


SURPLUS = ("差旅标准多久更新一次", "差旅标准由谁制定的呢", "差旅标准适用于实习生吗")


def test_a_ticket_goes_to_an_owner_who_has_an_account_and_may_work_on_it(ask, db, now, owned):
    owned("离职了", "lin", "只提问", "wang")
    for name, role in (("lin", "agent"), ("只提问", "asker"), ("wang", "editor")):
        account(db, now, name, role)
    for at, query in enumerate(SURPLUS):
        ask(query, 60 * at, trigger="unsolved")
    with db.read() as session:
        tickets = list(session.scalars(select(Ticket).order_by(Ticket.number)))
        assert [(ticket.assignee, ticket.state, ticket.events[-1].actor) for ticket in tickets] == [
            (name, "assigned", "system") for name in ("lin", "wang", "lin")
        ]


def test_nobody_gets_a_ticket_for_which_nobody_waits_until_somebody_does(ask, db, now, owned):
    owned("lin")
    account(db, now, "lin", "agent")
    ask(SURPLUS[0], trigger="unsolved", person="colleague")
    with db.read() as session:
        assert history.find(session, FIRST_NUMBER).assignee == "lin"
    ask(MARS, 60, trigger="leave")
    with db.read() as session:
        assert history.find(session, FIRST_NUMBER + 1).assignee == ""


def test_a_ticket_without_owners_with_accounts_is_unassigned(ask, db, owned):
    owned("离职了")
    ask(SURPLUS[0], trigger="unsolved")
    with db.read() as session:
        assert history.find(session, FIRST_NUMBER).assignee == ""


def test_a_revision_after_an_article_resolved_the_ticket_by_itself_opens_another_one(ask, tickets, with_ticket):
    ask(MARS, id_="one")
    with_ticket(lambda ticket, _, at: lifecycle.resolve(ticket, SYSTEM, at, article="m/a"), at=1)
    receipt = ask(SHOP, 5, id_="one")
    assert receipt.number == FIRST_NUMBER + 1
    assert tickets()[FIRST_NUMBER][:3] == (State.RESOLVED, MARS, ["asker"])


def test_who_was_in_both_of_two_merged_tickets_finds_the_one_that_goes_on(ask, db, now):
    ask(MARS, id_="mars")
    ask(SHOP, 100, id_="shop")
    with db.write() as session:
        regroup.merge(session, history.find(session, FIRST_NUMBER), history.find(session, FIRST_NUMBER + 1), "agent", now + timedelta(minutes=5))
    mars, shop = receipt_of(db, "mars", "asker"), receipt_of(db, "shop", "asker")
    assert (mars.number, mars.token, mars.followers) == (shop.number, shop.token, shop.followers) == (FIRST_NUMBER + 1, shop.token, 1)
    assert ask(MARS, 600, id_="again").number == FIRST_NUMBER + 1


def test_who_was_told_something_before_a_merger_may_still_ask_something_else_under_the_same_id(ask, db, now):
    ask(MARS, id_="mars")
    ask(SHOP, 60, person="colleague")
    with db.write() as session:
        first, second = history.find(session, FIRST_NUMBER), history.find(session, FIRST_NUMBER + 1)
        lifecycle.reply(first, "在查", "agent", now + timedelta(minutes=2))
        regroup.merge(session, first, second, "agent", now + timedelta(minutes=3))
        assert shares.told(shares.of(session, second, "asker"))
    assert ask("海底隧道几点关门", 240, id_="mars").number == FIRST_NUMBER + 2


def test_who_stops_to_think_and_then_presses_enter_has_their_ticket_handed_out(ask, db, now, owned):
    owned("lin")
    account(db, now, "lin", "agent")
    assert ask(SURPLUS[0], trigger="unsolved", id_="one", person="other").number == FIRST_NUMBER
    ask(MARS, 60, trigger="idle", id_="two")
    with db.write() as session:
        ticket = history.find(session, FIRST_NUMBER + 1)
        assert ticket.assignee == ""
        ticket.opened_as = ticket.opened_as | {"module": history.find(session, FIRST_NUMBER).module}
        ticket.module = ticket.opened_as["module"]
    ask(MARS, 63, id_="two")
    with db.read() as session:
        assert history.find(session, FIRST_NUMBER + 1).assignee == "lin"


def test_better_words_are_filed_anew_until_an_agent_has_touched_the_ticket(ask, db, now):
    def filed():
        with db.read() as session:
            ticket = history.find(session, FIRST_NUMBER)
            assert history.written(ticket) == history.standing(ticket)
            return ticket.question, ticket.priority

    urgent = MARS + "，所有人都用不了，系统崩溃了"
    ask(MARS, id_="one")
    assert filed() == (MARS, "normal")
    ask(urgent, 5, id_="one")
    assert filed() == (urgent, "urgent")
    with db.write() as session:
        lifecycle.prioritise(history.find(session, FIRST_NUMBER), "high", "agent", now + timedelta(seconds=8))
    ask(MARS, 10, id_="one")
    assert filed() == (urgent, "high")


def test_one_id_opens_no_more_tickets_in_an_hour_than_many_do(ask, db, now):
    for at, query in enumerate([MARS, SHOP, "海底隧道几点关门"]):
        receipt = ask(query, 60 * at, id_="one", allowed=2)
        with db.write() as session:
            if receipt.number:
                shares.add_details(shares.of(session, history.find(session, receipt.number), "asker"), f"补充 {at}", None, now + timedelta(minutes=at))
    with db.read() as session:
        assert len(list(session.scalars(select(Ticket).where(Ticket.open)))) == 2
    assert (receipt.limited, receipt.number) == (True, None)
    assert ask("海底隧道几点关门", 4000, id_="two", allowed=2).number == FIRST_NUMBER + 2
