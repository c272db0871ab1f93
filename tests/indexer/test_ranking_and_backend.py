"""The contract of a search engine. A second engine joins by one more line in `ENGINES`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from indexer import impacts, kernel, ranking, whoosh_backend
from indexer.backend import MAX_LIMIT, MAX_TERMS, Query, Sought, WeightedTerm
from indexer.impacts import ImpactsBackend
from indexer.ranking import inverse_document_frequency, term_score
from indexer.whoosh_backend import WhooshBackend


def write_impacts(folder, documents):
    (folder / "whoosh").mkdir()
    count = whoosh_backend.write(folder / "whoosh", documents)
    impacts.write(folder / "impacts", whoosh_backend.postings(folder / "whoosh"))
    return count


def open_compiled(folder):
    if isinstance(kernel.library(), str):
        pytest.skip(kernel.library())
    return ImpactsBackend(folder / "impacts")


ENGINES = {
    "whoosh": (whoosh_backend.write, WhooshBackend),
    "compiled (C)": (write_impacts, open_compiled),
    "compiled (numpy)": (write_impacts, lambda folder: ImpactsBackend(folder / "impacts", compiled=False)),
}
DOCUMENTS = [
    {
        "body_words": ["发票", "查验", "失败"],
        "body_pairs": ["发票", "票查", "查验"],
        "body_chars": list("发票查验"),
        "title_words": ["查验"],
        "title_pairs": ["查验"],
    },
    {"body_words": ["发票", "上传", "ofd"], "body_pairs": ["发票", "上传"], "body_chars": list("发票上传"), "question_words": ["发票", "太大"]},
    {"body_words": ["报销", "报销", "报销", "流程"], "body_pairs": ["报销"], "body_chars": list("报销")},
    {"body_words": ["k/3", "k", "3", "凭证"], "body_chars": list("凭证")},
    {"body_words": ["报销", "凭证"], "body_pairs": [], "body_chars": []},
]


@pytest.fixture(params=ENGINES, scope="module")
def engine(request, tmp_path_factory):
    """Open an index of documents with the engine under test."""
    write, open_ = ENGINES[request.param]
    opened = []

    def engine_(documents):
        folder = tmp_path_factory.mktemp("engine")
        assert write(folder, documents) == len(documents)
        opened.append(open_(folder))
        assert opened[-1].name == request.param
        return opened[-1]

    yield engine_
    for one in opened:
        one.close()


@pytest.fixture(scope="module")
def five(engine):
    return engine(DOCUMENTS)


def words(*texts, weight=1.0):
    return tuple(WeightedTerm("words", text, weight) for text in texts)


def positions(backend, *terms, **settings):
    return [hit.position for hit in backend.search(Query(Sought(terms), **settings))]


def document_frequency(documents, term):
    fields = [field.name for field in ranking.FIELDS if field.stream == term.stream]
    return max(sum(term.text in document.get(name, ()) for document in documents) for name in fields)


def by_hand(documents, terms):
    """Score every document as `ranking` defines it, from the documents alone."""
    scores = {}
    for field in ranking.FIELDS:
        lengths = [len(document.get(field.name, ())) for document in documents]
        average = sum(lengths) / len(documents) or 1.0
        for term in terms:
            if term.stream != field.stream:
                continue
            frequency = document_frequency(documents, term)
            weight = inverse_document_frequency(len(documents), frequency) * term.weight
            for position, document in enumerate(documents):
                if count := list(document.get(field.name, ())).count(term.text):
                    scores[position] = scores.get(position, 0.0) + term_score(weight, count, lengths[position] / average, field)
    return sorted(((score, position) for position, score in scores.items()), key=lambda pair: (-pair[0], pair[1]))


@pytest.mark.parametrize(
    "terms",
    [
        words("发票"),
        words("报销", "凭证"),
        words("发票", weight=0.3) + words("失败"),
        (*words("查验"), WeightedTerm("pairs", "查验", 1.0), WeightedTerm("chars", "查", 0.5)),
        words("k/3", "ofd", "太大"),
    ],
)
def test_scores_are_those_of_the_formula(five, terms):
    expected = by_hand(DOCUMENTS, terms)
    found = five.search(Query(Sought(terms)))
    assert [hit.position for hit in found] == [position for _, position in expected]
    assert [hit.score for hit in found] == pytest.approx([score for score, _ in expected], rel=1e-5)


def test_what_shares_no_term_is_no_hit(five):
    assert positions(five, *words("查验")) == [0]
    assert positions(five, *words("没有")) == []
    assert positions(five) == []


def test_a_term_is_looked_for_in_its_own_stream_only(five):
    assert positions(five, WeightedTerm("chars", "查", 1.0)) == [0]
    assert positions(five, WeightedTerm("words", "查", 1.0)) == []
    assert positions(five, WeightedTerm("pairs", "流程", 1.0)) == []


@pytest.mark.parametrize("term", ["*", "发*", "发票 OR 报销", "body_words:发票", "", " ", "发票^9", '"发票"', "(", "[a TO z]", "\x00", "a" * 40_000, "/.*/"])
def test_a_term_is_never_syntax(five, term):
    assert positions(five, *words(term)) == []


def test_the_rarer_word_decides(five):
    assert positions(five, *words("发票", "失败"))[0] == 0
    assert positions(five, *words("报销", "流程"))[0] == 2


def test_equal_scores_come_in_the_order_of_the_catalogue(engine):
    backend = engine([{"body_words": ["其他"]}, *({"body_words": ["发票"]} for _ in range(30))])
    assert positions(backend, *words("发票"), limit=5) == [1, 2, 3, 4, 5]


def test_hits_stay_among_the_allowed_ones(five):
    assert positions(five, *words("发票"), among={1}) == [1]
    assert positions(five, *words("发票"), among=frozenset({0, 2})) == [0]
    assert positions(five, *words("发票"), among=None) == [1, 0]


def test_nobody_is_allowed_means_nothing_is_found(five):
    assert positions(five, *words("发票"), among=frozenset()) == []


@pytest.mark.parametrize(("limit", "count"), [(0, 0), (-1, 0), (1, 1), (50, 50), (10_000, MAX_LIMIT)])
def test_no_more_hits_come_than_asked_for_and_never_more_than_fifty(engine, limit, count):
    backend = engine([{"body_words": ["发票"]} for _ in range(80)])
    assert len(positions(backend, *words("发票"), limit=limit)) == count


def test_terms_beyond_the_limit_are_not_looked_for(engine):
    backend = engine([{"body_words": ["最后"]}])
    assert positions(backend, *words(*(f"w{i}" for i in range(MAX_TERMS))), *words("最后")) == []
    assert positions(backend, *words(*(f"w{i}" for i in range(MAX_TERMS - 1))), *words("最后")) == [0]


def test_the_engine_knows_in_how_many_sections_a_term_stands(five):
    assert five.document_frequencies(Sought((WeightedTerm("words", "报销"),))) == [2]
    assert five.document_frequencies(Sought((WeightedTerm("pairs", "发票"),))) == [2]
    assert five.document_frequencies(Sought((WeightedTerm("chars", "票"),))) == [2]
    assert five.document_frequencies(Sought((WeightedTerm("words", "没有"),))) == [0]


def test_a_word_that_stands_in_similar_questions_only_is_known_and_completed(five):
    assert five.document_frequencies(Sought((WeightedTerm("words", "太大"),))) == [1]
    assert five.completions("太", 5) == ["太大"]


def test_a_term_of_no_weight_is_not_looked_for(five):
    assert positions(five, *words("发票", weight=0.0)) == []
    assert positions(five, *words("发票", weight=-1.0), *words("报销")) == positions(five, *words("报销"))


def test_a_term_that_comes_twice_counts_twice(five):
    once, twice = five.search(Query(Sought(words("发票")))), five.search(Query(Sought(words("发票", "发票"))))
    assert [hit.score for hit in twice] == pytest.approx([2 * hit.score for hit in once], rel=1e-5)


def test_positions_that_do_not_exist_may_be_allowed_and_are_no_hits(five):
    assert positions(five, *words("发票"), among={-1, 1, 5, 10**12}) == [1]


def test_completions_are_words_of_the_index_in_order(five):
    assert five.completions("k", 5) == ["k", "k/3"]
    assert five.completions("报", 5) == ["报销"]
    assert five.completions("k", 1) == ["k"]
    assert five.completions("k", 0) == []
    assert five.completions("没", 5) == []


def test_an_index_without_sections_finds_nothing(engine):
    empty = engine([])
    assert positions(empty, *words("发票")) == []
    assert empty.document_frequencies(Sought((WeightedTerm("words", "发票"),))) == [0]
    assert empty.completions("发", 5) == []


def test_any_number_of_threads_may_search_at_once(five):
    queries = [words("发票"), words("报销", "凭证"), words("没有"), words("k/3")] * 50
    expected = [positions(five, *terms) for terms in queries]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda terms: positions(five, *terms), queries)) == expected


def test_a_document_that_cannot_be_made_leaves_no_lock_behind(tmp_path):
    def documents():
        yield {"body_words": ["发票"]}
        raise ValueError("unreadable")

    with pytest.raises(ValueError, match="unreadable"):
        whoosh_backend.write(tmp_path, documents())
    assert whoosh_backend.write(tmp_path, DOCUMENTS) == len(DOCUMENTS)


@pytest.mark.parametrize("documents", [0, 1, 10, 5000])
def test_an_idf_is_never_negative_and_falls_with_frequency(documents):
    values = [inverse_document_frequency(documents, frequency) for frequency in range(documents + 1)]
    assert values == sorted(values, reverse=True)
    assert values[-1] > 0
