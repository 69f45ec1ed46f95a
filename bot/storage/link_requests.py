"""One row per /link: from the one-time link in a direct message to the account that was linked.

sent -> consent (a browser is bound and went to Spotify) -> exchange (its answer is being redeemed) -> done, or
cancelled or failed, from where the same link may be tried again. `replaced`: a newer /link took its place.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.schema import link_request


class Stage(StrEnum):
    SENT = "sent"
    CONSENT = "consent"
    EXCHANGE = "exchange"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"
    REPLACED = "replaced"


_CLOSED = (Stage.DONE, Stage.REPLACED)


@dataclass(frozen=True, slots=True)
class LinkRequest:
    id: int
    state_hash: str | None
    browser_hash: str | None
    verifier: str | None  # sealed
    discord_id: str
    discord_name: str
    guild_name: str | None  # None: asked for in a direct message
    stage: Stage
    created_at: datetime
    consent_at: datetime | None
    dm_channel_id: str | None
    dm_message_id: str | None
    reminds: bool  # whether they want to hear before the consent ends


async def add_request(
    connection: AsyncConnection,
    *,
    token_hash: str,
    discord_id: str,
    discord_name: str,
    guild_name: str | None,
    now: datetime,
) -> int:
    """Every open request of the same person ends here: only their newest link works."""
    await connection.execute(
        update(link_request)
        .where(link_request.c.discord_id == discord_id, link_request.c.stage.not_in(_CLOSED))
        .values(stage=Stage.REPLACED, verifier=None)
    )
    added = await connection.execute(
        insert(link_request)
        .values(
            token_hash=token_hash,
            discord_id=discord_id,
            discord_name=discord_name,
            guild_name=guild_name,
            stage=Stage.SENT,
            created_at=now,
        )
        .returning(link_request.c.id)
    )
    return int(added.scalar_one())


async def request_by_token(connection: AsyncConnection, token_hash: str) -> LinkRequest | None:
    return await _one(connection, token_hash=token_hash)


async def request_by_state(connection: AsyncConnection, state_hash: str) -> LinkRequest | None:
    return await _one(connection, state_hash=state_hash)


async def latest_request(connection: AsyncConnection, discord_id: str) -> LinkRequest | None:
    """The newest request of this person, whatever became of it: where its message is, for edits as things go on."""
    key = await connection.scalar(
        select(link_request.c.id)
        .where(link_request.c.discord_id == discord_id)
        .order_by(link_request.c.id.desc())
        .limit(1)
    )
    return None if key is None else await _one(connection, id=key)


async def put_message(connection: AsyncConnection, request_id: int, channel_id: str, message_id: str) -> None:
    """Where the direct message with the link is."""
    await connection.execute(
        update(link_request)
        .where(link_request.c.id == request_id)
        .values(dm_channel_id=channel_id, dm_message_id=message_id)
    )


async def bind_browser(
    connection: AsyncConnection,
    request_id: int,
    *,
    browser_hash: str,
    state_hash: str,
    verifier: str,
    reminds: bool,
    now: datetime,
) -> bool:
    """Send this browser to Spotify with a fresh state. False, and nothing changes, when another browser was bound
    before or the request was closed in the meantime."""
    bound = await connection.execute(
        update(link_request)
        .where(
            link_request.c.id == request_id,
            link_request.c.stage.not_in(_CLOSED),
            or_(link_request.c.browser_hash.is_(None), link_request.c.browser_hash == browser_hash),
        )
        .values(
            browser_hash=browser_hash,
            state_hash=state_hash,
            verifier=verifier,
            reminds=reminds,
            stage=Stage.CONSENT,
            consent_at=now,
        )
    )
    return bound.rowcount == 1


async def move(connection: AsyncConnection, request: LinkRequest, before: Stage, after: Stage) -> bool:
    """Move on from `before`, for whoever asks first and as long as the state is still the request's own. False, and
    nothing changes, for all others. The verifier goes once its code has been redeemed."""
    values: dict[str, str | None] = {"stage": after}
    if after is not Stage.EXCHANGE:
        values["verifier"] = None
    moved = await connection.execute(
        update(link_request)
        .where(
            link_request.c.id == request.id,
            link_request.c.state_hash == request.state_hash,
            link_request.c.stage == before,
        )
        .values(values)
    )
    return moved.rowcount == 1


async def purge_requests(connection: AsyncConnection, before: datetime) -> None:
    await connection.execute(delete(link_request).where(link_request.c.created_at < before))


async def delete_requests(connection: AsyncConnection, discord_id: str) -> None:
    await connection.execute(delete(link_request).where(link_request.c.discord_id == discord_id))


async def _one(connection: AsyncConnection, **where: object) -> LinkRequest | None:
    columns = link_request.c
    query = select(
        columns.id,
        columns.state_hash,
        columns.browser_hash,
        columns.verifier,
        columns.discord_id,
        columns.discord_name,
        columns.guild_name,
        columns.stage,
        columns.created_at,
        columns.consent_at,
        columns.dm_channel_id,
        columns.dm_message_id,
        columns.reminds,
    ).filter_by(**where)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return None
    values = row._asdict()
    return LinkRequest(**{**values, "stage": Stage(values["stage"])})
