from datetime import timedelta

import pytest

from kb.errors import ConflictError, InvalidRequestError, NotFoundError
from kb.tickets import history, lifecycle, queue, regroup, shares, undoing, unseen
from kb.tickets.models import FIRST_NUMBER
from kb.tickets.shares import MAX_TEXT, Wording
from kb.tickets.standing import SYSTEM, Kind, State
from tests.kb.tickets.conftest import happened

QUESTION = "打印机卡纸怎么处理"


@pytest.fixture
def play(db, now):
    """Play steps on a ticket of two people, a minute apart, and return what `look` sees at the end."""

    def play_(*steps, look=lambda ticket: State(ticket.state)):
        with db.write() as session:
            ticket = history.open_ticket(session, QUESTION, now)
            both = [shares.join(ticket, person, Wording(QUESTION, "key"), now, receipt=True) for person in ("asker", "colleague")]
            for minute, step in enumerate(steps, 1):
                STEPS[step](ticket, both, now + timedelta(minutes=minute))
            return look(ticket)

    return play_


STEPS = {
    "assign": lambda ticket, _, at: lifecycle.assign(ticket, "agent", "agent", at),
    "assign other": lambda ticket, _, at: lifecycle.assign(ticket, "second agent", "agent", at),
    "hand back": lambda ticket, _, at: lifecycle.assign(ticket, "", "agent", at),
    "note": lambda ticket, _, at: lifecycle.note(ticket, "问过行政", "agent", at),
    "reply": lambda ticket, _, at: lifecycle.reply(ticket, "在查", "agent", at),
    "ask": lambda ticket, _, at: lifecycle.ask(ticket, "几楼的打印机", "agent", at),
    "add": lambda _, both, at: shares.add_details(both[0], "三楼", None, at),
    "resolve": lambda ticket, _, at: lifecycle.resolve(ticket, "agent", at, body="重启打印机"),
    "resolve by article": lambda ticket, _, at: lifecycle.resolve(ticket, "agent", at, article="m/a"),
    "confirm": lambda _, both, at: shares.confirm(both[0], at),
    "reopen": lambda _, both, at: shares.reopen(both[0], "还是卡", at),
    "reopen by agent": lambda ticket, _, at: lifecycle.reopen(ticket, "答错了", "agent", at),
    "expire": lambda ticket, _, at: lifecycle.expire(ticket, at),
    "spam": lambda ticket, _, at: lifecycle.spam(ticket, "agent", at),
    "withdraw": lambda ticket, both, at: shares.withdraw(ticket, both[0], at),
    "withdraw other": lambda ticket, both, at: shares.withdraw(ticket, both[1], at),
}


@pytest.mark.parametrize(
    ("steps", "state"),
    [
        ("", State.NEW),
        ("assign", State.ASSIGNED),
        ("assign, reply", State.IN_PROGRESS),
        ("reply", State.IN_PROGRESS),
        ("assign, resolve", State.RESOLVED),
        ("reply, assign", State.IN_PROGRESS),
        ("resolve, reply", State.RESOLVED),
        ("resolve, confirm, reply", State.CONFIRMED),
        ("resolve by article", State.RESOLVED),
        ("resolve, confirm", State.CONFIRMED),
        ("resolve, reopen", State.IN_PROGRESS),
        ("resolve, confirm, reopen", State.IN_PROGRESS),
        ("resolve, reopen, resolve, confirm", State.CONFIRMED),
        ("reopen", State.NEW),
        ("confirm", State.NEW),
        ("assign, confirm", State.ASSIGNED),
        ("withdraw", State.NEW),
        ("withdraw, withdraw", State.NEW),
        ("withdraw, withdraw other", State.CLOSED),
        ("assign, withdraw, withdraw other", State.CLOSED),
        ("assign, hand back", State.NEW),
        ("reply, hand back", State.IN_PROGRESS),
        ("note", State.NEW),
        ("ask", State.WAITING),
        ("ask, add", State.IN_PROGRESS),
        ("ask, reply", State.IN_PROGRESS),
        ("ask, reopen", State.IN_PROGRESS),
        ("add", State.NEW),
        ("resolve, add", State.RESOLVED),
        ("resolve, expire", State.CLOSED),
        ("resolve, confirm, expire", State.CONFIRMED),
        ("resolve, reopen, expire", State.IN_PROGRESS),
        ("resolve, expire, reopen", State.IN_PROGRESS),
        ("resolve, reopen by agent", State.IN_PROGRESS),
        ("reopen by agent", State.NEW),
        ("spam", State.CLOSED),
    ],
)
def test_a_state_is_what_the_events_add_up_to(play, steps, state):
    assert play(*filter(None, steps.split(", "))) is state


