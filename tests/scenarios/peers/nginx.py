"""A private nginx that serves the files of one folder over HTTPS."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.postgres import reachable_folder
from tests.scenarios.authority import Identity
from tests.scenarios.peers.programs import fetched, free_port, serving

_CONFIGURATION = """
user nobody nogroup;
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    types {{ text/plain txt; }}
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {folder}/server.pem;
        ssl_certificate_key {folder}/server.pem;
        root {folder}/files;
    }}
}}
"""


class PrivateNginx:
    """Made by ``nginx``."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self.port = port

    def put(self, path: str, text: str) -> None:
        """Serve this file from now on."""
        place = self._folder / "files" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def asked(self) -> list[str]:
        """What was asked for, and the status of the answer, a line each."""
        return (self._folder / "access.log").read_text().splitlines()


@contextlib.contextmanager
def nginx(identity: Identity) -> Iterator[PrivateNginx]:
    """An nginx that listens, with this certificate."""
    with reachable_folder() as folder:
        port = free_port()
        (folder / "files").mkdir()
        (folder / "server.pem").write_bytes(identity.pem())
        (folder / "server.pem").chmod(0o600)
        settings = folder / "nginx.conf"
        settings.write_text(_CONFIGURATION.format(folder=folder, port=port))
        program = fetched("nginx", folder)
        command: list[str | Path] = [program, "-e", folder / "error.log", "-p", folder, "-c", settings]
        with serving(command, folder / "output", "127.0.0.1", port):
            yield PrivateNginx(folder, port)
