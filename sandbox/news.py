"""What is new for somebody in the sandbox's Discord: messages of the bot that appeared or changed."""

import json

from sandbox.discord_server import DiscordServer, Message, User


class News:
    """Tells each state of a message once. What was there already when this was made is no news."""

    def __init__(self, discord: DiscordServer, user: User) -> None:
        self._discord = discord
        self._user = user
        self._told: dict[str, str] = {}
        self.take()

    def take(self) -> list[Message]:
        """The news since the last call, oldest first; a reply that is still "thinking" is none yet."""
        news = []
        for message in self._discord.visible(self._user):
            looks = json.dumps([message.content, message.embeds, message.components])
            if message.author is self._discord.bot and not message.loading and self._told.get(message.id) != looks:
                self._told[message.id] = looks
                news.append(message)
        return news

    async def wait(self, timeout: float) -> list[Message]:
        """The next news, as soon as there are some; [] when there are none for `timeout` seconds."""
        try:
            return await self._discord.wait_until(self.take, timeout)
        except TimeoutError:
            return []
