"""Settings: every fault at once, in words; `.env.example`, README and the class agree."""

import re
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from bot.env_file import write_env_file
from bot.errors import SettingsError
from bot.settings import Settings, load
from bot.sources import Source

ROOT = Path(__file__).parents[2]
NAMES = {name.upper() for name in Settings.model_fields}


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def _write(path: Path, **values: str) -> Path:
    good = {
        "DISCORD_TOKEN": "abc",
        "PUBLIC_URL": "https://music.example.org",
        "TOKEN_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "TRAINING_SOURCES": "spotify, discord",
    }
    path.write_text("".join(f"{name}={value}\n" for name, value in (good | values).items()))
    return path


def _faults(path: Path) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(path)
    return caught.value.faults


def test_good_settings(tmp_path: Path) -> None:
    settings = load(_write(tmp_path / ".env", PUBLIC_URL="https://music.example.org/"))
    assert settings.training_sources == (Source.SPOTIFY, Source.DISCORD)
    assert settings.redirect_uri == "https://music.example.org/spotify/callback"
    assert not settings.has_spotify
    assert "abc" not in repr(settings)


def test_nothing_set_names_every_required_setting(tmp_path: Path) -> None:
    faults = _faults(tmp_path / "absent")
    assert len(faults) == 4
    for name in ("DISCORD_TOKEN", "PUBLIC_URL", "TOKEN_ENCRYPTION_KEYS", "TRAINING_SOURCES"):
        assert any(fault.startswith(f"{name} is not set") for fault in faults)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("PUBLIC_URL", "", "PUBLIC_URL is empty: fill it in."),
        ("PUBLIC_URL", "music.example.org", "http:// or https://"),
        ("PUBLIC_URL", "http://localhost:8080", "not to localhost"),
        ("PUBLIC_URL", "http://music.example.org", "must start with https://"),
        ("TOKEN_ENCRYPTION_KEYS", "hunter2", "not a Fernet key"),
        ("TOKEN_ENCRYPTION_KEYS", " , ", "is empty"),
        ("TRAINING_SOURCES", "spotify,myspace", "comma-separated list of spotify, discord"),
        ("TRAINING_SOURCES", "myspace,napster", "comma-separated list of spotify, discord"),
        ("DATABASE_URL", "mysql://x", "sqlite+aiosqlite://"),
        ("DATABASE_URL", "nonsense", "not a database address"),
        ("HOME_GUILD_ID", "My Server", "numeric id"),
        ("WEB_PORT", "eighty", "WEB_PORT must be a whole number."),
        ("WEB_PORT", "65536", "WEB_PORT must be 65535 or less."),
        ("TRAINING_COOLDOWN_MINUTES", "soon", "TRAINING_COOLDOWN_MINUTES must be a number."),
        ("TRAINING_COOLDOWN_MINUTES", "inf", "100000 or less"),
        ("TRAINING_COOLDOWN_MINUTES", "-1", "must be 0 or more"),
        ("SYNC_INTERVAL_HOURS", "0", "must be more than 0"),
        ("SYNC_INTERVAL_HOURS", "nan", "SYNC_INTERVAL_HOURS must be"),
        ("DISCORD_GATEWAY_URL", "https://gateway.example", "ws:// or wss://"),
        ("SPOTIFY_CLIENT_ID", "only-one", "go together"),
        ("SPOTIFY_CLIENT_SECRET", "only-one", "go together"),
        ("LOG_LEVEL", "LOUD", "LOG_LEVEL must be one of 'DEBUG', 'INFO', 'WARNING' or 'ERROR'."),
    ],
)
def test_a_bad_value_is_one_sentence_without_the_value(tmp_path: Path, name: str, value: str, words: str) -> None:
    faults = _faults(_write(tmp_path / ".env", **{name: value}))
    assert len(faults) == 1
    assert words in faults[0]
    assert "hunter2" not in faults[0]


def test_all_faults_at_once(tmp_path: Path) -> None:
    wrong = {"DISCORD_TOKEN": "", "PUBLIC_URL": "x", "TRAINING_SOURCES": "", "WEB_PORT": "-1"}
    faults = _faults(_write(tmp_path / ".env", SPOTIFY_CLIENT_ID="without-its-secret", **wrong))
    assert [fault.split()[0] for fault in faults] == [
        "DISCORD_TOKEN", "PUBLIC_URL", "TRAINING_SOURCES", "SPOTIFY_CLIENT_SECRET", "WEB_PORT",
    ]  # fmt: skip


def test_a_file_that_an_editor_saved_in_its_own_way(tmp_path: Path) -> None:
    path = _write(tmp_path / ".env")
    text = path.read_text()
    path.write_text(text, "utf-8-sig")  # with a mark in front that would belong to the first name
    assert load(path).discord_token.get_secret_value() == "abc"
    path.write_text(text, "utf-16")
    assert _faults(path) == [f"{path} is not UTF-8 text: save it as UTF-8 again."]


def test_init_writes_a_loadable_file_with_a_fresh_key_and_never_overwrites(tmp_path: Path) -> None:
    first, second = tmp_path / "a.env", tmp_path / "b.env"
    write_env_file(first)
    write_env_file(second)
    assert first.read_text() != second.read_text()
    assert first.stat().st_mode & 0o077 == 0
    with pytest.raises(FileExistsError):
        write_env_file(first)
    first.write_text(
        first.read_text()
        .replace("DISCORD_TOKEN=", "DISCORD_TOKEN=abc")
        .replace("PUBLIC_URL=", "PUBLIC_URL=http://127.0.0.1:8080")
    )
    assert load(first).training_sources == tuple(Source)


def test_example_class_and_readme_agree() -> None:
    example = (ROOT / ".env.example").read_text()
    assert example == (ROOT / "bot" / "env.example").read_text()
    lines = re.findall(r"^(?:# )?([A-Z][A-Z_]+)=(.*)$", example, re.MULTILINE)
    assert {name for name, _ in lines} == NAMES
    assert len(lines) == len(NAMES)
    for name, value in lines:
        field = Settings.model_fields[name.lower()]
        if not field.is_required() and field.default is not None:
            assert str(field.default) == value, name
    table = re.findall(r"^\| `([A-Z_]+)` \| ([^|]*) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert {name for name, _ in table} == NAMES
    for name, shown in table:
        field = Settings.model_fields[name.lower()]
        if field.is_required():
            assert shown.strip() == "required", name
        elif field.default is not None:
            assert shown.strip() == f"`{field.default}`", name
