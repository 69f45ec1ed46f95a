"""Command line of the bot: `specrec-bot [run|init|migrate|import-dataset|import-tracks|export-dataset]`."""

import argparse
import asyncio
import gc
import logging
import os
import signal
import sys
from pathlib import Path

import discord

from bot.clock import utc_now
from bot.env_file import write_env_file
from bot.errors import DatabaseError, FileRefusedError, SettingsError
from bot.memory import one_heap
from bot.settings import Settings, load
from bot.storage.database import Database
from bot.storage.migrate import migrate

CACHE_MB = 100  # of an import from the command line: indexes of a million tracks, met in any order
GARBAGE = 200_000  # objects between two looks for cycles there
TOKEN_REFUSED = 4004  # the gateway's close code: the token was reset meanwhile
BAD_TOKEN = "Discord refuses DISCORD_TOKEN: copy a fresh one from the application's Bot page."


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="specrec-bot", description="A Discord bot with ten tracks for everybody.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("run", help="start the bot (default)")
    commands.add_parser("init", help="write a complete, commented .env with fresh keys; never overwrites one")
    commands.add_parser("migrate", help="bring the database to this version's schema, after a backup copy, and end")
    dataset = commands.add_parser(
        "import-dataset",
        help="read in people and what they listened to, of the original project's form or the general one",
    )
    dataset.add_argument("file", type=Path, metavar="FILE", help="a CSV file, packed with gzip or not")
    dataset.add_argument("--tracks", type=Path, metavar="FILE", help="names and audio features of its tracks")
    catalogue = commands.add_parser(
        "import-tracks", help="read in tracks with their audio features, to recommend beyond what the members play"
    )
    catalogue.add_argument("file", type=Path, metavar="FILE", help="a CSV file, packed with gzip or not")
    export = commands.add_parser(
        "export-dataset", help="append what may train to a file of the original project's form; never overwrites"
    )
    export.add_argument("file", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    command = options.command or "run"
    try:
        if command == "init":
            path = Path(".env")
            write_env_file(path)
            print(f"Wrote {path}. Fill in DISCORD_TOKEN and PUBLIC_URL, then start the bot.")
            return 0
        settings = load()
        os.umask(0o077)  # the database and the models are nobody else's business
        _stay_small()
        _set_up_logging(settings)
        match command:
            case "run":
                asyncio.run(_run(settings))
            case "migrate":
                asyncio.run(_migrate(settings))
            case _:
                return _exchange(command, options, settings)
    except SettingsError as error:
        print("\n".join(error.faults), file=sys.stderr)
        return 2
    except FileExistsError as error:
        print(f"{error.filename} exists already and is left as it is: move it away first.", file=sys.stderr)
        return 2
    except discord.LoginFailure:
        print(BAD_TOKEN, file=sys.stderr)
        return 2
    except discord.ConnectionClosed as error:  # whatever may pass is tried again by the library
        words = f"Discord closed the connection for good (code {error.code})."
        print(BAD_TOKEN if error.code == TOKEN_REFUSED else words, file=sys.stderr)
        return 1
    except discord.HTTPException as error:
        print(f"The bot could not start: Discord answered {error.status}. Try again in a while.", file=sys.stderr)
        return 1
    except (DatabaseError, OSError) as error:
        print(f"The bot could not start: {error}", file=sys.stderr)
        return 1
    return 0


async def _run(settings: Settings) -> None:
    from bot.app import App  # now: numpy asks for its number of threads when it is imported

    async with App(settings) as app:
        gc.freeze()  # what is loaded by now stays: looking through all of it takes 60 ms each time
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, app.stop)
        await app.run()


def _exchange(command: str, options: argparse.Namespace, settings: Settings) -> int:
    """The host's own files."""
    from bot.services import datasets  # now: pandas, which the running bot does without

    gc.freeze()  # rows by the hundred thousand hold no cycles: looking for some took a fifth of the time
    gc.set_threshold(GARBAGE)

    async def work() -> str:
        database = Database(settings.database_url, cache_mb=CACHE_MB)
        try:
            await migrate(database, utc_now)
            if command == "import-tracks":
                found = await datasets.import_tracks(database, options.file, utc_now, _tell)
                return f"{found.tracks:,} tracks read, {found.new_tracks:,} of them new."
            if command == "import-dataset":
                found = await datasets.import_dataset(database, options.file, options.tracks, utc_now, _tell)
                return (
                    f"{found.people:,} people and {found.tracks:,} tracks read, {found.new_tracks:,} of these new; "
                    f"{found.new:,} interactions new, {found.already_there:,} already there."
                )
            made = await datasets.export_dataset(database, options.file, settings.training_sources)
            return (
                f"{made.rows:,} rows appended to {options.file}; {made.already_there:,} were there already, "
                f"{made.without_features:,} left out because their audio features are not known."
            )
        finally:
            await database.close()

    try:
        said = asyncio.run(work())
    except FileRefusedError as error:
        print(error, file=sys.stderr)
        return 2
    _tell("")
    print(said)
    return 0


def _tell(words: str) -> None:
    """How far it is, in one line that changes, where somebody looks."""
    if sys.stderr.isatty():
        print(f"\r{words:<40}", end="" if words else "\r", file=sys.stderr, flush=True)


async def _migrate(settings: Settings) -> None:
    database = Database(settings.database_url)
    try:
        await migrate(database, utc_now)
    finally:
        await database.close()


def _stay_small() -> None:
    """One heap, and one thread of arithmetic: OpenBLAS, which numpy brings, starts one a core, and beside a training
    each matrix product would wait for a core to come free, up to 200 ms a list."""
    one_heap()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def _set_up_logging(settings: Settings) -> None:
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for name in ("spotipy", "urllib3", "aiosqlite", "sqlalchemy", "alembic"):  # below WARNING they print rows, tokens
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("discord").setLevel(max(logging.INFO, logging.getLogger().level))
    logging.getLogger("discord.client").addFilter(lambda record: "voice will NOT" not in record.getMessage())


if __name__ == "__main__":
    sys.exit(main())
