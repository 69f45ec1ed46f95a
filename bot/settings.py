"""The environment and `.env`, read once at the start into one frozen object.

Every field is an environment variable of the same name in capitals; `specrec-bot init` and `.env.example` list them.
"""

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from pydantic import BeforeValidator, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from bot.errors import SettingsError
from bot.sources import FeatureOrigin, Source
from bot.spotify.kinds import CallKind

DAILY_REQUESTS = "playlists:400,saved:300,artists:80,features:400,other:400"  # below where quotas were seen to close


def _split(value: object) -> object:
    """Lists in the environment are separated by commas; spaces and empty parts do not count."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _blank_is_unset(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an address that starts with http:// or https://")
    return value.rstrip("/")


def _websocket_url(value: str) -> str:
    if urlsplit(value).scheme not in ("ws", "wss"):
        raise ValueError("must be an address that starts with ws:// or wss://")
    return value


def _budgets(value: object) -> object:
    """One number for every kind, or `kind:number` for some of them, with commas between; empty: no budget at all."""
    if not isinstance(value, str):
        return value
    parts = [part.strip() for part in value.split(",") if part.strip()]
    if len(parts) == 1 and ":" not in parts[0]:
        parts = [f"{kind}:{parts[0]}" for kind in CallKind]
    budgets: dict[CallKind, int] = {}
    for part in parts:
        kind, _, number = (piece.strip() for piece in part.partition(":"))
        if kind not in set(CallKind) or not (number.isascii() and number.isdigit()) or not 0 < int(number) < 10**9:
            raise ValueError(
                "takes one number, or a comma-separated list of kind:number with the kinds " + ", ".join(CallKind)
            )
        budgets[CallKind(kind)] = int(number)
    return budgets


Sources = Annotated[tuple[Source, ...], NoDecode, BeforeValidator(_split)]
Budgets = Annotated[Mapping[CallKind, int], NoDecode, BeforeValidator(_budgets)]
Origins = Annotated[tuple[FeatureOrigin, ...], NoDecode, BeforeValidator(_split)]
Keys = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split)]
OptionalText = Annotated[str | None, BeforeValidator(_blank_is_unset)]
OptionalCount = Annotated[Annotated[int, Field(ge=1, le=1_000_000)] | None, BeforeValidator(_blank_is_unset)]
OptionalDays = Annotated[Annotated[float, Field(gt=0, le=36_500)] | None, BeforeValidator(_blank_is_unset)]
OptionalSecret = Annotated[SecretStr | None, BeforeValidator(_blank_is_unset)]


class Settings(BaseSettings):
    """Required fields have no default. Units stand in the names."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8-sig", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    # Required
    discord_token: SecretStr = Field(min_length=1)
    public_url: str = Field(min_length=1)
    token_encryption_keys: Keys = Field(min_length=1)
    training_sources: Sources = Field(min_length=1)

    # Spotify: both or neither
    spotify_client_id: OptionalText = None
    spotify_client_secret: OptionalSecret = Field(default=None, validate_default=True)

    # Last.fm: without a key members cannot connect it
    lastfm_api_key: OptionalSecret = None

    # What the host may want to change
    database_url: str = "sqlite+aiosqlite:///var/specrec.db"
    model_dir: Path = Path("var/models")
    web_host: str = "127.0.0.1"
    web_port: int = Field(default=8080, ge=0, le=65535)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    home_guild_id: OptionalText = None
    training_cooldown_minutes: float = Field(default=10, ge=0, le=100_000)
    training_timeout_minutes: float = Field(default=60, gt=0, le=100_000)
    delete_from_models_days: float = Field(default=5, gt=0, le=30)
    training_min_members: int = Field(default=3, ge=2, le=1_000_000)
    training_min_interactions: int = Field(default=100, ge=1, le=1_000_000_000)
    gate_min_distinct: float = Field(default=0.5, ge=0, le=1)
    gate_min_coverage: float = Field(default=0.02, ge=0, le=1)
    gate_min_spread: float = Field(default=0.01, ge=0, le=1)
    gate_min_distance: float = Field(default=0.2, ge=0, le=1)
    recency_half_life_days: OptionalDays = None
    explore_tracks: int = Field(default=1, ge=0, le=5)
    sync_interval_hours: float = Field(default=24, gt=0, le=1_000)
    spotify_threads: int = Field(default=4, ge=1, le=32)
    feature_sources: Origins = Field(default="spotify,reccobeats", validate_default=True)
    artist_tracks: int = Field(default=0, ge=0, le=50)
    spotify_seats: OptionalCount = None
    spotify_retention_days: float = Field(default=30, gt=0, le=3_650)
    spotify_daily_requests: Budgets = Field(default=DAILY_REQUESTS, validate_default=True)

    # Far ends
    discord_api_url: str = "https://discord.com/api/v10"
    discord_gateway_url: str = "wss://gateway.discord.gg/"
    spotify_api_url: str = "https://api.spotify.com/v1"
    spotify_accounts_url: str = "https://accounts.spotify.com"
    reccobeats_url: str = "https://api.reccobeats.com/v1"
    listenbrainz_url: str = "https://api.listenbrainz.org"
    listenbrainz_labs_url: OptionalText = "https://labs.api.listenbrainz.org"
    lastfm_url: str = "https://ws.audioscrobbler.com/2.0"

    @field_validator("spotify_client_secret")
    @classmethod
    def _both_or_neither(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        """Here and not in a validator of the whole, which would wait until everything else is right."""
        if (value is None) != (info.data.get("spotify_client_id") is None):
            raise ValueError("and SPOTIFY_CLIENT_ID go together: set both or neither")
        return value

    @field_validator(
        "discord_api_url",
        "spotify_api_url",
        "spotify_accounts_url",
        "reccobeats_url",
        "listenbrainz_url",
        "listenbrainz_labs_url",
        "lastfm_url",
    )
    @classmethod
    def _check_http(cls, value: str | None) -> str | None:
        return None if value is None else _http_url(value)

    @field_validator("discord_gateway_url")
    @classmethod
    def _check_websocket(cls, value: str) -> str:
        return _websocket_url(value)

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, value: str) -> str:
        """Spotify takes https anywhere and plain http on a loopback address only, never `localhost`."""
        value = _http_url(value)
        parts = urlsplit(value)
        if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
            raise ValueError(
                "must start with https:// (Spotify sends members back over plain http only to 127.0.0.1 or [::1], "
                "not to localhost)"
            )
        if parts.query or parts.fragment:
            raise ValueError("must not have a ? or # part")
        return value

    @field_validator("token_encryption_keys")
    @classmethod
    def _check_keys(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for key in value:
            try:
                Fernet(key.get_secret_value())
            except ValueError as error:
                raise ValueError(
                    "holds a key that is not a Fernet key (`specrec-bot init` makes one; keep old keys behind the new)"
                ) from error
        return value

    @field_validator("database_url")
    @classmethod
    def _check_database(cls, value: str) -> str:
        try:
            driver = make_url(value).drivername
        except ArgumentError as error:
            raise ValueError("is not a database address, e.g. sqlite+aiosqlite:///var/specrec.db") from error
        if driver not in ("sqlite+aiosqlite", "postgresql+asyncpg"):
            raise ValueError("must start with sqlite+aiosqlite:// or postgresql+asyncpg://")
        return value

    @field_validator("home_guild_id")
    @classmethod
    def _check_guild(cls, value: str | None) -> str | None:
        if value is not None and not value.isdecimal():
            raise ValueError("must be a server's numeric id (Discord: Developer Mode, Copy Server ID)")
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @property
    def has_spotify(self) -> bool:
        return self.spotify_client_id is not None

    @property
    def redirect_uri(self) -> str:
        """What the Spotify app must have registered, to the letter."""
        return f"{self.public_url}/spotify/callback"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def load(env_file: Path | None = Path(".env")) -> Settings:
    """Read the environment and `env_file`. Raises `SettingsError` with every fault at once, values left out."""
    try:
        return Settings(_env_file=env_file)  # type: ignore[call-arg]
    except UnicodeDecodeError:
        raise SettingsError([f"{env_file} is not UTF-8 text: save it as UTF-8 again."]) from None
    except ValidationError as error:
        first = {fault["loc"][0]: fault for fault in reversed(error.errors())}  # of a list's faults one is enough
        raise SettingsError([_sentence(str(name), fault) for name, fault in reversed(first.items())]) from None


def _sentence(field: str, fault: ErrorDetails) -> str:
    name, limits = field.upper(), fault.get("ctx", {})
    match fault["type"]:
        case "missing":
            return f"{name} is not set: run `specrec-bot init` to write a commented .env, then fill it in."
        case "too_short" | "string_too_short":
            words = "is empty: fill it in"
        case "enum":
            names = FeatureOrigin if field == "feature_sources" else Source
            words = "takes a comma-separated list of " + ", ".join(names)
        case "int_parsing" | "int_from_float":
            words = "must be a whole number"
        case "float_parsing":
            words = "must be a number"
        case "greater_than_equal":
            words = f"must be {limits['ge']:g} or more"
        case "greater_than":
            words = f"must be more than {limits['gt']:g}"
        case "less_than_equal":
            words = f"must be {limits['le']:g} or less"
        case "literal_error":
            words = f"must be one of {limits['expected']}"
        case _:
            words = fault["msg"].removeprefix("Value error, ")
    return f"{name} {words}."
