"""The Web API's refusals."""

from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    """Ends a request with Spotify's error object."""

    def __init__(
        self, status: int, message: str, *, reason: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{status} {message}")
        self.status = status
        self.message = message
        self.reason = reason
        self.headers = headers or {}

    @property
    def body(self) -> Mapping[str, Any]:
        return error_object(self.status, self.message, self.reason)


def error_object(status: int, message: str, reason: str | None = None) -> Mapping[str, Any]:
    """`reason` is what tells a used-up quota from a burst of requests."""
    error: dict[str, Any] = {"status": status, "message": message}
    if reason is not None:
        error["reason"] = reason
    return {"error": error}


INSUFFICIENT_SCOPE = "Insufficient client scope"
FORBIDDEN = "Forbidden"
NOT_FOUND = "Resource not found"
NOT_REGISTERED = "User not registered in the Developer Dashboard"
NO_PREMIUM = "Active premium subscription required for the owner of the app."
