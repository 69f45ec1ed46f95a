"""Menus and buttons of the bot's messages, pressed as a member presses them."""

import re
from typing import Any

from bot.replies.recommend import MENU_ID
from sandbox.discord_server import DiscordServer, Interaction, Message, Refused, User

Menu = dict[str, Any]


def feedback_menu(message: Message, kind: str) -> Menu | None:
    """The menu of a list in which tracks are liked, disliked or known; None when the message is no list."""
    for menu in message.selects:
        found = re.fullmatch(MENU_ID, menu["custom_id"])
        if found and found["kind"] == kind:
            return menu
    return None


async def choose(discord: DiscordServer, user: User, message: Message, menu: Menu, number: int) -> Interaction:
    """The `number`th option, counted from 1.

    :raises Refused: when there is none.
    """
    options = menu["options"]
    if not 1 <= number <= len(options):
        raise Refused(f"Type a number from 1 to {len(options)}.")
    return await discord.select(user, message, menu["custom_id"], [options[number - 1]["value"]])


async def give(discord: DiscordServer, user: User, message: Message, kind: str, number: int) -> Interaction:
    """Like, dislike or know the `number`th track of a list.

    :raises Refused: when the message is no list, or a shorter one.
    """
    menu = feedback_menu(message, kind)
    if menu is None:
        raise Refused("There is no list of tracks here.")
    return await choose(discord, user, message, menu, number)


async def press(discord: DiscordServer, user: User, message: Message, label: str) -> Interaction:
    """A button by its label, in capitals or not.

    :raises Refused: when there is none, or it does not work.
    """
    exact = next((button.label for button in message.buttons if button.label.lower() == label.lower()), label)
    return await discord.click(user, message, exact)
