"""`postroom sandbox`: a sandbox of its own for one command, such as a test run, or until Ctrl-C."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from postroom.cli.exit_codes import INTERRUPTED, NO
from postroom.cli.private_server import Access, PrivateServer, ServerFailed, terminable

NOT_EXECUTABLE, NOT_FOUND = 126, 127
KILLED = 128

_POSTROOM = (sys.executable, "-P", "-m", "postroom.cli.main")


class NotApplied(Exception):
    """A file could not be applied; the text has what `postroom apply` said."""


def sandbox_command(
    command: Annotated[
        list[str] | None, typer.Argument(metavar="[COMMAND...]", help="What to run, with its arguments.")
    ] = None,
    apply: Annotated[
        list[Path] | None,
        typer.Option(
            "--apply", metavar="FILE", exists=True, dir_okay=False, help="Apply this file first; may be repeated."
        ),
    ] = None,
    http: Annotated[str, typer.Option("--http", help="Where the API listens.")] = "127.0.0.1:0",
) -> None:
    """Start a sandbox with an empty database, run a command against it, and remove it again.

    The command finds the sandbox by its environment: SFMC_URL (of tokens and of REST), SFMC_CLIENT_ID,
    SFMC_CLIENT_SECRET and SFMC_ACCOUNT_ID, and the capture mailbox for other programs at SFMC_SMTP. Its exit code is
    ours. Without a command the sandbox stays until Ctrl-C.
    """
    # Told before a server is started for nothing.
    if command and shutil.which(command[0]) is None:
        typer.echo(f"postroom sandbox: there is no command {command[0]!r}", err=True)
        raise typer.Exit(NOT_FOUND)
    variables = {name: value for name, value in os.environ.items() if name.startswith("POSTROOM_")}
    server = PrivateServer(http=http, variables=variables)
    try:
        with terminable(), server as access:
            for file in apply or ():
                _apply(file, server.environ)
            environ = environ_for(access, server.environ)
            code = _run(command, environ) if command else _stay(access, environ)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except (NotApplied, ServerFailed) as failed:
        typer.echo(f"postroom sandbox: {failed}", err=True)
        raise typer.Exit(NO) from None
    raise typer.Exit(code)


def environ_for(access: Access, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment in which a command finds the sandbox; ``environ`` is the server's."""
    return dict(environ) | {
        "SFMC_URL": access.api,
        "SFMC_CLIENT_ID": access.client_id,
        "SFMC_CLIENT_SECRET": access.client_secret,
        "SFMC_ACCOUNT_ID": str(access.account_id),
        "SFMC_SMTP": access.smtp,
    }


def _apply(file: Path, environ: Mapping[str, str]) -> None:
    done = subprocess.run(
        (*_POSTROOM, "apply", str(file)),
        env=dict(environ),
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        raise NotApplied(f"--apply {file} did not work\n{done.stdout}{done.stderr}".rstrip())


def _run(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """The exit code, as a shell would have it."""
    with _passed_on() as pass_on_to:
        try:
            process = subprocess.Popen(command, env=dict(environ))
        except OSError as error:
            typer.echo(f"postroom sandbox: {command[0]!r} can't be run: {error.strerror}", err=True)
            return NOT_EXECUTABLE
        pass_on_to(process)
        code = process.wait()
    return KILLED - code if code < 0 else code


@contextmanager
def _passed_on() -> Iterator[Callable[[subprocess.Popen[bytes]], None]]:
    """While the command runs Ctrl-C and SIGTERM are for it: the sandbox ends when the command has ended."""
    running: list[subprocess.Popen[bytes]] = []
    came: list[int] = []

    def pass_on(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and _at_terminal():
            return  # which has told the command itself
        came.append(number)
        for process in running:
            process.send_signal(number)

    def pass_on_to(process: subprocess.Popen[bytes]) -> None:
        running.append(process)
        for number in came:
            process.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield pass_on_to
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _at_terminal() -> bool:
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (OSError, ValueError):
        return False


def _stay(access: Access, environ: Mapping[str, str]) -> int:
    for name, value in environ.items():
        if name.startswith("SFMC_"):
            typer.echo(f"export {name}={shlex.quote(value)}")
    typer.echo(f"# mailbox: {access.mailbox}; Ctrl-C removes this sandbox and all that is in it")
    sys.stdout.flush()
    threading.Event().wait()
    return 0
