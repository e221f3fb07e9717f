"""Secrets: hashed so that they can be checked and not read."""

import pytest

from postroom.tenancy import clients
from postroom.tenancy.clients import SecretHasher, random_alphanumerics


async def test_only_the_right_secret_matches() -> None:
    hasher = SecretHasher()
    hashed = await hasher.hash("the secret")
    assert hashed.startswith("$argon2id$")
    assert "the secret" not in hashed
    assert await hasher.matches(hashed, "the secret")
    assert not await hasher.matches(hashed, "The secret")
    assert not await hasher.matches(hashed, "")


async def test_a_remembered_match_is_of_this_hash_and_this_secret_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "_REMEMBERED_MATCHES", 2)
    hasher = SecretHasher()
    hashes = [await hasher.hash(f"secret {number}") for number in range(4)]
    for _ in range(2):
        for number, hashed in enumerate(hashes):
            assert await hasher.matches(hashed, f"secret {number}")
            assert not await hasher.matches(hashed, f"secret {number + 1}")
            assert len(hasher._matched) <= 2


def test_generated_text_is_of_letters_and_digits_and_never_twice_the_same() -> None:
    made = {random_alphanumerics(24) for _ in range(200)}
    assert len(made) == 200
    assert all(len(text) == 24 and text.isalnum() and text == text.lower() for text in made)
