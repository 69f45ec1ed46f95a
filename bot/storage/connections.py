"""Users of other services whom members named as themselves: rows of `account`, without tokens.

One member has a name at a time. A name is a claim; a token proves it, and a proof takes the name from a claim.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.accounts import Erased, erase_source
from bot.storage.schema import account
from bot.storage.syncs import LINKED, SyncAccount, account_of

ENDED = "ended"  # nothing is held or collected any more; the note says why


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a name."""

    account_id: int
    member_id: int
    proven: bool


async def holder_of(connection: AsyncConnection, source: str, name: str) -> Holder | None:
    columns = account.c
    query = select(columns.id, columns.member_id, columns.proven)
    row = (await connection.execute(query.where(columns.source == source, columns.external_id == folded(name)))).first()
    return None if row is None else Holder(*row)


async def connect(
    connection: AsyncConnection, member_id: int, source: str, name: str, *, proven: bool, now: datetime
) -> None:
    """`name` as its owner writes it; nobody else has it. A proof that was given stays."""
    there = account.c.member_id == member_id, account.c.source == source
    await connection.execute(delete(account).where(*there, account.c.status == ENDED))
    renewed: dict[str, object] = {"user_id": name, "display_name": name, "sync_note": None, "sync_resumes_at": None}
    if proven:
        renewed["proven"] = True
    if (await connection.execute(update(account).where(*there).values(renewed))).rowcount == 0:
        new = {
            "member_id": member_id,
            "source": source,
            "external_id": folded(name),
            "status": LINKED,
            "authorised_at": now,
            "linked_at": now,
        }
        await connection.execute(insert(account).values(new | renewed))


async def connections_of(
    connection: AsyncConnection, discord_id: str, sources: Collection[str]
) -> list[tuple[SyncAccount, bool]]:
    """What a member has connected of `sources`, in their order, with whether it is proven."""
    found = []
    for source in sources:
        one = await account_of(connection, discord_id, source)
        if one is not None:
            proven = await connection.scalar(select(account.c.proven).where(account.c.id == one.id))
            found.append((one, bool(proven)))
    return found


async def end(connection: AsyncConnection, member_id: int, source: str, note: str, now: datetime) -> Erased:
    """Delete the name and everything that came from it; only `note` stays, for the member to read."""
    erased = await erase_source(connection, member_id, source)
    ended = {
        "member_id": member_id,
        "source": source,
        "external_id": f"\x1fended:{member_id}",  # one a member, and nobody's name: those can be printed
        "user_id": "",
        "status": ENDED,
        "authorised_at": now,
        "linked_at": now,
        "sync_note": note,
    }
    await connection.execute(insert(account).values(ended))
    return erased


def folded(name: str) -> str:
    """Both services take a name in any case for the same."""
    return name.casefold()
