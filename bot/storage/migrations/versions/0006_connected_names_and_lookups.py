"""connected names and lookups

Why: a member may name a ListenBrainz or Last.fm user, and may prove that it is theirs; plays without a Spotify id are
looked up by MusicBrainz' id, and not again soon where that was in vain.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("account", sa.Column("proven", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("unmatched_track", sa.Column("mbid", sa.Text(), nullable=True))
    op.add_column("unmatched_track", sa.Column("looked_up_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("unmatched_track") as batch_op:
        batch_op.drop_column("looked_up_at")
        batch_op.drop_column("mbid")
    with op.batch_alter_table("account") as batch_op:
        batch_op.drop_column("proven")
