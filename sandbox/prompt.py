"""The demo's prompt: type as any member, and read what the bot replies and whatever else they get to see."""

import asyncio
from typing import Any

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import Completer, NestedCompleter
from prompt_toolkit.formatted_text import HTML
from prompt_toolkit.patch_stdout import patch_stdout

from sandbox.discord.commands import BOOLEAN, GROUP, SUBCOMMAND
from sandbox.discord_server import InteractionFailed, Message, Refused, User
from sandbox.news import News
from sandbox.pressing import choose, feedback_menu, give, press
from sandbox.stage import Stage
from sandbox.transcript import Transcript
from sandbox.typed import (
    Action,
    Become,
    Choose,
    Command,
    Feedback,
    Help,
    NotUnderstoodError,
    Press,
    Quit,
    Who,
    understand,
)

FOREVER_SECONDS = 1e6

HOW_TO = """\
/as NAME               type as somebody else; /who lists everybody
/recommend kind:new    any slash command of the bot, as in Discord; /help lists them
like 3, dislike 2, know 5, undo, share
                       about the tracks of the last list
press LABEL            any other button of the last reply
choose 1 3             the third option of the first menu of the last reply
/quit                  stop everything and leave"""


class Prompt:
    """`handle` does what one line says; `run` asks for lines until somebody leaves."""

    def __init__(self, stage: Stage, transcript: Transcript) -> None:
        self._stage = stage
        self._transcript = transcript
        self._become(stage.admin)

    def _become(self, user: User) -> None:
        self.user = user
        self._news = News(self._stage.discord, user)

    async def run(self) -> None:
        """Until /quit, Ctrl-C or the end of the input."""
        session: PromptSession[str] = PromptSession(
            completer=_completer(self._stage), complete_while_typing=False, erase_when_done=True
        )
        with patch_stdout(raw=True):
            watching = asyncio.create_task(self._watch())
            try:
                while True:
                    try:
                        line = await session.prompt_async(lambda: HTML("<b>{}</b> › ").format(self.user.name))
                    except (EOFError, KeyboardInterrupt):
                        return
                    if not await self.handle(line):
                        return
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)

    async def handle(self, line: str) -> bool:
        """Whether to go on asking."""
        try:
            action = understand(line, self._stage.discord.commands(self._stage.guild))
            if isinstance(action, Quit):
                return False
            if action is not None:
                await self._do(action, line.strip())
        except (NotUnderstoodError, Refused) as refused:
            self._transcript.problem(str(refused))
        except InteractionFailed as failed:
            self._transcript.problem(f"{failed} (Discord's own words.)")
        except TimeoutError:
            self._transcript.problem("The bot is still at it; what it says is shown when it comes.")
        self.show_news()
        return True

    def show_news(self) -> None:
        """Whatever appeared or changed since the last time."""
        for message in self._news.take():
            self._transcript.reply(message)

    async def _watch(self) -> None:
        while True:
            # Looked up each time: somebody else's news after /as.
            for message in await self._stage.discord.wait_until(lambda: self._news.take(), FOREVER_SECONDS):
                self._transcript.reply(message)

    async def _do(self, action: Action, line: str) -> None:
        stage, transcript = self._stage, self._transcript
        match action:
            case Help():
                transcript.note(HOW_TO)
            case Who():
                for name in stage.users:
                    transcript.note(_about(stage, name))
            case Become(name):
                found = [user for known, user in stage.users.items() if known.lower() == name.lower()]
                if not found:
                    raise NotUnderstoodError(f"There is no {name}; there are {', '.join(stage.users)}.")
                self._become(found[0])
                transcript.note(f"You type as {_about(stage, self.user.name)} now.")
            case Command(name, options):
                transcript.typed(self.user.name, line)
                sent = await stage.command(self.user, name, options)
                await sent.interaction.reply()
            case Feedback() | Press() | Choose():
                await self._press(action, line)
            case Quit():
                raise AssertionError("handled before")

    async def _press(self, action: Feedback | Press | Choose, line: str) -> None:
        discord, user = self._stage.discord, self.user
        message = self._last_reply(action)
        match action:
            case Feedback(kind, number):
                interaction = await give(discord, user, message, kind, number)
            case Press(label):
                interaction = await press(discord, user, message, label)
            case Choose(place, number):
                if not 1 <= place <= len(message.selects):
                    raise NotUnderstoodError(f"Menus that the last reply has: {len(message.selects)}.")
                interaction = await choose(discord, user, message, message.selects[place - 1], number)
        self._transcript.typed(user.name, line, "on the last reply")
        await interaction.reply()

    def _last_reply(self, action: Feedback | Press | Choose) -> Message:
        """The newest message that has something to press, or a list of tracks where one is talked about."""
        for message in reversed(self._stage.discord.visible(self.user)):
            if isinstance(action, Feedback):
                fits = feedback_menu(message, action.kind) is not None
            else:
                fits = bool(message.buttons or message.selects)
            if fits:
                return message
        raise NotUnderstoodError(
            "There is no list yet: type /recommend first."
            if isinstance(action, Feedback)
            else f"No reply that {self.user.name} got has anything to press."
        )


def _about(stage: Stage, name: str) -> str:
    """A member in a few words."""
    member = stage.community.member(name)
    marks = [
        " and ".join([", ".join(member.genres[:-1]), member.genres[-1]] if len(member.genres) > 1 else member.genres)
    ]
    if stage.users[name] is stage.admin:
        marks.append("admin")
    if member.door != "spotify":
        marks.append(f"comes through {member.door}")
    if member.newcomer:
        marks.append("has hardly listened yet")
    if member.dms_closed:
        marks.append("takes no direct messages")
    return f"{name} ({'; '.join(marks)})"


def _completer(stage: Stage) -> Completer:
    """What Tab offers: names behind /as, the bot's commands with their subcommands and options."""

    def below(command: dict[str, Any]) -> dict[str, Any] | None:
        options = command.get("options", [])
        inner = {one["name"]: below(one) for one in options if one["type"] in (SUBCOMMAND, GROUP)}
        for option in options:
            if option["type"] not in (SUBCOMMAND, GROUP):
                choices = [choice["value"] for choice in option.get("choices", [])] or [
                    "true" if option["type"] == BOOLEAN else ""
                ]
                inner |= dict.fromkeys(f"{option['name']}:{choice}" for choice in choices)
        return inner or None

    commands = {f"/{command['name']}": below(command) for command in stage.discord.commands(stage.guild)}
    ours: dict[str, Any] = {"/as": dict.fromkeys(stage.users), "/who": None, "/quit": None, "/?": None}
    ours |= dict.fromkeys(["like", "dislike", "know", "undo", "share", "press", "choose"])
    return NestedCompleter.from_nested_dict(ours | commands)
