"""Training runs: one row each; at most one is running, over all processes (a partial unique index)."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, case, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import BusyError
from bot.storage.schema import member, training_run


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """`status` is running, promoted, refused, failed or cancelled; `reason` says in one sentence why it ended so."""

    id: int
    status: str
    requested_by: str  # Discord id; "": it started by itself, or nobody may know any more
    channel_id: str | None
    message_id: str | None
    started_at: datetime
    heartbeat_at: datetime
    finished_at: datetime | None
    stage: str
    fraction: float | None
    reason: str | None
    version: str | None


_PAUSED = select(member.c.discord_id).where(member.c.paused_at.is_not(None))  # others do not hear of them for now
_ASKED_BY = case((training_run.c.requested_by.in_(_PAUSED), ""), else_=training_run.c.requested_by)
_COLUMNS = [_ASKED_BY.label(name) if name == "requested_by" else training_run.c[name] for name in TrainingRun.__slots__]


def _run(row: Row[tuple[object, ...]] | None) -> TrainingRun | None:
    return None if row is None else TrainingRun(**row._mapping)


async def start(connection: AsyncConnection, requested_by: str, now: datetime) -> int:
    """The new run's id. Raises `BusyError` if a run is on anywhere."""
    statement = insert(training_run).values(
        status="running", requested_by=requested_by, started_at=now, heartbeat_at=now
    )
    try:
        return int((await connection.execute(statement.returning(training_run.c.id))).scalar_one())
    except IntegrityError as error:
        raise BusyError("A training run is under way already.") from error


async def running(connection: AsyncConnection) -> TrainingRun | None:
    return _run((await connection.execute(select(*_COLUMNS).where(training_run.c.status == "running"))).one_or_none())


async def latest_finished(connection: AsyncConnection, *statuses: str) -> TrainingRun | None:
    """The run that ended last; with `statuses`, the last that ended in one of these."""
    query = select(*_COLUMNS).where(training_run.c.finished_at.is_not(None))
    if statuses:
        query = query.where(training_run.c.status.in_(statuses))
    query = query.order_by(training_run.c.finished_at.desc(), training_run.c.id.desc()).limit(1)
    return _run((await connection.execute(query)).one_or_none())


async def get(connection: AsyncConnection, run_id: int) -> TrainingRun | None:
    return _run((await connection.execute(select(*_COLUMNS).where(training_run.c.id == run_id))).one_or_none())


async def beat(connection: AsyncConnection, run_id: int, stage: str, fraction: float | None, now: datetime) -> bool:
    """Say that the run is alive and where it stands. False when it is to stop: its cancelling was asked for, or
    somebody took it for dead and ended it."""
    statement = (
        update(training_run)
        .where(training_run.c.id == run_id, training_run.c.status == "running")
        .values(heartbeat_at=now, stage=stage, fraction=fraction)
        .returning(training_run.c.cancel_requested)
    )
    asked = await connection.scalar(statement)
    return asked is not None and not asked


async def request_cancel(connection: AsyncConnection) -> bool:
    """Ask whichever process runs it to stop; False if nothing is running."""
    statement = update(training_run).where(training_run.c.status == "running").values(cancel_requested=True)
    return bool((await connection.execute(statement)).rowcount)


async def finish(
    connection: AsyncConnection, run_id: int, status: str, reason: str | None, now: datetime, version: str | None = None
) -> bool:
    """End a running run; False if it had ended already, and then nothing changes."""
    statement = (
        update(training_run)
        .where(training_run.c.id == run_id, training_run.c.status == "running")
        .values(status=status, reason=reason, finished_at=now, version=version)
    )
    return bool((await connection.execute(statement)).rowcount)


async def set_message(connection: AsyncConnection, run_id: int, channel_id: str, message_id: str) -> None:
    """Where the progress is shown: it can be edited without an interaction's token, by a later process too."""
    statement = update(training_run).where(training_run.c.id == run_id)
    await connection.execute(statement.values(channel_id=channel_id, message_id=message_id))
