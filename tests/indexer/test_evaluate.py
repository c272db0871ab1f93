import json
import math
import re

import pytest

from indexer.errors import IndexerError
from indexer.evaluate import Asked, auroc, evaluate

CORPUS = [
    {"_id": "d1", "title": "发票查验", "text": "查验失败时重试。"},
    {"_id": "d2", "title": "报销流程", "text": "提交报销单。"},
    {"_id": "d3", "text": "审批 <b>流</b>"},
]
QUERIES = [{"_id": "q1", "text": "查验失败"}, {"_id": "q2", "text": "报销单"}, {"_id": "q3", "text": "没有判断"}]
QRELS = "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td3\t1\nq2\td2\t1\nq2\td1\t0\n"


@pytest.fixture
def dataset(tmp_path):
    def dataset_(**files):
        folder = tmp_path / "set"
        folder.mkdir(exist_ok=True)
        content = {"corpus.jsonl": CORPUS, "queries.jsonl": QUERIES, "qrels.tsv": QRELS} | {name.replace("__", "."): text for name, text in files.items()}
        for name, text in content.items():
            if text is not None:
                lines = text if isinstance(text, str | bytes) else "".join(f"{json.dumps(line)}\n" for line in text)
                (folder / name).write_bytes(lines if isinstance(lines, bytes) else lines.encode())
        return folder

    return dataset_


def search(published, text):
    return Asked(tuple(published.articles_for(text, 10)), "answered" if "报销" in text else "weak", 0.9 if "查验" in text else 0.4)


def test_the_figures_are_those_of_the_contract(dataset, tmp_path):
    figures = evaluate(
        dataset(queries_unanswerable__jsonl=[{"_id": "u1", "text": "天气"}, {"_id": "u2", "text": "查验天气", "kind": "near"}]), tmp_path, search
    )
    assert list(figures) == ["dataset", "docs", "queries", "build_s", "latency_us", "r@1", "hit@10", "mrr@10", "ndcg@10", "verdicts", "auroc"]
    assert (figures["dataset"], figures["docs"], figures["queries"]) == ("set", 3, 2)
    assert set(figures["latency_us"]) == {"answer", "rank"}
    assert (figures["r@1"], figures["hit@10"], figures["mrr@10"]) == (1.0, 1.0, 1.0)
    assert figures["verdicts"] == {"answerable": {"answered": 1, "weak": 1}, "unanswerable": {"weak": 1}, "near": {"weak": 1}}
    assert figures["auroc"] == {"unanswerable": 0.75, "near": 0.25}
    assert "NaN" not in json.dumps(figures)


def test_a_hit_counts_whatever_its_rank_and_a_grade_is_worth_its_gain(dataset, tmp_path):
    ranked = {"查验失败": ("d2", "d3", "d1"), "报销单": ()}
    figures = evaluate(dataset(), tmp_path, lambda _, text: Asked(ranked[text], "unanswered", 0.0))
    ideal = 2 + 1 / math.log2(3)
    assert (figures["r@1"], figures["hit@10"], figures["mrr@10"]) == (0.0, 0.5, 0.25)
    assert figures["ndcg@10"] == pytest.approx((1 / math.log2(3) + 2 / math.log2(4)) / ideal / 2, abs=1e-4)
    assert figures["auroc"] == {}


def test_a_set_without_judged_queries_has_zeros_and_no_nan(dataset, tmp_path):
    figures = evaluate(dataset(qrels__tsv="query-id\tcorpus-id\tscore\n", queries_unanswerable__jsonl=[{"_id": "u", "text": "天气"}]), tmp_path, search)
    assert (figures["queries"], figures["r@1"], figures["ndcg@10"], figures["auroc"]) == (0, 0.0, 0.0, {})
    assert figures["latency_us"] == {"answer": {"p50": 0, "p95": 0}, "rank": {"p50": 0, "p95": 0}}


