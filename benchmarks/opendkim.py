"""OpenDKIM as Debian has it, signing for one domain on a Unix socket: the milter that Postfix is measured with."""

from pathlib import Path

from benchmarks.processes import Child
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from postroom.tenancy.sender_domains import new_key

OPENDKIM = "/usr/sbin/opendkim"
DOMAIN = "example.com"


class OpenDkim:
    """One instance with an RSA-2048 key of its own, in a folder of ours."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "opendkim"
        self._folder.mkdir()
        self._folder.chmod(0o755)
        self.socket = self._folder / "socket"
        key = new_key("rsa")
        pem = load_der_private_key(key.private, None).private_bytes(
            Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
        )
        (self._folder / "key").write_bytes(pem)
        (self._folder / "key").chmod(0o600)
        (self._folder / "conf").write_text(settings(self._folder, key.selector))
        self._child = Child([OPENDKIM, "-f", "-x", str(self._folder / "conf")], log=self._folder / "log")

    @property
    def pid(self) -> int:
        """The process id."""
        return self._child.pid

    async def ready(self) -> None:
        """Return when it takes connections."""
        await self._child.ready(self.socket.exists)

    async def stop(self) -> None:
        """End it."""
        await self._child.stop()


def settings(folder: Path, selector: str) -> str:
    """The opendkim.conf."""
    return "\n".join(
        (
            "Mode s",
            "Background no",
            "Syslog no",
            "Canonicalization relaxed/relaxed",
            "OversignHeaders From",
            f"Domain {DOMAIN}",
            f"Selector {selector}",
            f"KeyFile {folder}/key",
            f"Socket local:{folder}/socket",
            # Its folder is ours, but stands below one that everybody may write to.
            "RequireSafeKeys no",
            # Postfix's own user connects to it.
            "UMask 000",
            "InternalHosts 127.0.0.1",
            "",
        )
    )
