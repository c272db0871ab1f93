"""The command line: its contract for scripts, and one line with a remedy for people."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import pytest
import structlog
from sqlalchemy import select

from indexer import segment
from kb import cli
from kb.accounts.models import AuditEntry
from kb.db import Database
from tests.kb.conftest import ROOT

COMMANDS = [
    "",
    "serve",
    "worker",
    "index",
    "index build",
    "index status",
    "index rollback",
    "lint",
    "search",
    "eval",
    "tickets",
    "tickets list",
    "person",
    "person export",
    "person delete",
    "db",
    "db upgrade",
    "site",
    "site add",
    "site set",
    "site list",
    "site remove",
    "site restore",
    "site key add",
    "site key retire",
    "site server-key add",
    "site server-key revoke",
    "site webhook add",
    "site webhook remove",
    "user",
    "user add",
    "user link",
    "user list",
    "user disable",
    "user enable",
]


@pytest.fixture
def folder(write, article):
    return write(
        {
            "office/printer.md": article("关机再开机。\n", "打印机卡纸怎么处理", questions=["打印机卡纸"], owner="it", review_by="2099-01-01"),
            "_stopwords.txt": (ROOT / "articles" / "_stopwords.txt").read_bytes(),
        }
    )


@pytest.fixture
def kb(tmp_path, folder, monkeypatch, capsys):
    """Run the program in this process with a data folder of its own; return exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("KB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("KB_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("KB_ARTICLES", str(folder))
    monkeypatch.setattr(segment, "use_cache", lambda _: None)  # this process has jieba's dictionary already

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["kb", *arguments])
        code = 0
        try:
            cli.main()
        except SystemExit as exit_:
            code = exit_.code
        said = capsys.readouterr()
        return code, said.out, said.err

    yield run
    structlog.reset_defaults()


@pytest.fixture
def built(kb):
    assert kb("index", "build")[0] == 0
    assert kb("db", "upgrade")[0] == 0
    return kb


UNNEEDED = {"alembic", "flask", "gunicorn", "markdown", "pkg_resources", "pypinyin", "sqlalchemy", "structlog", "whoosh"}
"""What a search that understands its question at once does without: half a second of a new process."""


def test_a_search_loads_neither_the_database_nor_the_web_nor_what_writes_an_index(tmp_path, folder):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KB_")}
    environment |= {"KB_DATA": str(tmp_path / "real"), "KB_ARTICLES": str(folder)}

    def loaded(*arguments: str) -> set[str]:
        program = f"import sys; from kb import cli; sys.argv = ['kb', *{arguments}]; cli.main(); print('\\n', *sys.modules)"
        done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True, timeout=60)
        return set(done.stdout.splitlines()[-1].split())

    assert "whoosh" in loaded("index", "build")
    searching = loaded("search", "打印机卡纸", "--json")
    assert "indexer.published" in searching
    assert searching & UNNEEDED == set()


