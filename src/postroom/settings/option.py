"""One option's value: how it is described, read from text, checked, and shown in messages.

Everything here is pure. A wrong value is a ValueError whose text says what is wrong and, after a semicolon,
what to write instead; `postroom.settings` puts the option's name and value before it.
"""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import idna
import msgspec
from msgspec import Meta

from postroom.settings.waits import parse_waits

PREFIX = "POSTROOM_"

KiB = 1024
MiB = 1024 * KiB
GiB = 1024 * MiB


class Address(NamedTuple):
    """A host (name, IPv4 or IPv6 without brackets) and a TCP port (0: any free one)."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def doc(sentence: str, *, unit: str = "", default: str = "", **bounds: Any) -> Meta:
    """A field's page entry; `default` describes a computed default, bounds are ge=, le=, gt=."""
    return Meta(description=sentence, extra={"unit": unit, "default": default}, **bounds)


@dataclass(frozen=True)
class Option:
    """One setting as the options reference, the command line and the error texts see it."""

    name: str
    kind: type
    sentence: str
    unit: str
    default: object
    default_text: str
    optional: bool
    choices: tuple[str, ...]
    low: float | int | None
    high: float | int | None
    above: float | None

    @property
    def variable(self) -> str:
        """The name of the environment variable."""
        return PREFIX + self.name.upper()

    @property
    def flag(self) -> str:
        """The name of the command line option."""
        return "--" + self.name.replace("_", "-")


def parse_address(text: str) -> Address:
    """`host:port` or `[v6]:port` as an `Address`. Raises ValueError with what is wrong and what to write."""
    host, colon, port = text.rpartition(":")
    if not colon:
        raise ValueError("it has no port; write host:port, such as 127.0.0.1:8025")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError("an IPv6 address needs brackets; write [::1]:8025")
    if not host or re.search(r"[\s/@\[\]]", host):
        raise ValueError("it has no usable host; write host:port, such as 127.0.0.1:8025 (0.0.0.0 for all addresses)")
    if not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ValueError("the port must be a number from 0 to 65535; write host:port, such as 127.0.0.1:8025")
    return Address(host, int(port))


def parse_dns_servers(text: str) -> tuple[Address, ...]:
    """IP addresses, each with or without a port (53), separated by commas. Raises ValueError with what to write."""
    servers = []
    for part in text.split(","):
        host, port = part.strip(), 53
        try:
            ipaddress.ip_address(host)
        except ValueError:
            try:
                host, port = parse_address(host)
                ipaddress.ip_address(host)
            except ValueError:
                raise ValueError(
                    f"{part.strip()[:60]!r} is no IP address; write 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:5353"
                ) from None
        servers.append(Address(host, port))
    return tuple(servers)


def parse_hosts(text: str) -> frozenset[str]:
    """Names of hosts or IPv4 addresses, each with or without a port, separated by commas; in lower case.

    Raises ValueError with what to write.
    """
    hosts = set()
    for part in filter(None, (part.strip().lower() for part in text.split(","))):
        name, colon, port = part.partition(":")
        if re.fullmatch(_HOST, name) is None or (colon and not (port.isascii() and port.isdigit())):
            raise ValueError(
                f"{part[:60]!r} is no name of a host; write api.example.com or api.example.com:8443, "
                "names with other letters than ASCII as xn--…"
            )
        if colon and not 0 < int(port) < 65536:
            raise ValueError(f"{part[:60]!r} has no usable port; write one from 1 to 65535")
        hosts.add(name.rstrip(".") + colon + port.lstrip("0"))
    return frozenset(hosts)


def hide_password(text: str) -> str:
    """The text with the password of a URL replaced, for messages and logs."""
    text = re.sub(r"(://[^:@\s]*):\S*@", r"\1:***@", text)
    return re.sub(r"([?&]password=)[^&\s]*", r"\1***", text)


_HOST = r"[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_.])?"
_SIZE = re.compile(r"(\d+)\s*(KiB|MiB|GiB|B)?", re.IGNORECASE)
_FACTOR = {"": 1, "b": 1, "kib": KiB, "mib": MiB, "gib": GiB}


def convert(option: Option, value: object) -> object:
    """The value in the field's type and bounds; ValueError says what is wrong and how to write it."""
    if option.kind in (int, float):
        return _number(option, value)
    if not isinstance(value, str | Path):
        written = "..." if option.unit == "secret" else str(value)
        raise ValueError(  # noqa: TRY004 - one kind of error for every wrong value
            f"it must be text; write {option.name} = {written!r}"
        )
    text = str(value)
    if "\0" in text or "\n" in text or "\r" in text:
        raise ValueError("it holds a line break or a NUL; write it in one line")
    if option.choices and text not in option.choices:
        raise ValueError(f"it is none of the possible values; use {', '.join(option.choices)}")
    if option.kind is Path:
        if not text.strip():
            raise ValueError("it is empty; name a folder")
        try:
            return Path(text).expanduser().absolute()
        except RuntimeError:
            raise ValueError("it begins with the name of a user who has no home folder; write the whole path") from None
    check = _SHAPES.get(option.name)
    return check(text) if check else text


