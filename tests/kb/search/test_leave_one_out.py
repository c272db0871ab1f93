"""What an editor wrote down as one wording must be found by that wording without it: the next person will word it differently again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from indexer.build import write_build
from indexer.published import open_build

ROUNDS = 4
"""Builds, each without every fourth wording of every article."""
FIRST = 3
FLOOR = 0.9


@pytest.fixture(scope="module")
def asked(shipped, tmp_path_factory):
    """Ask every wording of the shipped articles of a build without it; return {(article, wording): the first three articles}."""
    index, found = tmp_path_factory.mktemp("leave-one-out"), {}
    for turn in range(ROUNDS):
        without = [
            replace(article, questions=tuple(text for at, text in enumerate(article.questions) if at % ROUNDS != turn)) for article in shipped.articles.values()
        ]
        write_build(index, f"without-{turn}", without, shipped.vocabulary)
        with open_build(index, f"without-{turn}") as published:
            for article in shipped.articles.values():
                for wording in article.questions[turn::ROUNDS]:
                    assert wording not in published.articles[article.id].questions
                    found[article.id, wording] = published.articles_for(wording, FIRST)
    return found


def test_every_wording_of_every_article_is_asked(asked, shipped):
    assert set(asked) == {(article.id, wording) for article in shipped.articles.values() for wording in article.questions}


def test_a_wording_that_is_not_in_the_index_finds_its_article_among_the_first_three(asked):
    missed = [pair for pair, found in asked.items() if pair[0] not in found]
    assert len(missed) / len(asked) <= 1 - FLOOR, missed