def _json(result):
    code, out, _ = result
    return code, json.loads(out)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_contract_explains_itself(kb, command):
    code, out, err = kb(*command.split(), "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"Usage: kb {command}".rstrip())
    assert len(out.splitlines()) > 4


def test_index_build_status_and_rollback_speak_json(built, write, article):
    code, status = _json(built("index", "status", "--json"))
    assert code == 0
    assert status["scorer"] in {"compiled (C)", "compiled (numpy)"}
    assert {key: status[key] for key in ("whole", "problem", "articles", "sections")} == {
        "whole": True,
        "problem": "",
        "articles": 1,
        "sections": 1,
    }
    write({"office/canteen.md": article("食堂十一点半开门。\n", "食堂几点开门")})
    code, outcome = _json(built("index", "build", "--json"))
    assert (code, outcome["ok"], outcome["articles"]) == (0, True, 2)
    assert _json(built("index", "rollback", "--json")) == (0, {"build": status["build"]})
    assert _json(built("index", "status", "--json"))[1]["build"] == status["build"]


def test_index_status_says_what_ranks_and_why_it_is_not_the_compiled_scorer(built, tmp_path, monkeypatch):
    assert "ranked by compiled" in built("index", "status")[1]
    damaged = next((tmp_path / "data" / "index" / "builds").glob("*/impacts/starts.npy"))
    damaged.write_bytes(damaged.read_bytes()[:-8])
    code, out, _ = built("index", "status")
    assert code == 0
    assert "ranked by whoosh" in out
    assert "impacts/starts.npy is not what was written; run `kb index build`" in out
    assert built("index", "build")[0] == 0
    assert "ranked by compiled" in built("index", "status")[1]
    monkeypatch.setenv("KB_SCORER", "whoosh")
    status = _json(built("index", "status", "--json"))[1]
    assert (status["scorer"], status["scorer_note"]) == ("whoosh", "")


def test_index_build_takes_another_folder(built, tmp_path, article):
    (tmp_path / "other" / "office").mkdir(parents=True)
    (tmp_path / "other" / "_modules.toml").write_text('[office]\nname = "行政"\n', encoding="utf-8")
    for name in ("a", "b", "c"):
        (tmp_path / "other" / "office" / f"{name}.md").write_text(article("正文。\n", f"标题{name}"), encoding="utf-8")
    assert _json(built("index", "build", "--articles", "other", "--json"))[1]["articles"] == 3


def test_a_broken_article_is_named_and_the_live_index_stays(built, write):
    before = _json(built("index", "status", "--json"))[1]["build"]
    write({"office/broken.md": "---\ntitle: 坏了\nkinds: faq\n---\n正文"})
    code, out, err = built("index", "build", "--json")
    assert code == 1
    assert "office/broken.md:3: error unknown-key: the front matter key kinds is unknown; did you mean kind?" in err
    assert [problem.split(" ")[0] for problem in json.loads(out)["problems"]] == ["office/broken.md:3:"]
    code, status = _json(built("index", "status", "--json"))
    assert (code, status["build"], status["last"]["ok"]) == (0, before, False)
    assert "FAILED" in built("index", "status")[1]


def test_lint_tells_errors_by_its_exit_code(kb, write, folder):
    code, report = _json(kb("lint", "--json"))
    assert (code, report["errors"], report["articles"]) == (0, 0, 1)
    write({"office/broken.md": "---\ntitle: 坏了\nkinds: faq\n---\n正文"})
    code, report = _json(kb("lint", str(folder), "--json"))
    assert (code, report["errors"]) == (1, 1)
    assert {"path", "line", "rule", "message", "error"} == set(report["problems"][0])
    code, out, err = kb("lint")
    assert (code, "office/broken.md:3: error" in out, "2 articles, 1 errors" in err) == (1, True, True)


def test_search_prints_what_the_api_answers(built, app_of, services_with, tmp_path):
    client = app_of(services_with(tmp_path / "data" / "index", base_url="http://127.0.0.1:8000")).test_client()
    for query, limit in (("打印机卡纸", "10"), ("食堂几点开门", "1"), ("怎么办", "10"), ("--", "10")):
        code, body = _json(built("search", "--limit", limit, "--json", "--", query))
        assert code == 0
        answer = client.get("/api/v1/search", query_string={"q": query, "limit": limit}).json
        del answer["words"]  # what a page says to people
        assert body == answer
    assert "打印机卡纸怎么处理 › 开头" in built("search", "打印机卡纸")[1]


def test_search_explains_how_it_read_the_question_what_it_looked_for_and_why_it_decided_so(built):
    body = _json(built("search", "打印机卡纸了报错", "--explain", "--json"))[1]
    reasons = body["explain"]
    assert reasons["question"]["read_as"] == "打印机卡纸了报错"
    assert {"打印机", "卡纸"} <= {word["word"] for word in reasons["question"]["words"]}
    assert {"stream": "words", "term": "打印机", "weight": 1.0, "sections": 1, "searched": True} in reasons["terms"]
    assert reasons["verdict"]["verdict"] == body["verdict"]
    assert set(reasons["verdict"]["factors"]) == {"share", "lead", "coverage", "subject", "specific"}
    assert [hit["article"] for hit in reasons["hits"]] == [hit["article"] for hit in body["hits"]]
    assert "explain" not in _json(built("search", "打印机卡纸咋办", "--json"))[1]
    said = built("search", "打印机卡纸咋办", "--explain")[1]
    assert "打印机卡纸怎么处理" in said
    assert all(name in said for name in ("read as", "verdict", "factors", "terms", "scorer", "打印机"))


def test_tickets_list_is_the_contract(built, services_with, app_of, tmp_path, monkeypatch):
    assert _json(built("tickets", "list", "--json")) == (0, {"tickets": []})
    made = services_with(tmp_path / "data" / "index")
    client = app_of(made).test_client()
    client.ask("食堂几点开门", visitor="a")
    client.ask("班车时刻表", visitor="a")
    client.ask("班车时刻表", visitor="b")
    monkeypatch.setenv("KB_DATABASE_URL", made.config.database_url)
    code, body = _json(built("tickets", "list", "--json"))
    assert code == 0
    assert [{key: row[key] for key in ("number", "state", "question", "followers")} for row in body["tickets"]] == [
        {"number": 1002, "state": "new", "question": "班车时刻表", "followers": 2},
        {"number": 1001, "state": "new", "question": "食堂几点开门", "followers": 1},
    ]
    assert body["tickets"][0]["opened_at"] == "2026-11-20T09:30:00+00:00"
    assert built("tickets", "list")[1].splitlines()[0].split() == ["T-1002", "new", "2", "班车时刻表"]


def test_user_add_and_link_print_a_link(built):
    code, body = _json(built("user", "add", "客服小林", "--role", "agent", "--json"))
    assert (code, body["name"], body["expires_in_s"]) == (0, "客服小林", 1800)
    assert body["url"].startswith("http://127.0.0.1:8000/sign-in/")
    code, again = _json(built("user", "link", "客服小林", "--json"))
    assert code == 0
    assert again["url"] != body["url"]
    assert built("user", "link", "客服小林")[1].strip().startswith("http://127.0.0.1:8000/sign-in/")


def test_accounts_are_listed_closed_and_opened_again(built):
    built("user", "add", "管理员老周", "--role", "administrator", "--mail", "zhou@example.com")
    built("user", "add", "客服小林", "--role", "agent")
    assert _json(built("user", "disable", "客服小林", "--json")) == (0, {"name": "客服小林", "disabled": True})
    code, out, _ = built("user", "link", "客服小林")
    assert (code, out) == (1, "")
    _, body = _json(built("user", "list", "--json"))
    row = {"level": "", "seen_at": None}
    assert body["users"] == [
        {"name": "管理员老周", "role": "administrator", "mail": "zhou@example.com", "disabled": False, **row},
        {"name": "客服小林", "role": "agent", "mail": "", "disabled": True, **row},
    ]
    assert "客服小林  agent  -  disabled" in built("user", "list")[1]
    assert _json(built("user", "enable", "客服小林", "--json")) == (0, {"name": "客服小林", "disabled": False})
    assert built("user", "link", "客服小林")[0] == 0


def test_what_is_done_on_the_command_line_is_noted(built, tmp_path):
    built("user", "add", "客服小林", "--role", "agent")
    built("user", "disable", "客服小林")
    built("person", "export", "客服小林")
    built("person", "delete", "客服小林", "--yes")
    database = Database(f"sqlite:///{tmp_path / 'data' / 'kb.sqlite3'}")
    with database.read() as session:
        noted = [(one.actor, one.deed, one.object) for one in session.scalars(select(AuditEntry).order_by(AuditEntry.id))]
    database.disconnect()
    assert noted == [
        ("命令行", "added", "客服小林"),
        ("命令行", "disabled", "客服小林"),
        ("命令行", "person_exported", "u:1"),
        ("命令行", "person_deleted", "u:1"),
    ]


def test_db_upgrade_is_done_once_and_says_so(kb):
    assert _json(kb("db", "upgrade", "--json")) == (0, {"ok": True, "backup": None})
    assert kb("db", "upgrade") == (0, "", "the database is up to date\n")


def test_eval_prints_every_field_of_the_contract(kb, tmp_path):
    folder = tmp_path / "set"
    (folder / "qrels").mkdir(parents=True)
    docs = [{"_id": "d1", "title": "打印机卡纸怎么处理", "text": "关机再开机。"}, {"_id": "d2", "title": "食堂几点开门", "text": "十一点半。"}]
    (folder / "corpus.jsonl").write_text("\n".join(json.dumps(doc, ensure_ascii=False) for doc in docs), encoding="utf-8")
    (folder / "queries.jsonl").write_text('{"_id": "q1", "text": "打印机卡纸"}\n{"_id": "q2", "text": "没有人评过"}\n', encoding="utf-8")
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\n", encoding="utf-8")
    unanswerable = '{"_id": "u1", "text": "图书馆借书", "kind": "off-topic"}\n{"_id": "u2", "text": "班车"}\n'
    (folder / "queries_unanswerable.jsonl").write_text(unanswerable, encoding="utf-8")
    code, out, err = kb("eval", str(folder), "--json")
    assert code == 0, err
    body = json.loads(out)
    assert set(body) == {"dataset", "docs", "queries", "build_s", "latency_us", "r@1", "hit@10", "mrr@10", "ndcg@10", "verdicts", "auroc"}
    assert (body["docs"], body["queries"], body["r@1"], body["mrr@10"], body["ndcg@10"]) == (2, 1, 1, 1, 1)
    assert set(body["verdicts"]) == {"answerable", "off-topic", "unanswerable"}
    assert set(body["auroc"]) == {"off-topic", "unanswerable"}
    assert {stage: set(figures) for stage, figures in body["latency_us"].items()} == {"answer": {"p50", "p95"}, "rank": {"p50", "p95"}}
    assert "NaN" not in out


USAGE = [
    ("nothing",),
    ("search",),
    ("search", "发票", "--limit", "0"),
    ("search", "发票", "--limit", "x"),
    ("search", "发票", "--module", "nothing"),
    ("user", "add", "小林"),
    ("user", "add", "小林", "--role", "god"),
    ("serve", "--port", "x"),
    ("eval", "/no/such/folder"),
    ("index", "build", "--jsn"),
]


@pytest.mark.parametrize("arguments", USAGE, ids=" ".join)
def test_wrong_usage_is_exit_2_and_says_what_is_right(built, arguments):
    code, out, err = built(*arguments)
    assert (code, out) == (2, "")
    assert "Error:" in err
    assert "Traceback" not in err


FAILURES = {
    "missing index": (("search", "发票", "--json"), {}, "kb index build"),
    "missing database": (("tickets", "list", "--json"), {}, "kb db upgrade"),
    "nothing to roll back to": (("index", "rollback"), {}, "kb index build"),
    "unknown account": (("user", "link", "没有这个人"), {}, "kb user add"),
    "bad mail": (("user", "add", "小林", "--role", "agent", "--mail", "nonsense"), {}, "lin@example.com"),
    "account to disable": (("user", "disable", "没有这个人"), {}, "kb user add"),
    "bad name": (("user", "add", " ", "--role", "agent"), {}, "1 到 40"),
    "unknown setting": (("index", "status"), {"KB_PROT": "8000"}, "did you mean KB_PORT?"),
    "bad port": (("index", "status"), {"KB_PORT": "x"}, "1 to 65535"),
    "bad workers": (("index", "status"), {"KB_WORKERS": "0"}, "1 to 64"),
    "bad scorer": (("index", "status"), {"KB_SCORER": "lucene"}, "use compiled or whoosh"),
    "bad base address": (("index", "status"), {"KB_BASE_URL": "help.example.com"}, "https://help.example.com"),
    "another database": (("index", "status"), {"KB_DATABASE_URL": "postgresql://u:hunter2@h/d"}, "sqlite:////path"),
    "unreadable secret": (("index", "status"), {"KB_SECRET_KEY_FILE": "/no/such/file"}, "readable text file"),
    "bad origin": (("index", "status"), {"KB_WIDGET_ORIGINS": "https://a.example/path"}, "scheme and host"),
    "no articles": (("index", "build"), {"KB_ARTICLES": "/no/such/folder"}, "KB_ARTICLES"),
    "no articles to lint": (("lint",), {"KB_ARTICLES": "/no/such/folder"}, "KB_ARTICLES"),
    "data below a file": (("index", "status"), {"KB_DATA": "/etc/hostname/data"}, "KB_DATA"),
    "database in no folder": (("db", "upgrade"), {"KB_DATABASE_URL": "sqlite:////no/such/folder/kb.sqlite3"}, "KB_DATABASE_URL"),
    "a set without a corpus": (("eval", "."), {}, "corpus.jsonl"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_what_cannot_be_done_is_one_line_with_a_remedy(kb, monkeypatch, case):
    arguments, settings, remedy = FAILURES[case]
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    code, out, err = kb(*arguments)
    assert (code, out) == (1, "")
    assert remedy in err
    assert [line[:4] for line in err.splitlines() if not line.endswith("…")] == ["kb: "], "one line, below what was under way"
    assert "hunter2" not in err


def test_a_damaged_index_is_named_and_refused(built, tmp_path):
    catalogue = next((tmp_path / "data" / "index" / "builds").glob("*/catalogue.json"))
    catalogue.write_text("{}", encoding="utf-8")
    code, out, err = built("search", "打印机")
    assert (code, out) == (1, "")
    assert "kb index build" in err
    code, status = _json(built("index", "status", "--json"))
    assert (code, status["whole"]) == (1, False)
    assert built("index", "build")[0] == 0
    assert built("search", "打印机")[0] == 0


def test_a_port_that_is_taken_is_one_line_before_anything_is_built(kb, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, out, err = kb("serve", "--port", port)
    assert (code, out) == (1, "")
    assert f"cannot listen on 127.0.0.1:{port}" in err
    assert "KB_PORT" in err
    assert not (tmp_path / "data" / "index").exists()


def test_a_database_of_a_newer_version_is_left_alone(built, tmp_path):
    from kb.db import Database  # noqa: PLC0415 - this test alone plays a newer version

    database = Database(f"sqlite:///{tmp_path / 'data' / 'kb.sqlite3'}")
    with database.write() as session:
        session.connection().exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    database.engine.dispose()
    code, _, err = built("db", "upgrade")
    assert code == 1
    assert "newer version (9999)" in err
    assert "kb db upgrade" in built("tickets", "list")[2]


def test_the_installed_program_prints_json_and_nothing_else(tmp_path, folder):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KB_")}
    environment |= {"KB_DATA": str(tmp_path / "real"), "KB_ARTICLES": str(folder)}

    def run(*arguments):
        return subprocess.run([sys.executable, "-m", "kb.cli", *arguments], capture_output=True, text=True, env=environment, check=False, timeout=60)

    assert run("index", "build").returncode == 0
    searched = run("search", "打印机卡纸", "--json")
    assert (searched.returncode, json.loads(searched.stdout)["verdict"]) == (0, "answered")
    assert (tmp_path / "real").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "real" / "secret_key").stat().st_mode & 0o777 == 0o600


def test_a_person_is_handed_over_and_forgotten_from_the_command_line(kb):
    code, out, _ = kb("user", "add", "李雷", "--role", "asker", "--json")
    assert code == 0
    code, out, _ = kb("person", "export", "李雷")
    assert (code, json.loads(out)["tickets"]) == (0, [])
    code, out, _ = kb("person", "delete", "李雷", "--yes", "--json")
    assert (code, json.loads(out)) == (0, {"removed": {"questions": 0, "tickets": 0, "details": 0, "files": 0, "messages": 0, "feedback": 0}})
    code, out, said = kb("person", "export", "谁都不是")
    assert (code, out) == (1, "")
    assert "nothing is kept about" in said