def _number(option: Option, value: object) -> float:
    expected = _expected(option)
    number: float
    if option.unit == "bytes" and isinstance(value, str) and (size := _SIZE.fullmatch(value.strip())):
        number = int(size[1]) * _FACTOR[(size[2] or "").lower()]
    elif isinstance(value, bool):
        raise ValueError(f"it is not a number; give {expected}")
    else:
        try:
            number = msgspec.convert(value, option.kind, strict=False)
        except msgspec.ValidationError:
            raise ValueError(f"it is not {_article(option)}; give {expected}") from None
    too_low = option.low is not None and number < option.low
    too_low = too_low or (option.above is not None and number <= option.above)
    # Written so that NaN, which compares false with everything, is refused as well.
    if too_low or not (option.high is None or number <= option.high):
        raise ValueError(f"it is out of range; give {expected}")
    return number


def _article(option: Option) -> str:
    return "a whole number" if option.kind is int else "a number"


def _expected(option: Option) -> str:
    low = f"above {option.above:g}" if option.above is not None else f"from {_plain(option.low)}"
    size = " (KiB, MiB and GiB may be written)" if option.unit == "bytes" else ""
    high = "" if option.high is None else f" up to {_plain(option.high)}"
    return f"{_article(option)} of {option.unit} {low}{high}{size}"


def _plain(bound: float | int | None) -> str:
    return str(bound) if isinstance(bound, int) else f"{bound:g}"


def _checked_address(text: str) -> str:
    return str(parse_address(text))


def _checked_dns_servers(text: str) -> str:
    parse_dns_servers(text)
    return text


def _checked_hosts(text: str) -> str:
    parse_hosts(text)
    return text


def _checked_waits(text: str) -> str:
    parse_waits(text)
    return text


def _checked_database_url(text: str) -> str:
    if urlsplit(text).scheme not in ("postgresql", "postgres"):
        raise ValueError("it is not a PostgreSQL URL; write postgresql://user:password@host:5432/database")
    return text


def _checked_relay(text: str) -> str:
    # The shape only: postroom.delivery.smtp.target knows the rest, and settings stand below it.
    fix = "write smtp://[user:password@]host:port"
    parts = urlsplit(text)
    if parts.scheme not in ("smtp", "smtps"):
        raise ValueError(f"its scheme must be smtp or smtps; {fix}")
    try:
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ValueError(f"it has no usable host and port; {fix}")
    if parts.path.strip("/") or parts.fragment:
        raise ValueError(f"nothing but ?tls= may follow the port; {fix}")
    return text


def _checked_public_url(text: str) -> str:
    """The same with its host in A-labels: it is said in EHLO, and stands in mails and addresses."""
    parts = urlsplit(text)
    try:
        complete = parts.scheme in ("http", "https") and parts.port != 0
        host = _wire_host(parts.hostname or "")
    except ValueError:
        complete, host = False, ""
    if (
        not complete
        or not host
        or parts.query
        or parts.fragment
        or parts.username is not None
        or re.search(r"\s", text)
    ):
        raise ValueError("it is not the base of a web address; write https://host or https://host:port")
    if not (parts.hostname or "").isascii():
        text = parts._replace(netloc=host if parts.port is None else f"{host}:{parts.port}").geturl()
    return text.rstrip("/")


def _wire_host(host: str) -> str:
    """A host's name as the DNS knows it, or an address; empty when it is neither. Raises ValueError."""
    if ":" in host:
        return str(ipaddress.IPv6Address(host))
    ascii_host = host if host.isascii() else idna.encode(host, uts46=True).decode("ascii")
    return ascii_host if re.fullmatch(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9_])?", ascii_host) else ""


def _checked_from_address(text: str) -> str:
    local, at, domain = text.rpartition("@")
    if not at or not local or not domain or re.search(r"[\s<>,;:\"\\]", text) or len(text) > 254:
        raise ValueError("it is not an email address; write name@domain, such as no-reply@example.com")
    return text


def _checked_organization(text: str) -> str:
    if not text.isprintable() or len(text) > 100:
        raise ValueError("it is not a name of up to 100 characters; write one such as Example Shop")
    return text


def _checked_feedback_id(text: str) -> str:
    # Google's rule for the SenderId of Feedback-ID.
    if text != "none" and re.fullmatch(r"[A-Za-z0-9_-]{5,15}", text) is None:
        raise ValueError("it is not 5 to 15 letters, digits, - or _; write a name such as example-shop, or none")
    return text


def _checked_metrics_token(text: str) -> str:
    if re.fullmatch(r"[\x21-\x7e]{16,200}", text) is None:
        raise ValueError(
            "it is not 16 to 200 characters of ASCII without blanks; write what `openssl rand -hex 20` says"
        )
    return text


def _checked_bounce_domain(text: str) -> str:
    label = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
    domain = text.lower().removesuffix(".")
    # The longest token takes 63 of the 64 octets of a local part, which leaves 190 of an address's 254.
    if len(domain) > 190 or re.fullmatch(rf"{label}(?:\.{label})*\.(?:\*|(?!\d+\Z){label})", domain) is None:
        raise ValueError("it is no domain name; write bounces.example.com, or bounces.* for one of each sender domain")
    return domain


_SHAPES: dict[str, Callable[[str], str]] = {
    "http": _checked_address,
    "sandbox_smtp": _checked_address,
    "bounce_smtp": _checked_address,
    "bounce_domain": _checked_bounce_domain,
    "database_url": _checked_database_url,
    "dns_servers": _checked_dns_servers,
    "relay": _checked_relay,
    "retry_schedule": _checked_waits,
    "template_http_hosts": _checked_hosts,
    "public_url": _checked_public_url,
    "from_address": _checked_from_address,
    "tls_report_from": _checked_from_address,
    "tls_report_contact": _checked_from_address,
    "tls_report_organization": _checked_organization,
    "feedback_id": _checked_feedback_id,
    "metrics_token": _checked_metrics_token,
}
