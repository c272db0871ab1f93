"""Tickets carry what their events add up to; details apart from events; wordings found by their terms; public replies, files, replays"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_AFTER = {"opened": "new", "resolved": "resolved", "confirmed": "confirmed", "reopened": "in_progress", "withdrawn": "closed"}
_OPEN = {"new", "assigned", "in_progress", "waiting"}
_DEMAND = [sa.text("waiting DESC"), sa.text("people DESC")]


def upgrade() -> None:
    _add_columns()
    _add_tables()
    connection = op.get_bind()
    _move_details(connection)
    _write_standings(connection)
    connection.execute(sa.text("UPDATE ticket_events SET target = actor WHERE kind = 'assigned'"))
    indexes: tuple[tuple[str, list[str | sa.TextClause]], ...] = (
        ("ix_tickets_queue", ["open", *_DEMAND, "number", "changed_at", "state", "assignee", "suggested", "module", "category", "priority"]),
        ("ix_tickets_assignee", ["assignee", "open", "waiting", "state"]),
        ("ix_tickets_ended", ["state", "ended_at"]),
    )
    for index, columns in indexes:
        op.create_index(index, "tickets", columns)
    op.create_index("ix_ticket_events_target", "ticket_events", ["kind", "target"])
    for column in ("follower_id", "undoes"):
        op.create_index(f"ix_ticket_events_{column.removesuffix('_id')}", "ticket_events", [column], sqlite_where=sa.text(f"{column} IS NOT NULL"))


def _add_columns() -> None:
    name = sa.String(80)
    with op.batch_alter_table("tickets") as tickets:
        tickets.add_column(sa.Column("opened_as", sa.JSON(), nullable=False, server_default="{}"))
        tickets.add_column(sa.Column("state", sa.String(20), nullable=False, server_default="new"))
        tickets.add_column(sa.Column("open", sa.Boolean(), nullable=False, server_default="1"))
        tickets.add_column(sa.Column("assignee", name, nullable=False, server_default=""))
        tickets.add_column(sa.Column("category", sa.String(20), nullable=False, server_default=""))
        tickets.add_column(sa.Column("priority", sa.String(20), nullable=False, server_default=""))
        tickets.add_column(sa.Column("closed_as", sa.String(20), nullable=False, server_default=""))
        tickets.add_column(sa.Column("merged_into", sa.Integer(), sa.ForeignKey("tickets.number", name="fk_tickets_merged_into"), nullable=True))
        tickets.add_column(sa.Column("suggested", sa.String(200), nullable=False, server_default=""))
        tickets.add_column(sa.Column("waiting", sa.Integer(), nullable=False, server_default="0"))
        tickets.add_column(sa.Column("people", sa.Integer(), nullable=False, server_default="0"))
        for moment in ("news_at", "resolved_at", "ended_at"):
            tickets.add_column(sa.Column(moment, sa.DateTime(), nullable=True))
        tickets.add_column(sa.Column("changed_at", sa.DateTime(), nullable=False, server_default="2026-01-01 00:00:00"))
        tickets.add_column(sa.Column("version", sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("ticket_events") as events:
        events.add_column(sa.Column("target", name, nullable=False, server_default=""))
        events.add_column(sa.Column("follower_id", sa.Integer(), sa.ForeignKey("followers.id", name="fk_ticket_events_follower"), nullable=True))
        events.add_column(sa.Column("undoes", sa.Integer(), sa.ForeignKey("ticket_events.id", name="fk_ticket_events_undoes"), nullable=True))
        events.add_column(sa.Column("data", sa.JSON(), nullable=True))
    with op.batch_alter_table("followers") as followers:
        followers.add_column(sa.Column("confirmed_at", sa.DateTime(), nullable=True))
        followers.add_column(sa.Column("satisfaction", sa.Integer(), nullable=True))
        followers.add_column(sa.Column("came_from", sa.JSON(), nullable=False, server_default="[]"))
        followers.add_column(sa.Column("goes_on", sa.Integer(), sa.ForeignKey("followers.id", name="fk_followers_goes_on"), nullable=True))
    with op.batch_alter_table("phrasings", recreate="always", table_kwargs={"sqlite_autoincrement": True}) as phrasings:
        phrasings.add_column(sa.Column("terms", sa.JSON(), nullable=False, server_default="[]"))
    with op.batch_alter_table("intents") as intents:
        intents.add_column(sa.Column("public_reply", sa.Integer(), nullable=True))


def _add_tables() -> None:
    op.create_table(
        "details",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("event_id", sa.Integer(), sa.ForeignKey("ticket_events.id"), nullable=False, unique=True),
        sa.Column("follower_id", sa.Integer(), sa.ForeignKey("followers.id"), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("forgotten_at", sa.DateTime(), nullable=True),
    )
    op.create_index("ix_details_follower", "details", ["follower_id"])
    op.create_table(
        "attachments",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("follower_id", sa.Integer(), sa.ForeignKey("followers.id"), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("media_type", sa.String(80), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_attachments_follower", "attachments", ["follower_id"])
    op.create_index("ix_attachments_digest", "attachments", ["digest"])
    op.create_table(
        "phrasing_terms",
        sa.Column("term", sa.String(64), primary_key=True),
        sa.Column("phrasing_id", sa.Integer(), sa.ForeignKey("phrasings.id"), primary_key=True),
    )
    op.create_index("ix_phrasing_terms_phrasing", "phrasing_terms", ["phrasing_id"])
    op.create_table(
        "public_replies",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("ticket_number", sa.Integer(), sa.ForeignKey("tickets.number"), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("author", sa.String(80), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.Column("replaced_by", sa.String(200), nullable=False),
    )
    op.create_index("ix_public_replies_live", "public_replies", ["ended_at", "expires_at"])
    op.create_index("ix_public_replies_ticket", "public_replies", ["ticket_number"])
    op.create_table(
        "replays",
        sa.Column("ticket_number", sa.Integer(), sa.ForeignKey("tickets.number"), primary_key=True),
        sa.Column("article", sa.String(200), primary_key=True),
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("answered", sa.Boolean(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
    )
    op.create_table(
        "presences",
        sa.Column("ticket_number", sa.Integer(), sa.ForeignKey("tickets.number"), primary_key=True),
        sa.Column("agent", sa.String(80), primary_key=True),
        sa.Column("writing", sa.Boolean(), nullable=False),
        sa.Column("seen_at", sa.DateTime(), nullable=False),
    )
    op.create_table(
        "stored_answers",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("body_digest", sa.String(64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
    )
    op.create_index("ix_stored_answers_at", "stored_answers", ["at"])


def _move_details(connection: sa.Connection) -> None:
    """What a person added becomes an event of its own, with the text apart; why somebody opened a ticket again goes apart from its event."""
    rows = connection.execute(sa.text("SELECT id, ticket_number, joined_at, details FROM followers WHERE details != ''")).all()
    for follower, ticket, at, details in rows:
        event = connection.execute(
            sa.text(
                "INSERT INTO ticket_events (ticket_number, kind, at, actor, body, article, target, follower_id) "
                "VALUES (:ticket, 'added', :at, 'asker', '', '', '', :follower)"
            ),
            {"ticket": ticket, "at": at, "follower": follower},
        ).lastrowid
        connection.execute(
            sa.text("INSERT INTO details (event_id, follower_id, body) VALUES (:event, :follower, :body)"),
            {"event": event, "follower": follower, "body": details},
        )
    with op.batch_alter_table("followers") as followers:
        followers.drop_column("details")
    connection.execute(
        sa.text("INSERT INTO details (event_id, follower_id, body) SELECT id, NULL, body FROM ticket_events WHERE kind = 'reopened' AND body != ''")
    )
    connection.execute(sa.text("UPDATE ticket_events SET body = '' WHERE kind = 'reopened'"))


def _write_standings(connection: sa.Connection) -> None:
    """Write beside each ticket what its events add up to: the rules of the version before this one, which knew nine kinds of them."""
    for number, module in connection.execute(sa.text("SELECT number, module FROM tickets")).all():
        state, values = "new", {"assignee": "", "news_at": None, "resolved_at": None, "ended_at": None, "closed_as": "", "version": 0, "changed_at": None}
        events = connection.execute(
            sa.text("SELECT id, kind, at, actor FROM ticket_events WHERE ticket_number = :number ORDER BY id"), {"number": number}
        ).all()
        for event, kind, at, actor in events:
            values |= {"version": event, "changed_at": max(at, values["changed_at"] or at)}
            if kind == "assigned":
                state, values["assignee"] = "assigned" if state == "new" else state, actor
            elif kind == "replied":
                state = "in_progress" if state in _OPEN else state
            else:
                state = _AFTER.get(kind, state)
            if kind in {"replied", "resolved"}:
                values["news_at"] = at
            if kind == "resolved" or (kind == "withdrawn" and values["ended_at"] is None):
                values["ended_at"] = at
            if kind == "reopened":
                values |= {"ended_at": None, "resolved_at": None, "closed_as": ""}
            if kind == "resolved":
                values["resolved_at"] = at
            if kind == "withdrawn":
                values["closed_as"] = "withdrawn"
        people, waiting = connection.execute(
            sa.text("SELECT count(*), coalesce(sum(waiting), 0) FROM followers WHERE ticket_number = :number AND withdrawn_at IS NULL"), {"number": number}
        ).one()
        connection.execute(
            sa.text(
                "UPDATE tickets SET state = :state, open = :open, people = :people, waiting = :waiting, assignee = :assignee, news_at = :news_at, "
                "resolved_at = :resolved_at, ended_at = :ended_at, closed_as = :closed_as, version = :version, "
                "changed_at = coalesce(:changed_at, opened_at), opened_as = :opened_as WHERE number = :number"
            ),
            values
            | {
                "number": number,
                "state": state,
                "open": state in _OPEN,
                "people": people,
                "waiting": waiting,
                "opened_as": json.dumps({"module": module, "category": "inquiry", "priority": "normal"}),
            },
        )
    connection.execute(sa.text("UPDATE tickets SET category = 'inquiry', priority = 'normal'"))


def downgrade() -> None:
    """Going back would lose what people wrote; the backup that was made before the migration is the way back."""
    raise NotImplementedError("restore the backup beside the database instead")
