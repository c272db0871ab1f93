"""Every message that is due goes out, at least once and under one Message-ID, whatever fails on the way; nobody waits for somebody else's failures."""

from __future__ import annotations

import random
import threading
from datetime import timedelta

import pytest
from sqlalchemy import select

from indexer.published import Library
from kb.notifications import courier as couriers
from kb.notifications import messages, outages, outbox
from kb.notifications.channels import DeliveryError
from kb.notifications.courier import LONGEST_PAUSE, LONGEST_REST, MOST_TRIES, Courier, rest
from kb.notifications.models import Message, Notice
from kb.services import Services
from kb.tickets import history, lifecycle, shares, undoing
from kb.tickets.models import Follower

FULL = DeliveryError("450 mailbox busy", alone=True)
LATER = DeliveryError("451 try later")
GONE = DeliveryError("550 no such user", permanent=True)
AWAY = DeliveryError("nobody answers", down=True)


@pytest.fixture
def crowd(do, services, question):
    """Open a ticket that many people follow by mail; return its number."""

    def make(size):
        number, _ = question({"c:0": ""})

        def join(session):
            session.add_all(
                Follower(
                    ticket_number=number,
                    person=f"c:x{one}",
                    token=f"t{one}",
                    wording="打印机卡纸怎么处理",
                    waiting=True,
                    joined_at=services.now(),
                    contact=f"p{one}@example.com",
                )
                for one in range(size)
            )
            session.flush()
            history.count_people(history.find(session, number), services.now())

        do(join)
        return number

    return make


@pytest.fixture
def rows_of(services):
    """Return all messages as they stand."""

    def read():
        with services.db.read() as session:
            return list(session.scalars(select(Message).order_by(Message.id)))

    return read


def test_what_happens_is_told_and_marked_as_sent(question, happens, courier, said, ended):
    number, _ = question({"c:1": "lin@example.com"})
    happens(number, lifecycle.reply, "正在处理", "王敏")
    assert courier.work() == 2
    assert said.told == [("received", "lin@example.com"), ("replied", "lin@example.com")]
    assert set(ended().values()) == {"sent"}
    assert courier.work() == 0


def test_a_thousand_followers_do_not_delay_another_mail(crowd, question, happens, courier, said):
    number = crowd(120)
    other, _ = question({"c:9": "lin@example.com"}, "食堂几点开门")
    happens(number, lifecycle.reply, "正在处理", "王敏")
    happens(other, lifecycle.reply, "十一点半", "王敏")
    assert courier.work() == 122
    places = [place for place, one in enumerate(said.sent) if one.address == "lin@example.com"]
    assert max(places) <= 3


def test_what_becomes_due_while_many_are_sent_does_not_wait_for_the_last_of_them(crowd, question, happens, courier, said, do, services):
    number = crowd(120)
    other, _ = question({"c:9": "lin@example.com"}, "食堂几点开门")
    courier.work()
    happens(number, lifecycle.reply, "正在处理", "王敏")
    sent_at_first = len(said.sent)
    send = said.send

    def interrupt(outgoing):
        send(outgoing)
        if len(said.sent) == sent_at_first + 10:
            do(lambda session: lifecycle.reply(history.find(session, other), "十一点半", "王敏", services.now()))

    said.send = interrupt
    courier.work()
    place = next(place for place, one in enumerate(said.sent[sent_at_first:]) if one.topic == "replied" and one.address == "lin@example.com")
    assert place <= 60


def test_a_message_that_is_not_taken_now_rests_longer_each_time_and_keeps_its_message_id(question, courier, said, services, rows_of):
    question({"c:1": "lin@example.com"})
    services.now.forward(minutes=2)
    said.fails["lin@example.com"] = FULL
    rests = []
    for _ in range(6):
        before = services.now()
        assert courier.work() == 1
        (message,) = rows_of()
        rests.append((message.next_at - before).total_seconds())
        assert message.error == "450 mailbox busy"
        services.now.at = message.next_at
    assert rests == [1, 2, 4, 8, 16, 32]
    del said.fails["lin@example.com"]
    courier.work()
    assert len(set(said.tried)) == 1
    assert (rows_of()[0].ended_as, rows_of()[0].tries) == ("sent", 7)


