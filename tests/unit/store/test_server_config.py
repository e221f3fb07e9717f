"""The embedded server's configuration as text and its cut to the machine."""

from pathlib import Path

import pytest

from postroom.store.server_config import ServerConfig

GiB = 1024**3


@pytest.mark.parametrize(
    ("memory", "buffers", "work", "wal"),
    [
        (GiB // 4, "64MB", "4MB", "256MB"),
        (GiB, "256MB", "4MB", "256MB"),
        (4 * GiB, "1024MB", "8MB", "1024MB"),
        (256 * GiB, "1024MB", "32MB", "2048MB"),
    ],
)
def test_memory_is_cut_to_the_machine(memory: int, buffers: str, work: str, wal: str) -> None:
    values = ServerConfig(Path("/run/x"), memory, lz4=False).values()
    assert (values["shared_buffers"], values["work_mem"], values["max_wal_size"]) == (buffers, work, wal)


def test_lz4_is_used_only_where_it_was_built_in() -> None:
    assert ServerConfig(Path("/x"), GiB, lz4=True).values()["wal_compression"] == "lz4"
    assert ServerConfig(Path("/x"), GiB, lz4=False).values()["wal_compression"] == "off"


def test_configuration_injection_by_the_folder_name() -> None:
    folder = Path('/it\'s, "mine"')
    text = ServerConfig(folder, GiB, lz4=False).text()
    assert 'unix_socket_directories = \'"/it\'\'s, ""mine"""\'\n' in text


def test_the_promises_rest_on_these_values() -> None:
    text = ServerConfig(Path("/x"), GiB, lz4=False).text()
    for line in ("fsync = 'on'", "synchronous_commit = 'on'", "full_page_writes = 'on'", "listen_addresses = ''"):
        assert f"\n{line}\n" in text
    assert text.endswith("include = 'postgresql.local.conf'\n")
