"""Stories of several hosts: a business unit on a database of its own."""

from collections.abc import AsyncIterator

import pytest
from tests.conformance.house import House, open_house


@pytest.fixture
async def house(database: str) -> AsyncIterator[House]:
    """A business unit with the active definition `welcome`."""
    async with open_house(database) as opened:
        yield opened
