"""A private Postfix for `postroom demo --postfix`: it takes mail over STARTTLS and delivers all of it into one Maildir.

The machine's own Postfix is never touched: configuration, queue, data, log and mailbox are in a folder of ours, and
it listens on a free port of 127.0.0.1. Postfix's master has to be started by root. Its settings are Debian's but for
these places, the certificate, and that every domain is its own.
"""

import os
import pwd
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from postroom.cli.demo_check import CapturedMail

POSTFIX = Path("/usr/sbin/postfix")
START_SECONDS = 20.0
# Without one mail less in the queue for this long, something is wrong.
PATIENCE_SECONDS = 60.0

_SERVICES = Path("/usr/share/postfix/master.cf.dist")
_OWNER = "nobody"
_QUEUES = ("maildrop", "incoming", "active", "deferred", "hold")
_MOST_SAID = 1500
_ORIGINAL = re.compile(rb"^X-Original-To: ([^\r\n]*)", re.MULTILINE)


class PostfixFailed(Exception):
    """Postfix does not start, or does not deliver; the text says why and what to do."""


class PrivatePostfix:
    """One instance in a folder of the caller's, made by `start` and ended by `stop`.

    ``settings`` are further lines of its main.cf. Other files may be in its folder `postfix/conf` before.
    """

    def __init__(self, folder: Path, settings: Sequence[str] = ()) -> None:
        self._folder = folder / "postfix"
        self._settings = settings
        self.port = _free_port()

    @property
    def relay(self) -> str:
        """Where it takes mail, as `POSTROOM_RELAY` says it: nothing goes there without TLS."""
        return f"smtp://127.0.0.1:{self.port}?tls=required"

    @property
    def mailbox(self) -> Path:
        """The Maildir."""
        return self._folder / "mailbox"

    def start(self) -> None:
        """Return when it takes connections. Raises `PostfixFailed`."""
        if not POSTFIX.exists():
            raise PostfixFailed(f"there is no {POSTFIX}; install Debian's package postfix, as make demo-postfix does")
        if os.geteuid() != 0:
            raise PostfixFailed("Postfix can only be started by root; run this demo as root")
        self._configure()
        self._command("start")
        deadline = time.monotonic() + START_SECONDS
        while not _listens(self.port):
            if time.monotonic() > deadline:
                raise PostfixFailed(f"Postfix takes no connections after {START_SECONDS:g} seconds\n{self.log()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it; may be called again, and before it was started."""
        if (self._folder / "queue" / "pid" / "master.pid").exists():
            self._command("stop")

    def version(self) -> str:
        """Such as 3.7.11."""
        return _run("/usr/sbin/postconf", "-dh", "mail_version").strip()

    def queued(self) -> int:
        """How many mails it has taken and not yet delivered."""
        queue = self._folder / "queue"
        return sum(len(files) for name in _QUEUES for _, _, files in os.walk(queue / name))

    def delivered(self) -> int:
        """How many mails are in the mailbox."""
        return sum(1 for _ in (self.mailbox / "new").iterdir()) if (self.mailbox / "new").exists() else 0

    def mails(self) -> Iterator[CapturedMail]:
        """Every mail of the mailbox, with the recipient Postfix was given and lines as SMTP has them."""
        for number, path in enumerate(sorted((self.mailbox / "new").iterdir()), start=1):
            raw = path.read_bytes().replace(b"\n", b"\r\n")
            yield CapturedMail(number, original_recipients(raw), raw)

    def log(self) -> str:
        """The end of what Postfix logged."""
        log = self._folder / "log" / "mail.log"
        return log.read_text(errors="replace")[-_MOST_SAID:] if log.exists() else "it logged nothing"

    def _configure(self) -> None:
        owner = pwd.getpwnam(_OWNER)
        for name in ("conf", "queue", "data", "log", "mailbox"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
            (self._folder / name).chmod(0o755)
        self._folder.chmod(0o755)
        shutil.chown(self._folder / "data", "postfix")
        os.chown(self.mailbox, owner.pw_uid, owner.pw_gid)
        conf = self._folder / "conf"
        _run(
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            *("-keyout", str(conf / "key.pem"), "-out", str(conf / "cert.pem")),
        )
        (conf / "main.cf").write_text(main_settings(self._folder, owner.pw_uid, owner.pw_gid, self._settings))
        (conf / "master.cf").write_text(services(_SERVICES.read_text(), self.port))

    def _command(self, verb: str) -> None:
        _run(str(POSTFIX), "-c", str(self._folder / "conf"), verb)


def private_settings(folder: Path) -> tuple[str, ...]:
    """What every private Postfix of ours has in its main.cf: files below ``folder``, loopback only, no aliases."""
    return (
        "compatibility_level = 3.6",
        f"queue_directory = {folder}/queue",
        f"data_directory = {folder}/data",
        f"maillog_file_prefixes = {folder}/log",
        f"maillog_file = {folder}/log/mail.log",
        "myhostname = relay.example.com",
        "mydestination =",
        "alias_maps =",
        "alias_database =",
        "inet_interfaces = 127.0.0.1",
        "inet_protocols = ipv4",
        "mynetworks = 127.0.0.0/8",
    )


def main_settings(folder: Path, uid: int, gid: int, further: Sequence[str] = ()) -> str:
    """The main.cf: all mail from loopback is taken over TLS, and delivered to one Maildir of this user."""
    return "\n".join(
        (
            *private_settings(folder),
            "smtpd_tls_security_level = encrypt",
            f"smtpd_tls_cert_file = {folder}/conf/cert.pem",
            f"smtpd_tls_key_file = {folder}/conf/key.pem",
            "smtpd_tls_received_header = yes",
            "virtual_mailbox_domains = static:all",
            f"virtual_mailbox_base = {folder}",
            "virtual_mailbox_maps = static:mailbox/",
            f"virtual_uid_maps = static:{uid}",
            f"virtual_gid_maps = static:{gid}",
            *further,
            "",
        )
    )


def original_recipients(raw: bytes) -> tuple[str, ...]:
    """The addresses Postfix was given, from the header fields it puts before a mail; UTF-8 as they are (RFC 6532)."""
    header = raw.partition(b"\r\n\r\n")[0]
    return tuple(address.decode(errors="replace") for address in _ORIGINAL.findall(header))


def services(distributed: str, port: int) -> str:
    """The master.cf: the distributed one, listening on our port of 127.0.0.1, without chroot and external mailers."""
    lines = []
    external = False
    for line in distributed.splitlines():
        if not line or line.startswith("#"):
            continue
        words = line.split()
        if line[0].isspace():
            if not external:
                lines.append(line)
            continue
        external = words[7] == "pipe"
        if external:
            continue
        if words[:2] == ["smtp", "inet"]:
            words[0] = f"127.0.0.1:{port}"
        # A chroot needs copies of the system's files in the queue folder.
        words[4] = "n"
        lines.append(" ".join(words))
    return "\n".join([*lines, ""])


def _run(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as failed:
        raise PostfixFailed(f"{' '.join(command)}: {failed}") from failed
    if done.returncode != 0:
        raise PostfixFailed(f"{' '.join(command)} failed ({done.returncode}): {done.stdout}{done.stderr}")
    return done.stdout


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
