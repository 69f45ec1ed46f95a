"""Seals what may not lie about in the database: tokens and PKCE verifiers, with TOKEN_ENCRYPTION_KEYS."""

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from bot.errors import NeedsReconnectError


class Vault:
    """The first key seals, every key opens: put a new key in front, keep the old ones until they open nothing more."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._current = Fernet(keys[0])
        self._all = MultiFernet([Fernet(key) for key in keys])

    def seal(self, secret: str) -> str:
        return self._current.encrypt(secret.encode()).decode()

    def open(self, sealed: str) -> str:
        """Raises `NeedsReconnectError` when no key opens it: put the missing key back, or the member has to
        connect again."""
        try:
            return self._all.decrypt(sealed).decode()
        except InvalidToken as error:
            raise NeedsReconnectError("no encryption key opens what is stored") from error

    def resealed(self, sealed: str) -> str:
        """The same secret under the first key; `sealed` itself where it is that already. Raises as `open` does."""
        try:
            self._current.decrypt(sealed)
        except InvalidToken:
            return self.seal(self.open(sealed))
        return sealed
