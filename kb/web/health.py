"""Is the process alive, is it ready, and the figures for Prometheus. Figures are read from the database, so all processes agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, Response, jsonify
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from indexer.build import last_outcome
from indexer.errors import IndexerError
from kb.search.models import Intent
from kb.tickets.queue import counts_by_state
from kb.tickets.standing import State

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from kb.services import Services


def blueprint(services: Services) -> Blueprint:
    """Return /healthz, /readyz and /metrics."""
    views = Blueprint("health", __name__)

    @views.get("/healthz")
    def healthz() -> ResponseReturnValue:
        return jsonify(status="ok")

    @views.get("/readyz")
    def readyz() -> ResponseReturnValue:
        problems = _problems(services)
        notes = [] if problems else [note for note in (services.library.current().scorer_note,) if note]
        return jsonify(status="unready" if problems else "ok", problems=problems, notes=notes), 503 if problems else 200

    @views.get("/metrics")
    def metrics() -> ResponseReturnValue:
        return Response(generate_latest(_figures(services)), mimetype="text/plain")

    return views


def _problems(services: Services) -> list[str]:
    problems = []
    try:
        if not services.db.ready():
            problems.append("the database has another schema; run `kb db upgrade`")
    except SQLAlchemyError as error:
        problems.append(f"the database does not answer ({type(error).__name__})")
    try:
        services.library.current()
    except IndexerError as error:
        problems.append(str(error))
    return problems


def _figures(services: Services) -> CollectorRegistry:
    registry = CollectorRegistry()
    intents = Gauge("kb_intents", "Finished questions stored, by verdict", ["verdict"], registry=registry)
    tickets = Gauge("kb_tickets", "Tickets, by state", ["state"], registry=registry)
    with services.db.read() as session:
        counted = select(Intent.verdict, func.count()).where(Intent.superseded_by.is_(None), Intent.staff.is_(False)).group_by(Intent.verdict)
        for verdict, count in session.execute(counted):
            intents.labels(verdict).set(count)
        counts = counts_by_state(session)
    for state in State:
        tickets.labels(state.value).set(counts.get(state.value, 0))
    published = services.library.current()
    Gauge("kb_articles", "Published articles", registry=registry).set(len(published.articles))
    Gauge("kb_sections", "Published sections", registry=registry).set(len(published.sections))
    outcome = last_outcome(services.config.index)
    Gauge("kb_build_ok", "1 when the last build was published, 0 when it failed", registry=registry).set(int(outcome is not None and outcome.ok))
    return registry
