"""The model versions that are kept, the one-row pointer to the live one, and who changed it when."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.database import upsert
from bot.storage.schema import active_model, model_change, model_version, training_run


@dataclass(frozen=True, slots=True)
class KeptVersion:
    """A version whose files are kept: `status` is promoted (it is or was live) or refused, `reason` why it was refused,
    or what else is to be said of it; `report` is what was measured before either."""

    version: str
    status: str
    created_at: datetime
    report: dict[str, Any]
    reason: str | None


@dataclass(frozen=True, slots=True)
class ActiveVersion:
    """The live version and since when it is live."""

    version: str
    since: datetime
    report: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """A version became live: `how` is trained (by the gate), promoted or rolled back (by hand); `changed_by` is the
    Discord id of whoever asked for it, where that is on record."""

    version: str
    how: str
    changed_by: str | None
    changed_at: datetime


_KEPT = [model_version.c[name] for name in KeptVersion.__slots__]
_CHANGE = [model_change.c[name] for name in Change.__slots__]


def _kept(row: Row[Any]) -> KeptVersion:
    return KeptVersion(**row._mapping)


async def active(connection: AsyncConnection) -> ActiveVersion | None:
    """What the pointer points at; None before the first promotion."""
    row = (
        await connection.execute(
            select(active_model.c.version, active_model.c.since, model_version.c.report).join(model_version)
        )
    ).one_or_none()
    return None if row is None else ActiveVersion(row.version, row.since, row.report)


async def add(
    connection: AsyncConnection,
    version: str,
    run_id: int,
    report: dict[str, Any],
    now: datetime,
    *,
    status: str,
    reason: str | None,
) -> None:
    """Its files must be in place already."""
    delete_by = select(training_run.c.delete_by).where(training_run.c.id == run_id).scalar_subquery()
    values = {"version": version, "run_id": run_id, "status": status, "reason": reason, "report": report}
    await connection.execute(insert(model_version).values(created_at=now, delete_by=delete_by, **values))


async def point(connection: AsyncConnection, version: str, how: str, by: str | None, now: datetime) -> None:
    """Move the pointer to a version that is kept, and record who did that."""
    await connection.execute(update(model_version).where(model_version.c.version == version).values(status="promoted"))
    pointer = {"slot": 1, "version": version, "since": now}
    await upsert(connection, active_model, [pointer], key=["slot"], update=["version", "since"])
    await connection.execute(insert(model_change).values(version=version, how=how, changed_by=by, changed_at=now))


async def kept(connection: AsyncConnection) -> list[KeptVersion]:
    """All versions: those that were live, the one that was so last first; then the refused ones, the newest first."""
    last = (
        select(model_change.c.version, func.max(model_change.c.id).label("last"))
        .group_by(model_change.c.version)
        .subquery()
    )
    rows = await connection.execute(
        select(*_KEPT)
        .join_from(model_version, last, last.c.version == model_version.c.version, isouter=True)
        .order_by(
            model_version.c.status,  # promoted, refused
            func.coalesce(last.c.last, 0).desc(),
            model_version.c.created_at.desc(),
            model_version.c.version.desc(),
        )
    )
    return [_kept(row) for row in rows]


async def trained_at(connection: AsyncConnection, version: str) -> datetime | None:
    """When the run that trained it began: its weights have seen nothing that came later. None: not on record."""
    query = select(training_run.c.started_at).join(model_version, model_version.c.run_id == training_run.c.id)
    found: datetime | None = await connection.scalar(query.where(model_version.c.version == version))
    return found


async def must_go(connection: AsyncConnection, version: str) -> bool:
    """Whether it was trained with data that was deleted since: then it has a date by which it is gone."""
    query = select(model_version.c.delete_by).where(model_version.c.version == version)
    return await connection.scalar(query) is not None


async def latest_change(connection: AsyncConnection) -> Change | None:
    row = (await connection.execute(select(*_CHANGE).order_by(model_change.c.id.desc()).limit(1))).one_or_none()
    return None if row is None else Change(**row._mapping)


async def been_live(connection: AsyncConnection) -> list[str]:
    """The versions that a rollback goes through, the live one last. What was rolled back is no longer among them."""
    stack: list[str] = []
    rows = await connection.execute(select(model_change.c.version, model_change.c.how).order_by(model_change.c.id))
    for version, how in rows:
        if how == "rolled back":
            while stack and stack[-1] != version:
                stack.pop()
        if not stack or stack[-1] != version:
            stack.append(version)
    return stack


async def retire(connection: AsyncConnection, versions: Collection[str]) -> None:
    """Forget these versions, the live one too: then there is none."""
    await connection.execute(delete(active_model).where(active_model.c.version.in_(versions)))
    await remove(connection, versions)


async def remove(connection: AsyncConnection, versions: Collection[str]) -> None:
    """Forget these versions; the live one cannot be among them (foreign key)."""
    await connection.execute(delete(model_version).where(model_version.c.version.in_(versions)))