def test_a_message_that_nobody_takes_for_a_day_is_given_up_and_shown_and_can_be_tried_anew(question, courier, said, services, rows_of, do):
    question({"c:1": "lin@example.com"})
    services.now.forward(minutes=2)
    said.fails["lin@example.com"] = FULL
    began = services.now()
    while rows_of() == [] or rows_of()[0].ended_at is None:
        courier.work()
        services.now.at = rows_of()[0].next_at
    (message,) = rows_of()
    assert (message.ended_as, message.tries) == ("dead", MOST_TRIES)
    assert timedelta(hours=22) < message.ended_at - began < timedelta(hours=26)
    do(lambda session: messages.retry(session, message.id, services.now()))
    del said.fails["lin@example.com"]
    assert courier.work() == 1
    assert rows_of()[0].ended_as == "sent"


def test_an_address_that_does_not_exist_is_given_up_at_once_and_delays_nobody(crowd, happens, courier, said, ended):
    number = crowd(3)
    said.fails["p1@example.com"] = GONE
    happens(number, lifecycle.reply, "正在处理", "王敏")
    courier.work()
    assert [ended()["replied", f"p{one}@example.com"] for one in range(3)] == ["sent", "dead", "sent"]


def test_a_server_that_is_away_for_an_hour_costs_no_message_a_try_and_is_asked_seldom(crowd, happens, courier, said, services, ended, rows_of):
    number = crowd(20)
    happens(number, lifecycle.reply, "正在处理", "王敏")
    said.fails[""] = AWAY
    back = services.now() + timedelta(hours=1)
    while services.now() < back:
        courier.work()
        services.now.forward(seconds=10)
    assert 12 <= len(said.tried) <= 40
    assert {message.tries for message in rows_of()} == {0}
    assert outages.read(services.config.data / "outages.json")["mail"].reason == "nobody answers"
    said.fails.clear()
    services.now.forward(seconds=LONGEST_PAUSE.total_seconds())
    assert courier.work() == 20
    assert set(ended().values()) == {"sent"}
    assert outages.read(services.config.data / "outages.json") == {}
    assert len({one.message_id for one in said.sent}) == 20


def test_since_when_a_channel_is_away_outlives_the_courier(question, services, said, clock):
    question({"c:1": "lin@example.com"})
    clock.forward(minutes=2)
    said.fails[""] = AWAY
    began = clock()
    Courier(services, {"mail": said}).work()
    clock.forward(minutes=10)
    Courier(services, {"mail": said}).work()
    assert outages.read(services.config.data / "outages.json")["mail"].since == began


def test_a_channel_that_the_settings_name_no_more_is_not_told_as_away(services, said):
    path = services.config.data / "outages.json"
    outages.write(path, {"wecom-1": outages.Outage(services.now(), "gone")})
    Courier(services, {"mail": said}).work()
    assert outages.read(path) == {}


def test_a_file_of_outages_that_is_no_file_of_outages_is_none(services):
    path = services.config.data / "outages.json"
    for text in ("", "[]", '{"mail": 1}', '{"mail": {"since": "gestern", "reason": ""}}', "{"):
        path.write_text(text, encoding="utf-8")
        assert outages.read(path) == {}


def test_one_message_that_is_never_taken_stops_no_other_but_many_in_a_row_stop_the_channel(crowd, happens, courier, said, services, rows_of):
    number = crowd(30)
    said.fails["p0@example.com"] = FULL
    happens(number, lifecycle.reply, "正在处理", "王敏")
    for _ in range(8):
        courier.work()
        services.now.forward(seconds=70)
    assert len(said.sent) == 29
    assert not outages.read(services.config.data / "outages.json")
    said.fails[""] = LATER
    happens(number, lifecycle.reply, "还在处理", "王敏")
    tried = len(said.tried)
    courier.work()
    assert len(said.tried) - tried <= 5
    assert "mail" in outages.read(services.config.data / "outages.json")


def test_addresses_that_take_no_mail_for_now_delay_nobody_however_many(question, happens, courier, said, services, rows_of, crowd):
    happens(crowd(30), lifecycle.reply, "正在处理", "王敏")
    said.fails |= {f"p{one}@example.com": FULL for one in range(30)}
    delays = []
    for hour in range(6):
        courier.work()
        question({"c:1": f"lin{hour}@example.com"}, f"食堂{hour}号窗口几点开门")
        services.now.forward(minutes=59)
        courier.work()
        delays.append(said.told[-1][1] == f"lin{hour}@example.com")
        said.sent.clear()
    assert all(delays)
    assert outages.read(services.config.data / "outages.json") == {}


