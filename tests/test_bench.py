"""The benches run, on a set of a few documents, so that they cannot rot; peers that are not installed are skipped and counted."""

import json
import re
import tomllib
from collections import Counter
from contextlib import closing
from http.client import HTTPConnection
from importlib import import_module
from itertools import islice
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench import build, demand, desk, folds, http, letters, load, memory, search, weights
from bench.corpus import read_corpus, terms_of
from bench.engines import BASELINE, ENGINES, OURS
from bench.figures import Spread, median_of, percentile, spread_of, table
from bench.server import BenchError, gunicorn, run, settings
from bench.stored import Account
from indexer import ranking, vocabulary
from indexer.article import Article, Section
from indexer.build import build as publish_build
from indexer.build import open_published
from indexer.errors import ArticlesRejectedError
from kb.search.answer import answer
from kb.search.answerability import MODEL, Model, Verdict
from tests.conftest import NOW, article, write_articles

ROOT = Path(__file__).parents[1]
NUMBERS = "一二三四五六七八九十"
CORPUS = [{"_id": f"d{at}", "title": f"第{number}种报销", "text": f"先填{number}号报销单。再交给{number}组审批！"} for at, number in enumerate(NUMBERS)]
CORPUS += [{"_id": "invoice", "title": "发票查验", "text": "在网站上查验发票。\n查验失败时，隔天重试；仍失败就换票。"}]
QUERIES = [
    {"_id": "q1", "text": "发票查验失败怎么办"},
    {"_id": "q2", "text": "第七种报销交给哪一组审批"},
    {"_id": "q3", "text": "没有人判断过"},
]


OFFICE = {
    "office/printer.md": article("关机再开机。\n", "打印机卡纸怎么处理", questions=["打印机卡纸"]),
    "office/door.md": article("找前台补办。\n", "门禁卡丢了", questions=["补办门禁卡"]),
}


