"""the first schema

Why: members, what they linked, tracks, interactions, audio features, training runs and versions.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "artist",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("spotify_id", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_artist")),
        sa.UniqueConstraint("spotify_id", name=op.f("uq_artist_spotify_id")),
    )
    with op.batch_alter_table("artist", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_artist_name"), ["name"], unique=False)

    op.create_table(
        "link_request",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("state_hash", sa.Text(), nullable=True),
        sa.Column("browser_hash", sa.Text(), nullable=True),
        sa.Column("verifier", sa.Text(), nullable=True),
        sa.Column("discord_id", sa.Text(), nullable=False),
        sa.Column("discord_name", sa.Text(), nullable=False),
        sa.Column("guild_name", sa.Text(), nullable=True),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("consent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dm_channel_id", sa.Text(), nullable=True),
        sa.Column("dm_message_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_link_request")),
        sa.UniqueConstraint("state_hash", name=op.f("uq_link_request_state_hash")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_link_request_token_hash")),
    )
    with op.batch_alter_table("link_request", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_link_request_discord_id"), ["discord_id"], unique=False)

    op.create_table(
        "member",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("discord_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_member")),
        sa.UniqueConstraint("discord_id", name=op.f("uq_member_discord_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "note",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_note")),
    )
    op.create_table(
        "track",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("spotify_id", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("album", sa.Text(), nullable=True),
        sa.Column("duration_ms", sa.Integer(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_track")),
        sa.UniqueConstraint("spotify_id", name=op.f("uq_track_spotify_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "training_run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("channel_id", sa.Text(), nullable=True),
        sa.Column("message_id", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancel_requested", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("stage", sa.Text(), server_default="", nullable=False),
        sa.Column("fraction", sa.Float(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("version", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training_run")),
    )
    with op.batch_alter_table("training_run", schema=None) as batch_op:
        batch_op.create_index(
            "uq_training_run_running",
            ["status"],
            unique=True,
            sqlite_where=sa.text("status = 'running'"),
            postgresql_where=sa.text("status = 'running'"),
        )

    op.create_table(
        "unmatched_track",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        sa.Column("isrc", sa.Text(), server_default="", nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("artist", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unmatched_track")),
        sa.UniqueConstraint("name_key", "isrc", name=op.f("uq_unmatched_track_name_key_isrc")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "account",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("access_token", sa.Text(), nullable=True),
        sa.Column("refresh_token", sa.Text(), nullable=True),
        sa.Column("token_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("scope", sa.Text(), server_default="", nullable=False),
        sa.Column("authorised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_synced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sync_started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sync_resumes_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sync_note", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_account_member_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("member_id", "source", name=op.f("uq_account_member_id_source")),
        sa.UniqueConstraint("source", "external_id", name=op.f("uq_account_source_external_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "audio_features",
        sa.Column("track_id", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("acousticness", sa.Float(), nullable=True),
        sa.Column("danceability", sa.Float(), nullable=True),
        sa.Column("energy", sa.Float(), nullable=True),
        sa.Column("instrumentalness", sa.Float(), nullable=True),
        sa.Column("liveness", sa.Float(), nullable=True),
        sa.Column("loudness", sa.Float(), nullable=True),
        sa.Column("speechiness", sa.Float(), nullable=True),
        sa.Column("valence", sa.Float(), nullable=True),
        sa.Column("tempo", sa.Float(), nullable=True),
        sa.Column("known", sa.Boolean(), nullable=False),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["track_id"], ["track.id"], name=op.f("fk_audio_features_track_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("track_id", "source", name=op.f("pk_audio_features")),
    )
    op.create_table(
        "listing",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("snapshot", sa.Text(), nullable=True),
        sa.Column("cursor", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("reading_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_listing_member_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_listing")),
        sa.UniqueConstraint("member_id", "source", "key", name=op.f("uq_listing_member_id_source_key")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "model_version",
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["run_id"], ["training_run.id"], name=op.f("fk_model_version_run_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_model_version")),
    )
    op.create_table(
        "track_alias",
        sa.Column("scheme", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("track_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["track_id"], ["track.id"], name=op.f("fk_track_alias_track_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("scheme", "value", name=op.f("pk_track_alias")),
    )
    with op.batch_alter_table("track_alias", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_track_alias_track_id"), ["track_id"], unique=False)

    op.create_table(
        "track_artist",
        sa.Column("track_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("artist_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["artist_id"], ["artist.id"], name=op.f("fk_track_artist_artist_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["track_id"], ["track.id"], name=op.f("fk_track_artist_track_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("track_id", "position", name=op.f("pk_track_artist")),
    )
    with op.batch_alter_table("track_artist", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_track_artist_artist_id"), ["artist_id"], unique=False)

    op.create_table(
        "active_model",
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("slot = 1", name=op.f("ck_active_model_single")),
        sa.ForeignKeyConstraint(["version"], ["model_version.version"], name=op.f("fk_active_model_version")),
        sa.PrimaryKeyConstraint("slot", name=op.f("pk_active_model")),
    )
    op.create_table(
        "artist_follow",
        sa.Column("listing_id", sa.Integer(), nullable=False),
        sa.Column("artist_id", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["artist_id"], ["artist.id"], name=op.f("fk_artist_follow_artist_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["listing_id"], ["listing.id"], name=op.f("fk_artist_follow_listing_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_artist_follow_member_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("listing_id", "artist_id", name=op.f("pk_artist_follow")),
    )
    with op.batch_alter_table("artist_follow", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_artist_follow_artist_id"), ["artist_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_artist_follow_member_id"), ["member_id"], unique=False)

    op.create_table(
        "interaction",
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("track_id", sa.Integer(), nullable=False),
        sa.Column("listing_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["listing_id"], ["listing.id"], name=op.f("fk_interaction_listing_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_interaction_member_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["track_id"], ["track.id"], name=op.f("fk_interaction_track_id"), ondelete="CASCADE"),
        sa.UniqueConstraint("listing_id", "track_id", "kind", name=op.f("uq_interaction_listing_id_track_id_kind")),
    )
    with op.batch_alter_table("interaction", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_interaction_member_id_track_id"), ["member_id", "track_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_interaction_track_id"), ["track_id"], unique=False)

    op.create_table(
        "listen",
        sa.Column("listing_id", sa.Integer(), nullable=False),
        sa.Column("minute", sa.Integer(), nullable=False),
        sa.Column("second", sa.Integer(), nullable=False),
        sa.Column("play", sa.BigInteger(), nullable=False),
        sa.Column("ms_played", sa.Integer(), nullable=True),
        sa.Column("track_id", sa.Integer(), nullable=True),
        sa.Column("unmatched_id", sa.Integer(), nullable=True),
        sa.CheckConstraint("(track_id IS NULL) <> (unmatched_id IS NULL)", name=op.f("ck_listen_one_track")),
        sa.ForeignKeyConstraint(["listing_id"], ["listing.id"], name=op.f("fk_listen_listing_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["track_id"], ["track.id"], name=op.f("fk_listen_track_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["unmatched_id"], ["unmatched_track.id"], name=op.f("fk_listen_unmatched_id")),
        sa.PrimaryKeyConstraint("listing_id", "minute", "second", "play", name=op.f("pk_listen")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("listen", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_listen_track_id"), ["track_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_listen_unmatched_id"), ["unmatched_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("listen", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_listen_unmatched_id"))
        batch_op.drop_index(batch_op.f("ix_listen_track_id"))

    op.drop_table("listen")
    with op.batch_alter_table("interaction", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_interaction_track_id"))
        batch_op.drop_index(batch_op.f("ix_interaction_member_id_track_id"))

    op.drop_table("interaction")
    with op.batch_alter_table("artist_follow", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_artist_follow_member_id"))
        batch_op.drop_index(batch_op.f("ix_artist_follow_artist_id"))

    op.drop_table("artist_follow")
    op.drop_table("active_model")
    with op.batch_alter_table("track_artist", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_track_artist_artist_id"))

    op.drop_table("track_artist")
    with op.batch_alter_table("track_alias", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_track_alias_track_id"))

    op.drop_table("track_alias")
    op.drop_table("model_version")
    op.drop_table("listing")
    op.drop_table("audio_features")
    op.drop_table("account")
    op.drop_table("unmatched_track")
    with op.batch_alter_table("training_run", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_training_run_running",
            sqlite_where=sa.text("status = 'running'"),
            postgresql_where=sa.text("status = 'running'"),
        )

    op.drop_table("training_run")
    op.drop_table("track")
    op.drop_table("note")
    op.drop_table("member")
    with op.batch_alter_table("link_request", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_link_request_discord_id"))

    op.drop_table("link_request")
    with op.batch_alter_table("artist", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_artist_name"))

    op.drop_table("artist")
