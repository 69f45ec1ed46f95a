"""`python -m sandbox`: the real bot among local stand-ins of Discord, Spotify and ReccoBeats: a tour, then a prompt."""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path

from rich.console import Console

from sandbox.bot_process import BotFailed
from sandbox.picture import picture
from sandbox.prompt import HOW_TO, Prompt
from sandbox.stage import Stage
from sandbox.tour import Tour
from sandbox.transcript import Transcript

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The last one comes when a terminal is closed: nothing may stay behind then either."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox",
        description="The real bot among local stand-ins of Discord, Spotify and ReccoBeats: a tour, then a prompt.",
    )
    parser.add_argument("--once", action="store_true", help="play the tour and end; the exit code is 1 after errors")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what the tour came to")
    parser.add_argument(
        "--record", type=Path, metavar="FILE", help="write every exchange, tokens left out, as JSON lines"
    )
    parser.add_argument("--picture", type=Path, metavar="FILE", help="write the first list as an HTML page")
    parser.add_argument("--seed", type=int, default=7, metavar="N", help="of the community (default: %(default)s)")
    options = parser.parse_args(arguments)
    for file in (options.json, options.record, options.picture):
        if file is not None and not file.absolute().parent.is_dir():
            parser.error(f"the folder of {file} does not exist: make it first, or name another file")
    try:
        return asyncio.run(_run(options))
    except OSError as error:
        print(f"The sandbox could not start: {error}", file=sys.stderr)
        return 1
    except asyncio.CancelledError:
        return 130


async def _run(options: argparse.Namespace) -> int:
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    for number in SIGNALS:
        loop.add_signal_handler(number, task.cancel)
    console = Console()
    stage = Stage(seed=options.seed, record=options.record)
    transcript = Transcript(console, stage.name_of)
    errors: list[str] = []
    try:
        async with stage:
            transcript.title("The real bot, among local stand-ins of Discord, Spotify and ReccoBeats")
            tour = Tour(stage, transcript)
            await tour.play()
            errors = tour.errors
            if options.picture is not None and stage.admin.name in tour.replies:
                page = picture(tour.replies[stage.admin.name], stage.admin.name)
                options.picture.write_text(page, encoding="utf-8")
            if not options.once:
                _write(options.json, tour)
                await _stay(stage, transcript)
            try:
                await stage.bot.stop()
            except BotFailed as failure:
                tour.note_error(str(failure))
            if options.once:
                _write(options.json, tour)
            stage.failed = stage.failed or bool(errors)
    except BotFailed as failure:
        transcript.problem(str(failure))
        errors.append(str(failure))
    finally:
        if stage.kept_log is not None:
            transcript.problem(f"The bot's log is kept in {stage.kept_log}.")
    return 1 if errors else 0


def _write(path: Path | None, tour: Tour) -> None:
    if path is not None:
        path.write_text(json.dumps(tour.report(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


async def _stay(stage: Stage, transcript: Transcript) -> None:
    """Until a signal; on a terminal also until /quit."""
    transcript.heading("It stays up")
    transcript.note(
        f"The bot's pages     {stage.public_url}/healthz, /readyz, /link/…\n"
        f"Discord's API       {stage.discord.api_url}\n"
        f"Spotify's API       {stage.spotify.api_url}\n"
        f"Spotify's consent   {stage.spotify.accounts_url}/authorize (where a link leads)\n"
        f"ReccoBeats' API     {stage.reccobeats.url}\n"
        f"ListenBrainz' API   {stage.listenbrainz.url}, its labs {stage.labs.url}\n"
        f"Last.fm's API       {stage.lastfm.url}\n"
        f"The bot's log       {stage.bot.log}"
    )
    if sys.stdin.isatty() and sys.stdout.isatty():
        transcript.note(f"\n{HOW_TO}\n")
        staying: Coroutine[object, object, object] = Prompt(stage, transcript).run()
    else:
        transcript.note("\nIt ends with SIGTERM or Ctrl-C.")
        staying = asyncio.Event().wait()
    visit = asyncio.create_task(staying)
    for number in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, visit.cancel)
    await asyncio.wait({visit})
    if not visit.cancelled():
        visit.result()
    transcript.note("Stopping everything …")


if __name__ == "__main__":
    sys.exit(main())
