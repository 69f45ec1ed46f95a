"""One error tree. `told` is what a member may read of an error: one sentence and the next step. `str(error)` is for the
log and, for refusals (`MemberError`), the same sentence.

SpecRecError
├── SettingsError            the host's settings; ends the start, one sentence per fault
├── DatabaseError            the database cannot be used (newer version, not reachable)
├── UnforeseenError          whatever nobody foresaw; its code leads to the cause in the log
├── MemberError              a refusal or a state that the member may read as it is
│   ├── NotLinkedError       nothing to work with yet; says how to get started
│   ├── NotAllowedError      the command is for somebody else
│   ├── NoSeatError          the host's Spotify app has no room for another account
│   ├── FileRefusedError     a file that cannot be imported, with the reason
│   ├── PausedError          the member has paused: nothing of theirs is collected
│   └── BusyError            the same thing is already under way, or was a moment ago
├── SpotifyError             Spotify said no, or nothing
│   ├── NeedsReconnectError  the consent is gone: only the member can renew it
│   ├── ForbiddenError       403: this endpoint or playlist is closed to this app; never retried
│   │   ├── NotRegisteredError   this account is not one that the host's app may read
│   │   └── NoPremiumError       the whole app stands still until its owner has Premium again
│   ├── GoneError            404: the item does not exist any more
│   ├── RateLimitError       429: not before `retry_at`
│   │   ├── QuotaError       429 QUOTA_EXCEEDED: a day's quota; that kind of work stops
│   │   └── BudgetError      not asked: the host's own daily budget, or this member's share of it, is used up
│   └── UnavailableError     timeouts and 5xx: try again later; never looks like an empty result
│       └── ConsentDoubtError    Spotify refuses to renew, but perhaps it is Spotify's trouble: nothing is concluded yet
│           └── TurnedAwayError  … or it does renew, and its API refuses the new token
├── ServiceError             a service of listens (ListenBrainz, Last.fm) said no, or nothing
│   ├── NoSuchUserError      it knows nobody of that name
│   ├── PrivateUserError     that user keeps their listening to themselves
│   ├── HostKeyError         it does not accept the host's key
│   ├── ServiceBusyError     it asks to wait: not before `retry_at`
│   └── ServiceDownError     no answer, or none that can be understood; never looks like an empty result
├── AudioFeaturesError       a source of audio features did not answer
└── ModelError               a model version is damaged, foreign or missing, or a training run failed
"""

import secrets
from datetime import datetime


class SpecRecError(Exception):
    """Root of everything this application raises on purpose."""

    @property
    def told(self) -> str:
        return "Something went wrong on this bot's side. Please try again in a few minutes."


class SettingsError(SpecRecError):
    """One or more settings are missing or wrong. `faults` holds one sentence for each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class DatabaseError(SpecRecError):
    """The database cannot be used; the message is for the host."""


class UnforeseenError(SpecRecError):
    """`code` is for the member to name and for the log to hold, beside the cause."""

    def __init__(self) -> None:
        self.code = secrets.token_hex(3).upper()
        super().__init__(f"[{self.code}]")

    @property
    def told(self) -> str:
        return f"{super().told} If it happens again, tell the host this code: `{self.code}`."


class MemberError(SpecRecError):
    """A refusal in words for the member: one sentence and the next step."""

    @property
    def told(self) -> str:
        return str(self)


class NotLinkedError(MemberError):
    pass


class NotAllowedError(MemberError):
    pass


class NoSeatError(MemberError):
    def __init__(self, total: int) -> None:
        super().__init__(
            f"All {total} seats that this bot has at Spotify are used. `/import` and `/connect` bring your music here "
            "without one; or ask the host whether a seat can become free."
        )


class FileRefusedError(MemberError):
    """What is wrong with a file. While it is read, the words that follow its name ("is empty")."""


class PausedError(MemberError):
    def __init__(self) -> None:
        super().__init__("You have paused, so nothing of yours is collected or stored. /privacy resume goes on.")


class BusyError(MemberError):
    pass


class SpotifyError(SpecRecError):
    """Something that Spotify answered, or failed to answer. The message is for the log, never shown raw."""

    @property
    def told(self) -> str:
        return "Spotify did not answer as expected. Nothing was lost; please try again in a few minutes."


class NeedsReconnectError(SpotifyError):
    @property
    def told(self) -> str:
        return "Spotify no longer accepts your link. Type /link to connect again; everything collected so far is kept."


class ForbiddenError(SpotifyError):
    @property
    def told(self) -> str:
        return "Spotify does not let this bot read that. Everything else is collected as before."


class NotRegisteredError(ForbiddenError):
    """Nothing of this account may be read."""

    @property
    def told(self) -> str:
        return (
            "Spotify lets this bot read only accounts that its host has registered, and yours is not one of them (any "
            "more): ask the host to add you to the users of their Spotify app. Until then /import and /connect bring "
            "your music here without it."
        )


class NoPremiumError(ForbiddenError):
    """Nobody's account may be read."""

    @property
    def told(self) -> str:
        return (
            "Spotify answers this bot no more, because the owner of its Spotify app has no Premium: the host has to "
            "renew that. Nothing was lost, and your link stays."
        )


