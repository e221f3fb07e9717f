"""Encryption and tokens: against other implementations, and with keys of the key store."""

import base64
import hashlib
import hmac
import json

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.content.ampscript.functions.calls import call, make_run

from postroom.content.ampscript.faults import MissingFault, ValueFault
from postroom.content.ampscript.run import Account, Key

SALT = "0102030405060708"
IV = "00112233445566778899aabbccddeeff"


def keys(iv: str = IV) -> tuple[object, ...]:
    return (None, "secret", None, SALT, None, iv)


def test_aes_is_cbc_and_pkcs7_with_a_key_from_pbkdf2() -> None:
    key = hashlib.pbkdf2_hmac("sha1", b"secret", bytes.fromhex(SALT), 1000, 32)
    cipher = Cipher(algorithms.AES(key), modes.CBC(bytes.fromhex(IV))).decryptor()
    encrypted = base64.b64decode(str(call("EncryptSymmetric", "héllo", "AES", *keys())))
    assert cipher.update(encrypted) + cipher.finalize() == "héllo".encode() + b"\x0a" * 10


@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40).filter(
        lambda text: not text.endswith("\0")
    ),
    st.sampled_from(
        [
            "aes",
            "DES",
            "TripleDES",
            "des;mode=ecb;padding=zeros",
            "tripledes; mode=CFB ;padding=none",
            "aes;padding=ansix923",
        ]
    ),
)
def test_what_was_encrypted_can_be_decrypted(text: str, algorithm: str) -> None:
    iv = IV if algorithm.startswith("aes") else IV[:16]
    encrypted = call("EncryptSymmetric", text, algorithm, *keys(iv))
    assert encrypted == call("EncryptSymmetric", text, algorithm, *keys(iv))
    assert call("DecryptSymmetric", encrypted, algorithm, *keys(iv)) == text


def test_without_an_initialization_vector_the_password_is_taken() -> None:
    password = b"secret".ljust(16, b"\0").hex()
    named = call("EncryptSymmetric", "x", "aes", *keys(password))
    assert call("EncryptSymmetric", "x", "aes", *keys("")) == named


def test_keys_by_name_come_from_the_account() -> None:
    store = {
        "pw": Key("symmetric", b"secret"),
        "salt": Key("salt", bytes.fromhex(SALT)),
        "iv": Key("iv", bytes.fromhex(IV)),
    }
    run = make_run(account=Account(keys=store))
    by_name = call("EncryptSymmetric", "x", "aes", "PW", None, "Salt", None, "IV", None, run=run)
    assert by_name == call("EncryptSymmetric", "x", "aes", *keys())
    for wrong in (("nope", None, "salt", None, "iv", None), ("salt", None, "salt", None, "iv", None)):
        with pytest.raises(MissingFault, match="symmetric key"):
            call("EncryptSymmetric", "x", "aes", *wrong, run=run)


@pytest.mark.parametrize(
    ("algorithm", "arguments"),
    [
        ("rot13", keys()),
        ("", keys()),
        ("aes;mode=gcm", keys()),
        ("aes;padding=iso10126", keys()),
        ("aes;rounds=1", keys()),
        ("aes", (None, None, None, SALT, None, IV)),
        ("aes", (None, "", None, SALT, None, IV)),
        ("aes", (None, "pw", None, "not hex", None, IV)),
        ("aes", (None, "pw", None, "0102", None, IV)),
        ("aes", (None, "pw", None, SALT, None, "0102")),
        ("aes", (None, "pw", None, SALT, None, "xyz")),
        ("aes;padding=none", keys()),
    ],
)
def test_keys_and_algorithms_that_do_not_fit_are_errors(algorithm: str, arguments: tuple[object, ...]) -> None:
    with pytest.raises(ValueFault):
        call("EncryptSymmetric", "text", algorithm, *arguments)


@pytest.mark.parametrize("text", ["", "not base64!", "AAAA", "AAAAAAAAAAAAAAAAAAAAAA=="])
def test_what_was_not_encrypted_cannot_be_decrypted(text: str) -> None:
    with pytest.raises(ValueFault):
        call("DecryptSymmetric", text, "aes", *keys())


def decoded(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


@pytest.mark.parametrize("bits", ["256", "384", "512"])
def test_tokens_sign_the_payload_as_it_is(bits: str) -> None:
    payload = '{"sub": "Zoë"}'
    header, body, signature = str(call("GetJWT", "key", f"hs{bits}", payload)).split(".")
    assert json.loads(decoded(header)) == {"alg": f"HS{bits}", "typ": "JWT"}
    assert decoded(body) == payload.encode()
    assert decoded(signature) == hmac.digest(b"key", f"{header}.{body}".encode(), f"sha{bits}")
    named = make_run(account=Account(keys={"k": Key("jwt", b"key")}))
    assert call("GetJWTByKeyName", "K", f"HS{bits}", payload, run=named) == f"{header}.{body}.{signature}"


def pem(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def test_tokens_signed_with_rsa_verify() -> None:
    key = rsa.generate_private_key(65_537, 2048)
    run = make_run(account=Account(keys={"r": Key("rsa", pem(key))}))
    for bits, algorithm in (("256", hashes.SHA256()), ("384", hashes.SHA384()), ("512", hashes.SHA512())):
        unsigned, _, signature = str(call("GetJWTByKeyName", "r", f"RS{bits}", "{}", run=run)).rpartition(".")
        key.public_key().verify(decoded(signature), unsigned.encode(), padding.PKCS1v15(), algorithm)


def test_algorithm_confusion_and_missing_keys_are_errors() -> None:
    store = {
        "r": Key("rsa", b"no pem"),
        "e": Key("rsa", pem(ed25519.Ed25519PrivateKey.generate())),
        "s": Key("salt", b"x"),
    }
    run = make_run(account=Account(keys=store))
    for arguments in (("k", "none", "{}"), ("k", "RS256", "{}"), ("", "HS256", "{}")):
        with pytest.raises(ValueFault):
            call("GetJWT", *arguments)
    with pytest.raises(MissingFault):
        call("GetJWTByKeyName", "r", "HS256", "{}", run=run)
    with pytest.raises(MissingFault):
        call("GetJWTByKeyName", "s", "HS256", "{}", run=run)
    with pytest.raises(ValueFault, match="PEM"):
        call("GetJWTByKeyName", "r", "RS256", "{}", run=run)
    with pytest.raises(ValueFault, match="RSA"):
        call("GetJWTByKeyName", "e", "RS256", "{}", run=run)
