"""Debian's OpenDKIM as the receiver that verifies; it knows both algorithms."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

PROGRAM = "/usr/sbin/opendkim"


def opendkim(folder: Path, mails: Mapping[str, bytes], dns: Mapping[bytes, bytes]) -> dict[str, str]:
    """What `opendkim -t` says about each mail's signature; of several it tells of one that succeeded."""
    keys = b"".join(name.removesuffix(b".") + b" " + text + b"\n" for name, text in dns.items())
    (folder / "keys").write_bytes(keys)
    (folder / "conf").write_text(f"Mode v\nSyslog no\nTestPublicKeys {folder / 'keys'}\n")
    files = {str(folder / f"mail-{number}"): name for number, name in enumerate(mails)}
    for path, name in files.items():
        Path(path).write_bytes(mails[name].removesuffix(b".\r\n"))
    command = (PROGRAM, "-x", folder / "conf", "-t", ",".join(files), "-v")
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    told = dict.fromkeys(mails, "")
    for line in (done.stdout + done.stderr).decode().splitlines():
        _, path, verdict = [*line.split(": ", 2), "", ""][:3]
        if path in files:
            told[files[path]] += f"{verdict}\n"
    return told
