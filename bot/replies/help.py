"""What /help shows."""

import discord

COLOUR = discord.Colour(0x1DB954)
PRIVACY_PAGE = "https://www.spotify.com/account/privacy/"


def help_page(has_spotify: bool, has_lastfm: bool) -> discord.Embed:
    embed = discord.Embed(
        title="Ten tracks of your own",
        description="I learn from what the members of this server play and recommend everybody their own ten tracks, "
        "with a reason for each.",
        colour=COLOUR,
    )
    start = (
        "`/link` connects your Spotify account through a link in a direct message."
        if has_spotify
        else "This host has no Spotify connection yet; `/recommend` and its buttons work with what you like here."
    )
    start += (
        "\n`/import` brings your own history instead, or as well: order it at [Spotify's privacy page]"
        f"({PRIVACY_PAGE}) (*Extended streaming history*), and hand over the files that Spotify sends you."
    )
    start += (
        "\n`/connect listenbrainz` or `/connect lastfm` reads what you listen to there, by your user name."
        if has_lastfm
        else "\n`/connect listenbrainz` reads what you listen to at ListenBrainz, by your user name."
    )
    embed.add_field(name="Get started", value=start, inline=False)
    embed.add_field(
        name="Get recommendations",
        value="`/recommend` gives ten tracks: known and new ones mixed. `kind:new` only new ones, `kind:familiar` what "
        "you know; `share:True` shows them to everybody.\nThe buttons below a list tell me what you like, dislike or "
        "know already; the next `/recommend` heeds it.",
        inline=False,
    )
    embed.add_field(
        name="Your data",
        value="`/status` shows what is linked and collected, and what to do next. `/sync` collects again now (I do it "
        "every day by myself). Spotify ends every link after six months; `/link` renews it and keeps everything. "
        "`/unlink` deletes your tokens and everything that came from Spotify, at once; "
        "`/disconnect` everything that came from a service that you connected.\n"
        "`/privacy show` says what is held and since when, `/privacy export` hands it all out, `/privacy training` is "
        "about what the shared model may learn from, `/privacy pause` stops everything for a while, and "
        "`/privacy delete` deletes everything about you.",
        inline=False,
    )
    embed.add_field(
        name="For admins",
        value="`/model retrain` trains the shared model, `/model status` shows what is live and how good it is, "
        "`/model cancel` stops a training run. `/model promote` makes a refused or earlier version live, "
        "`/model rollback` goes back to the one before.",
        inline=False,
    )
    return embed
