"""The verdict on questions as people type them, against the shipped articles. The shares are those measured when the thresholds were set, less a margin."""

import tomllib
from collections import Counter
from pathlib import Path

import pytest

from kb.search.answer import answer

QUESTIONS = tomllib.loads((Path(__file__).parents[2] / "golden" / "questions.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def shares(shipped):
    """Return, for the answerable and the unanswerable, which share of them got each verdict."""
    counted = {kind: Counter(answer(shipped, question).verdict.value for question in questions) for kind, questions in QUESTIONS.items()}
    return {kind: {verdict: count / counter.total() for verdict, count in counter.items()} for kind, counter in counted.items()}


def test_what_the_articles_answer_is_answered(shares):
    assert shares["answered"]["answered"] >= 0.9


def test_what_the_articles_do_not_answer_is_hardly_ever_called_answered(shares):
    assert shares["unanswered"].get("answered", 0) <= 0.1


def test_what_the_articles_do_not_answer_mostly_becomes_a_ticket(shares):
    assert shares["unanswered"]["unanswered"] >= 0.75


def test_what_the_articles_answer_hardly_ever_becomes_a_ticket(shares):
    assert shares["answered"].get("unanswered", 0) <= 0.05
