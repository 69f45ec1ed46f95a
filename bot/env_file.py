"""The commented `.env` that `specrec-bot init` writes."""

from importlib.resources import files
from pathlib import Path

from cryptography.fernet import Fernet


def write_env_file(path: Path) -> None:
    """Write every setting with its comment and a fresh encryption key, readable by the owner only.
    Raises `FileExistsError` rather than overwrite."""
    template = files("bot").joinpath("env.example").read_text("utf-8")
    text = template.replace("TOKEN_ENCRYPTION_KEYS=\n", f"TOKEN_ENCRYPTION_KEYS={Fernet.generate_key().decode()}\n")
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(text, "utf-8")
