"""who made which model live

Why: an admin may put another version in the live one's place or take it back, and it is to be seen who did and when.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "model_change",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("how", sa.Text(), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_change")),
        sqlite_autoincrement=True,
    )
    op.execute(
        "INSERT INTO model_change (version, how, changed_by, changed_at) "
        "SELECT v.version, 'trained', r.requested_by, v.created_at FROM model_version v "
        "LEFT JOIN training_run r ON r.id = v.run_id WHERE v.status = 'promoted' ORDER BY v.created_at, v.version"
    )


def downgrade() -> None:
    op.drop_table("model_change")