@pytest.mark.parametrize(
    "steps",
    [
        "reply, withdraw",
        "resolve, withdraw",
        "resolve, resolve",
        "resolve, assign",
        "resolve, confirm, resolve",
        "withdraw, withdraw other, reply",
        "withdraw, withdraw other, assign",
        "withdraw, resolve, confirm",
        "withdraw, resolve, reopen",
        "resolve, ask",
        "spam, reopen",
        "spam, reopen by agent",
        "spam, reply",
        "spam, assign",
        "withdraw, withdraw other, reopen by agent",
    ],
)
def test_what_no_longer_fits_is_refused(play, steps):
    with pytest.raises(ConflictError):
        play(*steps.split(", "))


def test_a_refused_step_leaves_no_event(play):
    def count(ticket):
        before = len(happened(ticket))
        with pytest.raises(ConflictError):
            lifecycle.assign(ticket, "agent", "agent", ticket.opened_at)
        return len(happened(ticket)) - before

    assert play("resolve", look=count) == 0


def test_who_takes_a_ticket_twice_took_it_once_and_the_last_one_has_it(play):
    kinds = play("assign", "assign", "assign other", look=lambda ticket: ([event.kind for event in happened(ticket)], ticket.assignee))
    assert kinds == (["opened", "assigned", "assigned"], "second agent")


def test_every_event_says_who_and_when(play, now):
    events = play("assign", "reply", "resolve", "confirm", look=lambda ticket: [(event.kind, event.actor, event.at) for event in happened(ticket)])
    assert events == [
        (kind, actor, now + timedelta(minutes=minute))
        for minute, (kind, actor) in enumerate(
            [("opened", "asker"), ("assigned", "agent"), ("replied", "agent"), ("resolved", "agent"), ("confirmed", "asker")]
        )
    ]


@pytest.mark.parametrize("body", ["", "   ", "\n\t", "x" * (MAX_TEXT + 1)])
def test_a_reply_says_something_and_not_a_book(play, now, body):
    def reply(ticket):
        with pytest.raises(InvalidRequestError):
            lifecycle.reply(ticket, body, "agent", now)
        return len(happened(ticket))

    assert play(look=reply) == 1


def test_resolving_needs_an_answer(play, now):
    def resolve(ticket):
        with pytest.raises(InvalidRequestError):
            lifecycle.resolve(ticket, "agent", now, body="  ")
        return State(ticket.state)

    assert play(look=resolve) is State.NEW


def test_numbers_go_up_and_are_never_given_twice(db, now):
    with db.write() as session:
        first = [history.open_ticket(session, QUESTION, now).number for _ in range(3)]
    with db.write() as session:
        first.append(history.open_ticket(session, QUESTION, now).number)
    assert first == [FIRST_NUMBER + i for i in range(4)]


def test_a_ticket_that_is_not_there_is_named(db):
    with db.read() as session, pytest.raises(NotFoundError, match="T-7"):
        history.find(session, 7)


def test_one_loud_person_does_not_lead_the_queue(db, now):
    with db.write() as session:
        loud, asked_by_many, left = (history.open_ticket(session, name, now) for name in ("loud", "many", "left"))
        for _ in range(9):
            shares.join(loud, "asker", Wording("loud", "a"), now, receipt=True)
        for person in ("b", "c"):
            shares.join(asked_by_many, person, Wording("many", "b"), now, receipt=True)
        for person in ("d", "e", "f"):
            shares.join(left, person, Wording("left", "c"), now, receipt=False)
        assert [ticket.question for ticket in queue.open_tickets(session)] == ["many", "loud", "left"]


