"""The recommender library: no asyncio, no network, no database, no environment, no Discord."""