def write_dataset(folder):
    folder.mkdir()
    for name, lines in (("corpus", CORPUS), ("queries", QUERIES)):
        (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq1\tinvoice\t1\nq2\td6\t1\nq2\td1\t0\n")
    return folder


@pytest.fixture
def dataset(tmp_path):
    return write_dataset(tmp_path / "tiny")


@pytest.fixture
def articles(write):
    return write(OFFICE)


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


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Every engine that is installed, by name, measured beside the others: those of ours read the index that the first of them writes."""
    folder = tmp_path_factory.mktemp("engines")
    (folder / "work").mkdir(mode=0o700)
    corpus = read_corpus(write_dataset(folder / "tiny"), folder)
    installed = tuple(name for name, engine in ENGINES.items() if engine.installed)
    return {one.engine: one for one in search.measure(corpus, folder / "work", rounds=2, engines=installed)}


@pytest.mark.parametrize("engine", ENGINES)
def test_each_engine_builds_ranks_and_finds_what_is_asked_for(engine, measured):
    if not ENGINES[engine].installed:
        pytest.skip(f"{ENGINES[engine].package} is not installed (make bench-setup)")
    found = measured[engine]
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


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Settings of a server over two articles; its database and index are made."""
    folder = tmp_path_factory.mktemp("http")
    (folder / "data").mkdir(mode=0o700)
    return http.prepare(folder / "data", write_articles(folder / "articles", OFFICE))


def test_the_http_bench_asks_the_product_and_a_no_op_of_the_same_server(prepared, tmp_path):
    golden = tmp_path / "golden.toml"
    golden.write_text('answered = ["门禁卡在哪补办"]\nunanswered = ["食堂几点开门"]\n', encoding="utf-8")
    asked = http.questions(Path(prepared["KB_DATA"]) / "index", golden)
    assert sorted(asked) == sorted(["打印机卡纸", "补办门禁卡", "门禁卡在哪补办", "食堂几点开门"])
    found = http.measure(prepared, asked, 1)
    assert 0 < found["no-op"].p50 < found["search"].p95


def test_the_no_op_route_is_not_in_the_product(prepared):
    with (
        gunicorn("kb.gunicorn:application()", prepared) as port,
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
    assert report.count("\n") == 11
    assert min(parts.jieba, parts.whoosh, parts.full, parts.rebuild, base.full, base.rebuild, base.cold_start, base.served) > 0


def test_each_similar_question_is_asked_once_and_of_articles_that_do_not_hold_it(write, article):
    questions = [f"第{number}问" for number in NUMBERS]
    found = folds.read_articles(write({"m/many.md": article("正文。", questions=questions), "m/one.md": article("正文。", questions=["仅此一问"])}))
    asked = []
    for kept, left_out in folds.without_one_wording(found):
        held = {(text, one.id) for one in kept for text in one.questions}
        assert held.isdisjoint(left_out)
        assert len(held) + len(left_out) == 11
        asked += left_out
    assert sorted(asked) == sorted([*((text, "m/many") for text in questions), ("仅此一问", "m/one")])


def test_articles_with_errors_are_not_measured(write):
    with pytest.raises(ArticlesRejectedError):
        folds.read_articles(write({"m/a.md": "没有抬头"}))


@pytest.fixture
def verdict():
    pytest.importorskip("sklearn", reason="scikit-learn is not installed (make bench-setup)")
    return import_module("bench.verdict")


def test_the_model_of_the_verdict_is_fitted_reported_and_only_written_on_demand(verdict, dataset, articles, tmp_path, monkeypatch):
    others = [("near", "removed_doc", "第七种报销要多久"), ("far", "other_domain", "红烧肉放多少糖")]
    lines = (json.dumps({"_id": id_, "kind": kind, "text": text}) + "\n" for id_, kind, text in others)
    (dataset / "queries_unanswerable.jsonl").write_text("".join(lines))
    golden, target = tmp_path / "golden", tmp_path / "verdict.toml"
    golden.mkdir()
    for name in ("questions", "second"):
        (golden / f"{name}.toml").write_text(
            'answered = ["门禁卡在哪补办", ["打印机卡纸了", "office/printer"]]\nunanswered = ["食堂几点开门"]\n', encoding="utf-8"
        )
    monkeypatch.setattr(verdict, "TARGET", target)
    arguments = [str(dataset), "--articles", str(articles), "--golden", str(golden)]

    done = CliRunner().invoke(verdict.main, arguments, catch_exceptions=False)
    counted = re.findall(r"^(tiny|articles|golden questions|golden second) +(\w+) +(\d+)", done.output.partition("fitted now")[2], re.MULTILINE)
    assert counted == [
        ("tiny", "answerable", "2"),
        ("tiny", "removed_doc", "1"),
        ("tiny", "other_domain", "1"),
        ("articles", "answerable", "2"),
        ("articles", "removed_doc", "2"),
        ("articles", "other_domain", "1"),
        ("golden questions", "answerable", "2"),
        ("golden questions", "removed_doc", "1"),
        ("golden second", "answerable", "2"),
        ("golden second", "removed_doc", "1"),
    ]
    assert not target.exists()

    CliRunner().invoke(verdict.main, [*arguments, "--write"], catch_exceptions=False)
    model = Model.load(target)
    assert (model.answered, model.coverage) == (MODEL.answered, MODEL.coverage)
    assert (set(model.subject), set(model.specific)) == (set(MODEL.subject), set(MODEL.specific))
    assert model.subject["share"] > 0
    assert "python -m bench.verdict tiny --write" in target.read_text(encoding="utf-8")


def test_what_is_not_fitted_on_changes_no_coefficient(verdict):
    def row(kind, share, set_="tiny", *, fitted=True):
        return verdict.Row(set_, kind, verdict.Evidence((), share, share), fitted)

    rows = [row("answerable", 0.9), row("answerable", 0.8), row("removed_doc", 0.5), row("other_domain", 0.1)]
    golden = [row("other_domain", 0.9, "golden questions"), row("other_domain", 0.8, "golden questions")]
    assert verdict.fit([*rows, *golden]).subject == verdict.fit(rows).subject
    assert verdict.fit([*rows, row("removed_doc", 0.9, "golden questions")]).specific != verdict.fit(rows).specific


def test_the_present_weights_are_those_of_the_ranking():
    present = weights.present()
    assert weights.fields_of(present) == list(ranking.FIELDS)
    assert (len(present), present["title_words.k1"], present["SYNONYM"]) == (3 * len(ranking.FIELDS) + 3, 2.5, ranking.SYNONYM)


def test_weights_stay_in_their_bounds_when_they_are_changed():
    assert weights.neighbours("body_words.weight", 0.5) == [0.35, 0.7]
    assert weights.neighbours("body_words.b", 0.95) == [0.85, 1.0]
    assert weights.neighbours("body_words.b", 1.0) == [0.9]
    assert weights.neighbours("FREQUENT", 0.9) == [0.63, 1.0]


@pytest.fixture
def trial(tmp_path):
    """Two articles that each hold one word of the question: one by its title, the other again and again by its text."""
    named = Article("named", "发票", (Section("", "", 1, "", "别的事。"),))
    told = Article("told", "其他", (Section("", "", 1, "", "发票发票发票发票。"),))
    asked = [("发票", {"named"}), ("没有这个词", {"named"})]
    return weights.Trial(tmp_path / "index", "1", [told, named], vocabulary.load(tmp_path), asked)


def test_other_weights_rank_the_same_build_in_another_way_and_leave_no_trace(trial):
    present = weights.present()
    light = present | {"title_words.weight": 0.001, "title_pairs.weight": 0.001, "body_words.b": 0.0, "body_pairs.b": 0.0}
    assert trial.ranks(present) == [1, 0]
    assert trial.ranks(light) == [2, 0]
    assert trial.ranks(present) == [1, 0]
    assert weights.present() == present


@pytest.mark.parametrize(
    ("constant", "text", "question"),
    [("QUESTION_WORD", "不知怎么了。", "怎么"), ("SYNONYM", "发票在此。", "收据"), ("FREQUENT", "一张票在此。", "票号")],
)
def test_what_is_found_by_one_weight_alone_is_not_found_without_it(constant, text, question, tmp_path):
    words = vocabulary.Vocabulary(synonyms={"收据": ("发票",)}, question=frozenset({"怎么"}))
    articles = [Article("a", "甲", (Section("", "", 1, "", text),)), Article("b", "乙", (Section("", "", 1, "", "别的。"),))]
    trial = weights.Trial(tmp_path / "index", "1", articles, words, [(question, {"a"})])
    before = weights.present()
    assert trial.ranks(before | {constant: 1.0}) == [1]
    assert trial.ranks(before | {constant: 0.0}) == [0]
    assert weights.present() == before


def figures_of(first, second, top=0.9):
    return weights.Figures({"a": first, "b": second}, top)


def test_a_gain_on_one_set_that_costs_another_is_no_gain():
    gains = {"x": (0.02, 0.0, 0.0), "y": (0.05, -0.01, 0.0), "z": (0.05, 0.0, -0.01), "tiny": (0.0006, 0.0, 0.0), "w": (0.0, 0.01, 0.0)}

    def measured(tried):
        on = [gains[name] for name, value in tried.items() if value]
        return figures_of(*(0.9 + sum(gain[at] for gain in on) for at in range(3)))

    start = dict.fromkeys(gains, 0.0)
    changes = [weights.Change(name, 1.0, measured(start | {name: 1.0})) for name in gains]
    after = weights.better(measured, start, measured(start), changes)
    assert {name for name, value in after.items() if value} == {"x", "w"}


def test_the_bench_of_the_weights_shows_each_change_for_each_set(dataset, articles):
    done = CliRunner().invoke(weights.main, [str(dataset), "--articles", str(articles)], catch_exceptions=False)
    rows = [line for line in done.output.splitlines() if "→" in line and line.startswith("|")]
    present = weights.present()
    assert len(rows) == sum(len(weights.neighbours(name, value)) for name, value in present.items())
    assert re.search(r"\| weights +\| +mean \| tiny MRR \| articles MRR \| articles top 3 \|", done.output)
    assert re.search(r"\| as it is +\| +1\.0000 \| +1\.0000 \| +1\.0000 \| +1\.0000 \|", done.output)
    assert "no change raises the mean" in done.output


def test_people_come_at_the_same_moments_each_time_as_many_a_second_as_wanted():
    moments = demand.arrivals(20, 60)
    assert moments == demand.arrivals(20, 60)
    assert moments == sorted(moments)
    assert len(moments) == pytest.approx(1200, rel=0.1)
    assert 0 < moments[0] < moments[-1] < 60


def test_the_first_question_is_searched_for_most_and_the_rest_ever_less():
    asked = list(islice(demand.searches([str(number) for number in range(100)]), 5000))
    counts = [count for _, count in Counter(asked).most_common()]
    assert counts[0] == pytest.approx(5000 / sum(1 / rank for rank in range(1, 101)), rel=0.1)
    assert counts[0] > 1.5 * counts[1] > 2 * counts[3] > 0


def test_half_of_the_finished_questions_are_earlier_ones_in_other_words():
    known = [(f"{number}", f"{number} in other words") for number in range(50)]
    said = list(islice(demand.finished(known), 100))
    assert said[::2] == [first for first, _ in known]
    assert all(int(again.split()[0]) <= at for at, again in enumerate(said[1::2]))


def test_wishes_are_left_unanswered_in_both_wordings(articles, tmp_path):
    index = tmp_path / "index"
    publish_build(articles, index, NOW)
    found = demand.wishes(index, 5)
    assert len(set(found)) == 5
    with open_published(index) as published:
        assert {answer(published, text).verdict for both in found for text in both} == {Verdict.UNANSWERED}


def test_the_load_is_told_with_its_tail_its_errors_and_what_was_lost(capsys, tmp_path):
    sent = [load.Outcome(load.SEARCH, float(ms), 1.0, 200, b"{}") for ms in range(1, 101)]
    sent += [load.Outcome(load.INTENT, 10.0, 2.0, 201, b"{}\n{}"), load.Outcome(load.INTENT, 5000.0, 3.0, 503, b"{}\n{locked}")]
    load.report(sent, Account(1, 0, 0, 0, 0, lost=["a question"]), "", tmp_path / "figures.json")
    told = capsys.readouterr().out
    assert re.search(r"search +\| +100 \| +50 \| +95 \| +99 \| +100 \| +0", told)
    assert re.search(r"intent +\| +2 \| +10 \| +5,000 \| +5,000 \| +5,000 \| +1", told)
    assert "lost 1, double 0, unsound 0, “locked” shown or logged 1\n  a question\n" in told
    assert json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))["account"]["lost"] == ["a question"]


