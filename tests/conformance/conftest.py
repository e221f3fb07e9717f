"""The conformance suite: what the tables promise, on the embedded PostgreSQL and on Debian's given by URL."""

from collections.abc import AsyncIterator, Iterator

import pytest
from tests.conformance.house import House, open_house
from tests.postgres import Databases


@pytest.fixture(scope="package", params=["embedded", "debian"])
def shared_database(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database of each server that the tests of this folder empty and use one after another."""
    databases: Databases = request.getfixturevalue(f"{request.param}_databases")
    dsn = databases.create()
    yield dsn
    databases.drop(dsn)


@pytest.fixture
async def house(shared_database: str) -> AsyncIterator[House]:
    """A business unit on an empty database, once on each kind of server."""
    async with open_house(shared_database) as opened:
        yield opened
