"""Bounce stories: a business unit on a database of its own, and the server that takes bounces."""

from collections.abc import AsyncIterator

import pytest
from tests.conformance.house import House, open_house
from tests.scenarios.bounces.post import Post, taking


@pytest.fixture
async def house(database: str) -> AsyncIterator[House]:
    """A business unit with the active definition `welcome`."""
    async with open_house(database) as opened:
        await opened.pool.execute("delete from suppression")
        yield opened


@pytest.fixture
async def post(house: House) -> AsyncIterator[Post]:
    """The server for bounces, listening."""
    async with taking(house) as listening:
        yield listening
