"""What was found out about the host's Spotify application, and how much it asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.database import upsert
from bot.storage.members import PAUSED
from bot.storage.schema import account, spotify_endpoint, spotify_quota, spotify_usage
from bot.storage.syncs import LINKED, is_waiting


@dataclass(frozen=True, slots=True)
class EndpointState:
    answered_at: datetime | None = None  # last, for anybody
    closed_at: datetime | None = None  # answered with 403 since


Slot = tuple[datetime, str, int]  # hour, kind, account


async def endpoints(connection: AsyncConnection, app: str) -> dict[str, EndpointState]:
    columns = spotify_endpoint.c
    query = select(columns.endpoint, columns.answered_at, columns.closed_at).where(columns.app == app)
    return {name: EndpointState(*state) for name, *state in await connection.execute(query)}


async def put_endpoint(connection: AsyncConnection, app: str, name: str, state: EndpointState) -> None:
    row = {"app": app, "endpoint": name, "answered_at": state.answered_at, "closed_at": state.closed_at}
    await upsert(connection, spotify_endpoint, [row], key=["app", "endpoint"], update=["answered_at", "closed_at"])


async def closings(connection: AsyncConnection, app: str) -> dict[str, datetime]:
    """Kind -> until when it is to be left alone."""
    query = select(spotify_quota.c.kind, spotify_quota.c.closed_until).where(spotify_quota.c.app == app)
    return {row.kind: row.closed_until for row in await connection.execute(query)}


async def put_closing(connection: AsyncConnection, app: str, kind: str, until: datetime) -> None:
    row = {"app": app, "kind": kind, "closed_until": until}
    await upsert(connection, spotify_quota, [row], key=["app", "kind"], update=["closed_until"])


async def usage(connection: AsyncConnection, since: datetime) -> dict[Slot, int]:
    """Requests by hour, kind and account; older ones are forgotten."""
    await connection.execute(delete(spotify_usage).where(spotify_usage.c.hour < since))
    columns = spotify_usage.c
    query = select(columns.hour, columns.kind, columns.account_id, columns.requests)
    return {(hour, kind, account_id): count for hour, kind, account_id, count in await connection.execute(query)}


async def put_usage(connection: AsyncConnection, counts: Mapping[Slot, int]) -> None:
    rows = [
        {"hour": hour, "kind": kind, "account_id": account_id, "requests": count}
        for (hour, kind, account_id), count in counts.items()
    ]
    await upsert(connection, spotify_usage, rows, key=["hour", "kind", "account_id"], update=["requests"])


async def linked_accounts(
    connection: AsyncConnection, source: str, synced_before: datetime
) -> tuple[list[int], list[int]]:
    """All linked accounts, and those of them whose sync is not complete, or due again."""
    linked = select(account.c.id).where(account.c.source == source, account.c.status == LINKED)
    everybody = list(await connection.scalars(linked))
    waiting = linked.where(is_waiting(synced_before), account.c.member_id.not_in(PAUSED))
    return everybody, list(await connection.scalars(waiting))
