import json
import math

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
                (folder / name).write_text(text if isinstance(text, str) else "".join(f"{json.dumps(line)}\n" for line in text))
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


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"corpus__jsonl": None}, "corpus.jsonl is missing"),
        ({"queries__jsonl": None}, "queries.jsonl is missing"),
        ({"qrels__tsv": None}, "qrels.tsv is missing"),
        ({"corpus__jsonl": '{"_id": "d1"}\n{'}, "corpus.jsonl:2 is not JSON"),
        ({"queries__jsonl": "nonsense"}, "queries.jsonl:1 is not JSON"),
    ],
)
def test_a_set_that_cannot_be_read_names_its_file_and_line(dataset, tmp_path, files, message):
    with pytest.raises(IndexerError, match=message):
        evaluate(dataset(**files), tmp_path, search)


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
