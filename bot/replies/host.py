"""What the host reads in a direct message."""

from bot.services.host import HostNotice, Seats, Trouble


def host_notice(notice: HostNotice) -> str:
    match notice.trouble:
        case Trouble.NOT_REGISTERED:
            seats = f" ({seats_used(notice.seats)})" if notice.seats else ""
            return (
                f"<@{notice.discord_id}> tried to use Spotify here, and Spotify refused: their account is not among "
                "the users of your Spotify app. You can add it on <https://developer.spotify.com/dashboard> under "
                f"*User Management*, with its name and e-mail address{seats}. Without a place there `/import` and "
                "`/connect` bring their music here; I told them so."
            )
        case Trouble.NO_PREMIUM:
            return (
                "Spotify refuses everything this bot asks: the owner of your Spotify app needs an active Premium. "
                "Nothing was lost; it goes on by itself once that is renewed."
            )


def seats_used(seats: Seats) -> str:
    return f"{seats.used} of {seats.total} seats used"