def test_the_desk_is_timed_over_tickets_of_every_kind(articles, tmp_path, monkeypatch):
    monkeypatch.setattr(desk, "ARTICLES", articles)
    to = tmp_path / "figures.json"
    done = CliRunner().invoke(desk.main, ["--tickets", "120", "--rounds", "1", "--json", str(to)], catch_exceptions=False)
    figures = json.loads(to.read_text(encoding="utf-8"))
    pages = figures["pages"]
    assert set(pages) == set(desk.paths())
    assert [name.split(" ")[0] for name in figures["clocks"]] == ["clocks", "look", "look"]
    assert re.search(r"look at \d+ clocks, \d+ alarms and", done.output)
    assert all(page["processor_ms"] > 0 and 0 < page["p50_ms"] <= page["p95_ms"] for page in pages.values())
    assert min(pages[f"view {view}"]["bytes"] for view in ("mine", "asked", "suggested", "silent", "done")) > pages["five filters that leave nothing"]["bytes"]
    assert re.search(r"\| view open +\|", done.output)


def test_everybody_who_waits_is_told_by_a_server_that_takes_everything(articles):
    answer = next(path for path in sorted(articles.rglob("*.md")) if not path.name.startswith("_"))
    figures = letters.measure(articles, answer.relative_to(articles).with_suffix("").as_posix(), 60)
    assert 0 < figures["other_after_seconds"] < figures["seconds"]
    assert figures["processor_seconds"] > 0


