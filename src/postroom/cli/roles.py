"""The verbs that run processes: everything on this machine, or one role alone."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import typer

from postroom.assembly import delivery, roles
from postroom.cli.child import run_until_stopped
from postroom.cli.database import reach_database
from postroom.cli.logs import configure_logs
from postroom.cli.options import with_all_settings
from postroom.cli.serve import Program, instance_name, serve
from postroom.cli.sockets import listen
from postroom.settings import Settings, SettingsRejected

# `-P`: the folder someone starts Postroom in must not be a place to import from.
CHILD_COMMAND = (sys.executable, "-P", "-m", "postroom.cli.main")

LifelineOption = Annotated[int | None, typer.Option("--lifeline-fd", hidden=True)]
StartedOption = Annotated[int | None, typer.Option("--started-fd", hidden=True)]


@with_all_settings
def serve_command(settings: Settings) -> None:
    """Run everything on this machine: PostgreSQL, API, delivery, webhooks, and what the settings ask for."""
    delivery.check_sources(settings)
    delivery.report_sender(settings)
    configure_logs(settings, "serve")
    program = Program(CHILD_COMMAND, roles.prepare_server)
    raise typer.Exit(asyncio.run(serve(settings, program, sys.stdout)))


@with_all_settings
def api_command(
    settings: Settings,
    listen_fd: Annotated[int | None, typer.Option("--listen-fd", hidden=True)] = None,
    lifeline_fd: LifelineOption = None,
    started_fd: StartedOption = None,
    process_name: Annotated[str, typer.Option("--process-name", hidden=True)] = "api",
) -> None:
    """Run one API process against the PostgreSQL that `--database-url` names."""
    configure_logs(settings, process_name)
    dsn = _database_url(settings, "api")
    if listen_fd is None:
        _prepare(settings, dsn)
        with listen("POSTROOM_HTTP", settings.http) as listener:
            number = listener.fileno()
            _run(lambda stop: roles.run_api(settings, dsn, listen_fd=number, stop=stop), lifeline_fd, started_fd)
    else:
        _run(lambda stop: roles.run_api(settings, dsn, listen_fd=listen_fd, stop=stop), lifeline_fd, started_fd)


@with_all_settings
def deliver_command(
    settings: Settings,
    owner: Annotated[str | None, typer.Option("--owner", hidden=True)] = None,
    replaces: Annotated[str | None, typer.Option("--replaces", hidden=True)] = None,
    lifeline_fd: LifelineOption = None,
    started_fd: StartedOption = None,
) -> None:
    """Run one delivery process against the PostgreSQL that `--database-url` names."""
    delivery.check_sources(settings)
    delivery.report_sender(settings)
    name, dsn = _begin(settings, "deliver", owner)
    _run(
        lambda stop: roles.run_delivery(settings, dsn, owner=name, replaces=replaces, stop=stop),
        lifeline_fd,
        started_fd,
    )


@with_all_settings
def events_command(
    settings: Settings,
    owner: Annotated[str | None, typer.Option("--owner", hidden=True)] = None,
    replaces: Annotated[str | None, typer.Option("--replaces", hidden=True)] = None,
    lifeline_fd: LifelineOption = None,
    started_fd: StartedOption = None,
) -> None:
    """Run one process that sends webhooks, against the PostgreSQL that `--database-url` names."""
    name, dsn = _begin(settings, "events", owner)
    _run(
        lambda stop: roles.run_events(settings, dsn, owner=name, replaces=replaces, stop=stop),
        lifeline_fd,
        started_fd,
    )


@with_all_settings
def mailbox_command(settings: Settings, lifeline_fd: LifelineOption = None, started_fd: StartedOption = None) -> None:
    """Run the sandbox's capture mailbox alone against the PostgreSQL that `--database-url` names."""
    configure_logs(settings, "mailbox")
    dsn = _database_url(settings, "mailbox")
    if lifeline_fd is None:
        _prepare(settings, dsn)
    _run(lambda stop: roles.run_mailbox(settings, dsn, stop=stop), lifeline_fd, started_fd)


@with_all_settings
def bounces_command(settings: Settings, lifeline_fd: LifelineOption = None, started_fd: StartedOption = None) -> None:
    """Take bounces and complaints by SMTP, against the PostgreSQL that `--database-url` names."""
    configure_logs(settings, "bounces")
    dsn = _database_url(settings, "bounces serve")
    if settings.bounce_smtp is None:
        raise SettingsRejected(["option POSTROOM_BOUNCE_SMTP=: it says where to listen; write host:port"])
    if lifeline_fd is None:
        _prepare(settings, dsn)
    _run(lambda stop: roles.run_bounces(settings, dsn, stop=stop), lifeline_fd, started_fd)


def _run(
    work: Callable[[asyncio.Event], Coroutine[Any, Any, None]], lifeline_fd: int | None, started_fd: int | None
) -> None:
    raise typer.Exit(run_until_stopped(work, lifeline_fd=lifeline_fd, started_fd=started_fd))


def _begin(settings: Settings, part: str, owner: str | None) -> tuple[str, str]:
    """Name and database of a process that takes leases; ``owner`` is the name a supervisor gave it."""
    name = owner or f"{instance_name()}/{part}-1/1"
    configure_logs(settings, name.split("/")[-2] if name.count("/") > 1 else part)
    dsn = _database_url(settings, part)
    if owner is None:
        _prepare(settings, dsn)
    return name, dsn


def _prepare(settings: Settings, dsn: str) -> None:
    """Without a supervisor nobody has looked at the database yet; several processes may do so at once."""

    async def prepare() -> None:
        await reach_database(dsn)
        await roles.prepare_database(settings, dsn)

    asyncio.run(prepare())


def _database_url(settings: Settings, verb: str) -> str:
    if settings.database_url is None:
        raise SettingsRejected(
            [
                f"option POSTROOM_DATABASE_URL=: postroom {verb} alone needs a PostgreSQL that all processes reach; "
                "write postgresql://user:password@host:5432/database, or use postroom serve, which brings its own"
            ]
        )
    return settings.database_url
