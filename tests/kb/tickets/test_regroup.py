"""Putting together and taking apart, and back."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from kb.errors import ConflictError, InvalidRequestError
from kb.search.models import Intent
from kb.tickets import history, lifecycle, regroup, shares, undoing, unseen
from kb.tickets.models import Attachment, Phrasing, PublicReply, Ticket, TicketEvent
from kb.tickets.shares import Wording
from tests.kb.tickets.conftest import consistent, happened

JAM, STUCK, BUS = "打印机卡纸", "纸卡在打印机里", "班车几点"


class Story:
    """Two tickets that turn out to be one wish: hers and his, and somebody who asked both."""

    def __init__(self, session, later):
        self.session, self.later = session, later
        self.one, self.two = history.open_ticket(session, JAM, later()), history.open_ticket(session, STUCK, later())
        self.hers, self.his = self.ask(self.one, "she", JAM), self.ask(self.two, "he", STUCK)
        self.both = self.ask(self.one, "both", JAM), self.ask(self.two, "both", STUCK)

    def ask(self, ticket, person, text):
        mine = shares.join(ticket, person, Wording(text, text, (text[:2], text[-2:])), self.later(), receipt=True)
        given = {"verdict": "unanswered", "score": 0.0, "matched": [], "missing": [], "build": "", "verdict_version": 1, "hits": 0, "trigger": "enter"}
        id_ = f"{person}-{ticket.number}-{text}"
        self.session.add(Intent(id=id_, person=person, query=text, key=text, at=self.later(), staff=False, limited=False, ticket_number=ticket.number, **given))
        self.session.flush()
        return mine

    def merge(self):
        regroup.merge(self.session, self.one, self.two, "lin", self.later())
        return happened(self.one)[-1].id

    def split(self, text):
        (id_,) = self.session.scalars(select(Phrasing.id).where(Phrasing.ticket_number == self.one.number, Phrasing.text == text))
        return regroup.move(self.session, self.one, [id_], None, "lin", self.later())

    def undo(self, event=None):
        undoing.undo(self.session, self.one, event or happened(self.one)[-1].id, "lin", self.later())

    def people(self, ticket):
        return {one.person for one in shares.followers(ticket)}

    def wordings(self, ticket):
        return {one.text for one in ticket.phrasings}

    def page(self, share):
        return shares.share(self.session, share.token)

    def read(self, share):
        return [event.text for event in shares.seen_by(self.page(share)) if event.kind in {"replied", "added", "asked"}]


@pytest.fixture
def story(db, later):
    with db.write() as session:
        story = Story(session, later)
        yield story
        consistent(session)


def test_a_merged_ticket_goes_on_in_the_other_with_everybody_once(story):
    story.merge()
    assert (story.one.state, story.one.closed_as, story.one.merged_into) == ("closed", "merged", story.two.number)
    assert story.people(story.two) == {"she", "he", "both"}
    assert (story.two.people, story.two.waiting, story.one.people) == (3, 3, 0)
    assert story.wordings(story.two) == {JAM, STUCK}
    assert {story.page(share).ticket.number for share in (story.hers, story.his, *story.both)} == {story.two.number}
    assert story.page(story.both[0]) is story.both[1]
    assert set(story.session.scalars(select(Intent.ticket_number))) == {story.two.number}
    consistent(story.session)


def test_a_merger_that_is_undone_leaves_two_tickets_as_they_were(story):
    story.merge()
    story.undo()
    assert (story.one.state, story.one.closed_as, story.one.merged_into, story.one.question) == ("new", "", None, JAM)
    assert (story.people(story.one), story.people(story.two)) == ({"she", "both"}, {"he", "both"})
    assert (story.wordings(story.one), story.wordings(story.two)) == ({JAM}, {STUCK})
    assert story.page(story.both[0]) is story.both[0]
    intents = {intent.id: intent.ticket_number for intent in story.session.scalars(select(Intent))}
    assert intents == {id_: int(id_.split("-")[1]) for id_ in intents}


def test_a_merger_is_told_to_who_has_the_other_ticket_open_and_nobody_rewords_that_one_any_more(story):
    seen = story.two.version
    assert not shares.touched(story.two)
    story.merge()
    event = story.two.events[-1]
    assert (story.two.version, event.kind, event.actor, event.target) == (event.id, "moved_in", "lin", str(story.one.number))
    assert shares.touched(story.two)
    with pytest.raises(ConflictError, match="lin移入了问法"):
        unseen.require_unchanged(story.two, "王敏", seen)
    unseen.require_unchanged(story.two, "lin", seen)


def test_what_was_said_stays_readable_before_during_and_after(story):
    lifecycle.reply(story.one, "先试试重启", "lin", story.later())
    lifecycle.reply(story.one, "只对你说", "lin", story.later(), story.both[0])
    lifecycle.reply(story.two, "在修", "lin", story.later())
    assert (story.read(story.hers), story.read(story.his)) == (["先试试重启"], ["在修"])
    story.merge()
    lifecycle.reply(story.two, "修好了", "lin", story.later())
    assert story.read(story.hers) == ["先试试重启", "在修", "修好了"]
    assert story.read(story.his) == ["在修", "修好了"], "he was never told what stood in the other one"
    assert story.read(story.both[0]) == ["先试试重启", "只对你说", "在修", "修好了"]
    story.undo()
    lifecycle.reply(story.two, "又坏了", "lin", story.later())
    assert story.read(story.hers) == ["先试试重启", "在修", "修好了"], "what she has read stays hers, what is said there now is not for her"
    assert story.read(story.his) == ["在修", "修好了", "又坏了"]


def test_a_reply_that_was_not_read_before_the_merger_is_still_news_after_it(story):
    lifecycle.reply(story.one, "先试试重启", "lin", story.later())
    story.merge()
    assert shares.with_news(story.session, "she") == {story.hers.id}
    assert shares.with_news(story.session, "he") == set()
    with pytest.raises(ConflictError, match="已经回复"):
        shares.withdraw(story.two, story.hers, story.later())


def test_details_and_files_follow_their_person_and_come_back(story):
    mine, there = story.both
    for share in (mine, story.hers):
        shares.add_details(share, f"{share.person}：在三楼", "8001", story.later())
        story.session.add(Attachment(follower_id=share.id, name="a.png", media_type="image/png", size=1, digest=share.person, at=story.later()))
    story.session.flush()
    story.merge()
    assert [detail.body for detail in there.details] == ["both：在三楼"]
    assert ([file.digest for file in there.files], there.contact) == (["both"], "8001")
    assert [file.digest for file in story.hers.files] == ["she"]
    assert story.read(mine) == ["both：在三楼"]
    story.undo()
    assert ([detail.body for detail in mine.details], [file.digest for file in mine.files]) == (["both：在三楼"], ["both"])
    assert ([*there.details], [*there.files]) == ([], [])


def test_undoing_a_merger_hands_over_nothing_that_is_somebody_elses_by_now(story):
    def add(share):
        file = Attachment(follower_id=share.id, name="a.png", media_type="image/png", size=1, digest=share.person, at=story.later())
        story.session.add(file)
        story.session.flush()
        return file

    mine, there = story.both
    removed, kept = add(mine), add(mine)
    story.merge()
    removed_id = removed.id
    story.session.delete(removed)
    kept.follower_id = story.his.id  # as if its id had come to belong to him
    story.session.flush()
    assert add(story.his).id > removed_id
    story.undo()
    story.session.expire_all()
    assert (list(mine.files), list(there.files), len(story.his.files)) == ([], [], 2)


def test_the_public_reply_of_a_merged_ticket_goes_along_and_comes_back(story, later):
    at = later()
    lifecycle.publish(story.one, "known", "正在修", "lin", "agent", at, at.replace(day=at.day + 1))
    story.merge()
    (reply,) = story.session.scalars(select(PublicReply))
    assert (reply.ticket_number, reply.ended_at) == (story.two.number, None)
    story.undo()
    story.session.expire_all()
    assert reply.ticket_number == story.one.number


def test_a_split_takes_along_who_used_the_wording_and_who_asked_both_waits_for_both(story):
    story.ask(story.one, "late", BUS)
    asked_both = story.ask(story.one, "she", BUS)
    assert asked_both is story.hers
    other = story.split(BUS)
    assert (other.question, other.module, other.state, story.wordings(other), story.wordings(story.one)) == (BUS, story.one.module, "new", {BUS}, {JAM})
    assert (story.people(other), story.people(story.one)) == ({"late", "she"}, {"she", "both"})
    assert story.page(story.hers).ticket is story.one
    assert {share.ticket.number for share in shares.of_person(story.session, "she")} == {story.one.number, other.number}
    story.undo()
    assert (story.people(story.one), story.wordings(story.one)) == ({"she", "both", "late"}, {JAM, BUS})
    assert (other.closed_as, other.merged_into, other.people) == ("merged", story.one.number, 0)
    assert [share.ticket.number for share in shares.of_person(story.session, "she")] == [story.one.number]


def test_a_ticket_whose_question_moves_away_is_called_by_what_stays(story):
    story.ask(story.one, "late", BUS)
    other = story.split(JAM)
    assert (story.one.question, other.question) == (BUS, JAM)
    story.undo()
    assert story.one.question == JAM


def test_who_used_the_wordings_after_the_move_comes_back_with_them(story):
    story.merge()
    late = story.ask(story.two, "late", JAM)
    stays = story.ask(story.two, "stays", STUCK)
    story.undo()
    assert (story.page(late).ticket, story.page(stays).ticket) == (story.one, story.two)
    assert story.session.get_one(Intent, f"late-{story.two.number}-{JAM}").ticket_number == story.one.number


def test_who_took_their_share_back_meanwhile_has_still_taken_it_back(story):
    story.merge()
    shares.withdraw(story.two, story.both[1], story.later())
    story.undo()
    assert (story.people(story.one), story.people(story.two)) == ({"she"}, {"he"})


def test_what_was_moved_on_since_is_not_moved_back(story):
    third = history.open_ticket(story.session, BUS, story.later())
    story.ask(third, "third", BUS)
    first = story.merge()
    regroup.merge(story.session, story.two, third, "lin", story.later())
    with pytest.raises(ConflictError, match=story.two.name):
        story.undo(first)
    undoing.undo(story.session, story.two, happened(story.two)[-1].id, "lin", story.later())
    story.undo(first)
    assert (story.people(story.one), story.people(story.two), story.people(third)) == ({"she", "both"}, {"he", "both"}, {"third"})


def test_wordings_do_not_come_back_to_a_ticket_that_has_ended_since(story):
    story.ask(story.one, "late", BUS)
    other = story.split(BUS)
    moved = story.session.scalar(select(TicketEvent.id).where(TicketEvent.kind == "moved_out"))
    lifecycle.resolve(story.one, "lin", story.later(), body="重启")
    with pytest.raises(ConflictError, match="重新打开"):
        story.undo(moved)
    assert story.people(other) == {"late"}


def refuse(story, do, error):
    with pytest.raises(error), story.session.begin_nested():
        do()
    consistent(story.session)


def test_what_makes_no_sense_is_refused(story):
    ids = [phrasing.id for phrasing in story.one.phrasings]
    at = story.later()
    refuse(story, lambda: regroup.merge(story.session, story.one, story.one, "lin", at), InvalidRequestError)
    refuse(story, lambda: regroup.move(story.session, story.one, [], story.two, "lin", at), InvalidRequestError)
    refuse(story, lambda: regroup.move(story.session, story.one, [phrasing.id for phrasing in story.two.phrasings], None, "lin", at), InvalidRequestError)
    refuse(story, lambda: regroup.move(story.session, story.one, ids, None, "lin", at), InvalidRequestError)
    lifecycle.resolve(story.two, "lin", at, body="好了")
    refuse(story, lambda: regroup.merge(story.session, story.one, story.two, "lin", at), ConflictError)
    refuse(story, lambda: regroup.move(story.session, story.one, ids, story.two, "lin", at), ConflictError)


def test_a_merged_ticket_is_not_merged_again_nor_into(story):
    third = history.open_ticket(story.session, BUS, story.later())
    story.ask(third, "third", BUS)
    story.merge()
    refuse(story, lambda: regroup.merge(story.session, story.one, third, "lin", story.later()), ConflictError)
    refuse(story, lambda: regroup.merge(story.session, third, story.one, "lin", story.later()), ConflictError)


def test_all_wordings_moved_at_once_are_a_merger(story):
    assert regroup.move(story.session, story.one, [phrasing.id for phrasing in story.one.phrasings], story.two, "lin", story.later()) is story.two
    assert story.one.closed_as == "merged"


def test_who_asked_again_where_they_were_before_has_one_share_after_the_undoing(story):
    story.ask(story.one, "late", BUS)
    other = story.split(BUS)
    old = shares.of(story.session, other, "late")
    new = story.ask(story.one, "late", JAM)
    story.undo()
    assert story.page(old) is new
    assert story.people(story.one) == {"she", "both", "late"}
    assert len(list(story.session.scalars(select(Ticket).where(Ticket.open)))) == 2


def test_who_takes_back_and_returns_is_counted_where_they_return(story):
    third = history.open_ticket(story.session, BUS, story.later())
    story.ask(third, "both", BUS)
    story.ask(story.two, "he", "别的事情")
    ids = [phrasing.id for phrasing in story.two.phrasings if phrasing.text == STUCK]
    first, second = story.both
    shares.withdraw(story.one, first, story.later())
    regroup.move(story.session, story.two, ids, third, "lin", story.later())
    assert second.goes_on is not None
    story.merge()
    shares.rejoin(story.page(first), story.later())
    assert "both" in story.people(story.two)


def test_a_ticket_in_which_nobody_is_left_after_a_move_closes_until_the_move_is_undone(story):
    left = story.ask(story.one, "left", BUS)
    shares.withdraw(story.one, left, story.later())
    (jam,) = (one.id for one in story.one.phrasings if one.text == JAM)
    regroup.move(story.session, story.one, [jam], story.two, "lin", story.later())
    assert (story.one.state, story.one.closed_as, story.one.people) == ("closed", "withdrawn", 0)
    story.undo()
    assert (story.one.state, story.one.closed_as, story.people(story.one)) == ("new", "", {"she", "both"})


def test_a_merger_counts_what_people_waited_and_no_time_in_which_they_were_to_answer(story):
    first = story.hers.joined_at
    lifecycle.ask(story.one, "几楼？", "lin", asked := story.later())
    other = history.open_ticket(story.session, BUS, story.later())
    began = story.ask(other, "third", BUS).joined_at
    regroup.merge(story.session, story.one, other, "lin", story.later())
    assert history.written(other).runs == ((first, asked), (began, None))


def test_a_ticket_that_waits_for_its_askers_goes_on_when_others_come_by_a_merger(story):
    lifecycle.ask(story.two, "几楼？", "lin", story.later())
    assert not history.written(story.two).running
    story.merge()
    assert (story.two.state, history.written(story.two).running) == ("in_progress", True)
    story.undo()
    assert (story.two.state, history.written(story.two).running) == ("waiting", False)


def test_who_is_split_off_has_waited_since_they_asked(story):
    asked = story.ask(story.one, "third", BUS).joined_at
    assert history.written(story.split(BUS)).runs == ((asked, None),)