def test_what_was_not_tried_yet_goes_before_what_was_refused(question, happens, courier, said, services, crowd):
    happens(crowd(30), lifecycle.reply, "正在处理", "王敏")
    said.fails |= {f"p{one}@example.com": LATER for one in range(30)}
    for _ in range(20):
        courier.work()
        services.now.forward(minutes=6)
    question({"c:1": "lin@example.com"}, "食堂几点开门")
    services.now.forward(minutes=6)
    tried = len(said.tried)
    courier.work()
    assert said.told == [("received", "lin@example.com")]
    assert said.tried[tried] == said.sent[0].message_id


def test_a_link_to_set_a_password_by_goes_out_before_what_askers_are_told(crowd, happens, courier, said, account, do, services):
    happens(crowd(3), lifecycle.reply, "正在处理", "王敏")
    wang = account("王敏")
    do(lambda session: outbox.note_for(session, wang, outbox.Topic.RESET, services.now()))
    courier.work()
    assert said.sent[0].topic == "reset"


def test_a_server_that_does_not_let_us_write_for_an_hour_costs_no_message(crowd, happens, services, post_office, ended):
    from kb.mailer import Smtp  # noqa: PLC0415 - the real one, as below

    happens(crowd(20), lifecycle.reply, "正在处理", "王敏")
    with post_office() as (post, server):
        post.recipients = ["554 5.7.1 Relay access denied"] * 60
        one = Courier(services, {"mail": Smtp(server, ("知答", "help@example.com"), services.now)}, lambda: 0.5)
        one.work()
        assert "Relay access denied" in outages.read(services.config.data / "outages.json")["mail"].reason
        for _ in range(40):
            services.now.forward(minutes=6)
            one.work()
        assert len(post.mails) == 20
    assert set(ended().values()) == {"sent"}


def test_a_channel_for_which_nothing_waits_is_not_told_as_away(question, courier, said, services, do):
    _, mine = question({"c:1": "lin@example.com"})
    services.now.forward(minutes=2)
    said.fails[""] = AWAY
    courier.work()
    assert "mail" in outages.read(services.config.data / "outages.json")
    do(lambda session: messages.forget(session, list(mine.values()), None))
    courier.work()
    assert outages.read(services.config.data / "outages.json") == {}


def test_without_a_build_only_what_names_an_article_waits(question, happens, services, said, ended, account, do, tmp_path):
    number, _ = question({"c:1": "lin@example.com"})
    happens(number, lifecycle.resolve, "王敏", article="invoices/verify-failed", body="第二天再查")
    wang = account("王敏")
    do(lambda session: outbox.note_for(session, wang, outbox.Topic.RESET, services.now()))
    Courier(Services(services.config, services.db, Library(tmp_path / "no-index"), services.now), {"mail": said}).work()
    assert said.told == [("reset", "wang@example.com")]
    assert ended()["resolved", "lin@example.com"] == ""
    services.now.forward(minutes=1)
    Courier(services, {"mail": said}).work()
    assert ended()["resolved", "lin@example.com"] == "sent"


def test_one_channel_that_is_away_stops_no_other(question, happens, services, account):
    from tests.kb.notifications.conftest import Said  # noqa: PLC0415 - the class behind the fixture, for a second channel

    mail, group = Said(), Said()
    account("李雷", level="second")
    number, _ = question({"c:1": ""})
    happens(number, lifecycle.escalate, "second", "", "王敏")
    mail.fails[""] = AWAY
    Courier(services, {"mail": mail, "wecom-1": group}).work()
    assert [(one.topic, one.address) for one in group.sent] == [("escalated", "team")]


@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(hours=-1), timedelta(days=3652), timedelta(days=-3652)])
def test_a_clock_that_jumps_and_comes_back_loses_no_message_and_tells_none_twice(crowd, happens, courier, said, services, jump):
    number = crowd(5)
    said.fails["p0@example.com"] = FULL
    happens(number, lifecycle.reply, "正在处理", "王敏")
    courier.work()
    services.now.at += jump
    courier.work()
    happens(number, lifecycle.reply, "还在处理", "王敏")
    courier.work()
    said.fails.clear()
    services.now.at -= jump
    for _ in range(4):
        courier.work()
        services.now.forward(hours=1)
    told = [(one.letter.text, one.address) for one in said.sent]
    assert len(told) == len(set(told)) == 10


