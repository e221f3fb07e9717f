"""The data directory: made, locked by one server, and reachable for the user PostgreSQL runs as.

    <data dir>/serve.lock     held (flock) by `postroom serve` as long as it lives; names its process
    <data dir>/postgresql/    the database files, of the unprivileged user alone
    <data dir>/run/           the socket, of the unprivileged user alone
    <data dir>/postgresql.log what the server says
    <data dir>/binaries/      a copy of the programs, only where that user can't reach the installed ones

PostgreSQL refuses to run as root, so as root it runs as `postgres`, or `nobody` where there is no such user.
Modes of folders above the data directory are never changed.
"""

import fcntl
import os
import pwd
import stat
import subprocess
from pathlib import Path

from postroom.store.errors import DirectoryInUse, DirectoryUnusable
from postroom.store.process import User

OPTION = "POSTROOM_DATA_DIR"


def server_user(cluster: Path) -> User | None:
    """Who the server runs as: None is ourselves, which is always so unless we are root.

    Files that exist keep their owner, so that a user `postgres` installed later changes nothing.
    """
    if os.geteuid() != 0:
        return None
    entry = None
    if cluster.exists() and (owner := cluster.stat().st_uid) != 0:
        try:
            entry = pwd.getpwuid(owner)
        except KeyError:
            return User(str(owner), owner, cluster.stat().st_gid)
    for name in ("postgres", "nobody"):
        if entry is None:
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                continue
    if entry is None:
        raise DirectoryUnusable(
            f"option {OPTION}={cluster.parent}: PostgreSQL must not run as root and this machine has neither a "
            "user postgres nor nobody; make one (useradd --system postgres), or start as another user"
        )
    return User(entry.pw_name, entry.pw_uid, entry.pw_gid)


class DataDirectory:
    """A data directory this process may use; `lock` makes it ours alone until `unlock` or our end."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock: int | None = None

    def make(self) -> None:
        """Make the folder and those above it. Raises `DirectoryUnusable`."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if os.geteuid() == 0 and self.path.stat().st_uid == 0:
                # The server's user must be able to pass through our own folder, not to list it.
                self.path.chmod(stat.S_IMODE(self.path.stat().st_mode) | 0o111)
        except (FileExistsError, NotADirectoryError):
            raise DirectoryUnusable(f"option {OPTION}={self.path}: a file is in the way; name a folder") from None
        except OSError as refused:
            raise DirectoryUnusable(
                f"option {OPTION}={self.path}: it can't be made ({refused.strerror}); name a folder that the "
                "user who runs Postroom may write"
            ) from refused
        if not os.access(self.path, os.R_OK | os.W_OK | os.X_OK):
            raise DirectoryUnusable(
                f"option {OPTION}={self.path}: it can't be written by the user who runs Postroom; name another "
                "folder, or start as the user who owns this one"
            )

    def lock(self) -> None:
        """Take the directory for this process. Raises `DirectoryInUse` naming the process that has it."""
        file = os.open(self.path / "serve.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(file, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(file)
            raise DirectoryInUse(
                f"option {OPTION}={self.path}: another postroom serve (process {holder}) works on this data "
                "directory; stop that one, or name another folder"
            ) from None
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        self._lock = file

    def unlock(self) -> None:
        """Give the directory back. The file stays: removing it would let two processes lock two files."""
        if self._lock is not None:
            os.ftruncate(self._lock, 0)
            os.close(self._lock)
            self._lock = None


def require_reachable(path: Path, user: User) -> None:
    """Raise `DirectoryUnusable` naming the first folder on the way to `path` that the user can't enter."""
    if can_enter(path, user):
        return
    for folder in (*reversed(path.parents), path):
        if not can_enter(folder, user):
            raise DirectoryUnusable(
                f"option {OPTION}={path}: the embedded PostgreSQL runs as user {user.name}, because it must not "
                f"run as root, and that user can't enter {folder}; name a folder below one that all may enter "
                f"(such as /var/lib/postroom), or allow it: chmod o+x {folder}"
            )


def can_enter(folder: Path, user: User) -> bool:
    """Whether the user can change into the folder; asked of the system itself, so ACLs count."""
    done = subprocess.run(
        ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)],
        cwd="/",
        env={"PATH": "/usr/bin:/bin"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
        user=user.uid,
        group=user.gid,
        extra_groups=[],
    )
    return done.returncode == 0
