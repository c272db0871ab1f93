"""The verdict on questions as people type them, against the shipped articles. The shares are those measured when the model was fitted, less a margin.

`questions.toml` was looked at while the model was made; `second.toml` was written blind and is judged by only.
"""

import tomllib
from collections import Counter
from pathlib import Path

import pytest

from kb.search.answer import answer

GOLDEN = Path(__file__).parents[2] / "golden"
QUESTIONS, SECOND = (tomllib.loads((GOLDEN / f"{name}.toml").read_text(encoding="utf-8")) for name in ("questions", "second"))
FIRST = 3


def counted(shipped, questions):
    verdicts = Counter(answer(shipped, question).verdict.value for question in questions)
    return {verdict: count / verdicts.total() for verdict, count in verdicts.items()}


@pytest.fixture(scope="module")
def shares(shipped):
    """Return, for the answerable and the unanswerable, which share of them got each verdict."""
    return {kind: counted(shipped, questions) for kind, questions in QUESTIONS.items()}


@pytest.fixture(scope="module")
def second(shipped):
    """Return the same for the second set."""
    return {"answered": counted(shipped, [question for question, _ in SECOND["answered"]]), "unanswered": counted(shipped, SECOND["unanswered"])}


def test_what_the_articles_answer_is_answered(shares):
    assert shares["answered"]["answered"] >= 0.85


def test_what_the_articles_do_not_answer_is_hardly_ever_called_answered(shares):
    assert shares["unanswered"].get("answered", 0) <= 0.02


def test_what_the_articles_do_not_answer_mostly_becomes_a_ticket(shares):
    assert shares["unanswered"]["unanswered"] >= 0.75


def test_what_the_articles_answer_hardly_ever_becomes_a_ticket(shares):
    assert shares["answered"].get("unanswered", 0) <= 0.05


def test_every_question_of_the_second_set_names_an_article_that_exists(shipped):
    assert {article for _, article in SECOND["answered"]} <= set(shipped.articles)
    assert (len(SECOND["answered"]), len(SECOND["unanswered"])) == (100, 100)


def test_questions_written_blind_find_their_article_among_the_first_three_hits(shipped):
    missed = {
        question: article for question, article in SECOND["answered"] if article not in {hit.article.id for hit in answer(shipped, question).hits[:FIRST]}
    }
    assert len(missed) <= 10, missed


def test_questions_written_blind_that_an_article_answers_mostly_become_no_ticket(second):
    assert second["answered"].get("answered", 0) + second["answered"].get("weak", 0) >= 0.75


def test_questions_written_blind_that_no_article_answers_become_tickets(second):
    assert second["unanswered"]["unanswered"] >= 0.85


def test_questions_written_blind_that_no_article_answers_are_hardly_ever_called_answered(second):
    assert second["unanswered"].get("answered", 0) <= 0.02


def test_what_is_called_an_answer_to_a_question_written_blind_is_mostly_that_of_the_right_article(shipped):
    shown = {question: (said.best.article.id, article) for question, article in SECOND["answered"] if (said := answer(shipped, question)).best is not None}
    wrong = {question: found for question, found in shown.items() if found[0] != found[1]}
    assert len(shown) >= 40
    assert len(wrong) <= 0.1 * len(shown), wrong
