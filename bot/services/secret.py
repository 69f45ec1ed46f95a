"""What opens a one-time link or tells a browser apart: 256 random bits, of which only a hash is kept."""

import hashlib
import secrets


def new_secret() -> str:
    """Fit for an address."""
    return secrets.token_urlsafe(32)


def hashed(secret: str) -> str:
    """What is kept of it; so many random bits need no salt."""
    return hashlib.sha256(secret.encode()).hexdigest()


def is_anothers(kept: str | None, browser: str | None) -> bool:
    """Whether a link that keeps this hash of a browser (None: of none yet) may not be used by `browser`."""
    return kept is not None and (browser is None or hashed(browser) != kept)
