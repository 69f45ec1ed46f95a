"""upload pages

Why: a member's export is larger than what Discord takes, so /import gives out an address to upload it to.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "upload_request",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("browser_hash", sa.Text(), nullable=True),
        sa.Column("discord_id", sa.Text(), nullable=False),
        sa.Column("discord_name", sa.Text(), nullable=False),
        sa.Column("guild_name", sa.Text(), nullable=True),
        sa.Column("with_private", sa.Boolean(), nullable=False),
        sa.Column("replaced", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_upload_request")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_upload_request_token_hash")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("upload_request", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_upload_request_discord_id"), ["discord_id"], unique=False)


def downgrade() -> None:
    op.drop_table("upload_request")
