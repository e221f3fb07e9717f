"""The conformance suite: what the tables promise, on the embedded PostgreSQL and on Debian's given by URL."""

from collections.abc import AsyncIterator

import pytest

from tests.conformance.house import House, open_house


@pytest.fixture
async def house(any_database: str) -> AsyncIterator[House]:
    """A business unit on a fresh database, once on each kind of server."""
    async with open_house(any_database) as opened:
        yield opened
