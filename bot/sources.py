"""Where interactions come from. The host's TRAINING_SOURCES names those that a model may be trained on."""

from enum import StrEnum


class Source(StrEnum):
    SPOTIFY = "spotify"  # Spotify's Web API, after /link
    DISCORD = "discord"  # likes, dislikes and "I know it" given on the bot's own buttons
    EXPORT = "export"  # a member's own data from Spotify's privacy page, after /import
    LISTENBRAINZ = "listenbrainz"  # listens and loves of a ListenBrainz user, after /connect
    LASTFM = "lastfm"  # scrobbles and loves of a Last.fm user, after /connect
    DATASET = "dataset"  # a file of interactions that the host read in with import-dataset


CATALOGUE = "catalogue"
"""Where tracks and their features come from that the host read in with import-tracks; nobody did anything with them."""


class FeatureOrigin(StrEnum):
    """Where audio features can be looked up, and what their `source` is called."""

    SPOTIFY = "spotify"  # for applications with extended access from before November 2024
    RECCOBEATS = "reccobeats"
