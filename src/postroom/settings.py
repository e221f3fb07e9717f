"""Every setting of Postroom in one frozen, typed tree, and how it is read.

A value comes from, strongest first: a command line option, an environment variable (`POSTROOM_` and the
field's name in capitals), a TOML file (the same names, long or short), the default. A name nobody knows is
an error, and all errors are reported at once as `SettingsRejected`: one line each, with the option, the value
it has and what to write instead.

The reference page docs/settings.md is generated from the fields below, so each carries its sentence, its unit
and its default.
"""

import difflib
import ipaddress
import os
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from postroom.setting_values import (
    PREFIX,
    Address,
    GiB,
    KiB,
    MiB,
    Option,
    convert,
    hide_password,
    parse_address,
    parse_dns_servers,
)

__all__ = [
    "Address",
    "Machine",
    "Option",
    "Settings",
    "SettingsRejected",
    "default_public_url",
    "hide_password",
    "load_settings",
    "options",
    "parse_address",
    "settings_environ",
    "this_machine",
]

CONFIG_VARIABLE = "POSTROOM_CONFIG"


class SettingsRejected(Exception):
    """The settings can't be used. `lines` holds one sentence a problem: option, value, what is wrong, fix."""

    def __init__(self, lines: list[str] | tuple[str, ...]) -> None:
        self.lines = tuple(lines)
        super().__init__("\n".join(self.lines))


@dataclass(frozen=True)
class Machine:
    """What defaults depend on: cores, whether we are root, whether stderr is a terminal."""

    cores: int
    root: bool
    terminal: bool


def this_machine() -> Machine:
    """The machine and the terminal this process runs on; cores are those it may use."""
    return Machine(
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        root=os.geteuid() == 0,
        terminal=sys.stderr.isatty(),
    )


