"""A private Postfix with a certificate of the tests' own authority, and with logins by SASL where asked for."""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.postgres import reachable_folder
from tests.scenarios.authority import Identity
from tests.scenarios.peers.programs import fetched

from postroom.cli.demo_postfix import PrivatePostfix

REALM = "relay.example.com"

# Passwords are in a file that Cyrus SASL reads itself: there is no daemon to ask.
_SASL = """
pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: {folder}/passwords
mech_list: {mechanisms}
"""

_GUARDED = (
    "smtpd_sasl_auth_enable = yes",
    "smtpd_sasl_security_options = noanonymous",
    "smtpd_tls_auth_only = yes",
    "smtpd_client_restrictions = permit_sasl_authenticated, reject",
)


@contextlib.contextmanager
def postfix(identity: Identity, *settings: str) -> Iterator[PrivatePostfix]:
    """A Postfix that takes every mail over TLS with this certificate."""
    with reachable_folder() as folder, _started(folder, identity, *settings) as made:
        yield made


@contextlib.contextmanager
def guarded_postfix(identity: Identity, user: str, password: str, *mechanisms: str) -> Iterator[PrivatePostfix]:
    """A Postfix that takes mail of this user only, who logs in by one of these mechanisms over TLS."""
    with reachable_folder() as folder:
        subprocess.run(
            [fetched("saslpasswd2", folder), "-c", "-p", "-f", folder / "passwords", "-u", REALM, user],
            input=f"{password}\n".encode(),
            check=True,
        )
        shutil.chown(folder / "passwords", "postfix")
        # Where Debian's Postfix looks for it, whatever cyrus_sasl_config_path says.
        sasl = folder / "postfix" / "conf" / "sasl"
        sasl.mkdir(parents=True)
        (sasl / "smtpd.conf").write_text(_SASL.format(folder=folder, mechanisms=" ".join(mechanisms)))
        with _started(
            folder, identity, *_GUARDED, "smtpd_sasl_type = cyrus", f"smtpd_sasl_local_domain = {REALM}"
        ) as made:
            yield made


@contextlib.contextmanager
def postfix_that_asks(identity: Identity, port: int) -> Iterator[PrivatePostfix]:
    """A Postfix that takes mail over TLS of whom the Dovecot on this port knows."""
    with postfix(identity, *_GUARDED, "smtpd_sasl_type = dovecot", f"smtpd_sasl_path = inet:127.0.0.1:{port}") as made:
        yield made


@contextlib.contextmanager
def _started(folder: Path, identity: Identity, *settings: str) -> Iterator[PrivatePostfix]:
    (folder / "server.pem").write_bytes(identity.pem())
    (folder / "server.pem").chmod(0o600)
    made = PrivatePostfix(folder, (f"smtpd_tls_chain_files = {folder}/server.pem", *settings))
    made.start()
    try:
        yield made
    finally:
        made.stop()


def log_of(server: PrivatePostfix) -> str:
    """All that it logged."""
    return Path(server.mailbox.parent / "log" / "mail.log").read_text(errors="replace")
