"""What is asked and not answered, with definitions beside the numbers and the next step beside each question."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, Response, render_template

from kb.accounts import audit
from kb.accounts.audit import Deed
from kb.accounts.roles import Right
from kb.analytics import gaps, metrics
from kb.analytics.export import to_csv
from kb.web.visitor import signed_in, visitor
from kb.web.wording import state_name, timestamp

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from kb.services import Services

_HEADER = ("工单", "问题", "其他问法", "模块", "不同的人", "等待中", "首次", "最近", "状态")


def blueprint(services: Services) -> Blueprint:
    """Return /analytics and its CSV."""
    views = Blueprint("analytics", __name__)

    @views.get("/analytics")
    def page() -> ResponseReturnValue:
        with services.db.read() as session:
            found, summary = gaps.open_gaps(session), metrics.summary(session, services.now())
        published = services.library.current()
        articles = sorted(published.articles.values(), key=lambda one: one.id)
        modules = {module.id: module.name for module in published.modules}
        return render_template(
            "analytics/analytics.html", gaps=found, summary=summary, modules=modules, articles=articles, may_resolve=visitor().may(Right.DESK)
        )

    @views.get("/analytics/gaps.csv")
    def export() -> ResponseReturnValue:
        with services.db.write() as session:
            found = gaps.open_gaps(session)
            audit.note(session, signed_in().name, Deed.EXPORTED, "unanswered.csv", "", services.now())
        modules = {module.id: module.name for module in services.library.current().modules}
        zone = services.policies.hours.zone
        rows = [
            (
                f"T-{gap.number}",
                gap.question,
                "；".join(gap.wordings),
                modules.get(gap.module, ""),
                gap.people,
                gap.waiting,
                timestamp(gap.first_seen, zone),
                timestamp(gap.last_seen, zone),
                state_name(gap.state),
            )
            for gap in found
        ]
        return Response(to_csv(_HEADER, rows), mimetype="text/csv", headers={"Content-Disposition": "attachment; filename=unanswered.csv"})

    return views
