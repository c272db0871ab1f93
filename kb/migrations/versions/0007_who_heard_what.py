"""From which event on each person reads their ticket: what was said before they came, to others than theirs, is not for them"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

SINCE_THEIR_SITE_CAME = """
UPDATE followers SET reads_after = coalesce((
    SELECT max(e.id) FROM ticket_events AS e WHERE e.ticket_number = followers.ticket_number AND e.at < (
        SELECT min(o.joined_at) FROM followers AS o WHERE o.ticket_number = followers.ticket_number AND o.site = followers.site
    )
), 0) WHERE ticket_number IN (SELECT ticket_number FROM followers WHERE site != '')
"""
ALL_OF_WHERE_THEY_WERE_BEFORE = """
UPDATE followers SET came_from = (
    SELECT json_group_array(json_array(json_extract(one.value, '$[0]'), json_extract(one.value, '$[1]'), 0)) FROM json_each(followers.came_from) AS one
) WHERE json_array_length(came_from) > 0
"""


def upgrade() -> None:
    op.add_column("followers", sa.Column("reads_after", sa.Integer(), nullable=False, server_default="0"))
    op.get_bind().execute(sa.text(SINCE_THEIR_SITE_CAME))
    op.get_bind().execute(sa.text(ALL_OF_WHERE_THEY_WERE_BEFORE))
