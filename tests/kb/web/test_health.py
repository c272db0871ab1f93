"""Is it alive, is it ready, and the figures for Prometheus."""

from __future__ import annotations

import shutil

from sqlalchemy import text


def test_a_process_that_answers_is_alive_and_ready(asker):
    assert asker.get("/healthz").json == {"status": "ok"}
    ready = asker.get("/readyz")
    assert (ready.status_code, ready.json) == (200, {"status": "ok", "problems": [], "notes": []})


def test_without_an_index_it_is_not_ready_and_says_which_command_helps(services_with, app_of, tmp_path):
    (tmp_path / "nothing").mkdir()
    ready = app_of(services_with(tmp_path / "nothing")).test_client().get("/readyz")
    assert (ready.status_code, ready.json["status"]) == (503, "unready")
    assert [problem for problem in ready.json["problems"] if "kb index build" in problem]


def test_with_another_schema_it_is_not_ready_and_says_which_command_helps(services, asker):
    with services.db.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    ready = asker.get("/readyz")
    assert ready.status_code == 503
    assert [problem for problem in ready.json["problems"] if "kb db upgrade" in problem]


def test_a_database_that_does_not_answer_is_named_without_its_place(services, app_of):
    services.db.engine.dispose()
    services.db.path().write_bytes(b"this is no database, and long enough to be read as a header of one" * 20)
    ready = app_of(services).test_client().get("/readyz")
    assert ready.status_code == 503
    assert [problem for problem in ready.json["problems"] if "does not answer (DatabaseError)" in problem]
    assert str(services.config.data) not in ready.text


def test_a_scorer_that_is_not_the_compiled_one_is_ready_and_says_why(services_with, app_of, shipped, tmp_path):
    index = tmp_path / "index"
    shutil.copytree(shipped.folder, index / "builds" / shipped.id)
    (index / "CURRENT").write_text(shipped.id)
    (index / "builds" / shipped.id / "impacts" / "terms.txt").unlink()
    ready = app_of(services_with(index)).test_client().get("/readyz")
    assert (ready.status_code, ready.json["status"]) == (200, "ok")
    assert [note for note in ready.json["notes"] if "impacts/terms.txt" in note and "kb index build" in note]


def test_the_figures_count_what_happened(asker, ticket, services):
    asker.ask("发票查验失败")
    figures = dict(line.rsplit(" ", 1) for line in asker.get("/metrics").text.splitlines() if not line.startswith("#"))
    assert figures['kb_intents{verdict="answered"}'] == "1.0"
    assert figures['kb_intents{verdict="unanswered"}'] == "1.0"
    assert figures['kb_tickets{state="new"}'] == "1.0"
    assert figures['kb_tickets{state="resolved"}'] == "0.0"
    assert float(figures["kb_articles"]) == len(services.library.current().articles)
    assert figures["kb_build_ok"] == "1.0"
    assert "打印机" not in asker.get("/metrics").text
