"""Sealing, and changing the keys."""

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import NeedsReconnectError
from bot.spotify.vault import Vault

OLD, NEW, OTHER = (Fernet.generate_key().decode() for _ in range(3))


@given(st.text())
def test_what_is_sealed_opens_again_and_is_not_readable(secret):
    vault = Vault([OLD])
    sealed = vault.seal(secret)
    assert vault.open(sealed) == secret
    assert len(secret) < 8 or secret not in sealed
    assert vault.seal(secret) != sealed


def test_a_new_key_in_front_opens_what_the_old_one_sealed_and_seals_it_anew():
    sealed = Vault([OLD]).seal("a token")
    both = Vault([NEW, OLD])
    assert both.open(sealed) == "a token"
    again = both.resealed(sealed)
    assert Vault([NEW]).open(again) == "a token"
    assert both.resealed(again) == again


SEALED_ELSEWHERE = Vault([OTHER]).seal("a token")


@pytest.mark.parametrize(
    "sealed", [SEALED_ELSEWHERE, "", "nonsense", "gAAAAA=="], ids=["elsewhere", "empty", "nonsense", "cut short"]
)
def test_what_no_key_opens(sealed):
    vault = Vault([NEW, OLD])
    with pytest.raises(NeedsReconnectError, match="no encryption key"):
        vault.open(sealed)
    with pytest.raises(NeedsReconnectError):
        vault.resealed(sealed)
