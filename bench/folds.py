"""The articles' own questions as people would ask them: of a build that does not hold that wording."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from indexer import lint
from indexer.build import article_of
from indexer.errors import ArticlesRejectedError
from indexer.source import read_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from indexer.article import Article

ARTICLES = "articles"
"""What the articles are called where they are one set among others."""
FOLDS = 6
"""Builds without one wording of each article; an article's seventh wording is left out together with its first."""


def read_articles(folder: Path) -> list[Article]:
    """Return the articles of a folder as a build holds them. Raises IndexerError, ArticlesRejectedError when some hold errors."""
    source = read_folder(folder)
    corpus = lint.read(source, datetime.now(UTC).date())
    if errors := [problem for problem in lint.lint(corpus) if problem.error]:
        raise ArticlesRejectedError(errors)
    return [article_of(draft, corpus.pieces[draft.id], source) for draft in corpus.drafts]


def without_one_wording(articles: Sequence[Article]) -> Iterator[tuple[list[Article], list[tuple[str, str]]]]:
    """Yield each fold: the articles without some of their similar questions, and these questions, each with the id of its article.

    Over all folds every similar question is left out once.
    """
    for turn in range(FOLDS):
        kept = [replace(one, questions=tuple(text for at, text in enumerate(one.questions) if at % FOLDS != turn)) for one in articles]
        yield kept, [(text, one.id) for one in articles for text in one.questions[turn::FOLDS]]