ONE = '{"_id": "d1", "text": "发票"}'
MALFORMED = {
    "no corpus": ({"corpus__jsonl": None}, "corpus.jsonl is missing"),
    "no queries": ({"queries__jsonl": None}, "queries.jsonl is missing"),
    "no judgements": ({"qrels__tsv": None}, "qrels.tsv is missing"),
    "half an object": ({"corpus__jsonl": f"{ONE}\n{{"}, "corpus.jsonl:2 is not JSON"),
    "no JSON": ({"queries__jsonl": "nonsense"}, "queries.jsonl:1 is not JSON"),
    "two objects on a line": ({"corpus__jsonl": ONE + ONE}, "corpus.jsonl:1 is not JSON"),
    "a list": ({"corpus__jsonl": "[1, 2]"}, 'corpus.jsonl:1 is no object with a text as its "_id"'),
    "nested without end": ({"queries__jsonl": "[" * 100_000}, "queries.jsonl:1 is not JSON"),
    "a number without end": ({"queries__jsonl": f'{{"_id": {"9" * 10_000}}}'}, "queries.jsonl:1 is not JSON"),
    "no id": ({"corpus__jsonl": f'{ONE}\n\n{{"text": "发票"}}'}, 'corpus.jsonl:3 is no object with a text as its "_id"'),
    "an empty id": ({"queries__jsonl": '{"_id": "", "text": "发票"}'}, "queries.jsonl:1 is no object"),
    "an id that is none": ({"queries__jsonl": '{"_id": null, "text": "发票"}'}, "queries.jsonl:1 is no object"),
    "the same id twice": ({"corpus__jsonl": f"{ONE}\n{ONE}"}, "corpus.jsonl:2 has the _id 'd1' of line 1; give each line its own"),
    "the same query twice": ({"queries__jsonl": QUERIES + QUERIES[:1]}, "queries.jsonl:4 has the _id 'q1' of line 1"),
    "a text that is a list": ({"corpus__jsonl": '{"_id": "d1", "text": ["发票"]}'}, 'corpus.jsonl:1 has no text as its "text"'),
    "a title that is a number": ({"corpus__jsonl": '{"_id": "d1", "title": 1, "text": ""}'}, 'corpus.jsonl:1 has no text as its "title"'),
    "a query without text": ({"queries__jsonl": '{"_id": "q1"}'}, 'queries.jsonl:1 has no text as its "text"'),
    "a kind that is a number": ({"queries_unanswerable__jsonl": '{"_id": "u", "text": "天", "kind": 1}'}, 'unanswerable.jsonl:1 has no text as its "kind"'),
    "a kind that is none": ({"queries_unanswerable__jsonl": '{"_id": "u", "text": "天", "kind": "answerable"}'}, "unanswerable.jsonl:1 is of the kind"),
    "another encoding": ({"corpus__jsonl": f"{ONE}\n".encode() + '{"_id": "d2", "text": "发票"}'.encode("gb18030")}, "corpus.jsonl:2 is not UTF-8"),
    "no document": ({"corpus__jsonl": "\n\n"}, "corpus.jsonl:1 holds no document"),
    "an unknown document": ({"qrels__tsv": f"{QRELS}q2\td9\t1\n"}, "qrels.tsv:6 judges the document 'd9'"),
    "spaces for tabs": ({"qrels__tsv": QRELS.replace("\t", " ")}, "qrels.tsv:1 is no judgement"),
    "four columns": ({"qrels__tsv": "q1\t0\td1\t1\n"}, "qrels.tsv:1 is no judgement"),
    "a grade that is a word": ({"qrels__tsv": f"{QRELS}q2\td2\tgood\n"}, "qrels.tsv:6 is no judgement"),
    "a grade without end": ({"qrels__tsv": f"{QRELS}q2\td2\t{'9' * 5000}\n"}, "qrels.tsv:6 is no judgement"),
    "a grade of other digits": ({"qrels__tsv": f"{QRELS}q2\td2\t²\n"}, "qrels.tsv:6 is no judgement"),
    "judgements in another encoding": ({"qrels__tsv": QRELS.encode("utf-16")}, "qrels.tsv:1 is not UTF-8"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_set_that_cannot_be_read_names_its_file_and_line(dataset, tmp_path, case):
    files, message = MALFORMED[case]
    with pytest.raises(IndexerError, match=re.escape(message)) as raised:
        evaluate(dataset(**files), tmp_path, search)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 500


def figures_of(folder, tmp_path, **more):
    figures = evaluate(folder, tmp_path, search, **more)
    return {name: value for name, value in figures.items() if name not in {"build_s", "latency_us"}}


def test_a_set_saved_on_windows_reads_the_same(dataset, tmp_path):
    expected = figures_of(dataset(), tmp_path)
    saved = {name: "".join(f"{json.dumps(line)}\n" for line in lines) for name, lines in (("corpus__jsonl", CORPUS), ("queries__jsonl", QUERIES))}
    windows = {name: f"\ufeff{text}\n".replace("\n", "\r\n") for name, text in {**saved, "qrels__tsv": QRELS}.items()}
    assert figures_of(dataset(**windows), tmp_path) == expected
    assert figures_of(dataset(qrels__tsv=f"\ufeff{QRELS.partition(chr(10))[2]}"), tmp_path) == expected, "without a header"


def test_ids_may_be_numbers(dataset, tmp_path):
    files = {
        "corpus__jsonl": [{**line, "_id": number} for number, line in enumerate(CORPUS, 1)],
        "queries__jsonl": [{"_id": 7, "text": "查验失败"}],
        "qrels__tsv": "7\t1\t1\n",
    }
    assert figures_of(dataset(**files), tmp_path)["r@1"] == 1.0


def test_a_judged_query_that_the_set_lacks_does_not_count_and_is_told(dataset, tmp_path):
    told = []
    figures = figures_of(dataset(qrels__tsv=f"{QRELS}q8\td1\t1\nq9\td1\t1\n"), tmp_path, progress=told.append)
    assert figures == figures_of(dataset(qrels__tsv=QRELS), tmp_path)
    assert told[0].startswith("qrels.tsv judges 2 queries that queries.jsonl does not hold")


def test_a_set_without_queries_has_zeros(dataset, tmp_path):
    figures = figures_of(dataset(queries__jsonl="", qrels__tsv=""), tmp_path)
    assert (figures["docs"], figures["queries"], figures["mrr@10"], figures["auroc"]) == (3, 0, 0.0, {})


def test_half_a_character_and_a_null_are_no_reason_to_stop(dataset, tmp_path):
    corpus = [{"_id": "d\ud800", "title": None, "text": "查验\ud83d失败"}, {"_id": "\0", "text": None}]
    figures = figures_of(dataset(corpus__jsonl=corpus, queries__jsonl=[{"_id": "q1", "text": "查验\udfff失败"}], qrels__tsv="q1\td?\t1\n"), tmp_path)
    assert (figures["docs"], figures["r@1"]) == (2, 1.0)


def test_bad_editors_files_are_named_and_not_a_traceback(dataset, tmp_path):
    (tmp_path / "_words.txt").write_text("OFD")
    with pytest.raises(IndexerError, match=r"_words\.txt:1"):
        evaluate(dataset(), tmp_path, search)


@pytest.mark.parametrize(
    ("positive", "negative", "value"),
    [([1], [0], 1.0), ([0], [1], 0.0), ([1, 1], [1], 0.5), ([3, 1], [2], 0.5), ([2, 3], [1, 2], 0.875)],
)
def test_auroc_is_the_chance_that_an_answerable_question_scores_higher(positive, negative, value):
    assert auroc(positive, negative) == pytest.approx(value)
