"""Direct messages to whoever hosts the bot: the owner of the Discord application, or all of its team."""

import logging
from collections.abc import Callable

import discord

from bot.replies.host import host_notice
from bot.services.host import HostNotice

log = logging.getLogger(__name__)


class HostMessenger:
    def __init__(self, client: Callable[[], discord.Client]) -> None:
        self._client = client

    async def tell(self, notice: HostNotice) -> None:
        client = self._client()
        if client.user is None or client.is_closed():
            return
        try:
            application = await client.application_info()
            team = application.team
            for host_id in [application.owner.id] if team is None else [one.id for one in team.members]:
                host = await client.fetch_user(host_id)
                await host.send(host_notice(notice), suppress_embeds=True)
        except (discord.HTTPException, OSError) as error:
            log.info("the host was not told in Discord: %s", getattr(error, "code", type(error).__name__))
