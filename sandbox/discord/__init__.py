"""The parts of the local Discord; `sandbox.discord_server.DiscordServer` puts them together."""
