"""The embedded server's configuration, cut to the machine's memory.

Written anew at each start; `postgresql.local.conf` beside it is the owner's and is read last.
"""

import os
from dataclasses import dataclass
from pathlib import Path

MiB = 1024 * 1024
GiB = 1024 * MiB

MAX_CONNECTIONS = 200

LOCAL_CONFIG = "postgresql.local.conf"
LOCAL_TEXT = "# Your own values: they win over Postroom's in postgresql.conf.\n"
# The server listens on a Unix socket in a folder that only its own user and root can enter; that is the lock.
# Replication is a right of its own: with it pg_basebackup and pg_receivewal can make copies.
HOST_RULES = "local all all trust\nlocal replication all trust\n"


@dataclass(frozen=True)
class ServerConfig:
    """What the configuration depends on: where the socket is, the memory in bytes, what was built in."""

    socket_folder: Path
    memory: int
    lz4: bool
    max_connections: int = MAX_CONNECTIONS

    def text(self) -> str:
        """The postgresql.conf."""
        lines = [f"{name} = {_quoted(value)}" for name, value in self.values().items()]
        head = f"# Written by Postroom at each start. Put your own values into {LOCAL_CONFIG} beside it."
        return "\n".join([head, *lines, f"include = '{LOCAL_CONFIG}'", ""])

    def values(self) -> dict[str, str]:
        """Every value that is not PostgreSQL's default."""
        return {
            "listen_addresses": "",
            "unix_socket_directories": '"' + str(self.socket_folder).replace('"', '""') + '"',
            "unix_socket_permissions": "0700",
            "max_connections": str(self.max_connections),
            "cluster_name": "postroom",
            # Accepted means on disk. These are the defaults; they stand here because the promise rests on them.
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "shared_buffers": _megabytes(min(self.memory // 4, GiB), least=16),
            "effective_cache_size": _megabytes(self.memory // 2, least=64),
            "work_mem": _megabytes(min(self.memory // 512, 32 * MiB), least=4),
            "maintenance_work_mem": _megabytes(min(self.memory // 16, 256 * MiB), least=32),
            "wal_buffers": "16MB",
            "max_wal_size": _megabytes(min(self.memory // 4, 2 * GiB), least=256),
            "min_wal_size": "128MB",
            "checkpoint_timeout": "15min",
            "checkpoint_completion_target": "0.9",
            # pglz costs more processor time than its bytes are worth; lz4 does not.
            "wal_compression": "lz4" if self.lz4 else "off",
            "random_page_cost": "1.1",
            # Statements here are short: compiling them or spreading them over workers costs more than it gives.
            "jit": "off",
            "max_parallel_workers_per_gather": "0",
            # The queue's rows live for milliseconds: its dead rows must go before they are scanned again.
            "autovacuum_naptime": "10s",
            "autovacuum_vacuum_scale_factor": "0.05",
            "autovacuum_analyze_scale_factor": "0.05",
            "autovacuum_vacuum_cost_limit": "2000",
            "update_process_title": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_destination": "stderr",
            "logging_collector": "off",
            "log_line_prefix": "%m [%p] ",
            "log_checkpoints": "off",
            # Statements, their values and key values are personal data; they stay out of the log.
            "log_min_error_statement": "panic",
            "log_error_verbosity": "terse",
        }


def machine_memory() -> int:
    """Bytes of memory this process may use: the machine's, or less where a container sets a limit."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            memory = min(memory, int(Path(limit).read_text()))
        except (OSError, ValueError):
            continue
    return memory


def _megabytes(size: int, *, least: int) -> str:
    return f"{max(least, size // MiB)}MB"


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
