"""Who reads what was said in a ticket before they came into it."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from kb.search.models import Intent
from kb.tickets import history, lifecycle, realms, regroup, shares, undoing
from kb.tickets.models import Phrasing
from kb.tickets.realms import Realm
from kb.tickets.shares import Place, Wording
from kb.widget.models import Site
from tests.kb.tickets.conftest import happened

ASKED = Wording("投影遥控器在哪里领取", "key")
OURS, TRAVEL = Realm(""), Realm("travel", vouched=True)
NOBODY_OF_FINANCE, FINANCE = Realm("finance"), Realm("finance", vouched=True, open=False)
SUPPLIERS = Realm("suppliers", modules=frozenset({"invoices"}))
STAFF = Realm("staff", vouched=True, open=False)


@pytest.mark.parametrize(
    ("reader", "heard", "module", "reads"),
    [
        (OURS, OURS, "", True),
        (OURS, TRAVEL, "", True),
        (TRAVEL, OURS, "", True),
        (OURS, FINANCE, "", False),
        (NOBODY_OF_FINANCE, FINANCE, "", False),
        (FINANCE, NOBODY_OF_FINANCE, "", True),
        (FINANCE, FINANCE, "", True),
        (STAFF, OURS, "", True),
        (OURS, STAFF, "", False),
        (STAFF, FINANCE, "", False),
        (SUPPLIERS, SUPPLIERS, "travel", True),
        (SUPPLIERS, OURS, "", False),
        (SUPPLIERS, OURS, "travel", False),
        (SUPPLIERS, TRAVEL, "invoices", True),
        (SUPPLIERS, STAFF, "invoices", False),
        (OURS, SUPPLIERS, "", True),
    ],
)
def test_people_hear_what_their_own_were_told_and_what_was_said_where_anybody_may_ask(reader, heard, module, reads):
    assert reader.hears(heard, module) is reads


@pytest.mark.parametrize(
    ("person", "site", "realm"),
    [
        ("s:finance:7", Site(name="finance", modules=[], audience=["finance"], anonymous=True), FINANCE),
        ("v:12ab", Site(name="finance", modules=[], audience=["finance"], anonymous=True), NOBODY_OF_FINANCE),
        ("s:travel:7", Site(name="travel", modules=[], audience=[], anonymous=True), TRAVEL),
        ("s:staff:7", Site(name="staff", modules=[], audience=[], anonymous=False), STAFF),
        ("v:12ab", Site(name="suppliers", modules=["invoices"], audience=[], anonymous=True), SUPPLIERS),
        ("gone:12ab", Site(name="finance", modules=[], audience=["finance"], anonymous=True), FINANCE),
        ("v:12ab", None, Realm("was", open=False)),
    ],
)
def test_a_site_that_takes_only_its_own_or_vouches_for_roles_keeps_what_it_is_told(person, site, realm):
    assert realms.realm_of(person, site, realm.site) == realm


class Story:
    """A ticket, the sites of those who ask, and what each of them reads of what agents say."""

    def __init__(self, session, later):
        self.session, self.later = session, later
        for name, audience, modules in (("finance", ["finance"], []), ("travel", [], []), ("suppliers", [], ["invoices"])):
            session.add(Site(name=name, origins=[], modules=modules, audience=audience, anonymous=True, created_at=later()))
        self.ticket = self.open(ASKED)

    def open(self, wording):
        return history.open_ticket(self.session, wording.text, self.later())

    def ask(self, person, ticket=None, wording=ASKED):
        site = person.split(":")[1] if person.startswith("s:") else "suppliers" if person.startswith("v:") else ""
        ticket, given = (
            ticket or self.ticket,
            {"verdict": "unanswered", "score": 0.0, "matched": [], "missing": [], "build": "", "verdict_version": 1, "hits": 0},
        )
        id_ = f"{person}-{ticket.number}-{wording.text}-{self.later():%H%M}"
        given |= {"trigger": "enter", "staff": False, "limited": False, "ticket_number": ticket.number}
        self.session.add(Intent(id=id_, person=person, query=wording.text, key=wording.key, at=self.later(), **given))
        return shares.join(ticket, person, wording, self.later(), receipt=True, place=Place(site))

    def say(self, text, ticket=None):
        lifecycle.reply(ticket or self.ticket, text, "lin", self.later())

    def reads(self, share):
        self.session.flush()
        return [event.text for event in shares.seen_by(share) if event.kind == "replied"]


@pytest.fixture
def story(db, later):
    with db.write() as session:
        yield Story(session, later)


def test_who_comes_reads_what_is_said_from_then_on_and_before_it_what_their_own_read(story):
    first = story.ask("s:finance:1")
    story.say("密码柜 4 号")
    stranger, ours = story.ask("v:1"), story.ask("c:1")
    assert story.reads(stranger) == story.reads(ours) == []
    assert [shares.answer(one) for one in (stranger, ours)] == [None, None]
    story.say("都在前台领")
    later = [story.ask(person) for person in ("s:finance:2", "v:2", "c:2", "s:travel:1")]
    assert [story.reads(one) for one in (first, stranger, ours)] == [["密码柜 4 号", "都在前台领"], ["都在前台领"], ["都在前台领"]]
    assert [story.reads(one) for one in later] == [["密码柜 4 号", "都在前台领"], ["都在前台领"], ["都在前台领"], ["都在前台领"]]


def test_the_answer_answers_everyone_where_one_company_has_an_app_and_the_help_centre(story):
    story.ask("s:travel:1")
    story.say("在前台领")
    assert [story.reads(story.ask(person)) for person in ("c:1", "s:travel:2", "c:2")] == [["在前台领"]] * 3


def test_nobody_reads_what_was_said_to_others_while_they_were_out_of_the_ticket(story):
    out, _ = story.ask("v:1"), story.ask("s:finance:1")
    shares.withdraw(story.ticket, out, story.later())
    story.say("密码柜 4 号")
    assert story.reads(out) == []
    shares.rejoin(out, story.later())
    assert story.reads(out) == []
    shares.withdraw(story.ticket, out, story.later())
    story.say("密码柜 5 号")
    assert story.reads(story.ask("v:1")) == []


def test_what_one_of_theirs_reads_who_comes_later_reads_whatever_the_ticket_is_filed_under_by_then(story):
    story.ask("c:1")
    story.say("在前台领")
    came = []
    for module in ("", "invoices", "travel"):
        if module:
            lifecycle.file(story.ticket, module, "lin", story.later(), ["invoices", "travel"])
        came.append(story.ask(f"v:{len(came)}"))
    assert [story.reads(one) for one in came] == [[], ["在前台领"], ["在前台领"]]


@pytest.mark.parametrize("way", ["merge", "move"])
def test_whom_an_agent_moves_reads_what_they_read_where_they_were_and_what_their_own_read_where_they_come(story, way):
    theirs, other = Wording("复印纸在哪里领", "other"), Wording("订书机在哪里领", "third")
    away = story.open(theirs)
    story.ask("s:finance:9", away, theirs)
    story.say("财务室有", away)
    stranger = story.ask("v:1", away, other)
    finance = story.ask("s:finance:1", away, other)
    there = story.ask("s:finance:2")
    story.say("密码柜 4 号")
    if way == "merge":
        regroup.merge(story.session, away, story.ticket, "lin", story.later())
    else:
        (moved,) = story.session.scalars(select(Phrasing.id).where(Phrasing.ticket_number == away.number, Phrasing.text == other.text))
        regroup.move(story.session, away, [moved], story.ticket, "lin", story.later())
    assert shares.others_untold(there), "the stranger has read nothing yet"
    story.say("都在前台领")
    assert not shares.others_untold(there)
    assert story.reads(stranger) == ["都在前台领"]
    assert story.reads(finance) == ["财务室有", "密码柜 4 号", "都在前台领"]
    undoing.undo(story.session, away, happened(away)[-1].id, "lin", story.later())
    assert stranger.ticket_number == away.number
    assert story.reads(stranger) == ["都在前台领"]
    assert story.reads(finance) == ["财务室有", "密码柜 4 号", "都在前台领"]


@pytest.mark.parametrize("was_there", [False, True])
@pytest.mark.parametrize("goes", ["first", "second"])
def test_who_asked_two_things_reads_in_each_ticket_what_is_theirs(story, was_there, goes):
    asked = {"first": Wording("复印纸在哪里领", "other"), "second": Wording("订书机在哪里领", "third")}
    away = story.open(asked["first"])
    story.ask("s:finance:9", away, asked["first"])
    story.ask("s:finance:9")
    if was_there:
        shares.withdraw(story.ticket, story.ask("v:1"), story.later())
    story.say("密码柜 4 号")
    story.say("财务室有", away)
    for wording in asked.values():
        story.ask("v:1", away, wording)
    (moved,) = story.session.scalars(select(Phrasing.id).where(Phrasing.ticket_number == away.number, Phrasing.text == asked[goes].text))
    regroup.move(story.session, away, [moved], story.ticket, "lin", story.later())
    both = [shares.of(story.session, ticket, "v:1") for ticket in (away, story.ticket)]
    assert [one.withdrawn_at for one in both] == [None, None]
    assert [story.reads(one) for one in both] == [[], []]


def test_who_had_taken_back_what_another_question_of_theirs_is_put_to_reads_what_is_theirs(story):
    second = Wording("复印纸在哪里领", "other")
    away = story.open(second)
    story.ask("s:finance:1")
    here = story.ask("v:1")
    shares.withdraw(story.ticket, here, story.later())
    story.say("密码柜 4 号")
    there = story.ask("v:1", away, second)
    regroup.merge(story.session, away, story.ticket, "lin", story.later())
    assert (there.goes_on, here.withdrawn_at) == (here.id, None)
    assert story.reads(here) == []