def test_of_two_couriers_at_once_one_carries_and_every_message_goes_out_once(crowd, happens, services):
    from tests.kb.notifications.conftest import Said  # noqa: PLC0415 - as above

    number = crowd(60)
    happens(number, lifecycle.reply, "正在处理", "王敏")
    channels = [Said(), Said()]
    both = [threading.Thread(target=Courier(services, {"mail": channel}).work) for channel in channels]
    for one in both:
        one.start()
    for one in both:
        one.join(30)
    sent = [one.address for channel in channels for one in channel.sent]
    assert len(sent) == len(set(sent)) == 60


def test_what_is_no_longer_true_or_wanted_when_its_turn_comes_is_not_sent(question, happens, courier, said, services, ended, do):
    said.fails[""] = AWAY
    number, mine = question({"c:1": "a@example.com", "c:2": "b@example.com", "c:3": "c@example.com"})
    happens(number, lifecycle.resolve, "王敏", body="重开机")
    courier.work()
    do(lambda session: setattr(session.get(Follower, mine["c:1"]), "muted_at", services.now()))
    do(lambda session: shares.add_details(session.get(Follower, mine["c:2"]), "", "分机 8021", services.now()))
    said.fails.clear()
    services.now.forward(minutes=10)
    courier.work()
    assert said.told == [("resolved", "c@example.com")]
    assert ended()["received", "c@example.com"] == "void", "there is an answer by now"
    assert ended()["resolved", "a@example.com"] == ended()["resolved", "b@example.com"] == "void"


def test_a_message_for_a_channel_that_the_settings_name_no_more_ends(question, happens, services, said, ended):
    number, _ = question({"c:1": ""})
    happens(number, lifecycle.escalate, "second", "", "王敏")
    Courier(services, {"mail": said, "wecom-1": said}).work(lambda: True)
    from kb.notifications import spreading  # noqa: PLC0415 - only here is anything spread by hand

    spreading.spread(services.db, spreading.Ways(("wecom-1",), hook=False, host="localhost"), services.now())
    Courier(services, {"mail": said}).work()
    assert ended()["escalated", "team"] == "void"


def test_a_letter_that_cannot_be_written_keeps_no_other_from_being_sent(crowd, happens, courier, said, monkeypatch, rows_of, log):
    number = crowd(3)
    write = courier._writer.write  # noqa: SLF001 - a fault that nobody has found yet is made here

    def faulty(session, message, *rest_):
        if message.address == "p1@example.com":
            raise ZeroDivisionError
        return write(session, message, *rest_)

    monkeypatch.setattr(courier._writer, "write", faulty)  # noqa: SLF001 - the same
    happens(number, lifecycle.reply, "正在处理", "王敏")
    courier.work()
    assert {one.address for one in said.sent} == {"p0@example.com", "p2@example.com"}
    (left,) = [message for message in rows_of() if message.ended_at is None]
    assert "ZeroDivisionError" in left.error
    assert "p1@example.com" not in log()


def test_a_message_that_cannot_be_sent_for_a_reason_nobody_foresaw_keeps_no_other_from_being_sent(crowd, happens, courier, said, rows_of, log):
    number = crowd(3)
    said.fails["p0@example.com"] = UnicodeEncodeError("ascii", "p0@example.com", 0, 1, "ordinal not in range")
    happens(number, lifecycle.reply, "正在处理", "王敏")
    courier.work()
    assert {one.address for one in said.sent} == {"p1@example.com", "p2@example.com"}
    (left,) = [message for message in rows_of() if message.ended_at is None]
    assert (left.tries, "UnicodeEncodeError" in left.error) == (1, True)
    assert "p0@example.com" not in log()


def test_the_courier_goes_on_after_anything_that_nobody_foresaw(courier, monkeypatch):
    stopped, looks = threading.Event(), []

    def failing(_stop):
        looks.append(1)
        if len(looks) == 3:
            stopped.set()
        raise [OSError(), ZeroDivisionError(), KeyError()][len(looks) - 1]

    monkeypatch.setattr(courier, "work", failing)
    monkeypatch.setattr(couriers, "LOOK_EVERY", 0)
    courier.run(stopped)
    assert len(looks) == 3


def test_messages_are_forgotten_a_month_after_they_ended_and_those_that_wait_never(crowd, happens, courier, said, services, do, rows_of):
    number = crowd(3)
    said.fails["p1@example.com"] = FULL
    happens(number, lifecycle.reply, "正在处理", "王敏")
    courier.work()
    services.now.forward(days=31)
    assert do(lambda session: messages.forget_old(session, services.now())) == 2
    assert [message.address for message in rows_of()] == ["p1@example.com"]
    said.fails.clear()
    courier.work()
    assert len(said.sent) == 3
    services.now.forward(days=31)
    do(lambda session: messages.forget_old(session, services.now()))
    with services.db.read() as session:
        assert list(session.scalars(select(Notice))) == []


