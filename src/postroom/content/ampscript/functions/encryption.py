"""Symmetric encryption and JSON Web Tokens (ampscript.md §14, Encryption).

How the vendor makes a key of a password is not documented. What practitioners report is done here: PBKDF2 with SHA-1
and 1,000 rounds over password and salt, CBC, PKCS7. Check it with a value the vendor encrypted before relying on it.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from typing import Final, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.decrepit.ciphers.modes import CFB8
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB, ModeWithInitializationVector
from cryptography.hazmat.primitives.padding import ANSIX923, PKCS7
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from postroom.content.ampscript.faults import MissingFault, ValueFault
from postroom.content.ampscript.functions.registry import function
from postroom.content.ampscript.run import Key, Run
from postroom.content.ampscript.values import is_empty, shown, to_text
from postroom.content.attributes import fold_name

_Modes: TypeAlias = ECB | ModeWithInitializationVector

_ROUNDS: Final = 1_000
_KEY_BYTES: Final = {"aes": 32, "des": 8, "tripledes": 24}
_BLOCK_BYTES: Final = {"aes": 16, "des": 8, "tripledes": 8}
_MODES: Final = frozenset({"cbc", "ecb", "cfb"})
_PADDINGS: Final = frozenset({"pkcs7", "zeros", "none", "ansix923"})
_OPTION = re.compile(r"\s*(mode|padding)\s*=\s*(\w+)\s*", re.IGNORECASE)
_SYMMETRIC_PARAMS: Final = "text, algorithm, passwordKey, password, saltKey, salt, ivKey, iv"
_SYMMETRIC_NOTE: Final = (
    "How the vendor derives keys is reported, not documented (PBKDF2, SHA-1, 1,000 rounds): try it with a known value."
)


@dataclass(frozen=True, slots=True)
class _Scheme:
    """What an algorithm argument like ``des;mode=ecb;padding=zeros`` asks for."""

    name: str
    mode: str
    padding: str


def _scheme(algorithm: object) -> _Scheme:
    name, *options = to_text(algorithm).strip().lower().split(";")
    name = name.strip()
    if name not in _KEY_BYTES:
        raise ValueFault(f"{shown(algorithm)} is no algorithm; write aes, des or tripledes", code="UnknownAlgorithm")
    chosen = {"mode": "cbc", "padding": "pkcs7"}
    for option in options:
        match = _OPTION.fullmatch(option)
        if match is None:
            if option.strip():
                raise ValueFault(f"{option.strip()!r} is no option; write mode=… or padding=…", code="UnknownAlgorithm")
            continue
        chosen[match.group(1)] = match.group(2)
    if chosen["mode"] not in _MODES:
        raise ValueFault(f"the mode {chosen['mode']} is not known; write cbc, ecb or cfb", code="UnknownAlgorithm")
    if chosen["padding"] not in _PADDINGS:
        known = "pkcs7, zeros, ansix923 or none"
        raise ValueFault(f"the padding {chosen['padding']} is not known; write {known}", code="UnknownAlgorithm")
    return _Scheme(name, chosen["mode"], chosen["padding"])


def _stored(run: Run, name: object, kinds: frozenset[str]) -> Key:
    found = run.account.keys.get(fold_name(to_text(name)))
    if found is None or found.kind not in kinds:
        raise MissingFault(f"there is no {' or '.join(sorted(kinds))} key {shown(name)}", code="UnknownKey")
    return found


def _hex(value: object, what: str) -> bytes:
    try:
        return bytes.fromhex(to_text(value))
    except ValueError:
        raise ValueFault(f"the {what} {shown(value)} is not hexadecimal", code="BadKey") from None


def _cipher(run: Run, scheme: _Scheme, arguments: tuple[object, ...]) -> Cipher[_Modes]:
    password_key, password, salt_key, salt, iv_key, iv = arguments
    run.check_time()
    if not is_empty(password_key):
        secret = _stored(run, password_key, frozenset({"symmetric"})).secret
    elif not is_empty(password):
        secret = to_text(password).encode("utf-8", "replace")
    else:
        raise ValueFault("neither a password nor the name of a key is given", code="BadKey")
    named_salt = None if is_empty(salt_key) else _stored(run, salt_key, frozenset({"salt"}))
    seasoning = _hex(salt, "salt") if named_salt is None else named_salt.secret
    if len(seasoning) < 8:
        raise ValueFault("the salt has fewer than 8 bytes; write at least 16 hexadecimal digits", code="BadKey")
    block = _BLOCK_BYTES[scheme.name]
    if not is_empty(iv_key):
        start = _stored(run, iv_key, frozenset({"iv"})).secret
    elif not is_empty(iv):
        start = _hex(iv, "initialization vector")
    else:
        start = secret[:block].ljust(block, b"\0")
    if len(start) != block:
        raise ValueFault(
            f"the initialization vector has {len(start)} bytes; {scheme.name} needs {2 * block} hexadecimal digits",
            code="BadKey",
        )
    key = hashlib.pbkdf2_hmac("sha1", secret, seasoning, _ROUNDS, _KEY_BYTES[scheme.name])
    mode: _Modes = CBC(start)
    if scheme.mode == "ecb":
        mode = ECB()  # noqa: S305 the author asked for it, to read what another system wrote
    elif scheme.mode == "cfb":
        mode = CFB8(start)
    if scheme.name == "aes":
        return Cipher(AES(key), mode)
    return Cipher(TripleDES(key * 3 if scheme.name == "des" else key), mode)


def _padded(scheme: _Scheme, data: bytes) -> bytes:
    block = _BLOCK_BYTES[scheme.name]
    if scheme.padding in {"pkcs7", "ansix923"}:
        padder = (PKCS7 if scheme.padding == "pkcs7" else ANSIX923)(8 * block).padder()
        return padder.update(data) + padder.finalize()
    if scheme.padding == "zeros":
        return data + b"\0" * (-len(data) % block)
    if scheme.mode != "cfb" and len(data) % block:
        raise ValueFault(f"without padding the text must be a multiple of {block} bytes long", code="BadLength")
    return data


def _unpadded(scheme: _Scheme, data: bytes) -> bytes:
    block = _BLOCK_BYTES[scheme.name]
    if scheme.padding in {"pkcs7", "ansix923"}:
        unpadder = (PKCS7 if scheme.padding == "pkcs7" else ANSIX923)(8 * block).unpadder()
        return unpadder.update(data) + unpadder.finalize()
    return data.rstrip(b"\0") if scheme.padding == "zeros" else data


@function(
    "EncryptSymmetric",
    minimum=8,
    maximum=8,
    params=_SYMMETRIC_PARAMS,
    doc="The text encrypted with AES, DES or Triple DES, as Base64; keys by name come from the account's key store.",
    differences=_SYMMETRIC_NOTE,
    category="Encryption",
)
def encrypt_symmetric(run: Run, text: object, algorithm: object, *keys: object) -> str:
    scheme = _scheme(algorithm)
    encryptor = _cipher(run, scheme, keys).encryptor()
    whole = to_text(text)
    run.check_text(2 * len(whole))
    data = _padded(scheme, whole.encode("utf-8", "replace"))
    return base64.b64encode(encryptor.update(data) + encryptor.finalize()).decode("ascii")


@function(
    "DecryptSymmetric",
    minimum=8,
    maximum=8,
    params=_SYMMETRIC_PARAMS,
    doc="The text that EncryptSymmetric encrypted with the same arguments.",
    differences=_SYMMETRIC_NOTE,
    category="Encryption",
)
def decrypt_symmetric(run: Run, text: object, algorithm: object, *keys: object) -> str:
    scheme = _scheme(algorithm)
    decryptor = _cipher(run, scheme, keys).decryptor()
    try:
        data = decryptor.update(base64.b64decode(to_text(text), validate=True)) + decryptor.finalize()
        return _unpadded(scheme, data).decode("utf-8")
    except (binascii.Error, ValueError):
        raise ValueFault("the text was not encrypted with these keys", code="CannotDecrypt") from None


_HASHES: Final = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}


def _segment(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def _unsigned(run: Run, algorithm: str, payload: object) -> str:
    header = json.dumps({"alg": algorithm, "typ": "JWT"}, separators=(",", ":"))
    body = to_text(payload)
    run.check_text(2 * len(body))
    return f"{_segment(header.encode())}.{_segment(body.encode('utf-8', 'replace'))}"


def _hmac_token(run: Run, secret: bytes, algorithm: str, payload: object) -> str:
    unsigned = _unsigned(run, algorithm, payload)
    signature = hmac.new(secret, unsigned.encode(), _HASHES[algorithm[2:]]).digest()
    return f"{unsigned}.{_segment(signature)}"


def _algorithm(value: object, known: tuple[str, ...]) -> str:
    name = to_text(value).strip().upper()
    if name not in known:
        raise ValueFault(f"{shown(value)} is no algorithm here; write {', '.join(known)}", code="UnknownAlgorithm")
    return name


@function(
    "GetJWT",
    minimum=3,
    maximum=3,
    params="secret, algorithm, payload",
    doc="A JSON Web Token over the payload as it is, signed with HS256, HS384 or HS512.",
    category="Encryption",
)
def get_jwt(run: Run, secret: object, algorithm: object, payload: object) -> str:
    name = _algorithm(algorithm, ("HS256", "HS384", "HS512"))
    key = to_text(secret)
    if not key:
        raise ValueFault("the secret is empty", code="BadKey")
    return _hmac_token(run, key.encode("utf-8", "replace"), name, payload)


@function(
    "GetJWTByKeyName",
    minimum=3,
    maximum=3,
    params="keyName, algorithm, payload",
    doc="A JSON Web Token signed with a key of the account's key store: HS256 to HS512, RS256 to RS512.",
    category="Encryption",
)
def get_jwt_by_key_name(run: Run, key_name: object, algorithm: object, payload: object) -> str:
    name = _algorithm(algorithm, ("HS256", "HS384", "HS512", "RS256", "RS384", "RS512"))
    run.check_time()
    if name.startswith("HS"):
        return _hmac_token(run, _stored(run, key_name, frozenset({"jwt", "symmetric"})).secret, name, payload)
    try:
        key = load_pem_private_key(_stored(run, key_name, frozenset({"rsa"})).secret, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueFault(f"the key {shown(key_name)} is not a private key in PEM", code="BadKey") from None
    if not isinstance(key, RSAPrivateKey):
        raise ValueFault(f"the key {shown(key_name)} is not an RSA key", code="BadKey")
    unsigned = _unsigned(run, name, payload)
    algorithms = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
    return f"{unsigned}.{_segment(key.sign(unsigned.encode(), PKCS1v15(), algorithms[name[2:]]))}"
