"""On which site, and where on it, each person asked; of those whom a site vouches for it is known already"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("followers", sa.Column("site", sa.String(40), nullable=False, server_default=""))
    op.add_column("followers", sa.Column("context", sa.String(200), nullable=False, server_default=""))
    vouched = "UPDATE followers SET site = substr(person, 3, instr(substr(person, 3), ':') - 1) WHERE person > 's:' AND person < 's;'"
    op.get_bind().execute(sa.text(vouched))
    op.create_index("ix_followers_site", "followers", ["site", "ticket_number"], sqlite_where=sa.text("site != ''"))
