"""The benches run, on a set of a few documents, so that they cannot rot; peers that are not installed are skipped and counted."""

import json
import re
import tomllib
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench import build, http, memory, search
from bench.corpus import read_corpus, terms_of
from bench.engines import BASELINE, ENGINES, OURS
from bench.figures import Spread, median_of, spread_of, table
from bench.server import BenchError, gunicorn, run, settings

ROOT = Path(__file__).parents[1]
NUMBERS = "一二三四五六七八九十"
CORPUS = [{"_id": f"d{at}", "title": f"第{number}种报销", "text": f"先填{number}号报销单。再交给{number}组审批！"} for at, number in enumerate(NUMBERS)]
CORPUS += [{"_id": "invoice", "title": "发票查验", "text": "在网站上查验发票。\n查验失败时，隔天重试；仍失败就换票。"}]
QUERIES = [
    {"_id": "q1", "text": "发票查验失败怎么办"},
    {"_id": "q2", "text": "第七种报销交给哪一组审批"},
    {"_id": "q3", "text": "没有人判断过"},
]


@pytest.fixture
def dataset(tmp_path):
    folder = tmp_path / "tiny"
    folder.mkdir()
    for name, lines in (("corpus", CORPUS), ("queries", QUERIES)):
        (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq1\tinvoice\t1\nq2\td6\t1\nq2\td1\t0\n")
    return folder


@pytest.fixture
def articles(write, article):
    return write(
        {
            "office/printer.md": article("关机再开机。\n", "打印机卡纸怎么处理", questions=["打印机卡纸"]),
            "office/door.md": article("找前台补办。\n", "门禁卡丢了", questions=["补办门禁卡"]),
        }
    )


@pytest.fixture
def work(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir(mode=0o700)
    return folder


def test_every_document_becomes_its_sentences_with_its_title(dataset, tmp_path):
    corpus = read_corpus(dataset, tmp_path)
    sentences = [document for document in corpus.as_sentences().documents if document.source == "invoice"]
    assert [sentence.text for sentence in sentences] == ["在网站上查验发票", "查验失败时，隔天重试", "仍失败就换票"]
    assert {sentence.title for sentence in sentences} == {"发票查验"}
    assert len({sentence.id for sentence in sentences}) == 3


def test_only_judged_queries_are_asked_and_fewer_on_demand(dataset, tmp_path):
    corpus = read_corpus(dataset, tmp_path)
    assert [(query.text, query.relevant) for query in corpus.queries] == [(QUERIES[0]["text"], {"invoice"}), (QUERIES[1]["text"], {"d6"})]
    assert len(read_corpus(dataset, tmp_path, 1).queries) == 1


def test_engines_get_the_words_and_character_pairs_of_our_segmentation(dataset, tmp_path):
    terms = terms_of(read_corpus(dataset, tmp_path))
    words, pairs = terms.documents[-1]
    assert {"发票", "查验"} <= set(words)
    assert pairs[:3] == ("发票", "票查", "查验")
    assert {"票查", "验失"} <= set(terms.queries[0][1])


@pytest.mark.parametrize("engine", ENGINES)
def test_each_engine_builds_ranks_and_finds_what_is_asked_for(engine, dataset, tmp_path, work):
    if not ENGINES[engine].installed:
        pytest.skip(f"{ENGINES[engine].package} is not installed (make bench-setup)")
    corpus = read_corpus(dataset, tmp_path)
    wanted = (OURS,) if engine == OURS else (OURS, engine)  # the other engines of ours read the index that the first writes
    found = search.measure(corpus, work, rounds=2, engines=wanted)[-1]
    assert (found.engine, found.queries, found.mrr, found.r1) == (engine, 2, 1.0, 1.0)
    assert 0 < found.rank.p50 <= found.rank.p95
    assert (found.answer is not None) == (engine == OURS)


def test_the_search_bench_prints_both_sizes_and_writes_the_same_figures(dataset, tmp_path):
    to = tmp_path / "figures.json"
    done = CliRunner().invoke(search.main, [str(dataset), "--rounds", "1", "--engine", OURS, "--json", str(to)], catch_exceptions=False)
    figures = json.loads(to.read_text(encoding="utf-8"))
    assert [figures[size]["count"] for size in ("documents", "sentences")] == [11, 23]
    assert figures["documents"]["engines"][0]["mrr"] == 1.0
    assert "tiny: 11 documents, 2 queries, medians of 1 rounds" in done.output
    assert re.search(r"\| ours, `answer` +\|", done.output)


def test_an_engine_that_is_not_installed_is_named_and_not_measured(dataset, tmp_path, work, monkeypatch):
    monkeypatch.setitem(ENGINES, "absent", search.ENGINES[BASELINE].__class__("no_such_package_anywhere", ENGINES[BASELINE].make))
    assert search.measure(read_corpus(dataset, tmp_path), work, rounds=1, engines=("absent",)) == []


def test_the_http_bench_asks_the_product_and_a_no_op_of_the_same_server(articles, work):
    environment = http.prepare(work, articles)
    golden = work / "golden.toml"
    golden.write_text('answered = ["门禁卡在哪补办"]\nunanswered = ["食堂几点开门"]\n', encoding="utf-8")
    asked = http.questions(work / "index", golden)
    assert sorted(asked) == sorted(["打印机卡纸", "补办门禁卡", "门禁卡在哪补办", "食堂几点开门"])
    found = http.measure(environment, asked, 1)
    assert 0 < found["no-op"].p50 < found["search"].p95


def test_the_no_op_route_is_not_in_the_product(articles, work):
    environment = http.prepare(work, articles)
    with (
        gunicorn("kb.gunicorn:application()", environment) as port,
        closing(HTTPConnection("127.0.0.1", port)) as connection,
        pytest.raises(BenchError, match="404"),
    ):
        http.get(connection, http.NO_OP)


def test_the_memory_bench_weighs_both_workers_above_a_bare_one(dataset, tmp_path, work):
    environment = settings(work, tmp_path, KB_WORKERS=str(memory.WORKERS))
    run(environment, "db", "upgrade")
    assert memory.index_of(read_corpus(dataset, tmp_path), work / "index", 5) == 5
    product = memory.weigh("bench.memory:app()", environment, ["/api/v1/search?q=1"])
    nothing = memory.weigh("bench.memory:bare()", environment, ["/one"], *memory.BARE)
    assert len(product) == len(nothing) == memory.WORKERS
    assert min(product) > max(nothing) > 1_000


def test_the_memory_bench_repeats_the_articles_where_there_is_no_set(articles, work):
    assert memory.shipped_again(work / "index", articles, work / "shipped", 5) >= 5


def test_the_build_bench_measures_every_part_and_a_change_cuts_one_section_anew(dataset, articles, tmp_path, work):
    parts = build.measure_parts(read_corpus(dataset, tmp_path), work, 1)
    assert parts.segmented == 1
    base = build.measure_base(articles, work, 1)
    report = build.report(parts, base)
    assert report.count("\n") == 10
    assert min(parts.jieba, parts.whoosh, parts.full, parts.rebuild, base.full, base.rebuild, base.cold_start) > 0


def test_figures_are_medians_of_rounds_and_the_tail_is_the_nearest_rank():
    assert spread_of([3, 1, 2]) == Spread(2, 3)
    assert spread_of(range(1, 101)) == Spread(50.5, 95)
    assert median_of([Spread(1, 9), Spread(2, 8), Spread(30, 7)]) == Spread(2, 8)


def test_a_table_is_aligned_where_chinese_is_two_columns_wide():
    assert table(("引擎", "µs"), [("a", "10")]) == "| 引擎 | µs |\n|------|---:|\n| a    | 10 |"


def test_the_lock_of_the_benches_agrees_with_what_runs():
    locked, bench = (
        dict(re.findall(r"^([a-z0-9.-]+)==([^\s;]+)", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE))
        for name in ("requirements.lock", "requirements-bench.lock")
    )
    assert locked.items() <= bench.items()
    group = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]["bench"]
    assert set(group) <= set(bench)
