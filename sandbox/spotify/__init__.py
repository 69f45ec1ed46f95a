"""The parts of the local Spotify; `sandbox.spotify_server.SpotifyServer` puts them together."""
