"""One row per upload page: who asked for it, and which browser it belongs to since its first file."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.schema import upload_request


@dataclass(frozen=True, slots=True)
class UploadRequest:
    id: int
    browser_hash: str | None
    discord_id: str
    discord_name: str
    guild_name: str | None  # None: asked for in a direct message
    with_private: bool
    replaced: bool
    created_at: datetime
    opened_at: datetime | None


async def add_upload(
    connection: AsyncConnection,
    *,
    token_hash: str,
    discord_id: str,
    discord_name: str,
    guild_name: str | None,
    with_private: bool,
    now: datetime,
) -> int:
    """Every earlier one of the same person ends here: only their newest address works."""
    of_theirs = upload_request.c.discord_id == discord_id
    await connection.execute(update(upload_request).where(of_theirs).values(replaced=True))
    added = await connection.execute(
        insert(upload_request)
        .values(
            token_hash=token_hash,
            discord_id=discord_id,
            discord_name=discord_name,
            guild_name=guild_name,
            with_private=with_private,
            created_at=now,
        )
        .returning(upload_request.c.id)
    )
    return int(added.scalar_one())


async def upload_by_token(connection: AsyncConnection, token_hash: str) -> UploadRequest | None:
    columns = upload_request.c
    query = select(
        columns.id,
        columns.browser_hash,
        columns.discord_id,
        columns.discord_name,
        columns.guild_name,
        columns.with_private,
        columns.replaced,
        columns.created_at,
        columns.opened_at,
    ).where(columns.token_hash == token_hash)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else UploadRequest(*row)


async def bind_upload(connection: AsyncConnection, request_id: int, browser_hash: str, now: datetime) -> bool:
    """From here on it belongs to this browser. False, and nothing changes, when it is another's or was replaced."""
    columns = upload_request.c
    bound = await connection.execute(
        update(upload_request)
        .where(
            columns.id == request_id,
            ~columns.replaced,
            or_(columns.browser_hash.is_(None), columns.browser_hash == browser_hash),
        )
        .values(browser_hash=browser_hash, opened_at=now)
    )
    return bound.rowcount == 1


async def purge_uploads(connection: AsyncConnection, before: datetime) -> None:
    await connection.execute(delete(upload_request).where(upload_request.c.created_at < before))


async def delete_uploads(connection: AsyncConnection, discord_id: str) -> None:
    await connection.execute(delete(upload_request).where(upload_request.c.discord_id == discord_id))