def _doc(sentence: str, *, unit: str = "", default: str = "", **bounds: Any) -> Meta:
    """A field's page entry; `default` describes a computed default, bounds are ge=, le=, gt=."""
    return Meta(description=sentence, extra={"unit": unit, "default": default}, **bounds)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings of one Postroom. `load_settings` builds, checks and completes it."""

    http: Annotated[str, _doc("Where the HTTP API listens; port 0 takes a free one.", unit="host:port")] = (
        "127.0.0.1:8025"
    )
    data_dir: Annotated[
        Path,
        _doc(
            "Folder of the embedded PostgreSQL and of all else that belongs to this server.",
            unit="folder",
            default="`/var/lib/postroom` for root, else `$XDG_DATA_HOME/postroom` or `~/.local/share/postroom`",
        ),
    ]
    database_url: Annotated[
        str | None,
        _doc(
            "A PostgreSQL (15 or later) to use instead of the embedded one: `postgresql://user:pass@host:port/name`.",
            unit="URL",
            default="the embedded PostgreSQL",
        ),
    ] = None
    delivery: Annotated[
        Literal["sandbox", "relay", "mx"],
        _doc(
            "Where mail goes: `sandbox` keeps it in the capture mailbox, `relay` hands it to the relay, `mx` takes "
            "it straight to the recipients' MX hosts."
        ),
    ] = "sandbox"
    relay: Annotated[
        str | None,
        _doc(
            "The relay that takes all mail when `delivery` is `relay`: `smtp://[user:pass@]host[:port]`, "
            "`smtps://` for TLS from the first byte; `?tls=` is off, opportunistic, required or verify.",
            unit="URL",
            default="none",
        ),
    ] = None
    dns_servers: Annotated[
        str | None,
        _doc(
            "The DNS servers that are asked when `delivery` is `mx`: IP addresses with commas between them, each with "
            "its port if that is not 53.",
            unit="addresses",
            default="those of the machine, from `/etc/resolv.conf`",
        ),
    ] = None
    mx_port: Annotated[
        int,
        _doc(
            "The port of MX hosts. On the internet it is 25; others are for test networks.", unit="port", ge=1, le=65535
        ),
    ] = 25
    mx_private_addresses: Annotated[
        Literal["refuse", "allow"],
        _doc(
            "MX hosts with loopback, link-local or private addresses: `refuse` them, since whoever owns a domain can "
            "point it into your network, or `allow` them, for mail within a network and for tests."
        ),
    ] = "refuse"
    shaping: Annotated[
        Path | None,
        _doc(
            "A TOML file that says how fast each provider is fed when `delivery` is `mx`, in place of the rules that "
            "come with Postroom.",
            unit="file",
            default="`src/postroom/delivery/routing/shaping.toml`",
        ),
    ] = None
    public_url: Annotated[
        str,
        _doc(
            "How clients reach the API from outside: the base of all addresses that Postroom gives out.",
            unit="URL",
            default="`http://` and the value of `http`",
        ),
    ]
    api_processes: Annotated[
        int,
        _doc(
            "Processes that answer HTTP, sharing one port.",
            unit="processes",
            default="half the cores, at least 1",
            ge=1,
            le=256,
        ),
    ]
    delivery_processes: Annotated[
        int,
        _doc(
            "Processes that claim, compose and send.",
            unit="processes",
            default="half the cores, at least 1",
            ge=1,
            le=256,
        ),
    ]
    sandbox_smtp: Annotated[
        str,
        _doc(
            "Where the capture mailbox of the sandbox listens for SMTP; port 0 takes a free one.",
            unit="host:port",
        ),
    ] = "127.0.0.1:1025"
    sandbox_max_messages: Annotated[
        int,
        _doc(
            "Most mails the capture mailbox keeps; the oldest go first.",
            unit="mails",
            ge=1,
            le=100_000_000,
        ),
    ] = 100_000
    sandbox_max_bytes: Annotated[
        int,
        _doc(
            "Most bytes of mail the capture mailbox keeps; the oldest go first.",
            unit="bytes",
            ge=MiB,
            le=1024 * 1024 * MiB,
        ),
    ] = GiB
    sandbox_max_message_bytes: Annotated[
        int,
        _doc(
            "Largest mail the capture mailbox takes; a larger one is refused with SMTP code 552.",
            unit="bytes",
            ge=64 * KiB,
            le=GiB,
        ),
    ] = 25 * MiB
    from_name: Annotated[str, _doc("Sender name of mails whose definition names no other.", unit="text")] = "Postroom"
    from_address: Annotated[
        str,
        _doc(
            "Sender address of mails whose definition names no other.",
            unit="email address",
            default="`no-reply@` and the host of `public_url` when that is a domain name, "
            "else `no-reply@postroom.localhost`",
        ),
    ]
    key_window_hours: Annotated[
        int,
        _doc("How long a message key stays taken in its business unit.", unit="hours", ge=24, le=168),
    ] = 72
    queue_hours: Annotated[
        int,
        _doc(
            "How long a message waits for an inactive definition before it counts as not sent.",
            unit="hours",
            ge=1,
            le=720,
        ),
    ] = 72
    status_hours: Annotated[
        int,
        _doc("How long the status of a message can be asked for by its key.", unit="hours", ge=1, le=720),
    ] = 72
    retention_days: Annotated[
        int,
        _doc(
            "How long requests, messages and events are kept; whole days are dropped, never a day with mail "
            "still to send.",
            unit="days",
            ge=4,
            le=3650,
        ),
    ] = 30
    retry_first_seconds: Annotated[
        float,
        _doc("Wait before the second attempt of a deferred mail.", unit="seconds", gt=0, le=86_400),
    ] = 60.0
    retry_factor: Annotated[
        float, _doc("Each further wait is this many times the one before.", unit="times", ge=1, le=10)
    ] = 2.0
    retry_longest_seconds: Annotated[
        float, _doc("Longest wait between two attempts.", unit="seconds", gt=0, le=86_400)
    ] = 3600.0
    retry_max_hours: Annotated[
        float,
        _doc("Age at which a mail that is still deferred counts as not sent.", unit="hours", gt=0, le=720),
    ] = 72.0
    relay_connections: Annotated[
        int,
        _doc("Most SMTP connections one delivery process opens.", unit="connections", ge=1, le=1000),
    ] = 16
    lease_seconds: Annotated[
        float,
        _doc(
            "How long a delivery process owns what it claimed without renewing it; after a lost machine, "
            "others go on after this time.",
            unit="seconds",
            ge=1,
            le=3600,
        ),
    ] = 30.0
    settle_milliseconds: Annotated[
        int,
        _doc(
            "How long outcomes are gathered before they are committed together.",
            unit="milliseconds",
            ge=1,
            le=1000,
        ),
    ] = 20
    slice_size: Annotated[
        int,
        _doc(
            "Most recipients of one request that one claim hands out together.",
            unit="recipients",
            ge=1,
            le=2000,
        ),
    ] = 250
    claim_messages: Annotated[
        int,
        _doc(
            "Most messages of one definition's batches that one delivery process holds at a time; "
            "a quarter of it for its small requests. At the least, one slice is held.",
            unit="messages",
            ge=1,
            le=100_000,
        ),
    ] = 1000
    events_processes: Annotated[
        int,
        _doc("Processes that send webhooks; one tells all callbacks, more are spares.", unit="processes", ge=1, le=16),
    ] = 1
    ens_allow_private: Annotated[
        int,
        _doc(
            "Whether webhooks may go to plain http, to other ports and to private addresses: 1 is yes, 0 is no.",
            unit="1 or 0",
            default="`1` when `delivery` is `sandbox`, else `0`",
            ge=0,
            le=1,
        ),
    ]
    ens_signature_key: Annotated[
        Literal["text", "base64"],
        _doc(
            "How `x-sfmc-ens-signature` reads a callback's signatureKey: its `text` as it is written, or the bytes "
            "that it is the `base64` of."
        ),
    ] = "text"
    ens_timeout_seconds: Annotated[
        float,
        _doc("How long a webhook may take to answer.", unit="seconds", gt=0, le=60),
    ] = 3.0
    ens_longest_wait_seconds: Annotated[
        float,
        _doc("Longest wait between two attempts at a webhook that fails.", unit="seconds", gt=0, le=3600),
    ] = 600.0
    ens_retry_days: Annotated[
        int,
        _doc("How long after an event its webhook is still tried.", unit="days", ge=1, le=365),
    ] = 7
    missing_name: Annotated[
        Literal["fail", "empty", "keep"],
        _doc(
            "What a personalization string without a value does: `fail` the message, stay `empty`, or `keep` "
            "the string as it stands."
        ),
    ] = "fail"
    new_definition_status: Annotated[
        Literal["New", "Active"],
        _doc("Status of a definition that is created without one; only an `Active` one sends."),
    ] = "New"
    max_request_bytes: Annotated[
        int,
        _doc("Largest HTTP request body; a larger one is answered with 413.", unit="bytes", ge=64 * KiB, le=GiB),
    ] = 32 * MiB
    token_seconds: Annotated[int, _doc("How long an access token is valid.", unit="seconds", ge=60, le=86_400)] = 1200
    log_format: Annotated[
        Literal["console", "json"],
        _doc("How log lines look.", default="`console` when stderr is a terminal, else `json`"),
    ]
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], _doc("The least important log lines that are written.")
    ] = "info"

    @property
    def http_address(self) -> Address:
        """`http` as host and port."""
        return parse_address(self.http)

    @property
    def dns_server_addresses(self) -> tuple[Address, ...]:
        """`dns_servers` as addresses and ports; empty for those of the machine."""
        return parse_dns_servers(self.dns_servers) if self.dns_servers else ()

    @property
    def sandbox_smtp_address(self) -> Address:
        """`sandbox_smtp` as host and port."""
        return parse_address(self.sandbox_smtp)


def options() -> tuple[Option, ...]:
    """All settings in the order of the reference."""
    hints = get_type_hints(Settings, include_extras=True)
    return tuple(_option(field, hints[field.name]) for field in msgspec.structs.fields(Settings))


def _option(field: msgspec.structs.FieldInfo, hint: Any) -> Option:
    bare, meta = get_args(hint)
    choices: tuple[str, ...] = ()
    optional = get_origin(bare) in (Union, UnionType)
    if optional:
        bare = next(part for part in get_args(bare) if part is not type(None))
    if get_origin(bare) is Literal:
        choices, bare = get_args(bare), str
    extra = meta.extra or {}
    return Option(
        name=field.name,
        kind=bare,
        sentence=meta.description or "",
        unit=extra["unit"],
        default=field.default,
        default_text=extra["default"],
        optional=optional,
        choices=choices,
        low=meta.ge,
        high=meta.le,
        above=meta.gt,
    )


def load_settings(
    environ: Mapping[str, str],
    toml_path: Path | str | None = None,
    overrides: Mapping[str, object] | None = None,
    machine: Machine | None = None,
) -> Settings:
    """The settings from options (`overrides`, by field name; None is not given), environment and TOML file.

    The file is `toml_path`, else the one `POSTROOM_CONFIG` names. An empty environment variable counts as not
    set. Raises `SettingsRejected` with every problem found.
    """
    machine = machine or this_machine()
    known = {option.name: option for option in options()}
    problems: list[str] = []
    given: dict[str, tuple[str, object]] = {}

    path = toml_path or environ.get(CONFIG_VARIABLE) or None
    if path is not None:
        _read_toml(Path(path), known, given, problems)
    for variable, text in sorted(environ.items()):
        if not variable.startswith(PREFIX) or variable == CONFIG_VARIABLE or not text:
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name not in known or variable != variable.upper():
            nearest = _nearest(name, known, PREFIX)
            problems.append(f"option {variable}={_shown(text)}: there is no such option; {nearest} (or unset it)")
            continue
        given[name] = (variable, text)
    for name, value in (overrides or {}).items():
        if name not in known:
            problems.append(f"option {name}={_shown(value)}: there is no such option; {_nearest(name, known)}")
        elif value is not None:
            given[name] = (known[name].variable, value)

    values: dict[str, Any] = {}
    for name, (where, value) in given.items():
        try:
            values[name] = convert(known[name], value)
        except ValueError as wrong:
            problems.append(f"option {where}={_shown(value)}: {wrong}")
    if problems:
        raise SettingsRejected(problems)

    settings = Settings(**_with_defaults(values, environ, machine))
    problems = _contradictions(settings)
    if problems:
        raise SettingsRejected(problems)
    return settings


def settings_environ(settings: Settings) -> dict[str, str]:
    """The environment variables with which `load_settings` gives these settings again, for a child."""
    values = {option.variable: getattr(settings, option.name) for option in options()}
    return {variable: str(value) for variable, value in values.items() if value is not None}


def _read_toml(
    path: Path, known: Mapping[str, Option], given: dict[str, tuple[str, object]], problems: list[str]
) -> None:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as wrong:
        reason = wrong.strerror or str(wrong)
        problems.append(f"option {CONFIG_VARIABLE}={path}: {reason}; name a file that can be read, or leave it out")
        return
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
        problems.append(f"option {CONFIG_VARIABLE}={path}: not a TOML file ({wrong}); correct the file")
        return
    for key, value in table.items():
        name = key.removeprefix(PREFIX).lower() if key.startswith(PREFIX) else key
        where = f"{PREFIX}{name.upper()} (in {path})"
        if name not in known:
            nearest = _nearest(name, known)
            problems.append(f"option {key}={_shown(value)} (in {path}): there is no such option; {nearest}")
        elif name in given:
            problems.append(f"option {where}={_shown(value)}: it stands twice in the file; remove one")
        else:
            given[name] = (where, value)


def _nearest(name: str, names: Mapping[str, object], prefix: str = "") -> str:
    found = difflib.get_close_matches(name.lower(), list(names), n=1, cutoff=0.5)
    if not found:
        return "docs/settings.md lists all options"
    return f"did you mean {prefix + found[0].upper() if prefix else found[0]}?"


def _shown(value: object) -> str:
    return hide_password(str(value).lower() if isinstance(value, bool) else str(value))


def _with_defaults(values: dict[str, Any], environ: Mapping[str, str], machine: Machine) -> dict[str, Any]:
    """The values and, where none was given, the defaults that depend on the machine or on other settings."""
    filled = dict(values)
    half = max(1, machine.cores // 2)
    filled.setdefault("api_processes", half)
    filled.setdefault("delivery_processes", half)
    filled.setdefault("ens_allow_private", int(filled.get("delivery", "sandbox") == "sandbox"))
    filled.setdefault("log_format", "console" if machine.terminal else "json")
    filled.setdefault("data_dir", _default_data_dir(environ, machine))
    filled.setdefault("public_url", default_public_url(filled.get("http", "127.0.0.1:8025")))
    filled.setdefault("from_address", _default_from_address(filled["public_url"]))
    return filled


def _default_data_dir(environ: Mapping[str, str], machine: Machine) -> Path:
    if machine.root:
        return Path("/var/lib/postroom")
    if environ.get("XDG_DATA_HOME"):
        return Path(environ["XDG_DATA_HOME"]).absolute() / "postroom"
    home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    return home / ".local" / "share" / "postroom"


def default_public_url(http: str) -> str:
    """The public URL of a server that listens on `http`: a wildcard address is named by its loopback."""
    address = parse_address(http)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, address.host)  # noqa: S104
    return f"http://{Address(host, address.port)}"


def _default_from_address(public_url: str) -> str:
    host = urlsplit(public_url).hostname or ""
    try:
        ipaddress.ip_address(host)
        named = False
    except ValueError:
        named = "." in host.strip(".")
    return f"no-reply@{host}" if named else "no-reply@postroom.localhost"


def _contradictions(settings: Settings) -> list[str]:
    """Settings that are right one by one and wrong together."""
    found = []
    if settings.delivery == "relay" and settings.relay is None:
        found.append(
            "option POSTROOM_RELAY=: delivery is relay and no relay is named; write smtp://[user:password@]host:port"
        )
    if settings.retry_first_seconds > settings.retry_longest_seconds:
        found.append(
            f"option POSTROOM_RETRY_FIRST_SECONDS={settings.retry_first_seconds:g}: it is more than "
            f"POSTROOM_RETRY_LONGEST_SECONDS={settings.retry_longest_seconds:g}; lower it or raise the other"
        )
    if settings.sandbox_max_message_bytes > settings.sandbox_max_bytes:
        found.append(
            f"option POSTROOM_SANDBOX_MAX_MESSAGE_BYTES={settings.sandbox_max_message_bytes}: one mail could "
            f"be larger than the mailbox, POSTROOM_SANDBOX_MAX_BYTES={settings.sandbox_max_bytes}; lower it"
        )
    kept = settings.retention_days * 24
    for name in ("key_window_hours", "status_hours", "queue_hours"):
        hours = getattr(settings, name)
        if hours > kept:
            found.append(
                f"option {PREFIX}{name.upper()}={hours}: messages are kept for only "
                f"POSTROOM_RETENTION_DAYS={settings.retention_days} days; lower it or raise the retention"
            )
    if settings.retry_max_hours > kept:
        found.append(
            f"option POSTROOM_RETRY_MAX_HOURS={settings.retry_max_hours:g}: messages are kept for only "
            f"POSTROOM_RETENTION_DAYS={settings.retention_days} days; lower it or raise the retention"
        )
    if settings.delivery == "sandbox" and 0 != settings.http_address.port == settings.sandbox_smtp_address.port:
        found.append(
            f"option POSTROOM_SANDBOX_SMTP={settings.sandbox_smtp}: the port is that of POSTROOM_HTTP="
            f"{settings.http}; give it another, such as 127.0.0.1:1025"
        )
    return found
