"""Public clients that can't be in the environment, because of what they ask for: installed beside it, without that.

FuelSDKWrapper asks for a package that no current pip can build, and works with its successor; django-exact-target
brings Django.
"""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

PACKAGES = Path(sys.prefix) / "clients"

_NAMES = (
    *("asgiref==3.13.0", "django==5.2.19", "django-exact-target==1.1.0", "fuelsdkwrapper==1.3.4"),
    *("sentry-sdk==2.75.0", "simplejson==4.3.0", "sqlparse==0.6.1"),
)


def install_packages() -> None:
    """Install them, whole or not at all: two test processes may do it at the same moment."""
    words = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target"]
    with TemporaryDirectory(dir=PACKAGES.parent) as folder:
        made = Path(folder, "clients")
        subprocess.run([*words, str(made), *_NAMES], check=True, timeout=170)
        with suppress(OSError):
            made.rename(PACKAGES)


if __name__ == "__main__":
    install_packages()
