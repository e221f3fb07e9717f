"""How the secrets of templates are written, and what is refused."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from postroom.tenancy.accounts import AccountChange, AccountRejected, checked_change
from postroom.tenancy.template_keys import KeyKind, KeyRejected, read_secret


def test_secrets_are_read_by_their_kind() -> None:
    assert read_secret("symmetric", "pass word\r\n") == b"pass word"
    assert read_secret("salt", "00112233 44556677\n") == bytes.fromhex("0011223344556677")
    assert read_secret("iv", "00" * 16) == bytes(16)
    key = generate_rsa(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert read_secret("rsa", key.decode()) == key.removesuffix(b"\n")


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        ("symmetric", "\n", "at least 1 bytes"),
        ("salt", "xyz-secret", "hexadecimal"),
        ("salt", "0011", "at least 8 bytes"),
        ("iv", "0011", "32 for aes"),
        ("page", "secret", "at least 16 bytes"),
        ("rsa", "secret", "RSA private key in PEM"),
        ("jwt", "secret" * 5_000, "longer than"),
    ],
)
def test_what_is_no_secret_is_refused_without_repeating_it(kind: KeyKind, text: str, said: str) -> None:
    with pytest.raises(KeyRejected, match=said) as raised:
        read_secret(kind, text)
    assert "secret" not in str(raised.value).replace("the secret", "")


def test_a_key_of_another_kind_is_no_rsa_key() -> None:
    key = generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(KeyRejected, match="RSA"):
        read_secret("rsa", key.decode())


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (AccountChange(time_zone="Mars/Olympus"), "time_zone"),
        (AccountChange(time_zone="../../etc/passwd"), "time_zone"),
        (AccountChange(time_zone=""), "time_zone"),
        (AccountChange(street="a\nb"), "street"),
        (AccountChange(name="x" * 201), "name"),
        (AccountChange(language="xx"), "language"),
        (AccountChange(web_analytics='a"><script>'), "web_analytics"),
        (AccountChange(tracking_privacy="none"), "tracking_privacy"),
        (AccountChange(pages={"1": "javascript:alert(1)"}), "pages"),
        (AccountChange(pages={"1": 'https://x/"><b'}), "pages"),
        (AccountChange(pages={" ": "https://x/"}), "pages"),
    ],
)
def test_what_a_business_unit_can_not_be_is_refused_by_name(change: AccountChange, field: str) -> None:
    with pytest.raises(AccountRejected) as raised:
        checked_change(change)
    assert raised.value.field == field


def test_what_is_right_is_stored_as_it_is() -> None:
    change = AccountChange(language="DE", time_zone="Europe/Berlin", pages={" 12 ": "https://x.example/", "13": None})
    assert checked_change(change) == AccountChange(
        language="de", time_zone="Europe/Berlin", pages={"12": "https://x.example/", "13": None}
    )
