"""Published model versions, and the one-row pointer to the live one."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.database import upsert
from bot.storage.schema import active_model, model_version, training_run


@dataclass(frozen=True, slots=True)
class ActiveVersion:
    """The live version: `report` is what was measured before it was promoted, `since` when that was."""

    version: str
    since: datetime
    report: dict[str, Any]


async def active(connection: AsyncConnection) -> ActiveVersion | None:
    """What the pointer points at; None before the first promotion."""
    row = (
        await connection.execute(
            select(active_model.c.version, active_model.c.since, model_version.c.report).join(model_version)
        )
    ).one_or_none()
    return None if row is None else ActiveVersion(row.version, row.since, row.report)


async def promote(
    connection: AsyncConnection, version: str, run_id: int, report: dict[str, Any], now: datetime
) -> None:
    """Insert the version's row, then move the pointer to it. Its files must be in place already."""
    delete_by = select(training_run.c.delete_by).where(training_run.c.id == run_id).scalar_subquery()
    values = {"version": version, "run_id": run_id, "status": "promoted", "created_at": now, "report": report}
    await connection.execute(insert(model_version).values(**values, delete_by=delete_by))
    pointer = {"slot": 1, "version": version, "since": now}
    await upsert(connection, active_model, [pointer], key=["slot"], update=["version", "since"])


async def names(connection: AsyncConnection) -> list[str]:
    """All versions, the newest first."""
    rows = await connection.execute(
        select(model_version.c.version).order_by(model_version.c.created_at.desc(), model_version.c.version.desc())
    )
    return list(rows.scalars())


async def retire(connection: AsyncConnection, versions: Collection[str]) -> None:
    """Forget these versions, the live one too: then there is none."""
    await connection.execute(delete(active_model).where(active_model.c.version.in_(versions)))
    await remove(connection, versions)


async def remove(connection: AsyncConnection, versions: Collection[str]) -> None:
    """Forget these versions; the live one cannot be among them (foreign key)."""
    await connection.execute(delete(model_version).where(model_version.c.version.in_(versions)))
