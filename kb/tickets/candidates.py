"""Articles that may answer a ticket: what our own search finds for its wordings, all of them together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kb.search.answer import answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from indexer.published import Published
    from kb.search.answer import Hit

MOST_WORDINGS = 6
"""Wordings that are searched for: a search takes about a millisecond, and the seventh way to say it finds nothing else."""


def articles_for(published: Published, wordings: Sequence[str], limit: int = 5) -> list[Hit]:
    """Return the best section of each of the `limit` articles that `wordings` (the most asked first) find, best first; only what everybody may read.

    An article gains 1/rank from each wording, so that what fits all of them stands above what fits one.
    """
    gained: dict[str, float] = {}
    best: dict[str, tuple[int, Hit]] = {}
    for wording in wordings[:MOST_WORDINGS]:
        found: dict[str, Hit] = {}
        for hit in answer(published, wording).hits:
            found.setdefault(hit.article.id, hit)
        for rank, (article, hit) in enumerate(found.items(), 1):
            gained[article] = gained.get(article, 0) + 1 / rank
            best[article] = min(best.get(article, (rank, hit)), (rank, hit), key=lambda ranked: ranked[0])
    return [best[article][1] for article in sorted(gained, key=lambda article: -gained[article])[:limit]]
