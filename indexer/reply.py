"""A canned reply (常用回复): what agents insert and then make their own. No article: it is never indexed, has no page and answers nobody by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from indexer.article import fill_company

if TYPE_CHECKING:
    from collections.abc import Mapping

    from indexer.article import Draft

MAX_TEXT = 2_000
"""Characters of a reply as it is sent; what needs more is an article."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A published canned reply. `id` is its file's name without .md; `text` is plain; empty `modules` means that it fits all of them."""

    id: str
    title: str
    modules: tuple[str, ...]
    text: str


def reply_of(draft: Draft, company: Mapping[str, str]) -> Reply:
    """Turn a draft without errors into a reply, with the company's values in their places; unset ones as `fill_company` has them; a contact falls away."""
    title = " ".join(str(draft.meta["title"]).split())
    return Reply(draft.id.rpartition("/")[2], title, draft.strings("modules"), fill_company(draft.body, company, ask="").strip())
