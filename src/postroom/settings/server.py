"""The program itself: where it listens, where it keeps its things, how many processes it is."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from postroom.settings.option import GiB, KiB, MiB, doc


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """Server."""

    http: Annotated[str, doc("Where the HTTP API listens; port 0 takes a free one.", unit="host:port")] = (
        "127.0.0.1:8025"
    )
    data_dir: Annotated[
        Path,
        doc(
            "Folder of the embedded PostgreSQL and of all else that belongs to this server.",
            unit="folder",
            default="`/var/lib/postroom` for root, else `$XDG_DATA_HOME/postroom` or `~/.local/share/postroom`",
        ),
    ]
    database_url: Annotated[
        str | None,
        doc(
            "A PostgreSQL (15 or later) to use instead of the embedded one: `postgresql://user:pass@host:port/name`.",
            unit="URL",
            default="the embedded PostgreSQL",
        ),
    ] = None
    public_url: Annotated[
        str,
        doc(
            "How clients reach the API from outside: the base of all addresses that Postroom gives out.",
            unit="URL",
            default="`http://` and the value of `http`",
        ),
    ]
    api_processes: Annotated[
        int,
        doc(
            "Processes that answer HTTP, sharing one port.",
            unit="processes",
            default="half the cores, at least 1",
            ge=1,
            le=256,
        ),
    ]
    max_request_bytes: Annotated[
        int,
        doc("Largest HTTP request body; a larger one is answered with 413.", unit="bytes", ge=64 * KiB, le=GiB),
    ] = 32 * MiB
    metrics_token: Annotated[
        str | None,
        doc(
            "Who asks for `/metrics` (Prometheus) has to give this as `Authorization: Bearer`; at least 16 characters.",
            unit="secret",
            default="none: there are no metrics to be had",
        ),
    ] = None
    token_seconds: Annotated[int, doc("How long an access token is valid.", unit="seconds", ge=60, le=86_400)] = 1200
    log_format: Annotated[
        Literal["console", "json"],
        doc("How log lines look.", default="`console` when stderr is a terminal, else `json`"),
    ]
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], doc("The least important log lines that are written.")
    ] = "info"
