"""What the sources are called."""

from bot.sources import Source

NAMES: dict[str, str] = {
    Source.SPOTIFY: "Spotify",
    Source.DISCORD: "the buttons under your lists",
    Source.EXPORT: "your Spotify data export",
    Source.LISTENBRAINZ: "ListenBrainz",
    Source.LASTFM: "Last.fm",
    Source.DATASET: "a file of the host",
}


def source_name(source: str) -> str:
    """In the middle of a sentence addressed to the member; a source without a name is called by its key."""
    return NAMES.get(source, source)
