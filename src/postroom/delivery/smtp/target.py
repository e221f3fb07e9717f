"""Where mail is handed to: one SMTP host with its TLS and login rules.

``parse_relay_url`` reads the ``POSTROOM_RELAY`` option. Its errors name the option, the value with the
password masked, and the fix.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from enum import StrEnum
from ipaddress import ip_address
from typing import Final, TypeVar
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

OPTION: Final = "POSTROOM_RELAY"
DEFAULT_PORTS: Final = {"smtp": 25, "smtps": 465}

_HOST_NAME = re.compile(r"(?=.{1,253}\Z)(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.?)+")
_CONTROL = re.compile(r"[\x00-\x20\x7f]")


class RelayUrlError(ValueError):
    """The relay option cannot be used; the text names option, value (password masked) and fix."""


class TlsMode(StrEnum):
    """How much TLS a target gets (RFC 3207)."""

    OFF = "off"
    """Never, even when offered. Says, too, that a password may travel in clear text."""
    OPPORTUNISTIC = "opportunistic"
    """STARTTLS when offered, any certificate; clear text otherwise."""
    REQUIRED = "required"
    """TLS or nothing, any certificate."""
    VERIFY = "verify"
    """TLS or nothing, with a certificate that the system trusts for this host name."""


class LoginMethod(StrEnum):
    """How a login is made (RFC 4954); the values are those of ``?auth=``."""

    PLAIN = "plain"
    LOGIN = "login"
    CRAM_MD5 = "cram-md5"
    XOAUTH2 = "xoauth2"


@dataclass(frozen=True, slots=True)
class Credentials:
    """User name and password for SMTP AUTH (RFC 4954). Without ``method``: the strongest that the peer offers.

    With XOAUTH2 the password is the access token.
    """

    username: str
    password: str = field(repr=False)
    method: LoginMethod | None = None


_Choice = TypeVar("_Choice", TlsMode, LoginMethod)


@dataclass(frozen=True, slots=True)
class SmtpTarget:
    """One SMTP host. ``implicit_tls`` means TLS from the first byte (RFC 8314, port 465).

    ``cleartext_auth`` allows the password on a connection without TLS; ``parse_relay_url`` sets it
    only for a loopback host or an explicit ``tls=off``.
    """

    host: str
    port: int = 25
    tls: TlsMode = TlsMode.OPPORTUNISTIC
    implicit_tls: bool = False
    credentials: Credentials | None = None
    cleartext_auth: bool = False

    def __str__(self) -> str:
        """The target as an URL, with the password masked: safe to log."""
        scheme = "smtps" if self.implicit_tls else "smtp"
        login = f"{self.credentials.username}:***@" if self.credentials else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        method = f"&auth={self.credentials.method}" if self.credentials and self.credentials.method else ""
        return f"{scheme}://{login}{host}:{self.port}?tls={self.tls}{method}"


def parse_relay_url(url: str, *, option: str = OPTION) -> SmtpTarget:
    """Read ``smtp://[user:password@]host[:port][?tls=off|opportunistic|required|verify]``.

    ``smtps://`` is TLS from the first byte. User and password are percent-decoded. Without ``tls=``:
    ``verify`` when a password would leave this machine, ``opportunistic`` otherwise. ``auth=`` (after ``?``, or
    after ``&``) is plain, login, cram-md5 or xoauth2; without it the strongest is used that the relay offers.
    Raises RelayUrlError.
    """
    if "@" in url and re.search(r"[/?#]", _login(url)):
        raise _error(option, url, "percent-encode / ? # @ in user and password (%2F %3F %23 %40)")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _error(option, url, "host and port are unreadable (a port is 1 to 65535)") from None
    if parts.scheme not in DEFAULT_PORTS:
        raise _error(option, url, "it must begin with smtp:// or smtps://")
    if parts.path not in ("", "/") or parts.fragment:
        raise _error(option, url, "nothing may follow the port but ?tls= and auth=")
    if port == 0:
        raise _error(option, url, "the port must be 1 to 65535")
    if not _is_host(host):
        raise _error(option, url, f"{host!r} is no host name or address" if host else "the host is missing")
    credentials = _credentials(parts, option, url)
    implicit = parts.scheme == "smtps"
    chosen, method = _choices(parts.query, option, url)
    if method is not None:
        if credentials is None:
            raise _error(option, url, f"auth={method} without a login: write user and password before the host")
        credentials = replace(credentials, method=method)
    if implicit and chosen is TlsMode.OFF:
        raise _error(option, url, "smtps:// is TLS, tls=off contradicts it: use smtp:// or leave tls= away")
    loopback = _is_loopback(host)
    guarded = credentials is not None and not loopback
    return SmtpTarget(
        host=host,
        port=port or DEFAULT_PORTS[parts.scheme],
        tls=chosen or (TlsMode.VERIFY if guarded else TlsMode.OPPORTUNISTIC),
        implicit_tls=implicit,
        credentials=credentials,
        cleartext_auth=credentials is not None and (loopback or chosen is TlsMode.OFF),
    )


def masked(url: str) -> str:
    """The URL without its password, also when it is not a well-formed URL."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "", url
    login, at, host = rest.rpartition("@")
    if not at:
        return url
    user = login.partition(":")[0]
    return f"{scheme}{separator}{user}:***@{host}"


def _login(url: str) -> str:
    """What stands before the last @, where a user and a password should be."""
    return url.partition("://")[2].rpartition("@")[0]


def _error(option: str, url: str, problem: str) -> RelayUrlError:
    example = "smtp://user:password@relay.example.com:587"
    return RelayUrlError(f"{option}={masked(url)!r} cannot be used: {problem}. Write it like {example}")


def _credentials(parts: SplitResult, option: str, url: str) -> Credentials | None:
    if parts.username is None:
        return None
    if not parts.username or parts.password is None:
        raise _error(option, url, "a login needs both a user and a password")
    try:
        username = unquote(parts.username, errors="strict")
        password = unquote(parts.password, errors="strict")
    except UnicodeDecodeError:
        raise _error(option, url, "user or password are not percent-encoded UTF-8") from None
    if "\0" in username + password:
        raise _error(option, url, "user and password cannot contain a NUL")
    return Credentials(username, password)


def _choices(query: str, option: str, url: str) -> tuple[TlsMode | None, LoginMethod | None]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True) if query else []
    except ValueError:
        raise _error(option, url, "what follows the ? is not tls=... or auth=...") from None
    chosen = dict(pairs)
    if len(chosen) < len(pairs) or chosen.keys() - {"tls", "auth"}:
        raise _error(option, url, "only one tls=... and one auth=... may follow the ?")
    tls, method = chosen.get("tls"), chosen.get("auth")
    return (
        None if tls is None else _choice(TlsMode, "tls", tls, option, url),
        None if method is None else _choice(LoginMethod, "auth", method, option, url),
    )


def _choice(kind: type[_Choice], name: str, value: str, option: str, url: str) -> _Choice:
    try:
        return kind(value)
    except ValueError:
        raise _error(option, url, f"{name}={value} is not one of {', '.join(kind)}") from None


def _is_host(host: str) -> bool:
    if _CONTROL.search(host):
        return False
    try:
        ip_address(host)
    except ValueError:
        return _HOST_NAME.fullmatch(host) is not None
    return True


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
