"""What /link and /unlink answer, and the direct message that holds the link."""

from bot.replies.host import seats_used
from bot.replies.numbers import counted, on_day
from bot.replies.text import escaped
from bot.services.link import Offer
from bot.services.link_message import LinkNews, LinkStep
from bot.services.unlink import Unlinked

NO_SPOTIFY = (
    "This host has no Spotify connection: there is nothing to link. `/import` takes the history that Spotify sends "
    "you, and `/recommend` works with what you like here."
)
ACCESS_PAGE = "https://www.spotify.com/account/apps/"
_NAME = 100  # characters shown of anybody's name


def invitation(offer: Offer, guild_name: str | None) -> str:
    """The direct message. Its link is for one person, so it warns against passing it on."""
    renewed = (
        f"You are linked as {escaped(offer.linked_as, _NAME)} already; this renews it.\n" if offer.linked_as else ""
    )
    return (
        f"**Link your Spotify account** (you asked for it in {_place(guild_name)})\n{renewed}{offer.url}\n"
        f"The link works for ten minutes, once, and for you only: do not pass it on.{_seats(offer)}"
    )


def look_there(offer: Offer, message_url: str) -> str:
    return f"I sent you a [direct message]({message_url}) with your link. It works for ten minutes.{_seats(offer)}"


def closed_messages(offer: Offer, guild_name: str | None) -> str:
    return f"Your direct messages are closed to me, so here it is; only you see it.\n\n{invitation(offer, guild_name)}"


def after_linking(news: LinkNews) -> str:
    """What takes the link's place in the direct message."""
    name = escaped(news.spotify_name, _NAME) if news.spotify_name else "your Spotify account"
    head = f"**Linked as {name}**, as you asked in {_place(news.guild_name)}."
    match news.step:
        case LinkStep.COLLECTING if news.tracks:
            return f"{head} Collecting your tracks… {news.tracks:,} so far."
        case LinkStep.COLLECTING:
            return f"{head} Collecting your tracks…"
        case LinkStep.COLLECTED:
            return (
                f"{head} {counted(news.tracks or 0, 'track')} collected. "
                "`/recommend` gives you ten of your own, `/status` shows what I know."
            )
        case LinkStep.STOPPED:
            kept = f" {counted(news.tracks, 'track')} collected so far." if news.tracks else ""
            return f"{head}{kept} {news.note or 'Collecting stopped; it goes on by itself.'}"


def unlinked(gone: Unlinked) -> str:
    erased = gone.erased
    return (
        f"**Your Spotify account is unlinked.** I deleted its tokens and everything that came from it: "
        f"{counted(erased.tracks, 'track')}, {counted(erased.interactions, 'interaction')}, "
        f"{counted(erased.follows, 'followed artist')}, {counted(erased.listings, 'list')}.\n{later(gone)}"
        "Likes and dislikes that you gave here in Discord stay, and so does what came by another way; "
        "`/privacy delete` deletes everything.\n"
        f"To take the app's access away at Spotify too, remove it there: <{ACCESS_PAGE}>"
    )


def later(gone: Unlinked) -> str:
    """What goes with time, a line each."""
    models = (
        f"The shared model was trained with some of it: those versions are gone by {on_day(gone.models_by)}.\n"
        if gone.models_by
        else ""
    )
    copies = (
        f"Copies that were made before an update of the bot are gone by {on_day(gone.backups_by)}.\n"
        if gone.backups_by
        else ""
    )
    return copies + models


def _seats(offer: Offer) -> str:
    """Spotify gives small bots a few seats only, and they are not for show."""
    return f"\n{seats_used(offer.seats)}." if offer.seats is not None else ""


def _place(guild_name: str | None) -> str:
    return escaped(guild_name, _NAME) if guild_name else "a direct message"
