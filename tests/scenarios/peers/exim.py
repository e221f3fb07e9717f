"""A private Exim: an MX host on a loopback address of its own, which keeps what it takes in one Maildir.

Who is written to decides what it says: the rules below stand in its ACLs as they stand in those of others.
"""

import contextlib
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from tests.postgres import reachable_folder
from tests.scenarios.authority import Identity
from tests.scenarios.peers.programs import fetched, free_port, serving

USER = "Debian-exim"
HOST = "mx.exim.test"
LARGEST = 300_000

_CONFIGURATION = """
exim_path = {folder}/exim4
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
pid_file_path = {folder}/exim.pid
primary_hostname = {host}
local_interfaces = {address}
daemon_smtp_ports = {port}
tls_advertise_hosts = *
tls_certificate = {folder}/server.pem
chunking_advertise_hosts = *
smtputf8_advertise_hosts = *
message_size_limit = {largest}
recipients_max = 5
smtp_accept_queue_per_connection = 0
log_selector = +received_recipients +received_sender +8bitmime +pipelining +smtp_connection
deliver_drop_privilege = true
message_logs = false
keep_environment =
acl_smtp_mail = mail
acl_smtp_rcpt = rcpt
acl_smtp_data = content

begin acl

mail:
  require verify = sender
  accept

rcpt:
  deny  local_parts = nobody
        message = 5.1.1 <$local_part@$domain>: there is nobody of this name
  deny  local_parts = prohibited
  defer local_parts = busy
  deny  local_parts = listed
        message = $sender_host_address is listed at dnsbl.exim.test
  deny  local_parts = full
        message = 5.2.2 mailbox is full
  deny  domains = !*.exim.test : !exim.test
        message = relay not permitted
  defer local_parts = later
        condition = ${{if !exists{{{folder}/spool/seen}}}}
        set acl_c_seen = ${{run{{/usr/bin/touch {folder}/spool/seen}}}}
        message = 4.7.1 Greylisted, please try again in a moment
  require verify = recipient
  accept

content:
  deny  message = maximum allowed line length is 998 octets, got $max_received_linelength
        condition = ${{if > {{$max_received_linelength}}{{998}}}}
  deny  condition = ${{if match{{$message_body}}{{CONTENT THAT NOBODY WANTS}}}}
        message = 5.7.1 This message scored 12.3 spam points.
  accept

begin routers

unknown:
  driver = redirect
  local_parts = unknown : sender-unknown
  allow_fail
  data = :fail: Unknown user

nowhere:
  driver = redirect
  local_parts = nowhere
  allow_fail
  data = :fail:

everybody_else:
  driver = accept
  local_parts = !unrouteable
  transport = maildir

begin transports

maildir:
  driver = appendfile
  directory = {folder}/mail
  maildir_format
  batch_max = 100
  envelope_to_add
  return_path_add
"""


class PrivateExim:
    """Made by ``exim``."""

    def __init__(self, folder: Path, address: str, port: int) -> None:
        self._folder = folder
        self.address = address
        self.port = port

    def log(self) -> str:
        """What it logged of connections and mails."""
        return (self._folder / "log" / "mainlog").read_text(errors="replace")

    def rejections(self) -> str:
        """What it logged of refusals."""
        path = self._folder / "log" / "rejectlog"
        return path.read_text(errors="replace") if path.exists() else ""

    def arrivals(self, recipient: str) -> list[str]:
        """The log's lines about mails to this recipient as they came, protocol, cipher and sizes among them."""
        return [line for line in self.log().splitlines() if " <= " in line and recipient in line.partition(" for ")[2]]

    def every_mail(self) -> list[bytes]:
        """The mails that are there: what Exim wrote before them, and lines with CRLF."""
        return [path.read_bytes().replace(b"\n", b"\r\n") for path in self._delivered()]

    def delivered(self) -> int:
        """How many they are."""
        return len(self._delivered())

    def _delivered(self) -> list[Path]:
        new = self._folder / "mail" / "new"
        return sorted(new.iterdir()) if new.exists() else []

    def mails(self, recipient: str, least: int = 1) -> list[bytes]:
        """The mails to this recipient, once there are so many."""
        deadline = time.monotonic() + 10
        while True:
            found = [raw for raw in self.every_mail() if recipient in envelope(raw)]
            if len(found) >= least:
                return found
            assert time.monotonic() < deadline, self.log()[-3000:]
            time.sleep(0.02)


def envelope(raw: bytes) -> list[str]:
    """The recipients of a mail in the Maildir."""
    found = re.search(rb"^Envelope-to:((?:[^\r\n]|\r\n[ \t])*)", raw, re.MULTILINE)
    return [] if found is None else [each.strip() for each in found[1].decode().split(",")]


@contextlib.contextmanager
def exim(identity: Identity, address: str = "127.0.0.61") -> Iterator[PrivateExim]:
    """An Exim that listens, with this certificate."""
    with reachable_folder() as folder:
        port = free_port(address)
        for name in ("spool", "log", "mail"):
            (folder / name).mkdir()
            shutil.chown(folder / name, USER, USER)
        (folder / "server.pem").write_bytes(identity.pem())
        shutil.chown(folder / "server.pem", USER, USER)
        program = fetched("exim4", folder)
        settings = folder / "exim.conf"
        settings.write_text(
            _CONFIGURATION.format(folder=folder, host=HOST, address=address, port=port, largest=LARGEST)
        )
        with serving([program, "-C", settings, "-bdf"], folder / "output", address, port):
            yield PrivateExim(folder, address, port)
