"""A verb says in a sentence that its database is away."""

import socket

import pytest

from postroom.cli.database import reach_database
from postroom.settings import SettingsRejected


async def test_a_server_that_is_away_is_told_without_its_password() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(SettingsRejected) as told:
        await reach_database(f"postgresql://shop:hidden@127.0.0.1:{port}/shop", seconds=0.1)
    (line,) = told.value.lines
    assert line.startswith("option POSTROOM_DATABASE_URL=postgresql://shop:")
    assert "no connection" in line
    assert "hidden" not in line
