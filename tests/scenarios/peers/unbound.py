"""A private Unbound that validates: its zones are signed by dnspython, and it trusts some of their keys (DNSSEC)."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dns.dnssec
import dns.dnssectypes
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ec
from tests.postgres import reachable_folder
from tests.scenarios.peers.programs import fetched, free_port, serving

_CONFIGURATION = """
server:
    username: ""
    chroot: ""
    directory: "{folder}"
    pidfile: "{folder}/unbound.pid"
    interface: 127.0.0.1@{port}
    do-daemonize: no
    use-syslog: no
    logfile: "{folder}/log"
    val-log-level: 2
    module-config: "validator iterator"
    trust-anchor-file: "{folder}/anchors"
    local-zone: "test." nodefault
remote-control:
    control-enable: no
"""

_ZONE = """
auth-zone:
    name: "{name}"
    zonefile: "{folder}/{name}.zone"
    for-upstream: yes
    for-downstream: no
    fallback-enabled: no
"""

_HEAD = "@ 60 IN SOA ns.invalid. hostmaster.invalid. 1 3600 600 86400 60\n@ 60 IN NS ns.invalid.\n"


@dataclass(frozen=True)
class Zone:
    """``records`` are lines of a zone file. ``forged`` are lines and what stands in their place after the signing."""

    name: str
    records: str
    signed: bool = True
    forged: tuple[str, str] | None = None

    def text(self) -> tuple[str, str]:
        """The zone file, and the key to trust, empty for a zone without."""
        zone = dns.zone.from_text(_HEAD + self.records, origin=self.name, relativize=False)
        anchor = ""
        if self.signed:
            private = ec.generate_private_key(ec.SECP256R1())
            key = dns.dnssec.make_dnskey(private.public_key(), dns.dnssectypes.Algorithm.ECDSAP256SHA256, flags=257)
            dns.dnssec.sign_zone(zone, keys=[(private, key)], lifetime=86_400)
            anchor = f"{self.name}. IN DNSKEY {key}\n"
        text = zone.to_text(relativize=False)
        if self.forged is not None:
            true, false = self.forged
            assert true in text
            text = text.replace(true, false)
        return text, anchor


@contextlib.contextmanager
def unbound(*zones: Zone) -> Iterator[tuple[str, int]]:
    """Where an Unbound listens that knows these zones and nothing else."""
    with reachable_folder() as folder:
        port = free_port()
        settings = _CONFIGURATION.format(folder=folder, port=port)
        anchors = ""
        for zone in zones:
            text, anchor = zone.text()
            (folder / f"{zone.name}.zone").write_text(text)
            settings += _ZONE.format(folder=folder, name=zone.name)
            anchors += anchor
        (folder / "anchors").write_text(anchors)
        (folder / "unbound.conf").write_text(settings)
        command: list[str | Path] = [fetched("unbound", folder), "-d", "-p", "-c", folder / "unbound.conf"]
        with serving(command, folder / "output", "127.0.0.1", port):
            yield "127.0.0.1", port
