import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.search.answerability import Evidence, Verdict, Word, coverage, decide, degree

NOWHERE = {"title": False, "body": False, "synonym_title": False, "synonym_body": False, "part": 0.0}
WORDS = st.lists(st.builds(Word, st.text(min_size=1, max_size=3), st.floats(0, 12), st.floats(0, 1)), max_size=8).map(tuple)


def word(text="查验", idf=3.0, value=1.0):
    return Word(text, idf, value)


@pytest.mark.parametrize(
    ("evidence", "verdict"),
    [
        (Evidence((word(), word("失败"))), Verdict.ANSWERED),
        (Evidence((word(value=0.0), word("失败", value=0.0))), Verdict.UNANSWERED),
        (Evidence((word(), word("失败", value=0.2))), Verdict.WEAK),
        (Evidence((word(idf=1.0), word("火星", idf=9.0, value=0.0))), Verdict.UNANSWERED),
        (Evidence((word(idf=9.0), word("一下", idf=0.5, value=0.0))), Verdict.ANSWERED),
        (Evidence(()), Verdict.UNANSWERED),
        (Evidence((), asks=False), Verdict.EMPTY),
        (Evidence((word(),), asks=False), Verdict.EMPTY),
        (Evidence((word(value=0.0),), exact=True), Verdict.ANSWERED),
        (Evidence((word(idf=0.0),)), Verdict.UNANSWERED),
    ],
)
def test_a_verdict_follows_from_how_much_of_the_question_is_covered(evidence, verdict):
    assert decide(evidence).verdict is verdict


def test_the_reason_names_each_word_once():
    decision = decide(Evidence((word(), word("失败", value=0.0), word("火星", value=0.4))))
    assert (decision.matched, decision.missing) == (("查验",), ("失败", "火星"))


def test_an_exact_similar_question_misses_nothing():
    decision = decide(Evidence((word(value=0.0),), exact=True))
    assert (decision.score, decision.matched, decision.missing) == (1.0, ("查验",), ())


@given(WORDS)
def test_a_score_is_a_share(words):
    assert 0 <= coverage(words) <= 1 + 1e-9


@given(WORDS, st.floats(0.1, 12))
def test_a_missing_word_never_helps(words, idf):
    assert coverage((*words, Word("没有", idf, 0.0))) <= coverage(words) + 1e-9


def test_where_a_word_stands_counts_in_this_order():
    places = [{"title": True}, {"synonym_title": True}, {"body": True}, {"synonym_body": True}, {"part": 1.0}, {"part": 0.5}, {}]
    degrees = [degree(**{**NOWHERE, **place}) for place in places]
    assert degrees == sorted(degrees, reverse=True)
    assert len(set(degrees)) == len(degrees)
    assert degrees[-1] == 0.0


def test_the_best_place_of_a_word_decides():
    assert degree(title=True, body=True, synonym_title=True, synonym_body=True, part=1.0) == degree(**{**NOWHERE, "title": True})
