"""How well search ranks, and knows when it cannot, on two public sets: the floors that the product promises, asked in full."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from opencc import OpenCC

from indexer import evaluate
from kb.search.answer import answer

FIRST = 10
FLOORS = {
    "lecoqa": {"mrr": 0.905, "removed_doc": 0.82, "other_domain": 0.995},
    "d365_faq": {"mrr": 0.600, "removed_doc": 0.65, "other_domain": 0.992},
}
"""MRR@10, and AUROC of the score against each kind of unanswerable query."""


@pytest.fixture(scope="module", params=FLOORS)
def asked(request, public_set):
    """Ask every query of a set as it is and in Traditional characters, and ask what no document answers."""
    folder, published = public_set(request.param)
    converter = OpenCC("s2t")
    judged, unanswerable = evaluate.judged(folder), evaluate.unanswerable(folder)
    return SimpleNamespace(
        floors=FLOORS[request.param],
        relevant=[relevant for _, relevant in judged],
        plain=[answer(published, text) for text, _ in judged],
        traditional=[answer(published, converter.convert(text)) for text, _ in judged],
        others={kind: [answer(published, text) for found, text in unanswerable if found == kind] for kind in ("removed_doc", "other_domain")},
    )


def mrr(answers, relevant):
    total = 0.0
    for said, right in zip(answers, relevant, strict=True):
        total += next((1 / rank for rank, hit in enumerate(said.hits[:FIRST], 1) if hit.article.id in right), 0.0)
    return total / len(answers)


def share(answers, *verdicts):
    return sum(said.verdict.value in verdicts for said in answers) / len(answers)


def test_the_right_section_stands_high(asked):
    assert len(asked.plain) > 400
    assert mrr(asked.plain, asked.relevant) >= asked.floors["mrr"]


def test_a_query_in_traditional_characters_finds_as_well(asked):
    assert sum(said.question.text != other.question.text for said, other in zip(asked.plain, asked.traditional, strict=True)) > len(asked.plain) / 2
    assert mrr(asked.traditional, asked.relevant) == pytest.approx(mrr(asked.plain, asked.relevant), abs=0.005)


@pytest.mark.parametrize("kind", ["removed_doc", "other_domain"])
def test_the_score_tells_answerable_questions_from_others(asked, kind):
    scores, others = ([said.decision.score for said in answers] for answers in (asked.plain, asked.others[kind]))
    assert evaluate.auroc(scores, others) >= asked.floors[kind]


def test_an_answerable_question_hardly_ever_becomes_a_ticket(asked):
    assert share(asked.plain, "answered", "weak") >= 0.9


def test_a_question_about_something_else_is_hardly_ever_called_answered(asked):
    assert share(asked.others["other_domain"], "answered") <= 0.05
