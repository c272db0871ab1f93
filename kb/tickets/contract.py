"""What the addresses of tickets take and answer, for the description of the API."""

from __future__ import annotations

from kb.files import MAX_NAME
from kb.reading.contract import CURSOR, NEXT
from kb.search.contract import EXPECTED, QUESTION, TICKET_OF_RECEIPT, VERDICT
from kb.tickets.intake import MAX_CONTEXT
from kb.tickets.progress import Stage
from kb.tickets.shares import MAX_CONTACT, MAX_TEXT, MAX_WORD
from kb.tickets.standing import Kind, State
from kb.web.openapi import OK, Answer, Named, Operation, flag, listed, maybe, moment, number, record, text
from kb.widget.server_keys import Scope

ACTIONS = ("details", "contact", "withdraw", "rejoin", "confirm", "settle", "reopen", "rate", "seen")
_STATE = text("Where it stands.", one_of=tuple(State))
_ARTICLE = {"article": text("module/slug, empty without one."), "url": maybe(text("Where people read it."))}
_FILE = Named(
    "File",
    record(
        {
            "id": number("Its number."),
            "name": text("Its name.", most=MAX_NAME),
            "size": number("Bytes."),
            "media_type": text("What it is, found by its content."),
            "at": moment("When it was added."),
            "url": text("Where its person can open it."),
        }
    ),
)
_ENTRY = Named(
    "Entry",
    record(
        {
            "at": moment("When."),
            "kind": text("What happened.", one_of=tuple(Kind)),
            "by": text("Who.", one_of=("self", "agent", "system")),
            "text": text("What was said."),
            "forgotten": flag("There were words, and they were cleared in time."),
            "files": listed({"type": "integer"}, "Files that came with it."),
            **_ARTICLE,
        }
    ),
)
_TICKET = Named(
    "Ticket",
    record(
        {
            "number": number("People call it T-<number>."),
            "state": _STATE,
            "words": text("Where it stands for this person, in words."),
            "question": text("As this person asked it."),
            "followers": number("How many people have asked this, this one included, whether they still wait or not."),
            "others": number("How many people wait for it now besides this one."),
            "opened_at": moment("When the first of them asked."),
            "joined_at": moment("When this person asked."),
            "withdrawn": flag("This person took the question back."),
            "news": flag("Something was said that this person has not seen."),
            "news_at": maybe(moment("When it was said.")),
            "steps": listed(
                record(
                    {
                        "step": text("Step.", one_of=tuple(Stage)),
                        "name": text("What people call it."),
                        "at": maybe(moment("When.")),
                        "reached": flag("Reached."),
                        "current": flag("The last that was reached."),
                    }
                )
            ),
            "asked": maybe(text("What an agent asked this person and they have not answered.")),
            "replies": listed(record({"at": moment("When."), "text": text("What an agent said."), **_ARTICLE})),
            "thread": listed(_ENTRY, "All that this person may read, the oldest first."),
            "files": listed(_FILE),
            "contact": text("How this person can be reached, as they wrote it."),
            "context": text("Where this person was when they asked, in the words of your application, masked; empty when nothing said so."),
            "satisfaction": maybe(number("From 1 to 5.", 1, 5)),
            "url": text("The page of this person alone."),
            "expected": maybe(EXPECTED),
        }
    ),
)
_TOKEN = text("The last part of the address of a person's page.", example="token")
_LINE = Named(
    "TicketInList",
    record(
        {
            "number": number("People call it T-<number>."),
            "token": text("Names this person's ticket in the other addresses; as secret as the page's address."),
            "url": text("The page of this person alone."),
            "question": text("As this person asked it."),
            "words": text("Where it stands for this person, in words."),
            "state": _STATE,
            "news": flag("Something was said that this person has not seen."),
            "at": moment("When something last happened for this person."),
        },
        optional={"sub": text("The site's own id of the person, in the list of a site's people.")},
    ),
)

TICKETS = Operation(
    "The questions of the person who asks; for a server, those of all its site's people",
    {
        200: Answer(
            "A person's latest hundred, those that want something of them first; with `limit` or `after`, and for a server, the latest first.",
            record({"tickets": listed(_LINE), "news": number("How many of them hold something new."), "next": NEXT}),
        )
    },
    Scope.TICKETS_READ,
    query={
        "sub": text("Servers only: the questions of this person.", most=200),
        "state": _STATE,
        "limit": number("How many on a page.", 1, 100, 20),
        "after": CURSOR,
    },
    personal=True,
)
OPEN = Operation(
    "Have a question answered by people: opens a ticket, or joins the one in which others ask the same",
    {
        201: Answer(
            "Noted.",
            Named(
                "NewTicket",
                record(
                    {
                        "verdict": VERDICT,
                        "words": text("What became of it, for people."),
                        "ticket": record({**TICKET_OF_RECEIPT["properties"], "token": text("Names it in the other addresses.")}),
                    },
                    optional={"expected": EXPECTED},
                ),
            ),
        ),
        200: Answer(
            "Counted, but no ticket: this person had as many as an hour allows, or works here.",
            record({"verdict": VERDICT, "words": text("Why, for people."), "ticket": {"type": "null"}, "limited": {"const": True}}),
        ),
    },
    Scope.TICKETS_WRITE,
    description="Servers send X-Zhida-Sub, on whose behalf, and must send an Idempotency-Key.",
    body=record(
        {"question": QUESTION},
        optional={
            "details": text("Whatever helps: read by this person and agents only, forgotten 90 days after the end.", most=MAX_TEXT - 2 * MAX_CONTEXT),
            "contact": text("How to reach the person.", most=MAX_CONTACT),
            "context": text("Where the person was: an error code or a page.", most=MAX_CONTEXT),
        },
        example={"question": "打印机卡纸怎么处理", "details": "三楼的那台", "context": "print.failed"},
    ),
    refused=(409,),
    keyed=True,
    personal=True,
)
TICKET = Operation("One question of a person", {200: Answer("As its person may see it.", _TICKET)}, Scope.TICKETS_READ, path={"token": _TOKEN}, refused=(404,))
ACT = Operation(
    "Do something with one's question",
    {200: Answer("Done.", OK)},
    Scope.TICKETS_WRITE,
    description="details and reopen take `details`, contact takes `contact`, rate takes `satisfaction` and `word`, seen takes `last`.",
    path={"token": _TOKEN, "action": text("What to do.", one_of=ACTIONS)},
    body=record(
        {},
        optional={
            "details": text("Words for the agents.", most=MAX_TEXT),
            "contact": text("How to reach the person; empty to remove it.", most=MAX_CONTACT),
            "satisfaction": number("From 1 to 5.", 1, 5),
            "word": text("A word to the rating.", most=MAX_WORD),
            "last": number("The last event that was on screen."),
        },
        example={"details": "三楼的那台"},
    ),
    refused=(404, 409),
    keyed=True,
)
ADD_FILE = Operation(
    "Add a file to one's question",
    {201: Answer("Added.", record({"file": _FILE})), 200: Answer("It was there already.", record({"file": _FILE}))},
    Scope.TICKETS_WRITE,
    path={"token": _TOKEN},
    form=record({"file": {"type": "string", "format": "binary", "description": "One file, with its name."}}),
    refused=(404, 409),
    keyed=True,
)
REMOVE_FILE = Operation(
    "Remove a file from one's question",
    {200: Answer("Gone.", OK)},
    Scope.TICKETS_WRITE,
    path={"token": _TOKEN, "file": number("Its number.")},
    refused=(404, 409),
    keyed=True,
)