def test_the_second_of_two_agents_is_told_who_did_what_and_nothing_is_overwritten(two, later):
    def work(ticket, hers, _):
        seen = ticket.version
        unseen.require_unchanged(ticket, "wang", seen)
        lifecycle.assign(ticket, "lin", "lin", later())
        unseen.require_unchanged(ticket, "lin", seen)
        with pytest.raises(ConflictError, match="lin改了处理人"):
            unseen.require_unchanged(ticket, "wang", seen)
        shares.add_details(hers, "三楼", None, later())
        with pytest.raises(ConflictError, match="提问人补充了说明"):
            unseen.require_unchanged(ticket, "lin", seen)
        unseen.require_unchanged(ticket, "wang", ticket.version)
        unseen.require_unchanged(ticket, "wang", None)

    two(work)


def test_every_kind_of_event_can_be_told_to_the_other_agent():
    silent = {Kind.SUGGESTED, Kind.REWORDED, Kind.AWAITED, Kind.UNAWAITED}
    assert {kind for kind in Kind if kind in unseen._DID} == set(Kind) - silent  # noqa: SLF001 - a missing word would be a server error


def test_tickets_go_to_the_owners_in_turn_and_what_an_agent_put_back_stays_there(db, later):
    with db.write() as session:
        taken = []
        for number in range(5):
            ticket = history.open_ticket(session, f"问题 {number}", later())
            lifecycle.assign_in_turn(ticket, ["lin", "wang", "zhao"], later())
            taken.append(ticket.assignee)
        assert taken == ["lin", "wang", "zhao", "lin", "wang"]
        lifecycle.assign(ticket, "", "wang", later())
        lifecycle.assign_in_turn(ticket, ["lin", "wang", "zhao"], later())
        assert ticket.assignee == ""
        other = history.open_ticket(session, "没有负责人", later())
        lifecycle.assign_in_turn(other, [], later())
        assert (other.assignee, other.state) == ("", "new")


@pytest.mark.parametrize(
    ("step", "column", "before"),
    [
        (lambda ticket, at: lifecycle.assign(ticket, "wang", "lin", at), "assignee", ""),
        (lambda ticket, at: lifecycle.categorise(ticket, "fault", "lin", at), "category", ""),
        (lambda ticket, at: lifecycle.prioritise(ticket, "urgent", "lin", at), "priority", ""),
        (lambda ticket, at: lifecycle.file(ticket, "travel", "lin", at, ["travel"]), "module", ""),
        (lambda ticket, at: lifecycle.resolve(ticket, "lin", at, body="重启"), "state", "new"),
        (lambda ticket, at: lifecycle.spam(ticket, "lin", at), "closed_as", ""),
    ],
)
def test_an_agent_takes_a_step_back_once(two, later, step, column, before):
    def take_back(ticket, *_):
        step(ticket, later())
        step_taken = ticket.version
        assert getattr(ticket, column) != before
        assert undoing.undoable(ticket)[0].id == step_taken
        for _ in range(2):
            undoing.undo(history.session_of(ticket), ticket, step_taken, "lin", later())
        assert [event.undoes for event in happened(ticket)].count(step_taken) == 1
        assert undoing.undoable(ticket) == []
        return getattr(ticket, column)

    assert two(take_back) == before


def test_the_same_again_is_no_event(two, later):
    def again(ticket, *_):
        for _ in range(2):
            lifecycle.categorise(ticket, "fault", "lin", later())
            lifecycle.prioritise(ticket, "urgent", "lin", later())
            lifecycle.file(ticket, "travel", "lin", later(), ["travel"])
        return len(happened(ticket))

    assert two(again) == 4


@pytest.mark.parametrize(
    "step",
    [
        lambda ticket, at: lifecycle.categorise(ticket, "nonsense", "lin", at),
        lambda ticket, at: lifecycle.prioritise(ticket, "nonsense", "lin", at),
        lambda ticket, at: lifecycle.file(ticket, "nonsense", "lin", at, ["travel"]),
        lambda ticket, at: lifecycle.publish(ticket, "nonsense", "在修", "lin", "agent", at, at + timedelta(days=1)),
        lambda ticket, at: lifecycle.publish(ticket, "known", " ", "lin", "agent", at, at + timedelta(days=1)),
        lambda ticket, at: lifecycle.publish(ticket, "known", "长" * 2001, "lin", "agent", at, at + timedelta(days=1)),
        lambda ticket, at: lifecycle.publish(ticket, "known", "在修", "lin", "agent", at, at),
        lambda ticket, at: lifecycle.publish(ticket, "known", "在修", "lin", "agent", at, at + timedelta(days=91)),
    ],
)
def test_what_is_not_on_the_list_or_has_no_sensible_end_is_refused(two, later, step):
    def refuse(ticket, *_):
        with pytest.raises(InvalidRequestError):
            step(ticket, later())
        return len(happened(ticket))

    assert two(refuse) == 1


