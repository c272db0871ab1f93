import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.search.answerability import (
    IN_BODY,
    IN_NAME,
    MODEL,
    PARTLY,
    SYNONYM_IN_BODY,
    SYNONYM_IN_NAME,
    Evidence,
    Model,
    Verdict,
    Word,
    coverage,
    decide,
)

WORDS = st.lists(st.builds(Word, st.text(min_size=1, max_size=3), st.floats(0, 12), st.floats(0, 1)), max_size=8).map(tuple)
SHARE = st.floats(0, 3)
LEAD = st.floats(0, 1)


def word(text="查验", idf=3.0, value=1.0):
    return Word(text, idf, value)


def found(*words, share=0.9, lead=0.7, **more):
    """Return the evidence of a question whose best section scores and leads as that of a good answer does."""
    return Evidence(words, share=share, lead=lead, **more)


@pytest.mark.parametrize(
    ("evidence", "verdict"),
    [
        (found(word(), word("失败")), Verdict.ANSWERED),
        (found(word(value=0.0), word("失败", value=0.0), share=0.05, lead=0.3), Verdict.UNANSWERED),
        (found(word(), word("失败", value=0.2)), Verdict.WEAK),
        (found(word(idf=1.0), word("火星", idf=9.0, value=0.0), share=0.1, lead=0.4), Verdict.UNANSWERED),
        (found(word(idf=9.0), word("一下", idf=0.5, value=0.0)), Verdict.ANSWERED),
        (Evidence(()), Verdict.UNANSWERED),
        (Evidence((), asks=False), Verdict.EMPTY),
        (found(word(), asks=False), Verdict.EMPTY),
        (Evidence((word(value=0.0),), exact=True), Verdict.ANSWERED),
        (found(word(), word("失败"), share=0.02), Verdict.UNANSWERED),
        (found(word(), word("失败"), corrected=True), Verdict.WEAK),
        (found(word("系统"), telling=0.2, topic=True), Verdict.WEAK),
        (found(word("借款"), telling=0.2), Verdict.ANSWERED),
        (found(word("年"), word("月")), Verdict.WEAK),
        (found(word("票"), word("ofd")), Verdict.ANSWERED),
    ],
)
def test_a_verdict_follows_from_share_lead_and_coverage(evidence, verdict):
    assert decide(evidence).verdict is verdict


def test_words_that_stand_in_the_body_alone_are_never_called_answered():
    assert decide(found(word(value=IN_BODY), word("失败", value=IN_BODY), share=1.0, lead=1.0)).verdict is Verdict.WEAK


def test_of_a_short_question_more_must_be_covered_than_of_a_long_one():
    half = [word(str(at), value=1.0 if at % 2 else 0.0) for at in range(10)]
    assert decide(found(*half[:2], share=0.4, lead=0.5)).score < decide(found(*half, share=0.4, lead=0.5)).score


def test_the_reason_names_each_word_once():
    decision = decide(found(word(), word("失败", value=0.0), word("火星", value=0.4)))
    assert (decision.matched, decision.missing) == (("查验",), ("失败", "火星"))


def test_a_single_character_is_no_reason_where_longer_words_are():
    decision = decide(found(word(), word("到", value=0.0), word("批")))
    assert (decision.matched, decision.missing) == (("查验",), ())


def test_a_single_character_is_the_reason_where_nothing_else_was_asked():
    assert decide(found(word("票"))).matched == ("票",)


def test_a_pasted_error_message_is_not_recited():
    decision = decide(found(word(), *(word(f"java{at}", value=0.0) for at in range(9))))
    assert decision.missing == ("java0", "java1")


def test_an_exact_similar_question_misses_nothing():
    decision = decide(Evidence((word(value=0.0),), exact=True))
    assert (decision.score, decision.matched, decision.missing) == (1.0, ("查验",), ())


@given(WORDS, SHARE, LEAD)
def test_a_score_is_a_share_and_every_factor_is_named(words, share, lead):
    decision = decide(Evidence(words, share, lead))
    assert 0 <= coverage(words) <= 1 + 1e-9
    assert 0 <= decision.score <= 1
    assert [name for name, _ in decision.factors] == ["share", "lead", "coverage", "subject", "specific"]


@given(WORDS, st.floats(0.1, 12))
def test_a_missing_word_never_helps_the_coverage(words, idf):
    assert coverage((*words, Word("没有", idf, 0.0))) <= coverage(words) + 1e-9


@given(WORDS, SHARE, LEAD, st.floats(0, 0.5))
def test_more_found_and_a_longer_lead_never_lower_the_score(words, share, lead, more):
    score = decide(Evidence(words, share, lead)).score
    assert decide(Evidence(words, share + more, lead)).score >= score - 1e-9
    assert decide(Evidence(words, share, min(1.0, lead + more))).score >= score - 1e-9


def test_where_a_word_stands_counts_in_this_order():
    assert IN_NAME > SYNONYM_IN_NAME > IN_BODY > SYNONYM_IN_BODY > PARTLY > 0


def test_the_model_has_every_coefficient_that_the_formula_names(tmp_path):
    assert set(MODEL.subject) == {"intercept", "share", "words"}
    assert set(MODEL.specific) == {"intercept", "lead", "coverage", "short", "covered_short"}
    assert 0 < MODEL.weak < MODEL.answered < 1


def test_a_model_that_lacks_a_part_is_refused(tmp_path):
    path = tmp_path / "verdict.toml"
    path.write_text("[subject]\n", encoding="utf-8")
    with pytest.raises(KeyError):
        Model.load(path)
    path.write_text("subject", encoding="utf-8")
    with pytest.raises(tomllib.TOMLDecodeError):
        Model.load(path)
