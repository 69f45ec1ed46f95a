"""living with Spotify

Why: what the application may ask and how much it asked, consents that end, and reminders of that;
audio features of several sources on one scale.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("account", sa.Column("refused_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("account", sa.Column("reminded_days", sa.Integer(), nullable=True))
    for table in ("account", "link_request"):
        op.add_column(table, sa.Column("reminds", sa.Boolean(), nullable=False, server_default=sa.text("false")))
    op.create_table(
        "spotify_endpoint",
        sa.Column("app", sa.Text(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("app", "endpoint", name=op.f("pk_spotify_endpoint")),
    )
    op.create_table(
        "spotify_quota",
        sa.Column("app", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("closed_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("app", "kind", name=op.f("pk_spotify_quota")),
    )
    op.create_table(
        "spotify_usage",
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("hour", "kind", "account_id", name=op.f("pk_spotify_usage")),
    )
    op.create_table(
        "feature_scale",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("lines", sa.JSON(), nullable=False),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_feature_scale")),
    )


def downgrade() -> None:
    op.drop_table("feature_scale")
    op.drop_table("spotify_usage")
    op.drop_table("spotify_quota")
    op.drop_table("spotify_endpoint")
    op.drop_column("link_request", "reminds")
    for name in ("reminds", "reminded_days", "refused_at"):
        op.drop_column("account", name)