@pytest.mark.parametrize("step", ["reply", "note", "opened", "resolved by the program", "another ticket's", "resolved and confirmed"])
def test_what_others_have_read_or_did_themselves_is_not_taken_back(two, later, step):
    def refuse(ticket, hers, _):
        session, of = history.session_of(ticket), ticket
        match step:
            case "reply":
                lifecycle.reply(ticket, "在查", "lin", later())
            case "note":
                lifecycle.note(ticket, "问过了", "lin", later())
            case "resolved by the program":
                lifecycle.resolve(ticket, SYSTEM, later(), article="m/a")
            case "another ticket's":
                lifecycle.assign(ticket, "lin", "lin", later())
                of = history.open_ticket(session, "别的", later())
            case "resolved and confirmed":
                lifecycle.resolve(ticket, "lin", later(), body="重启")
                shares.confirm(hers, later())
        event = happened(ticket)[-2].id if step == "resolved and confirmed" else ticket.version
        with pytest.raises((ConflictError, InvalidRequestError)):
            undoing.undo(session, of, event, "lin", later())
        return event in {undoable.id for undoable in undoing.undoable(of)}

    assert two(refuse) is False


def live(ticket, at):
    return [reply.body for reply in lifecycle.live_public_replies(ticket, at)]


def test_a_public_reply_takes_the_place_of_the_one_before_until_that_is_undone(two, later):
    def publish(ticket, *_):
        for body in ("正在修", "今晚修好"):
            lifecycle.publish(ticket, "known", body, "lin", "agent", at := later(), at + timedelta(days=1))
        first, second = (event.id for event in happened(ticket) if event.kind == "published")
        assert live(ticket, later()) == ["今晚修好"]
        assert [event.id for event in undoing.undoable(ticket)] == [second]
        with pytest.raises(ConflictError):
            undoing.undo(history.session_of(ticket), ticket, first, "lin", later())
        undoing.undo(history.session_of(ticket), ticket, second, "lin", later())
        assert live(ticket, later()) == ["正在修"]
        lifecycle.retire(ticket, "lin", later())
        lifecycle.retire(ticket, "lin", later())
        return live(ticket, later()), [event.kind for event in happened(ticket)].count("retired"), undoing.undoable(ticket)

    assert two(publish) == ([], 1, [])


def test_a_public_reply_ends_by_itself(two, later):
    def publish(ticket, *_):
        lifecycle.publish(ticket, "known", "正在修", "lin", "agent", at := later(), at + timedelta(hours=1))
        return live(ticket, at + timedelta(minutes=59)), live(ticket, at + timedelta(hours=1))

    assert two(publish) == (["正在修"], [])


def test_an_article_takes_the_place_of_the_public_reply_and_gives_it_back_when_that_is_undone(two, later):
    def resolve(ticket, *_):
        lifecycle.publish(ticket, "known", "正在修", "lin", "agent", at := later(), at + timedelta(days=1))
        lifecycle.resolve(ticket, "lin", later(), article="m/a")
        assert live(ticket, later()) == []
        undoing.undo(history.session_of(ticket), ticket, ticket.version, "lin", later())
        return live(ticket, later()), ticket.state

    assert two(resolve) == (["正在修"], "new")


def test_a_suggestion_that_was_dismissed_is_not_made_again_unless_that_is_undone(two, later):
    def suggest(ticket, *_):
        lifecycle.suggest(ticket, "m/a", later())
        lifecycle.suggest(ticket, "m/a", later())
        assert ticket.suggested == "m/a"
        lifecycle.dismiss(ticket, "lin", later())
        lifecycle.dismiss(ticket, "lin", later())
        lifecycle.suggest(ticket, "m/a", later())
        assert (ticket.suggested, len(happened(ticket))) == ("", 3)
        undoing.undo(history.session_of(ticket), ticket, ticket.version, "lin", later())
        assert ticket.suggested == "m/a"
        lifecycle.suggest(ticket, "m/b", later())
        lifecycle.suggest(ticket, "m/a", later())
        return ticket.suggested

    assert two(suggest) == "m/a"


