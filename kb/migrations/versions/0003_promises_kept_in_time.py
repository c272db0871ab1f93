"""Tickets know since when somebody waits; notices and the messages that tell them; accounts with mail and levels; an audit log"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _add_columns()
    _add_tables()
    _begin_waits(op.get_bind())
    _add_indexes()


def _add_indexes() -> None:
    filed = ["state", "assignee", "module", "category", "priority"]
    rest = ["number", "changed_at", "state", "assignee", "suggested", "module", "category", "priority", "due_at", "alarm"]
    op.drop_index("ix_tickets_queue", "tickets")
    op.create_index("ix_tickets_queue", "tickets", ["open", sa.text("waiting DESC"), sa.text("people DESC"), *rest])
    near = ["open", "waiting", "due_at", "people", "number", "changed_at", *filed, "alarm"]
    op.create_index("ix_tickets_alarm", "tickets", near, sqlite_where=sa.text("alarm != ''"))


def _add_columns() -> None:
    with op.batch_alter_table("tickets") as tickets:
        tickets.add_column(sa.Column("awaited", sa.Boolean(), nullable=False, server_default="0"))
        tickets.add_column(sa.Column("runs", sa.JSON(), nullable=False, server_default="[]"))
        tickets.add_column(sa.Column("responded_at", sa.DateTime(), nullable=True))
        tickets.add_column(sa.Column("alarm", sa.String(20), nullable=False, server_default=""))
        tickets.add_column(sa.Column("escalated", sa.String(20), nullable=False, server_default=""))
        tickets.add_column(sa.Column("due_at", sa.DateTime(), nullable=True))
    with op.batch_alter_table("followers") as followers:
        followers.add_column(sa.Column("muted_at", sa.DateTime(), nullable=True))
    with op.batch_alter_table("users") as users:
        users.add_column(sa.Column("mail", sa.String(200), nullable=False, server_default=""))
        users.add_column(sa.Column("level", sa.String(20), nullable=False, server_default=""))
        users.add_column(sa.Column("quiet", sa.Boolean(), nullable=False, server_default="0"))
        users.add_column(sa.Column("disabled_at", sa.DateTime(), nullable=True))
    with op.batch_alter_table("staff_sessions") as sessions:
        sessions.add_column(sa.Column("browser", sa.String(120), nullable=False, server_default=""))
    with op.batch_alter_table("failed_sign_ins") as tries:
        tries.add_column(sa.Column("address", sa.String(80), nullable=False, server_default=""))
    op.create_index("ix_failed_sign_ins_address", "failed_sign_ins", ["address"])


def _add_tables() -> None:
    op.create_table(
        "notices",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("ticket_number", sa.Integer(), sa.ForeignKey("tickets.number"), nullable=True),
        sa.Column("event_id", sa.Integer(), sa.ForeignKey("ticket_events.id"), nullable=True),
        sa.Column("follower_id", sa.Integer(), sa.ForeignKey("followers.id"), nullable=True),
        sa.Column("user_id", sa.Integer(), sa.ForeignKey("users.id"), nullable=True),
        sa.Column("data", sa.JSON(), nullable=True),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("ready_at", sa.DateTime(), nullable=False),
        sa.Column("spread_at", sa.DateTime(), nullable=True),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_notices_unspread", "notices", ["ready_at"], sqlite_where=sa.text("spread_at IS NULL"))
    op.create_index("ix_notices_event", "notices", ["event_id"], sqlite_where=sa.text("event_id IS NOT NULL"))
    op.create_table(
        "messages",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("notice_id", sa.Integer(), sa.ForeignKey("notices.id"), nullable=False),
        sa.Column("channel", sa.String(40), nullable=False),
        sa.Column("address", sa.String(200), nullable=False),
        sa.Column("follower_id", sa.Integer(), sa.ForeignKey("followers.id"), nullable=True),
        sa.Column("user_id", sa.Integer(), sa.ForeignKey("users.id"), nullable=True),
        sa.Column("message_id", sa.String(120), nullable=False, unique=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("next_at", sa.DateTime(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.Column("ended_as", sa.String(10), nullable=False),
        sa.Column("error", sa.String(400), nullable=False),
        sa.UniqueConstraint("notice_id", "channel", "address"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_messages_due", "messages", ["next_at"], sqlite_where=sa.text("ended_at IS NULL"))
    op.create_index("ix_messages_follower", "messages", ["follower_id"], sqlite_where=sa.text("follower_id IS NOT NULL"))
    op.create_index("ix_messages_address", "messages", ["address", "created_at"])
    op.create_index("ix_messages_ended", "messages", ["ended_at"])
    op.create_index("ix_messages_dead", "messages", ["id"], sqlite_where=sa.text("ended_as = 'dead'"))
    op.create_table(
        "mutes",
        sa.Column("user_id", sa.Integer(), sa.ForeignKey("users.id"), primary_key=True),
        sa.Column("ticket_number", sa.Integer(), sa.ForeignKey("tickets.number"), primary_key=True),
        sa.Column("at", sa.DateTime(), nullable=False),
    )
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("actor", sa.String(80), nullable=False),
        sa.Column("deed", sa.String(40), nullable=False),
        sa.Column("object", sa.String(200), nullable=False),
        sa.Column("detail", sa.String(400), nullable=False),
    )
    op.create_index("ix_audit_entries_at", "audit_entries", ["at"])
    op.create_index("ix_audit_entries_actor", "audit_entries", ["actor"])


def _begin_waits(connection: sa.Connection) -> None:
    """Let the time of tickets that people wait for begin now: nobody was promised any before, so nothing is late at once."""
    now = connection.execute(sa.text("SELECT strftime('%Y-%m-%d %H:%M:%f', 'now') || '000'")).scalar_one()
    waited = connection.execute(sa.text("SELECT number, state, open FROM tickets WHERE waiting > 0 ORDER BY number")).all()
    for number, state, is_open in waited:
        event = connection.execute(
            sa.text(
                "INSERT INTO ticket_events (ticket_number, kind, at, actor, body, article, target) VALUES (:number, 'awaited', :now, 'system', '', '', '')"
            ),
            {"number": number, "now": now},
        ).lastrowid
        runs = [[f"{now.replace(' ', 'T')}+00:00", None]] if is_open and state != "waiting" else []
        connection.execute(
            sa.text("UPDATE tickets SET awaited = 1, runs = :runs, version = :event WHERE number = :number"),
            {"runs": json.dumps(runs), "event": event, "number": number},
        )
    answered = """
        SELECT min(at) FROM ticket_events AS said
        WHERE ticket_number = tickets.number AND kind IN ('replied', 'asked', 'resolved', 'published')
        AND id > coalesce((SELECT max(id) FROM ticket_events AS anew WHERE anew.ticket_number = tickets.number AND kind = 'reopened'), 0)
        AND NOT EXISTS (SELECT 1 FROM ticket_events AS undoing WHERE undoing.undoes = said.id)
    """
    connection.execute(sa.text(f"UPDATE tickets SET responded_at = ({answered})"))  # noqa: S608 - a constant of ours
