"""What the addresses of search take and answer, for the description of the API."""

from __future__ import annotations

from kb.search.answerability import Verdict
from kb.search.intents import Trigger
from kb.web.openapi import Answer, Named, Operation, flag, listed, maybe, moment, number, record, text
from kb.widget.server_keys import Scope

VERDICT = text(
    "answered: a section answers it. weak: the articles are about it. unanswered: they are not. empty: nothing was asked.",
    one_of=tuple(Verdict),
)
HIT = Named(
    "Hit",
    record(
        {
            "article": text("module/slug", example="invoices/verify-failed"),
            "anchor": text("The section in its article, empty for the first one."),
            "title": text("The article's title."),
            "heading": text("The section's heading, empty for the first one."),
            "module": text("The module's folder."),
            "url": text("Where people read it."),
            "snippet": text("Escaped HTML with <mark> only."),
        }
    ),
)
REPLY = Named(
    "PublicReply",
    record(
        {
            "kind": text("What it is, for programs."),
            "kind_name": text("What it is, for people."),
            "text": text("Plain text."),
            "role": text("What its author is here."),
            "at": moment("When it was given."),
            "expires_at": moment("Until when it is shown."),
            "open": flag("Whether somebody may still join those who wait."),
        }
    ),
)
TICKET_OF_RECEIPT = record(
    {
        "number": number("People call it T-<number>."),
        "url": text("The page of this person alone: whoever has this address can open it."),
        "followers": number("How many people have asked this, this one included, whether they still wait or not."),
        "others": number("How many people wait for it now besides this one."),
        "answer": maybe(
            record(
                {
                    "words": text("That there is one, in words."),
                    "text": text("What an agent last answered; empty when it is the article alone."),
                    "at": moment("When."),
                    "article": text("module/slug, empty without one."),
                    "url": maybe(text("Where people read the article.")),
                }
            )
        ),
    }
)
EXPECTED = record({"what": text("reply or solution"), "at": maybe(moment("By when.")), "late": flag("That has passed."), "words": text("In words.")})
EXPECTED = Named(
    "Expected",
    record(
        {
            "what": text("What may be expected next.", one_of=("reply", "solution")),
            "at": maybe(moment("By when; null while it waits for the person.")),
            "late": flag("That has passed."),
            "words": text("The same in words."),
        }
    ),
)
RECEIPT = Named(
    "Receipt",
    record(
        {"verdict": VERDICT, "words": text("What became of it, for people."), "ticket": maybe(TICKET_OF_RECEIPT)},
        optional={"expected": EXPECTED, "limited": flag("Counted, but no ticket: this person had as many as an hour allows, or works here.")},
    ),
)
_ANSWER = Named(
    "SearchAnswer",
    record(
        {
            "query": text("The question as it was read."),
            "verdict": VERDICT,
            "words": text("What to say above the hits: the verdict and what was made of the question, for people; empty when the answer says it all."),
            "reason": record({"matched": listed({"type": "string"}), "missing": listed({"type": "string"})}),
            "hits": listed(HIT, "Whatever the verdict, the best first."),
            "corrected": maybe(text("What the question was taken to mean.")),
        },
        optional={
            "answer": text("The best section's HTML, only when the verdict is answered; its addresses are whole, as in an article."),
            "unfinished": flag("The last word is still being typed: too early for a verdict."),
            "reply": REPLY,
        },
    ),
)
QUESTION = text("A question in a person's own words.", example="发票查验失败怎么办")

SEARCH = Operation(
    "Search, and say whether the best section answers the question",
    {200: Answer("What was found.", _ANSWER)},
    Scope.SEARCH,
    description="Writes nothing: send a finished question to /api/v1/intents, or to /api/v1/tickets to have it answered by people.",
    query={
        "q": QUESTION,
        "module": text("Narrows the hits to one module."),
        "limit": number("How many hits.", 1, 50, 10),
        "typing": text("1 while the last word is still being typed.", one_of=("1",)),
    },
)
INTENT = Operation(
    "Send a finished question: it is counted, and opens or joins a ticket when nothing answers it",
    {201: Answer("New.", RECEIPT), 200: Answer("Sent before, or better words for it.", RECEIPT)},
    Scope.TICKETS_WRITE,
    body=record(
        {
            "intent_id": text("Random; the same while a person words the same wish.", most=64, example="7d0f7c2b3a"),
            "query": QUESTION,
            "trigger": text("What finished it.", one_of=tuple(Trigger)),
        },
        optional={
            "visitor": text("As the header X-Zhida-Visitor, for who cannot send headers.", most=100),
            "opened": text("The article that was opened.", most=200),
            "rank": number("Its place among the hits.", 1, 1000),
            "context": text("Where the person was in the host application: a code or a path. Agents read it.", most=200),
        },
        example={"intent_id": "7d0f7c2b3a", "query": "发票查验失败怎么办", "trigger": "enter"},
    ),
    keyed=True,
)
SUGGEST = Operation(
    "Titles and similar questions for what is typed so far",
    {200: Answer("At most six.", record({"suggestions": listed({"type": "string"})}))},
    Scope.SEARCH,
    query={"q": QUESTION},
)
SUGGESTIONS = Operation(
    "Articles for where a person is",
    {
        200: Answer(
            "At most six.",
            record(
                {
                    "context": text("As asked."),
                    "suggestions": listed(
                        record({"article": text("module/slug"), "title": text("Title."), "module": text("Module."), "url": text("Address.")})
                    ),
                }
            ),
        )
    },
    Scope.SEARCH,
    query={"context": text("A code of the host application, or the path of its page.", example="invoice.verify.failed")},
)