class GoneError(SpotifyError):
    pass


class RateLimitError(SpotifyError):
    def __init__(self, message: str, retry_at: datetime) -> None:
        super().__init__(message)
        self.retry_at = retry_at

    @property
    def told(self) -> str:
        return (
            f"Spotify asks this bot to wait until {self.retry_at:%d %B, %H:%M} UTC. Nothing was lost; it goes on then."
        )


class QuotaError(RateLimitError):
    pass


class BudgetError(RateLimitError):
    @property
    def told(self) -> str:
        return (
            "So that Spotify's daily limit is enough for everybody here, each member gets a part of it, and yours is "
            f"used for now. Nothing was lost; the next part begins at {self.retry_at:%d %B, %H:%M} UTC."
        )


class UnavailableError(SpotifyError):
    pass


class ConsentDoubtError(UnavailableError):
    @property
    def told(self) -> str:
        return (
            "Spotify did not renew your link just now, perhaps because of trouble on its side. Nothing was lost and "
            "there is nothing for you to do: it is tried again."
        )


class TurnedAwayError(ConsentDoubtError):
    """A token that Spotify gave a moment ago, and that its API refuses all the same."""


class ServiceError(SpecRecError):
    """`service` is its name as members know it. The message is for the log: it never holds a member's name there."""

    def __init__(self, service: str, message: str = "") -> None:
        super().__init__(f"{service}: {message or type(self).__name__}")
        self.service = service

    @property
    def told(self) -> str:
        return f"{self.service} did not answer as expected. Nothing was lost; please try again in a few minutes."


class NoSuchUserError(ServiceError):
    @property
    def told(self) -> str:
        return f"{self.service} knows no user of that name. Look at how it is spelt on your profile page there."


class PrivateUserError(ServiceError):
    @property
    def told(self) -> str:
        return (
            f"That user hides their recent listening on {self.service}, so I may not read it. If it is you: allow it "
            f"in {self.service}'s privacy settings, then try again."
        )


class HostKeyError(ServiceError):
    @property
    def told(self) -> str:
        return f"{self.service} does not accept this host's key: only the host can mend that. Please tell them."


class ServiceBusyError(ServiceError):
    def __init__(self, service: str, message: str, retry_at: datetime) -> None:
        super().__init__(service, message)
        self.retry_at = retry_at

    @property
    def told(self) -> str:
        return f"{self.service} asks this bot to wait until {self.retry_at:%d %B, %H:%M} UTC. Nothing was lost."


class ServiceDownError(ServiceError):
    @property
    def told(self) -> str:
        return f"{self.service} does not answer at the moment. Nothing was lost; please try again later."


class AudioFeaturesError(SpecRecError):
    pass


class ModelError(SpecRecError):
    pass
