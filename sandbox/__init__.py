"""The far ends for people without accounts and for the tests: Discord, Spotify, ReccoBeats, a community, a tour."""
