"""Whose data a training run read, and until when its version may stay once some of that data was deleted.

A version itself holds no member's id, so the database remembers. A member's rows here go with the member; what stays
is the date by which the version has to go.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.schema import active_model, interaction, member, model_version, training_member, training_run
from bot.storage.snapshots import Contribution


@dataclass(frozen=True, slots=True)
class Trained:
    """A version that was trained with a member's data; `delete_by` is set once such data was deleted."""

    version: str
    created_at: datetime
    delete_by: datetime | None


@dataclass(frozen=True, slots=True)
class Condemned:
    """A version that has to go; `is_live`: it is the one that answers."""

    version: str
    delete_by: datetime
    is_live: bool


async def record(connection: AsyncConnection, run_id: int, read: Iterable[Contribution]) -> None:
    """Remember whose data a run read. Members who were deleted since are left out: `condemn` has seen the run."""
    still = set(await connection.scalars(select(member.c.id)))
    rows = [
        {"run_id": run_id, "member_id": one.member_id, "source": one.source} for one in read if one.member_id in still
    ]
    if rows:
        await connection.execute(insert(training_member), rows)


async def versions_with(
    connection: AsyncConnection, member_id: int, sources: Collection[str] | None = None
) -> list[Trained]:
    """The versions that were trained with a member's data (of `sources`; None: of any), the oldest first."""
    query = select(model_version.c.version, model_version.c.created_at, model_version.c.delete_by).where(
        model_version.c.run_id.in_(_runs_with(member_id, sources))
    )
    return [
        Trained(*row)
        for row in await connection.execute(query.order_by(model_version.c.created_at, model_version.c.version))
    ]


async def condemn(
    connection: AsyncConnection, member_id: int, delete_by: datetime, sources: Collection[str] | None = None
) -> bool:
    """Before a member's data (of `sources`; None: all) is deleted: every version that was trained with it goes by
    `delete_by`, and so does the version of a run under way. Returns whether there is such a run."""
    await connection.execute(
        update(model_version)
        .where(model_version.c.run_id.in_(_runs_with(member_id, sources)), model_version.c.delete_by.is_(None))
        .values(delete_by=delete_by)
    )
    # A run may have read the data and not said so yet: whoever has any counts as read.
    has_some = select(interaction.c.member_id).where(interaction.c.member_id == member_id)
    if sources is not None:
        has_some = has_some.where(interaction.c.source.in_(sources))
    under_way = await connection.scalar(
        select(training_run.c.id).where(training_run.c.status == "running", has_some.exists())
    )
    await connection.execute(
        update(training_run)
        .where(training_run.c.id == under_way, training_run.c.delete_by.is_(None))
        .values(delete_by=delete_by)
    )
    return under_way is not None


async def condemned(connection: AsyncConnection) -> list[Condemned]:
    """What has to go, the most urgent first."""
    query = (
        select(model_version.c.version, model_version.c.delete_by, active_model.c.version.is_not(None))
        .outerjoin(active_model, active_model.c.version == model_version.c.version)
        .where(model_version.c.delete_by.is_not(None))
        .order_by(model_version.c.delete_by, model_version.c.version)
    )
    return [
        Condemned(version, delete_by, bool(is_live)) for version, delete_by, is_live in await connection.execute(query)
    ]


async def forget_versionless(connection: AsyncConnection) -> None:
    """Runs that ended without a version, or whose version is gone, hold nobody's data any more."""
    running = select(training_run.c.id).where(training_run.c.status == "running")
    kept = select(model_version.c.run_id).where(model_version.c.run_id.is_not(None))
    await connection.execute(
        delete(training_member).where(training_member.c.run_id.not_in(running), training_member.c.run_id.not_in(kept))
    )


def _runs_with(member_id: int, sources: Collection[str] | None) -> Select[int]:
    runs = select(training_member.c.run_id).where(training_member.c.member_id == member_id)
    return runs if sources is None else runs.where(training_member.c.source.in_(sources))
