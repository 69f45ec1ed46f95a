"""Alembic's entry. `storage/migrate.py` hands over an open connection, so that the application's own URL,
pragmas and transaction hold; `alembic revision` on a developer's desk uses DATABASE_URL's default file."""

from alembic import context
from sqlalchemy import create_engine

from bot.storage.schema import metadata


def _run(connection: object) -> None:
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True, compare_type=False)  # type: ignore[arg-type]
    with context.begin_transaction():
        context.run_migrations()


handed_over = context.config.attributes.get("connection")
if handed_over is not None:
    _run(handed_over)
else:
    with create_engine("sqlite:///var/specrec.db").connect() as own:
        _run(own)
        own.commit()
