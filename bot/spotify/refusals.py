"""What a failed call to Spotify means: spotipy's and requests' exceptions in the words of bot/errors.py."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import requests
import spotipy

from bot.errors import (
    ForbiddenError,
    GoneError,
    NeedsReconnectError,
    NoPremiumError,
    NotRegisteredError,
    QuotaError,
    RateLimitError,
    SpotifyError,
    UnavailableError,
)

RATE_WINDOW = timedelta(seconds=30)  # Spotify's rolling window, where Retry-After is missing
QUOTA_WINDOW = timedelta(days=1)  # quotas come back after about a day
LONGEST_WAIT = timedelta(days=7)  # more than that is a mistake on the other side


class UnauthorisedError(SpotifyError):
    """401. Stays inside this package: the gateway renews the token or raises `NeedsReconnectError`."""


def as_error(name: str, error: Exception, now: datetime) -> SpotifyError:
    """`name` says which call failed. The message holds status and reason only: no token, no id."""
    answer = _answer(error)
    if answer is None:
        return UnavailableError(f"{name}: no answer ({type(error).__name__})")
    status, reason, text, headers = answer
    if status == 401:
        return UnauthorisedError(f"{name}: 401")
    if status == 403:
        return _forbidden(name, text.lower())
    if status == 404:
        return GoneError(f"{name}: 404")
    if status == 429:
        wait = _retry_after(headers.get("Retry-After"), now)
        if reason == "QUOTA_EXCEEDED":
            return QuotaError(f"{name}: 429 QUOTA_EXCEEDED", now + (wait or QUOTA_WINDOW))
        return RateLimitError(f"{name}: 429", now + (RATE_WINDOW if wait is None else wait))
    if status >= 500:
        return UnavailableError(f"{name}: {status}")
    return SpotifyError(f"{name}: {status}")  # 400: a mistake of ours; trying again would not help


def _answer(error: Exception) -> tuple[int, str, str, Mapping[str, str]] | None:
    """Status, reason, text and headers; None when nothing came back.

    An error body that is not the described object ({"error": "text"}) makes spotipy itself fail with AttributeError;
    the answer is then in the exception that it was working on.
    """
    if isinstance(error, spotipy.SpotifyException):
        return error.http_status, str(error.reason), str(error.msg), error.headers or {}
    cause = error.__context__
    if isinstance(error, AttributeError) and isinstance(cause, requests.HTTPError) and cause.response is not None:
        return cause.response.status_code, "", cause.response.text, cause.response.headers
    return None


def _forbidden(name: str, text: str) -> SpotifyError:
    """403 says several things, in words only; a body may be plain text."""
    if "scope" in text:
        return NeedsReconnectError(f"{name}: 403, a permission is missing from the consent")
    if "registered" in text:
        return NotRegisteredError(f"{name}: 403, the account is not registered with the application")
    if "premium" in text:
        return NoPremiumError(f"{name}: 403, the owner of the application has no Premium")
    return ForbiddenError(f"{name}: 403")


def _retry_after(value: str | None, now: datetime) -> timedelta | None:
    """Seconds or an HTTP date; None where it says nothing usable."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            until = parsedate_to_datetime(value)
        except ValueError:
            return None
        until = until.replace(tzinfo=UTC) if until.tzinfo is None else until
        seconds = (until - now).total_seconds()
    if not math.isfinite(seconds) or seconds < 0:
        return None
    return timedelta(seconds=min(seconds, LONGEST_WAIT.total_seconds()))