def test_the_widget_is_weighed_before_its_use_and_timed_from_letter_to_frame(articles, tmp_path):
    pytest.importorskip("playwright", reason="playwright is not installed (make setup)")
    widget = import_module("bench.widget")
    if widget.chromium_path() is None:
        pytest.skip("no Chromium or Chrome on this machine")
    heavy = widget.Contestant("heavy", {}, "const end = performance.now() + 30; while (performance.now() < end);")
    cost, typed, _ = widget.measure(
        tmp_path, articles, 1, 1, lambda *_: {heavy: ("fetch('/more'); document.body.append(document.createElement('p'));", "p {}")}
    )
    ours, theirs = cost[widget.OURS], cost["heavy"]
    assert (ours.requests, ours.nodes, ours.style) == (0, 1, 0)
    assert 0 < ours.script <= 12 * 1024
    assert (theirs.requests, theirs.nodes) == (1, 1)
    assert theirs.ran.median >= 30 > ours.worked.median > 0
    assert all(min(ms) > 0 and each >= 1 for ms, each in typed.values())
    assert len(typed) == 3


def test_figures_are_medians_of_rounds_and_the_tail_is_the_nearest_rank():
    assert spread_of([3, 1, 2]) == Spread(2, 3)
    assert spread_of(range(1, 101)) == Spread(50.5, 95)
    assert [percentile(range(1, 101), share) for share in (0.01, 0.99, 1.0)] == [1, 99, 100]
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


