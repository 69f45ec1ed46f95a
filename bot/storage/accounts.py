"""What a member linked: whose account it is, and its tokens, sealed."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.listens import forget_waiting
from bot.storage.reminders import TOLD_LOST
from bot.storage.schema import UtcDateTime, account, artist_follow, interaction, listen, listing
from bot.storage.syncs import LINKED, NEEDS_RECONNECT
from bot.storage.tracks import forget_unshared


@dataclass(frozen=True, slots=True)
class Account:
    id: int
    member_id: int
    external_id: str
    display_name: str | None
    status: str  # linked | needs_reconnect


@dataclass(frozen=True, slots=True)
class SealedTokens:
    access: str | None = field(repr=False)
    refresh: str | None = field(repr=False)
    expires_at: datetime | None
    status: str


@dataclass(frozen=True, slots=True)
class Linked:
    """What a member linked or connected, as it is shown to them."""

    source: str
    name: str
    linked_at: datetime
    status: str
    has_tokens: bool
    reminds: bool  # agreed to messages before the consent ends


@dataclass(frozen=True, slots=True)
class Consent:
    authorised_at: datetime
    refused_at: datetime | None  # since when Spotify refuses to renew it, or what it renews


@dataclass(frozen=True, slots=True)
class Erased:
    """How many rows went; `tracks` counts the different tracks of the interactions."""

    accounts: int
    listings: int
    interactions: int
    tracks: int
    follows: int
    plays: int = 0  # single ones, most of them counted in interactions too


async def account_with(connection: AsyncConnection, source: str, external_ids: Collection[str]) -> Account | None:
    """The account under any of these ids, whoever linked it."""
    return await _one(connection, account.c.source == source, account.c.external_id.in_(list(external_ids)))


async def count_accounts(connection: AsyncConnection, source: str) -> int:
    """How many are linked, with those that need a new consent."""
    return await connection.scalar(select(func.count()).select_from(account).where(account.c.source == source)) or 0


async def account_of_member(connection: AsyncConnection, member_id: int, source: str) -> Account | None:
    return await _one(connection, account.c.source == source, account.c.member_id == member_id)


async def linked_accounts(connection: AsyncConnection, member_id: int) -> list[Linked]:
    """Of every source, the oldest first."""
    columns = account.c
    query = select(
        columns.source,
        func.coalesce(columns.display_name, columns.user_id),
        columns.linked_at,
        columns.status,
        columns.refresh_token.is_not(None),
        columns.reminds,
    )
    found = await connection.execute(
        query.where(columns.member_id == member_id).order_by(columns.linked_at, columns.id)
    )
    return [
        Linked(source, name, at, status, bool(tokens), reminds) for source, name, at, status, tokens, reminds in found
    ]


async def put_account(
    connection: AsyncConnection,
    member_id: int,
    source: str,
    *,
    external_id: str,
    user_id: str,
    display_name: str | None,
    tokens: SealedTokens,
    scope: str,
    now: datetime,
    reminds: bool = False,
) -> int:
    """Link, or renew what this member has linked already: its rows, its dates and its place in a sync stay."""
    renewed: dict[str, Any] = {
        "external_id": external_id,
        "user_id": user_id,
        "display_name": display_name,
        "status": tokens.status,
        **_columns(tokens),
        "scope": scope,
        "authorised_at": now,
        "refused_at": None,
        "reminds": reminds,
        "reminded_days": None,
        "sync_note": None,
    }
    there = account.c.member_id == member_id, account.c.source == source
    if (await connection.execute(update(account).where(*there).values(renewed))).rowcount == 0:
        new = {"member_id": member_id, "source": source, "linked_at": now}
        await connection.execute(insert(account).values(new | renewed))
    key: int = (await connection.execute(select(account.c.id).where(*there))).scalar_one()
    return key


async def sealed_tokens(connection: AsyncConnection, account_id: int) -> SealedTokens | None:
    """None once the member unlinked."""
    columns = account.c
    query = select(columns.access_token, columns.refresh_token, columns.token_expires_at, columns.status)
    row = (await connection.execute(query.where(columns.id == account_id))).one_or_none()
    return None if row is None else SealedTokens(*row)


async def replace_tokens(
    connection: AsyncConnection, account_id: int, before: SealedTokens, after: SealedTokens
) -> bool:
    """False, and nothing changes, when the account went or was linked anew since `before` was read."""
    return await _update_if_same(
        connection,
        account_id,
        before,
        **_columns(after),
        status=after.status,
        refused_at=None,
    )


async def keep_tokens(connection: AsyncConnection, account_id: int, before: SealedTokens, after: SealedTokens) -> bool:
    """Renewed, but nothing else is known to be better: only the tokens change. False as above."""
    return await _update_if_same(
        connection,
        account_id,
        before,
        **_columns(after),
    )


def _columns(tokens: SealedTokens) -> dict[str, Any]:
    return {
        "access_token": tokens.access,
        "refresh_token": tokens.refresh,
        "token_expires_at": tokens.expires_at,
    }


async def mark_needs_reconnect(connection: AsyncConnection, account_id: int, before: SealedTokens) -> bool:
    """The tokens are of no use now: keep them, as every row. False as above."""
    return await _update_if_same(connection, account_id, before, status=NEEDS_RECONNECT)


async def consent_of(connection: AsyncConnection, account_id: int) -> Consent | None:
    """None once the member unlinked."""
    query = select(account.c.authorised_at, account.c.refused_at).where(account.c.id == account_id)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else Consent(*row)


async def mark_refused(connection: AsyncConnection, account_id: int, before: SealedTokens, now: datetime) -> bool:
    """Spotify refuses to renew: remember since when. Nothing is deleted, and nothing concluded. False as above."""
    since = func.coalesce(account.c.refused_at, literal(now, UtcDateTime()))
    return await _update_if_same(connection, account_id, before, refused_at=since)


async def mark_turned_away(
    connection: AsyncConnection, account_id: int, authorised_at: datetime, now: datetime
) -> bool:
    """Spotify renews the tokens and takes none of them: of no use now, and kept. False, and nothing changes, when the
    account went or was linked anew."""
    same = account.c.id == account_id, account.c.authorised_at == authorised_at
    marked = await connection.execute(update(account).where(*same).values(status=NEEDS_RECONNECT, refused_at=now))
    return marked.rowcount == 1


async def others_linked(connection: AsyncConnection, source: str, account_id: int) -> dict[int, bool]:
    """Other linked accounts -> whether Spotify refuses to renew them too; the others first."""
    query = select(account.c.id, account.c.refused_at).where(
        account.c.source == source, account.c.status == LINKED, account.c.id != account_id
    )
    found = {key: refused_at is not None for key, refused_at in await connection.execute(query.order_by(account.c.id))}
    return dict(sorted(found.items(), key=lambda item: item[1]))


async def refused_tokens(connection: AsyncConnection, since: datetime) -> dict[int, SealedTokens]:
    """Of the accounts that need a new consent because Spotify refuses them, not longer than since then."""
    return await _tokens(connection, account.c.refused_at >= since)


async def kept_tokens(connection: AsyncConnection) -> dict[int, SealedTokens]:
    """Of the accounts that need a new consent, but not because Spotify refuses them."""
    return await _tokens(connection, account.c.refused_at.is_(None))


async def revive(connection: AsyncConnection, account_id: int, kept: SealedTokens) -> bool:
    """The kept tokens are good for another try. False as above."""
    told_lost = func.nullif(account.c.reminded_days, TOLD_LOST)
    return await _update_if_same(connection, account_id, kept, status=LINKED, sync_note=None, reminded_days=told_lost)


async def erase_source(connection: AsyncConnection, member_id: int, source: str) -> Erased:
    """Delete the account with its tokens and every row that came from `source`.

    Tracks stay in the catalogue, which belongs to nobody; but not local files that nobody else has: those were found
    on this member's own disk.
    """
    seen = interaction.c.member_id == member_id, interaction.c.source == source
    interactions, tracks = (
        await connection.execute(select(func.count(), func.count(interaction.c.track_id.distinct())).where(*seen))
    ).one()
    of_source = select(listing.c.id).where(listing.c.member_id == member_id, listing.c.source == source)
    plays = await connection.scalar(select(func.count()).select_from(listen).where(listen.c.listing_id.in_(of_source)))
    follows = await connection.execute(delete(artist_follow).where(artist_follow.c.listing_id.in_(of_source)))
    await connection.execute(delete(interaction).where(*seen))
    listings = await connection.execute(
        delete(listing).where(listing.c.member_id == member_id, listing.c.source == source)
    )
    await forget_waiting(connection)
    accounts = await connection.execute(
        delete(account).where(account.c.member_id == member_id, account.c.source == source)
    )
    await forget_unshared(connection)
    return Erased(accounts.rowcount, listings.rowcount, interactions, tracks, follows.rowcount, plays or 0)


def fresh_tokens(access: str, refresh: str, expires_at: datetime) -> SealedTokens:
    """Tokens of a consent that holds; both sealed."""
    return SealedTokens(access, refresh, expires_at, LINKED)


async def _tokens(connection: AsyncConnection, which: ColumnElement[bool]) -> dict[int, SealedTokens]:
    columns = account.c
    query = select(
        columns.id, columns.access_token, columns.refresh_token, columns.token_expires_at, columns.status
    ).where(columns.status == NEEDS_RECONNECT, columns.refresh_token.is_not(None), which)
    return {key: SealedTokens(*row) for key, *row in await connection.execute(query)}


async def _update_if_same(connection: AsyncConnection, account_id: int, before: SealedTokens, **values: Any) -> bool:
    changed = await connection.execute(
        update(account).where(account.c.id == account_id, account.c.refresh_token == before.refresh).values(values)
    )
    return changed.rowcount == 1


async def _one(connection: AsyncConnection, *where: Any) -> Account | None:
    query = select(account.c.id, account.c.member_id, account.c.external_id, account.c.display_name, account.c.status)
    row = (await connection.execute(query.where(*where).order_by(account.c.id).limit(1))).one_or_none()
    return None if row is None else Account(*row)
