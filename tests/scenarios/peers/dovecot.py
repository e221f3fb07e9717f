"""A private Dovecot that knows who may log in: Postfix asks it, and for XOAUTH2 it asks who has given out the token."""

import contextlib
import json
import os
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

from tests.postgres import reachable_folder
from tests.scenarios.peers.programs import cached, free_port, serving

_CONFIGURATION = """
base_dir = {folder}/run
state_dir = {folder}/state
libexec_dir = {programs}/lib/dovecot
log_path = {folder}/log
protocols =
ssl = no
default_internal_user = nobody
default_internal_group = nogroup
default_login_user = nobody
import_environment = LD_LIBRARY_PATH
auth_verbose = yes
auth_mechanisms = plain login cram-md5 xoauth2
passdb {{
  driver = oauth2
  mechanisms = xoauth2
  args = {folder}/tokens.conf
}}
passdb {{
  driver = passwd-file
  mechanisms = plain login cram-md5
  args = {folder}/users
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup
}}
service anvil {{
  chroot =
}}
service auth {{
  inet_listener {{
    address = 127.0.0.1
    port = {port}
  }}
}}
"""

_TOKENS = """
introspection_mode = post
introspection_url = http://127.0.0.1:{port}/introspect
username_attribute = username
active_attribute = active
active_value = true
"""


class PrivateDovecot:
    """Made by ``dovecot``. ``port`` is where Postfix asks."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self.port = port

    def log(self) -> str:
        """All that it logged."""
        path = self._folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""


class Issuer(ThreadingHTTPServer):
    """Says of each token whether it is good and whose it is (RFC 7662)."""

    def __init__(self, tokens: dict[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), _Introspection)
        self.tokens = tokens
        self.asked: list[str] = []


class _Introspection(BaseHTTPRequestHandler):
    server: Issuer

    def do_POST(self) -> None:
        """Named by http.server."""
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        (token,) = form["token"]
        self.server.asked.append(token)
        user = self.server.tokens.get(token)
        answer = json.dumps({"active": user is not None, "username": user or ""}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing: what was asked is kept."""


@contextlib.contextmanager
def issuer(tokens: dict[str, str]) -> Iterator[Issuer]:
    """Somebody who has given these tokens to these users."""
    with Issuer(tokens) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield made
        finally:
            made.shutdown()
            thread.join()


@contextlib.contextmanager
def dovecot(user: str, password: str, issued_by: Issuer) -> Iterator[PrivateDovecot]:
    """A Dovecot that knows this user's password, and asks ``issued_by`` about tokens."""
    with reachable_folder() as folder:
        programs = Path(shutil.copytree(cached("dovecot"), folder / "programs", symlinks=True))
        port = free_port()
        (folder / "users").write_text(f"{user}:{{PLAIN}}{password}\n")
        (folder / "tokens.conf").write_text(_TOKENS.format(port=issued_by.server_address[1]))
        settings = folder / "dovecot.conf"
        settings.write_text(_CONFIGURATION.format(folder=folder, programs=programs, port=port))
        libraries = f"{programs}/lib/dovecot:{programs}/lib/dovecot/modules/old-stats"
        # Dovecot would ask /usr/bin/doveconf for its settings, unless it is started by one.
        command: list[str | Path] = [
            *("env", f"LD_LIBRARY_PATH={libraries}", f"PATH={os.environ['PATH']}"),
            *(programs / "bin" / "doveconf", "-f", "service=master", "-m", "master", "-c", settings),
            *("-e", programs / "sbin" / "dovecot", "-F", "-c", settings),
        ]
        with serving(command, folder / "output", "127.0.0.1", port):
            yield PrivateDovecot(folder, port)
