"""The envelope sender of a message: it names the message, and is signed, so that nothing needs to be stored or guessed.

    b+<13: account, base32><32: request, hex><4: position, hex><12: signature, hex>@bounces.example.com

All 63 characters are read whatever their case, for hosts on the way change it. The signature is keyed BLAKE2b (RFC
7693) of 6 bytes over all before it: each guess costs a command in a conversation that ends after twenty wrong ones.
Whoever has a mail has its token and can report that one mail as bounced; nobody can make the token of another.
"""

import hmac
import re
from collections.abc import Sequence
from hashlib import blake2b
from secrets import token_bytes
from typing import NamedTuple
from uuid import UUID

from postroom.store.database import Database
from postroom.tenancy.server_secrets import server_secret

KEY_NAME = "return_path_key"
KEY_BYTES = 32

REPORT_LOCALS: Sequence[str] = ("fbl", "abuse", "postmaster")
"""Local parts at the bounce domain that take complaints whose token stands in the report."""

_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_ACCOUNT_LETTERS = 13
_SIGNATURE_BYTES = 6
_SIGNATURE_LETTERS = 2 * _SIGNATURE_BYTES
_COPIES = 0x8000

TOKEN = re.compile(r"(?<![a-z0-9])b\+[a-z2-7]{13}[0-9a-f]{48}(?![a-z0-9])", re.IGNORECASE | re.ASCII)
"""A token within a text."""


class Mark(NamedTuple):
    """The message that a return path names; ``copies`` says that it went to cc or bcc recipients as well."""

    account_id: int
    request_id: UUID
    position: int
    copies: bool


class ReturnPath:
    """Makes and reads the return paths of one server.

    ``domain`` is what the addresses end with. With ``*`` in it, that stands for the domain of the from-address.
    """

    def __init__(self, key: bytes, domain: str) -> None:
        self._keyed = blake2b(digest_size=_SIGNATURE_BYTES, key=key)
        self._before, star, self._after = domain.lower().partition("*")
        self.by_domain = bool(star)
        self._end = f"@{domain.lower()}"
        self._accounts: dict[int, str] = {}

    def address(self, account_id: int, request_id: UUID, position: int, *, copies: bool, from_domain: str) -> str:
        """The envelope sender of one message."""
        account = self._accounts.get(account_id)
        if account is None:
            account = self._accounts[account_id] = _letters(account_id)
        signed = f"b+{account}{request_id.hex}{position | _COPIES if copies else position:04x}"
        keyed = self._keyed.copy()
        keyed.update(signed.encode())
        local = signed + keyed.digest().hex()
        return f"{local}@{self._before}{from_domain}{self._after}" if self.by_domain else local + self._end

    def read(self, token: str) -> Mark | None:
        """The message of a token (a local part), or None for what is no token of this server."""
        token = token.lower()
        if TOKEN.fullmatch(token) is None:
            return None
        signed, signature = token[:-_SIGNATURE_LETTERS], token[-_SIGNATURE_LETTERS:]
        keyed = self._keyed.copy()
        keyed.update(signed.encode())
        if not hmac.compare_digest(keyed.digest().hex(), signature):
            return None
        account, rest = signed[2 : 2 + _ACCOUNT_LETTERS], signed[2 + _ACCOUNT_LETTERS :]
        place = int(rest[32:], 16)
        return Mark(_number(account), UUID(rest[:32]), place & ~_COPIES, bool(place & _COPIES))

    def refusal(self, address: str) -> str | None:
        """Why mail to an address is not taken, as a whole SMTP reply; None when it is."""
        local, _, domain = address.rpartition("@")
        if not self._ours(domain.lower()):
            return "550 5.7.1 Not a domain of this server; it takes bounces only"
        if local.lower() in REPORT_LOCALS or self.read(local) is not None:
            return None
        return "550 5.1.1 Not an address of this server; it takes bounces of its own mail only"

    def reason(self, address: str) -> str:
        """What is wrong with an address that is refused: ``domain``, ``forged`` (a return path that this server did
        not make) or ``address``."""
        local, _, domain = address.rpartition("@")
        if not self._ours(domain.lower()):
            return "domain"
        return "forged" if local[:2].lower() == "b+" else "address"

    def _ours(self, domain: str) -> bool:
        if self.by_domain:
            return domain.startswith(self._before) and domain.endswith(self._after)
        return f"@{domain}" == self._end


async def load_return_path(database: Database, domain: str) -> ReturnPath:
    """The server's return paths; their key is made at the first call."""
    return ReturnPath(await server_secret(database, KEY_NAME, lambda: token_bytes(KEY_BYTES)), domain)


def _letters(account_id: int) -> str:
    bits = account_id & (1 << 64) - 1  # two's complement, as in the database
    return "".join(_ALPHABET[bits >> shift & 31] for shift in range(60, -1, -5))


def _number(letters: str) -> int:
    bits = 0
    for letter in letters:
        bits = bits << 5 | _ALPHABET.index(letter)
    return bits - (1 << 64) if bits >> 63 else bits