@pytest.fixture
def clusters():
    pytest.importorskip("sklearn", reason="scikit-learn is not installed (make bench-setup)")
    return import_module("bench.clusters")


def test_the_model_of_joining_is_fitted_reported_and_only_written_on_demand(clusters, articles, tmp_path, monkeypatch):
    things = ["打印机", "门禁卡", "投影仪", "停车位", "考勤表", "工作服"]
    same = [[f"{thing}怎么申请", f"如何申请{thing}"] for thing in things]
    hard = [[f"{thing}怎么归还", f"{thing}多久检修"] for thing in things]
    target = tmp_path / "likeness.toml"
    for name in clusters.SETS:
        sets = (f"{label} = {json.dumps(pairs, ensure_ascii=False)}" for label, pairs in (("same", same), ("hard", hard), ("different", [])))
        (tmp_path / f"{name}.toml").write_text("\n".join(sets), encoding="utf-8")
    monkeypatch.setattr(clusters, "TARGET", target)
    arguments = ["--articles", str(articles), "--golden", str(tmp_path), "--phrasings", "40"]

    done = CliRunner().invoke(clusters.main, arguments, catch_exceptions=False)
    assert "the model fitted now" in done.output
    assert re.search(r"joining among 40 wordings: p50 \d+\.\d ms, p95 \d+\.\d ms", done.output)
    assert not target.exists()

    CliRunner().invoke(clusters.main, [*arguments, "--write"], catch_exceptions=False)
    model, used = clusters.Model.load(target), clusters.MODEL
    assert (model.joined, model.shown, set(model.coefficients)) == (used.joined, used.shown, set(used.coefficients))
    assert model.coefficients["nothing_left"] > 0
    assert "python -m bench.clusters --write" in target.read_text(encoding="utf-8")
