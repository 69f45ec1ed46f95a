"""whose data it is

Why: members pause, say what may be trained on, and delete; versions that were trained with deleted data have an end.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Columns are added one by one: SQLite would drop a table that is made anew, and what hangs on it would go with it.
    op.add_column("member", sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("model_version", sa.Column("delete_by", sa.DateTime(timezone=True), nullable=True))
    op.add_column("training_run", sa.Column("delete_by", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "training_refusal",
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_training_refusal_member_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("member_id", "source", name=op.f("pk_training_refusal")),
    )
    op.create_table(
        "training_member",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_training_member_member_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["training_run.id"], name=op.f("fk_training_member_run_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "member_id", "source", name=op.f("pk_training_member")),
    )
    with op.batch_alter_table("training_member", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_training_member_member_id"), ["member_id"], unique=False)


def downgrade() -> None:
    op.drop_table("training_member")
    op.drop_table("training_refusal")
    op.drop_column("training_run", "delete_by")
    op.drop_column("model_version", "delete_by")
    op.drop_column("member", "paused_at")
