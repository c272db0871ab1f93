"""What the addresses of articles take and answer, for the description of the API."""

from __future__ import annotations

from indexer.article import KINDS
from kb.reading.feedback import MAX_REASON
from kb.web.openapi import OK, Answer, Named, Operation, flag, listed, maybe, number, record, text
from kb.widget.server_keys import Scope

CURSOR = text("`next` of the page before; nothing for the first page.", most=200)
NEXT = maybe(text("What to send as `after` for the next page; null on the last."))
_ID = text("module/slug", example="invoices/verify-failed")
_BRIEF = {
    "article": _ID,
    "title": text("Title."),
    "module": text("The module's folder."),
    "kind": text("What kind of article it is.", one_of=KINDS),
    "url": text("Where people read it."),
    "updated": text("The day of its last change, as 2026-11-20; empty when nobody knows."),
}
ARTICLES = Operation(
    "All articles that this site shows, by name",
    {200: Answer("A page of them.", record({"articles": listed(Named("ArticleInList", record(_BRIEF))), "next": NEXT}))},
    Scope.ARTICLES_READ,
    query={"module": text("Only those of one module."), "limit": number("How many.", 1, 100, 50), "after": CURSOR},
)
ARTICLE = Operation(
    "One article",
    {
        200: Answer(
            "Its sections in order. The HTML is sanitised, its addresses are absolute; those of pictures that not everybody may see are good for ten minutes.",
            Named(
                "Article",
                record(
                    {
                        **_BRIEF,
                        "sections": listed(
                            record(
                                {
                                    "anchor": text("Empty for the first section."),
                                    "heading": text("Empty for the first section."),
                                    "level": number("2 for a section, 3 for one below it.", 0, 6),
                                    "html": text("Without its heading."),
                                }
                            )
                        ),
                        "contents": listed(record({"anchor": text("Anchor."), "heading": text("Heading.")})),
                    }
                ),
            ),
        )
    },
    Scope.ARTICLES_READ,
    path={"module": text("Module.", example="invoices"), "slug": text("Slug.", example="verify-failed")},
    refused=(404,),
)
FEEDBACK = Operation(
    "Say whether an article helped; a person's later word replaces the earlier one",
    {201: Answer("Noted.", OK)},
    Scope.TICKETS_WRITE,
    body=record(
        {"article": text("module/slug", most=200), "helpful": flag("Whether it helped.")},
        optional={
            "anchor": text("The section it is about.", most=200),
            "reason": text("Why not, in words.", most=MAX_REASON),
            "visitor": text("As the header X-Zhida-Visitor, for who cannot send headers.", most=100),
        },
        example={"article": "invoices/verify-failed", "helpful": True, "visitor": "0123456789abcdef0123456789abcdef"},
    ),
    refused=(404,),
    personal=True,
)
