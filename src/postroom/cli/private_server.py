"""A server for as long as one command runs: the real `postroom serve` in a temporary folder, on free ports.

Of our `POSTROOM_` variables it gets those it is handed, and none that say where mail goes or where the database is.
Started where mail is really sent it must stay a sandbox, or keep to the relay it was given, and must not touch that
server's database.
"""

import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from postroom.store.directory import can_enter, server_user

_POSTROOM = (sys.executable, "-P", "-m", "postroom.cli.main")
COMMAND = (*_POSTROOM, "serve")
START_SECONDS = 120.0
# `serve` itself stops within 30.
STOP_SECONDS = 40.0

_INTERRUPTS = (signal.SIGINT, signal.SIGTERM)
_READY = "postroom: ready"
_FIELD = re.compile(r"^  (API|mailbox|SMTP|client_id|client_secret|account_id) +(\S+)$")
_LOG_LINES = 20
# Where mail goes and comes from, where the database is, and the file of settings that may say so.
_ITS_OWN = frozenset(
    {
        "POSTROOM_CONFIG",
        "POSTROOM_DATA_DIR",
        "POSTROOM_DATABASE_URL",
        "POSTROOM_DELIVERY",
        "POSTROOM_HTTP",
        "POSTROOM_LOG_FORMAT",
        "POSTROOM_PUBLIC_URL",
        "POSTROOM_RELAY",
        "POSTROOM_ROUTES",
        "POSTROOM_SANDBOX_SMTP",
        "POSTROOM_TRACKING_URL",
    }
)
_ITS_OWN_KINDS = ("POSTROOM_BOUNCE_", "POSTROOM_TLS_REPORT")


class ServerFailed(Exception):
    """The server did not start; the text has what it said last."""


@dataclass(frozen=True)
class Access:
    """What the server printed: where it is, and the credentials of a client.

    `mailbox` and `smtp` are empty when mail goes to a relay.
    """

    api: str
    mailbox: str
    smtp: str
    client_id: str
    client_secret: str
    account_id: int


class PrivateServer:
    """A server of our own; use it as a context manager, which gives its `Access` and leaves nothing behind.

    With a `relay` (a URL as `POSTROOM_RELAY` has it) all mail goes there, without one into the capture mailbox.
    """

    def __init__(
        self,
        command: Sequence[str] = COMMAND,
        *,
        relay: str | None = None,
        http: str = "127.0.0.1:0",
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """``variables`` are `POSTROOM_` variables; those that say where mail goes, or where the database is, are left
        out."""
        self._command = tuple(command)
        self._relay = relay
        self._http = http
        self._variables = {
            name: value
            for name, value in (variables or {}).items()
            if name not in _ITS_OWN and not name.startswith(_ITS_OWN_KINDS)
        }
        self._environ: dict[str, str] = {}
        self._folder: Path | None = None
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    @property
    def environ(self) -> Mapping[str, str]:
        """With these variables a `postroom` command works on this server's database."""
        return self._environ

    @property
    def folder(self) -> Path | None:
        """The temporary folder while there is one."""
        return self._folder

    def __enter__(self) -> Access:
        try:
            return self._start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start(self) -> Access:
        with uninterrupted():
            self._folder = Path(tempfile.mkdtemp(prefix="postroom-private-", dir=reachable_parent()))
        if os.geteuid() == 0:
            # The database user must be able to pass through.
            self._folder.chmod(0o711)
        environ = {name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")}
        environ |= {"POSTROOM_LOG_LEVEL": "warning"} | self._variables
        environ |= {
            "POSTROOM_DATA_DIR": str(self._folder / "data"),
            "POSTROOM_HTTP": self._http,
            "POSTROOM_LOG_FORMAT": "console",
        }
        if self._relay is None:
            environ |= {"POSTROOM_DELIVERY": "sandbox", "POSTROOM_SANDBOX_SMTP": "127.0.0.1:0"}
        else:
            environ |= {"POSTROOM_DELIVERY": "relay", "POSTROOM_RELAY": self._relay}
        self._environ = environ
        with (self._folder / "server.log").open("wb") as log, uninterrupted():
            self._process = subprocess.Popen(
                self._command,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                encoding="utf-8",
                # Ctrl-C is for us: the server is stopped in its own time.
                start_new_session=True,
            )
        assert self._process.stdout is not None
        threading.Thread(target=_read_lines, args=(self._process.stdout, self._lines.put), daemon=True).start()
        return self._access(environ)

    def _access(self, environ: dict[str, str]) -> Access:
        found: dict[str, str] = {}
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise ServerFailed(f"the server was not ready after {START_SECONDS:g} seconds\n{self.log()}") from None
            if line is None:
                raise ServerFailed(f"the server ended before it was ready\n{self.log()}")
            if line == _READY:
                break
            if field := _FIELD.match(line):
                found[field[1]] = field[2]
        if self._relay is not None:
            # Only a sandbox has a client ready-made.
            found |= {"mailbox": "", "SMTP": ""} | _new_client(environ)
        try:
            return Access(
                api=found["API"],
                mailbox=found["mailbox"],
                smtp=found["SMTP"],
                client_id=found["client_id"],
                client_secret=found["client_secret"],
                account_id=int(found["account_id"]),
            )
        except KeyError as missing:
            raise ServerFailed(f"the server did not print its {missing.args[0]}") from None

    def log(self) -> str:
        """The last lines of what the server logged."""
        if self._folder is None:
            return ""
        lines = (self._folder / "server.log").read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-_LOG_LINES:])

    def stop(self) -> None:
        """Stop the server and remove its folder; may be called again."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            deadline = time.monotonic() + STOP_SECONDS
            while self._process.poll() is None:
                try:
                    self._process.wait(max(0.0, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    self._process.kill()
                except KeyboardInterrupt:
                    # To `serve` a second word means: hurry. Leaving it alone would leave it running.
                    self._process.send_signal(signal.SIGTERM)
            self._process = None
        if self._folder is not None:
            with uninterrupted():
                shutil.rmtree(self._folder, ignore_errors=True)
                self._folder = None


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold back Ctrl-C and SIGTERM until the block is done, so that nothing it makes is forgotten."""
    came: list[int] = []
    before = {number: signal.signal(number, lambda got, _frame: came.append(got)) for number in _INTERRUPTS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        raise KeyboardInterrupt


@contextmanager
def terminable() -> Iterator[None]:
    """Make SIGTERM end us as Ctrl-C does, so that nothing stays behind."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def reachable_parent() -> Path:
    """The folder for temporary folders; as root, one that the unprivileged user of the database can enter."""
    usual = Path(tempfile.gettempdir())
    user = server_user(usual / "postroom-private" / "postgresql")
    if user is None:
        return usual
    places = (usual, Path("/tmp"), Path("/var/tmp"))  # noqa: S108
    return next((place for place in places if place.is_dir() and can_enter(place, user)), usual)


def _new_client(environ: dict[str, str]) -> dict[str, str]:
    """The credentials that `postroom client create` prints."""
    command = (*_POSTROOM, "client", "create", "--name", "demo")
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=START_SECONDS, check=False)
    if done.returncode != 0:
        raise ServerFailed(f"postroom client create failed\n{done.stdout}{done.stderr}")
    return {name: str(value) for name, value in json.loads(done.stdout).items()}


def _read_lines(output: IO[str], put: Callable[[str | None], None]) -> None:
    with output:
        for line in output:
            put(line.rstrip("\n"))
    put(None)
