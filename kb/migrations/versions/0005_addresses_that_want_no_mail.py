"""Mail addresses that want nothing from us, whoever wrote them down; what became of reminders is found by an index"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "muted_addresses",
        sa.Column("digest", sa.String(16), primary_key=True),
        sa.Column("at", sa.DateTime(), nullable=False),
    )
    op.create_index("ix_notices_alarmed", "notices", ["ready_at"], sqlite_where=sa.text("kind = 'alarmed'"))
