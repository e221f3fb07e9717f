"""How settings are read, completed and checked; every problem is found before one is reported."""

import difflib
import ipaddress
import os
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from postroom.settings.option import PREFIX, Address, Option, convert, hide_password, parse_address
from postroom.settings.tree import Settings, options

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
            problems.append(f"option {variable}={_shown(name, text)}: there is no such option; {nearest} (or unset it)")
            continue
        given[name] = (variable, text)
    for name, value in (overrides or {}).items():
        if name not in known:
            problems.append(f"option {name}={_shown(name, value)}: there is no such option; {_nearest(name, known)}")
        elif value is not None:
            given[name] = (known[name].variable, value)

    values: dict[str, Any] = {}
    for name, (where, value) in given.items():
        try:
            values[name] = convert(known[name], value)
        except ValueError as wrong:
            problems.append(f"option {where}={_shown(name, value)}: {wrong}")
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
            problems.append(f"option {key}={_shown(name, value)} (in {path}): there is no such option; {nearest}")
        elif name in given:
            problems.append(f"option {where}={_shown(name, value)}: it stands twice in the file; remove one")
        else:
            given[name] = (where, value)


def _nearest(name: str, names: Mapping[str, object], prefix: str = "") -> str:
    found = difflib.get_close_matches(name.lower(), list(names), n=1, cutoff=0.5)
    if not found:
        return "docs/settings.md lists all options"
    return f"did you mean {prefix + found[0].upper() if prefix else found[0]}?"


def _shown(name: str, value: object) -> str:
    secret = {option.name: option.unit == "secret" for option in options()}
    # A misspelt name may be meant for a secret, too.
    meant = [name] if name in secret else difflib.get_close_matches(name.lower(), list(secret), n=3, cutoff=0.5)
    if any(secret[each] for each in meant):
        return "***"
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
    filled.setdefault("tracking_url", filled["public_url"])
    filled["tracking_url"] = filled["tracking_url"].rstrip("/")
    filled.setdefault("retention_event_days", filled.get("retention_days", 30))
    filled.setdefault("retention_engagement_days", filled["retention_event_days"])
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
    if settings.delivery == "routes" and settings.routes is None:
        found.append("option POSTROOM_ROUTES=: delivery is routes and no route table is named; name a TOML file")
    if settings.sandbox_max_message_bytes > settings.sandbox_max_bytes:
        found.append(
            f"option POSTROOM_SANDBOX_MAX_MESSAGE_BYTES={settings.sandbox_max_message_bytes}: one mail could "
            f"be larger than the mailbox, POSTROOM_SANDBOX_MAX_BYTES={settings.sandbox_max_bytes}; lower it"
        )
    if settings.bounce_smtp is not None and settings.bounce_domain is None:
        found.append(
            f"option POSTROOM_BOUNCE_SMTP={settings.bounce_smtp}: without POSTROOM_BOUNCE_DOMAIN no mail has a return "
            "path that leads there; set it, such as bounces.example.com"
        )
    if (settings.bounce_tls_certificate is None) != (settings.bounce_tls_key is None):
        found.append(
            f"option POSTROOM_BOUNCE_TLS_CERTIFICATE={settings.bounce_tls_certificate or ''}: it needs "
            f"POSTROOM_BOUNCE_TLS_KEY={settings.bounce_tls_key or ''}; give both or none"
        )
    if settings.tls_reports == "on" and settings.delivery not in ("mx", "routes"):
        found.append(
            f"option POSTROOM_TLS_REPORTS=on: with POSTROOM_DELIVERY={settings.delivery} no mail goes to MX hosts that "
            "could be reported of; leave it out"
        )
    if settings.tls_reports == "on" and settings.tls_report_from is None:
        found.append(
            "option POSTROOM_TLS_REPORT_FROM=: reports of TLS need a from-address; write tls-reports@example.com"
        )
    base = urlsplit(settings.tracking_url)
    if base.scheme not in {"http", "https"} or not base.hostname or base.query or base.fragment:
        found.append(
            f"option POSTROOM_TRACKING_URL={settings.tracking_url}: mails can't carry links below it; "
            "write https://host or https://host/path"
        )
    kept = settings.retention_days * 24
    for name in ("key_window_hours", "status_hours", "queue_hours"):
        hours = getattr(settings, name)
        if hours > kept:
            found.append(
                f"option {PREFIX}{name.upper()}={hours}: messages are kept for only "
                f"POSTROOM_RETENTION_DAYS={settings.retention_days} days; lower it or raise the retention"
            )
    if settings.status_hours > settings.retention_event_days * 24:
        found.append(
            f"option {PREFIX}STATUS_HOURS={settings.status_hours}: events are kept for only "
            f"POSTROOM_RETENTION_EVENT_DAYS={settings.retention_event_days} days; lower it or raise the retention"
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
