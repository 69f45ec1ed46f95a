"""All tables, as SQLAlchemy Core. Rows leave the query files as dataclasses; migrations/ changes what is here.

Ids of other services are text everywhere. Times are UTC. A member's rows go with the member (ON DELETE CASCADE).
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)


class UtcDateTime(TypeDecorator[datetime]):
    """Timezone-aware in and out on every database; SQLite itself keeps no zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: Any) -> Any:
        """SQLite's driver takes text: made here as SQLAlchemy makes it, in a fifth of the time."""
        if dialect.name != "sqlite":
            return super().bind_processor(dialect)

        def processed(value: datetime | None) -> str | None:
            at = self.process_bind_param(value, dialect)
            return None if at is None else at.replace(tzinfo=None).isoformat(" ", "microseconds")

        return processed

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone reached the database")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _of_member(*, primary_key: bool = False) -> Column[int]:
    return Column(
        "member_id", Integer, ForeignKey("member.id", ondelete="CASCADE"), nullable=False, primary_key=primary_key
    )


def _of_track(*, primary_key: bool = False) -> Column[int]:
    return Column(
        "track_id", Integer, ForeignKey("track.id", ondelete="CASCADE"), nullable=False, primary_key=primary_key
    )


member = Table(
    "member",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("discord_id", Text, nullable=False, unique=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("paused_at", UtcDateTime),  # since then: kept, but neither collected, nor trained on, nor shown to others
    sqlite_autoincrement=True,
)

training_refusal = Table(  # what a member does not want the shared model to learn from; the host's setting is the rest
    "training_refusal",
    metadata,
    _of_member(primary_key=True),
    Column("source", Text, primary_key=True),
    Column("since", UtcDateTime, nullable=False),
)

account = Table(  # what a member linked, or connected by name (bot.storage.connections)
    "account",
    metadata,
    Column("id", Integer, primary_key=True),
    _of_member(),
    Column("source", Text, nullable=False),  # bot.sources.Source
    Column("external_id", Text, nullable=False),  # Spotify's account_id, or id where that is absent
    Column("user_id", Text, nullable=False),  # Spotify's id: what a playlist's owner.id is compared with
    Column("display_name", Text),  # how the source shows the member; for /status and the linking messages only
    Column("status", Text, nullable=False),  # linked | needs_reconnect | ended
    Column("access_token", Text),  # sealed with TOKEN_ENCRYPTION_KEYS, like the next
    Column("refresh_token", Text),
    Column("token_expires_at", UtcDateTime),
    Column("scope", Text, nullable=False, server_default=""),
    Column("authorised_at", UtcDateTime, nullable=False),  # the six months of a refresh token count from here
    Column("linked_at", UtcDateTime, nullable=False),
    Column("proven", Boolean, nullable=False, server_default=text("false")),  # of a name: that it is the member's own
    Column("last_synced_at", UtcDateTime),  # the last complete sync
    Column("sync_started_at", UtcDateTime),  # set while a sync is under way, or stopped before its end
    Column("sync_resumes_at", UtcDateTime),  # a stopped sync goes on by itself, but not before
    Column("sync_note", Text),  # why the last sync did not complete, in words for the member
    Column("refused_at", UtcDateTime),  # since when Spotify refuses to renew the tokens, or to take them
    Column("reminds", Boolean, nullable=False, server_default=text("false")),  # the member wants the next two
    Column("reminded_days", Integer),  # the last reminder said so many days before the consent ends; 0: that it broke
    UniqueConstraint("member_id", "source"),
    UniqueConstraint("source", "external_id"),
    sqlite_autoincrement=True,  # a sync under way must not take a later link for its own
)

link_request = Table(  # one row per /link; secrets as SHA-256 only, the PKCE verifier sealed
    "link_request",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("token_hash", Text, nullable=False, unique=True),  # of the one-time link
    Column("state_hash", Text, unique=True),  # of OAuth's state; set when the browser goes to Spotify
    Column("browser_hash", Text),  # of the cookie that binds the browser
    Column("verifier", Text),  # sealed
    Column("discord_id", Text, nullable=False),
    Column("discord_name", Text, nullable=False),  # shown on our page, so that a forwarded link is recognised
    Column("guild_name", Text),
    Column("stage", Text, nullable=False),  # sent | consent | exchange | done | cancelled | failed | replaced
    Column("created_at", UtcDateTime, nullable=False),
    Column("consent_at", UtcDateTime),
    Column("dm_channel_id", Text),  # the message that is edited as things go
    Column("dm_message_id", Text),
    Column("reminds", Boolean, nullable=False, server_default=text("false")),  # agreed to on our page
    Index(None, "discord_id"),
)

upload_request = Table(  # one row per upload page that /import gave out; secrets as SHA-256 only
    "upload_request",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("token_hash", Text, nullable=False, unique=True),  # of the one-time address
    Column("browser_hash", Text),  # of the cookie of the browser that sent the first file
    Column("discord_id", Text, nullable=False),
    Column("discord_name", Text, nullable=False),  # shown on the page, so that a forwarded address is recognised
    Column("guild_name", Text),
    Column("with_private", Boolean, nullable=False),  # whether plays of private sessions were asked for
    Column("replaced", Boolean, nullable=False, server_default=text("false")),  # by a newer one
    Column("created_at", UtcDateTime, nullable=False),
    Column("opened_at", UtcDateTime),  # when its browser sent the first file
    Index(None, "discord_id"),
    sqlite_autoincrement=True,  # what is on its way is known by this id
)

spotify_endpoint = Table(  # what Spotify lets the host's application ask, as it was found out
    "spotify_endpoint",
    metadata,
    Column("app", Text, primary_key=True),  # the client id: another application may be allowed something else
    Column("endpoint", Text, primary_key=True),
    Column("answered_at", UtcDateTime),  # last, for anybody
    Column("closed_at", UtcDateTime),  # answered with 403 since, for everybody
)

spotify_quota = Table(  # kinds of calls that Spotify told this application to leave alone
    "spotify_quota",
    metadata,
    Column("app", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("closed_until", UtcDateTime, nullable=False),
)

spotify_usage = Table(  # requests an hour, for the daily budget and for fair shares; a week of them is kept
    "spotify_usage",
    metadata,
    Column("hour", UtcDateTime, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("account_id", Integer, primary_key=True),  # 0: nobody's; outlives the account, as the quota does
    Column("requests", Integer, nullable=False),
)

track = Table(
    "track",
    metadata,
    Column("id", Integer, primary_key=True),  # a key of its own: no other service's id is needed
    Column("spotify_id", Text, unique=True),  # the id that is linked to; others of the same recording are aliases
    Column("title", Text, nullable=False),
    Column("album", Text),
    Column("duration_ms", Integer),
    Column("source", Text, nullable=False),  # where title and album come from
    Column("updated_at", UtcDateTime, nullable=False),
    sqlite_autoincrement=True,  # model versions name tracks by this id: it is never given out twice
)

track_alias = Table(  # every id under which a track is known; several ids of one recording meet here
    "track_alias",
    metadata,
    Column("scheme", Text, primary_key=True),  # spotify | isrc | local | dataset | name (names.py; the first keeps it)
    Column("value", Text, primary_key=True),
    _of_track(),
    Index(None, "track_id"),
)

artist = Table(
    "artist",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("spotify_id", Text, unique=True),
    Column("name", Text, nullable=False),
    Index(None, "name"),
)

track_artist = Table(
    "track_artist",
    metadata,
    _of_track(primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("artist_id", Integer, ForeignKey("artist.id", ondelete="CASCADE"), nullable=False),
    Index(None, "artist_id"),
)

listing = Table(  # one readable list of one member: a playlist, the saved tracks …, with its sync cursor
    "listing",
    metadata,
    Column("id", Integer, primary_key=True),
    _of_member(),
    Column("source", Text, nullable=False),
    Column("key", Text, nullable=False),  # saved | recent | top:… | followed | playlist:ID | artist:ID | feedback
    Column("snapshot", Text),  # what the source calls the state that was read to the end
    Column("cursor", JSON(none_as_null=True)),  # where to go on; null when no reading is under way
    Column("reading_since", UtcDateTime),  # rows not seen since then are gone once the reading is complete
    Column("completed_at", UtcDateTime),
    UniqueConstraint("member_id", "source", "key"),
    sqlite_autoincrement=True,
)

interaction = Table(
    "interaction",
    metadata,
    _of_member(),
    _of_track(),
    Column("listing_id", Integer, ForeignKey("listing.id", ondelete="CASCADE"), nullable=False),
    Column("kind", Text, nullable=False),  # specrec.interactions.Kind
    Column("source", Text, nullable=False),
    Column("count", Integer, nullable=False),
    Column("occurred_at", UtcDateTime),  # added, saved or last played, as the source says
    Column("first_seen", UtcDateTime, nullable=False),
    Column("last_seen", UtcDateTime, nullable=False),
    UniqueConstraint("listing_id", "track_id", "kind"),
    Index(None, "member_id", "track_id"),
    Index(None, "track_id"),
)

unmatched_track = Table(  # what plays without an id call a track that is not known here yet
    "unmatched_track",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name_key", Text, nullable=False),  # bot.storage.names
    Column("isrc", Text, nullable=False, server_default=""),
    Column("title", Text, nullable=False),
    Column("artist", Text, nullable=False),
    Column("mbid", Text),  # MusicBrainz' id of the recording, where a play carried it
    Column("looked_up_at", UtcDateTime),  # when its Spotify id was last asked for in vain
    UniqueConstraint("name_key", "isrc"),
    sqlite_autoincrement=True,
)

listen = Table(  # single plays, so that a play which comes twice counts once; in the order of time, as they are written
    "listen",
    metadata,
    Column("listing_id", Integer, ForeignKey("listing.id", ondelete="CASCADE"), primary_key=True),
    Column("minute", Integer, primary_key=True),  # since 1970
    Column("second", Integer, primary_key=True),  # of the minute; -1: the source rounds down to the minute
    Column("play", BigInteger, primary_key=True),  # a hash of title, artist and the milliseconds played
    Column("ms_played", Integer),
    Column("track_id", Integer, ForeignKey("track.id", ondelete="CASCADE")),
    Column("unmatched_id", Integer, ForeignKey("unmatched_track.id")),
    CheckConstraint("(track_id IS NULL) <> (unmatched_id IS NULL)", name="one_track"),
    Index(None, "track_id"),
    Index(None, "unmatched_id"),
    sqlite_with_rowid=False,
)

artist_follow = Table(
    "artist_follow",
    metadata,
    Column("listing_id", Integer, ForeignKey("listing.id", ondelete="CASCADE"), primary_key=True),
    Column("artist_id", Integer, ForeignKey("artist.id", ondelete="CASCADE"), primary_key=True),
    _of_member(),
    Column("first_seen", UtcDateTime, nullable=False),
    Column("last_seen", UtcDateTime, nullable=False),
    Index(None, "member_id"),
    Index(None, "artist_id"),
)

audio_features = Table(  # per source, because sources measure differently; a row of NULLs is a remembered miss
    "audio_features",
    metadata,
    _of_track(primary_key=True),
    Column("source", Text, primary_key=True),  # bot.sources.FeatureOrigin, or the source of an imported file
    Column("acousticness", Float),
    Column("danceability", Float),
    Column("energy", Float),
    Column("instrumentalness", Float),
    Column("liveness", Float),
    Column("loudness", Float),  # dB, usually negative
    Column("speechiness", Float),
    Column("valence", Float),
    Column("tempo", Float),  # BPM
    Column("known", Boolean, nullable=False),
    Column("fetched_at", UtcDateTime, nullable=False),
)

feature_scale = Table(  # what brings a source's numbers to the scale of another, so that both can stand in one column
    "feature_scale",
    metadata,
    Column("source", Text, primary_key=True),
    Column("lines", JSON, nullable=False),  # factor and shift of each of the nine, in the order above
    Column("measured_at", UtcDateTime, nullable=False),
)

training_run = Table(
    "training_run",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("status", Text, nullable=False),  # running | promoted | refused | failed | cancelled
    Column("requested_by", Text, nullable=False),  # Discord id; "": by itself, or somebody who deleted their data
    Column("channel_id", Text),  # the message that shows the progress, editable without an interaction token
    Column("message_id", Text),
    Column("started_at", UtcDateTime, nullable=False),
    Column("heartbeat_at", UtcDateTime, nullable=False),  # a running row without a heart belongs to a dead process
    Column("finished_at", UtcDateTime),
    Column("cancel_requested", Boolean, nullable=False, server_default=text("false")),
    Column("stage", Text, nullable=False, server_default=""),
    Column("fraction", Float),
    Column("reason", Text),  # why it ended as it did, one sentence
    Column("version", Text),
    Column("delete_by", UtcDateTime),  # data was deleted while it ran: so long its version may stay
    # Single flight across processes: at most one running row.
    Index("uq_training_run_running", "status", unique=True, sqlite_where=text("status = 'running'"),
          postgresql_where=text("status = 'running'")),
)  # fmt: skip

model_version = Table(
    "model_version",
    metadata,
    Column("version", Text, primary_key=True),  # the name of its directory
    Column("run_id", Integer, ForeignKey("training_run.id", ondelete="SET NULL")),
    Column("status", Text, nullable=False),  # promoted | refused
    Column("created_at", UtcDateTime, nullable=False),
    Column("report", JSON, nullable=False),  # what was measured before it was promoted or refused
    Column("reason", Text),  # why it was refused, or what else is to be said of it
    Column("delete_by", UtcDateTime),  # it was trained with data that was deleted since: so long it may stay
)

training_member = Table(  # whose data of which source a run read, for as long as its version is there
    "training_member",
    metadata,
    Column("run_id", Integer, ForeignKey("training_run.id", ondelete="CASCADE"), primary_key=True),
    _of_member(primary_key=True),
    Column("source", Text, primary_key=True),
    Index(None, "member_id"),
)

model_change = Table(  # each time another version became live, in order; the version itself may be gone
    "model_change",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("version", Text, nullable=False),
    Column("how", Text, nullable=False),  # trained | promoted | rolled back
    Column("changed_by", Text),  # Discord id
    Column("changed_at", UtcDateTime, nullable=False),
    sqlite_autoincrement=True,
)

active_model = Table(  # the pointer: one row
    "active_model",
    metadata,
    Column("slot", Integer, primary_key=True),
    Column("version", Text, ForeignKey("model_version.version"), nullable=False),
    Column("since", UtcDateTime, nullable=False),
    CheckConstraint("slot = 1", name="single"),
)

note = Table(  # small facts of the installation, e.g. which commands were last sent to Discord
    "note",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