def test_rests_grow_to_an_hour_and_differ_by_chance():
    assert rest(1, 0.5) == timedelta(seconds=1)
    assert rest(12, 0.5) == timedelta(seconds=2048)
    assert rest(13, 0.5) == rest(1000, 0.5) == LONGEST_REST
    assert rest(5, 0) == timedelta(seconds=12)
    assert rest(5, 1) == timedelta(seconds=20)
    assert timedelta(hours=23) < sum((rest(tries, 0.5) for tries in range(1, MOST_TRIES)), timedelta()) < timedelta(hours=25)


def test_a_resolution_that_was_sent_cannot_be_taken_back(question, happens, courier, do, services):
    from kb.errors import ConflictError  # noqa: PLC0415 - only here is anything refused

    number, _ = question({"c:1": "lin@example.com"})
    happens(number, lifecycle.resolve, "王敏", body="重开机")
    courier.work()

    def undo(session):
        ticket = history.find(session, number)
        assert not [event for event in undoing.undoable(ticket) if event.kind == "resolved"]
        undoing.undo(session, ticket, ticket.version, "王敏", services.now())

    with pytest.raises(ConflictError, match="收到了邮件"):
        do(undo)


@pytest.fixture
def take_back(do, services):
    """Take back the resolution of a ticket; tell whether that was allowed."""
    from kb.errors import ConflictError  # noqa: PLC0415 - only here is anything refused

    def undo(number):
        def step(session):
            ticket = history.find(session, number)
            (event,) = [event for event in ticket.events if event.kind == "resolved"]
            undoing.undo(session, ticket, event.id, "王敏", services.now())

        try:
            do(step)
        except ConflictError:
            return False
        return True

    return undo


def test_a_resolution_that_was_cut_on_its_way_may_have_arrived_and_cannot_be_taken_back(question, happens, courier, said, take_back):
    number, _ = question({"c:1": "lin@example.com"})
    happens(number, lifecycle.resolve, "王敏", body="重开机")
    said.fails[""] = LATER
    courier.work()
    assert not take_back(number)


def test_a_resolution_is_taken_back_as_long_as_its_server_is_away(question, happens, courier, said, take_back):
    number, _ = question({"c:1": "lin@example.com"})
    happens(number, lifecycle.resolve, "王敏", body="重开机")
    said.fails[""] = AWAY
    courier.work()
    assert take_back(number)


def test_a_resolution_is_taken_back_before_it_is_sent_or_not_at_all(question, happens, courier, said, take_back):
    number, _ = question({"c:1": "lin@example.com"})
    happens(number, lifecycle.resolve, "王敏", body="重开机")
    send, allowed = said.send, []
    said.send = lambda outgoing: (allowed.append(take_back(number)), send(outgoing))
    courier.work()
    assert allowed == [False]
    assert said.told == [("resolved", "lin@example.com")]


def test_a_server_that_refuses_stalls_and_hangs_up_gets_every_message_in_the_end(crowd, happens, services, post_office, ended):
    from kb.mailer import Smtp  # noqa: PLC0415 - the real one, only here

    number = crowd(25)
    happens(number, lifecycle.reply, "正在处理", "王敏")
    chances = random.Random(5)  # noqa: S311 - no secret
    with post_office() as (post, server):
        post.recipients = [chances.choice(["250 OK", "250 OK", "450 busy", "hang up"]) for _ in range(40)]
        post.data = [chances.choice(["250 OK", "250 OK", "451 later", "take and hang up", "hang up"]) for _ in range(40)] + ["stall"]
        one = Courier(services, {"mail": Smtp(server, ("知答", "help@example.com"), services.now, patience=0.3)}, lambda: 0.5)
        for _ in range(60):
            one.work()
            services.now.forward(minutes=6)
    due = {f"p{place}@example.com" for place in range(25)}
    by_address = {}
    for mail in post.mails:
        by_address.setdefault(mail.to, set()).add(mail["Message-ID"])
    assert set(by_address) == due
    assert all(len(ids) == 1 for ids in by_address.values())
    assert set(ended().values()) == {"sent"}
