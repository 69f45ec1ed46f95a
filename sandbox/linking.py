"""A member links Spotify as members do: /link, the link from the direct message, our page, Spotify's, and back."""

from dataclasses import dataclass

from sandbox.browser import Browser, Page
from sandbox.discord_server import Message, User
from sandbox.stage import Stage


@dataclass(frozen=True)
class Linked:
    """What was seen on the way. `invitation` is the message that held the link."""

    reply: Message
    invitation: Message
    invitation_text: str
    pages: tuple[Page, Page, Page]
    """Ours, Spotify's, and ours once more with what became of it."""


class LinkingFailed(Exception):  # noqa: N818 - says how far it came
    """The member did not get to the end; the message says where they stopped."""


async def link(stage: Stage, user: User, spotify_id: str) -> Linked:
    """
    :param spotify_id: whom the member says they are on Spotify's page.
    :raises LinkingFailed: when no link came, or a page is not the right one.
    """
    sent = await stage.command(user, "link")
    reply = await sent.interaction.reply()
    messages = [*stage.discord.dms(user)[::-1], reply]
    invitation = next((message for message in messages if stage.link_in(message)), None)
    if invitation is None:
        raise LinkingFailed(f"{user.name} got no link, but: {reply.text}")
    text, address = invitation.content, stage.link_in(invitation)
    assert address is not None
    async with Browser() as browser:
        ours = await browser.open(address)
        _expect(user, ours, 200, forms=1)
        consent = await browser.submit(ours)
        _expect(user, consent, 200, forms=1)
        done = await browser.submit(consent, user=spotify_id, decision="agree")
        _expect(user, done, 200, forms=0)
    return Linked(reply, invitation, text, (ours, consent, done))


def _expect(user: User, page: Page, status: int, forms: int) -> None:
    if page.status != status or len(page.forms) != forms:
        raise LinkingFailed(f"{user.name} came to the page {page.heading!r} (status {page.status}): {page.text}")
