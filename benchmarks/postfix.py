"""A private Postfix that relays to a sink: Debian's defaults apart from where it listens, relays and keeps its files.

The machine's own Postfix is never touched: configuration, queue, data and log are in a folder of ours. Postfix's
master has to be started by root.
"""

import os
import shutil
import subprocess
from pathlib import Path

from benchmarks.cpu import read_stats
from benchmarks.processes import ProgramFailed, free_port, listens, until

from postroom.cli.demo_postfix import private_settings, services
from postroom.store.process import process_exists

POSTFIX = "/usr/sbin/postfix"
SOURCE = "/usr/sbin/smtp-source"
SESSIONS = 20
_SERVICES = Path("/usr/share/postfix/master.cf.dist")


class Postfix:
    """One instance in a folder; it queues durably and relays everything to a port of 127.0.0.1."""

    def __init__(self, folder: Path, relay_port: int, milter: Path | None = None) -> None:
        """``milter`` is the Unix socket of a filter that sees all mail."""
        self.port = free_port()
        self._folder = folder / ("postfix" if milter is None else "postfix-milter")
        self._milter = milter
        self._relay_port = relay_port
        self._pid_file = self._folder / "queue" / "pid" / "master.pid"

    @property
    def pid(self) -> int:
        """The process id of its master."""
        return int(self._pid_file.read_text())

    async def start(self) -> None:
        """Return when it takes connections. Raises ProgramFailed."""
        if os.geteuid() != 0:
            raise ProgramFailed("Postfix can only be started by root; run make bench as root, or leave it out")
        self._configure()
        self._command("start")
        await until(lambda: listens(self.port), every=0.05, within=20, what="Postfix takes connections")

    def _configure(self) -> None:
        configuration = self._folder / "conf"
        for each in (configuration, self._folder / "queue", self._folder / "data", self._folder / "log"):
            each.mkdir(parents=True)
            each.chmod(0o755)
        shutil.chown(self._folder / "data", "postfix")
        (configuration / "main.cf").write_text(main_settings(self._folder, self._relay_port, self._milter))
        (configuration / "master.cf").write_text(services(_SERVICES.read_text(), self.port))

    async def stop(self) -> None:
        """End it, and wait until its master is gone."""
        if not self._pid_file.exists():
            return
        pid = self.pid
        if not process_exists(pid):
            return
        self._command("stop")
        await until(lambda: not process_exists(pid), every=0.05, within=20, what="Postfix stops")

    def roots(self) -> list[int]:
        """The process id of the master; everything else of Postfix descends from it."""
        if self.pid not in {each.pid for each in read_stats()}:
            raise ProgramFailed(f"Postfix has ended; its log is in {self._folder / 'log'}")
        return [self.pid]

    def _command(self, verb: str) -> None:
        done = subprocess.run(
            [POSTFIX, "-c", str(self._folder / "conf"), verb], capture_output=True, text=True, timeout=60, check=False
        )
        if done.returncode != 0:
            raise ProgramFailed(f"postfix {verb} failed ({done.returncode}): {done.stdout}{done.stderr}")


def main_settings(folder: Path, relay_port: int, milter: Path | None = None) -> str:
    """The main.cf."""
    filters = () if milter is None else (f"smtpd_milters = unix:{milter}",)
    return "\n".join(
        (
            *private_settings(folder),
            f"relayhost = [127.0.0.1]:{relay_port}",
            *filters,
            "",
        )
    )