def test_who_answers_a_ticket_that_nobody_has_takes_it(two, now):
    def answer(ticket, hers, _):
        lifecycle.ask(ticket, "几楼？", "王敏", now, hers)
        lifecycle.reply(ticket, "在查", "陈晨", now)
        return ticket.assignee, [event.kind for event in happened(ticket)]

    assert two(answer) == ("王敏", ["opened", "assigned", "asked", "replied"])


def test_a_resolution_that_was_read_or_is_not_the_last_is_not_taken_back(two, later):
    def resolve(ticket, hers, his):
        lifecycle.resolve(ticket, "王敏", later(), body="第一次答复")
        first = ticket.version
        shares.reopen(hers, "没用", later())
        lifecycle.resolve(ticket, "王敏", later(), body="第二次答复")
        second = ticket.version
        with pytest.raises(ConflictError, match="不是最近一次"):
            undoing.undo(history.session_of(ticket), ticket, first, "李雷", later())
        assert undoing.undoable(ticket)[0].id == second
        his.seen_at = later()
        with pytest.raises(ConflictError, match="看到这个答复"):
            undoing.undo(history.session_of(ticket), ticket, second, "李雷", later())
        return [event.id for event in undoing.undoable(ticket) if event.kind == "resolved"], ticket.state

    assert two(resolve) == ([], "resolved")


def test_spam_shows_nobody_its_public_reply_until_that_is_undone(two, later):
    def mark(ticket, *_):
        at = later()
        lifecycle.publish(ticket, "known", "在修", "lin", "agent", at, at + timedelta(days=3))
        lifecycle.spam(ticket, "lin", later())
        spam = ticket.version
        assert lifecycle.live_public_replies(ticket, later()) == []
        undoing.undo(history.session_of(ticket), ticket, spam, "lin", later())
        return [reply.body for reply in lifecycle.live_public_replies(ticket, later())], ticket.state

    assert two(mark) == (["在修"], "new")


def test_a_merged_ticket_is_no_spam(two, later):
    def mark(ticket, *_):
        other = history.open_ticket(history.session_of(ticket), "卡纸", later())
        shares.join(other, "third", Wording("卡纸", "k"), later(), receipt=True)
        regroup.merge(history.session_of(ticket), ticket, other, "lin", later())
        with pytest.raises(ConflictError, match="并入另一张"):
            lifecycle.spam(ticket, "lin", later())
        return ticket.merged_into == other.number

    assert two(mark)


def test_who_resolves_a_ticket_that_nobody_has_takes_it_and_gives_it_back_with_the_resolution(two, later):
    def resolve(ticket, *_):
        lifecycle.resolve(ticket, "lin", later(), body="重启打印机")
        assert (ticket.state, ticket.assignee) == ("resolved", "lin")
        undoing.undo(history.session_of(ticket), ticket, ticket.version, "lin", later())
        return ticket.state, ticket.assignee

    assert two(resolve) == ("new", "")


def test_a_question_to_one_person_stops_nobody_elses_time(two, later):
    def ask(ticket, hers, his):
        lifecycle.ask(ticket, "几楼？", "lin", later(), hers)
        assert (ticket.state, history.written(ticket).running, ticket.responded_at) == ("in_progress", True, None), (
            "he waits, and nobody has said a word to him"
        )
        lifecycle.reply(ticket, "在查", "lin", answered := later(), his)
        assert ticket.responded_at == answered
        shares.withdraw(ticket, his, later()) if not shares.told(his) else shares.settle(his, later())
        lifecycle.ask(ticket, "几号打印机？", "lin", later(), hers)
        return ticket.state, history.written(ticket).running

    assert two(ask) == ("waiting", False)


def test_who_comes_while_the_others_are_to_answer_waits_for_an_agent(two, later):
    def come(ticket, *_):
        lifecycle.ask(ticket, "几楼？", "lin", later())
        assert (ticket.state, history.written(ticket).running) == ("waiting", False)
        shares.join(ticket, "newcomer", Wording("打印机卡纸怎么处理", "key"), came := later(), receipt=True)
        return ticket.state, history.written(ticket).runs[-1] == (came, None)

    assert two(come) == ("in_progress", True)
