"""The real bot, run as a host runs it: `python -m bot` in a process and a folder of its own, with a log file."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import aiohttp

from bot.settings import Settings

STOP_SECONDS = 10.0
"""A stopped bot has this long to close everything."""


class BotFailed(Exception):  # noqa: N818 - says what happened
    """The bot did not start, died, or did not end in time; the message ends with the last lines of its log."""


class BotProcess:
    """`settings` are environment variables; whatever this process's own environment says about them is left out."""

    def __init__(self, folder: Path, settings: Mapping[str, str], public_url: str) -> None:
        self.folder = folder
        self.log = folder / "bot.log"
        self.public_url = public_url
        of_host = {name.upper() for name in Settings.model_fields}
        self._environment = {name: value for name, value in os.environ.items() if name.upper() not in of_host}
        self._environment |= settings
        self._process: asyncio.subprocess.Process | None = None
        self._was_ready = False

    @property
    def pid(self) -> int:
        """
        :raises BotFailed: when it is not running.
        """
        if self._process is None or self._process.returncode is not None:
            raise BotFailed("The bot is not running.")
        return self._process.pid

    async def start(self) -> None:
        """A session of its own: Ctrl-C in the terminal reaches the sandbox, which then stops the bot in order."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "bot",
                cwd=self.folder,  # no .env there
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def wait_ready(self, timeout: float = 120.0) -> None:
        """Until /readyz says so.

        :raises BotFailed: when the process ends before, or is not ready in `timeout` seconds.
        """
        assert self._process is not None
        said = "no answer"
        async with aiohttp.ClientSession() as session:
            for _ in range(int(timeout / 0.1)):
                if self._process.returncode is not None:
                    raise BotFailed(f"The bot ended with code {self._process.returncode}.\n{self.last_words()}")
                try:
                    async with session.get(f"{self.public_url}/readyz") as response:
                        if response.status == 200:
                            self._was_ready = True
                            return
                        said = await response.text()
                except aiohttp.ClientConnectionError:
                    pass
                await asyncio.sleep(0.1)
        raise BotFailed(f"The bot was not ready after {timeout:g} s: {said}\n{self.last_words()}")

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL when that does not help. Stopping a bot that is not running does nothing.

        :raises BotFailed: when it did not end by itself in time, or not with code 0.
        """
        if self._process is None:
            return
        process, self._process = self._process, None
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        try:
            code = await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise BotFailed(f"The bot did not end within {STOP_SECONDS:g} s.\n{self.last_words()}") from None
        if code and (self._was_ready or code != -signal.SIGTERM):  # before it is ready SIGTERM may just end it
            raise BotFailed(f"The bot ended with code {code}.\n{self.last_words()}")

    def last_words(self, lines: int = 15) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])

    def complaints(self) -> list[str]:
        """What it logged as an error: one line each."""
        return [
            line
            for line in self.log.read_text(encoding="utf-8", errors="replace").splitlines()
            if " ERROR " in line or " CRITICAL " in line
        ]
