"""Secrets: hashed so that they can be checked and not read."""

from postroom.tenancy.clients import SecretHasher, random_alphanumerics


async def test_only_the_right_secret_matches() -> None:
    hasher = SecretHasher()
    hashed = await hasher.hash("the secret")
    assert hashed.startswith("$argon2id$")
    assert "the secret" not in hashed
    assert await hasher.matches(hashed, "the secret")
    assert not await hasher.matches(hashed, "The secret")
    assert not await hasher.matches(hashed, "")


def test_generated_text_is_of_letters_and_digits_and_never_twice_the_same() -> None:
    made = {random_alphanumerics(24) for _ in range(200)}
    assert len(made) == 200
    assert all(len(text) == 24 and text.isalnum() and text == text.lower() for text in made)
