"""The conformance suite: what the tables promise, on the embedded PostgreSQL and on Debian's given by URL.

Its tests run in one event loop, so that they can share connections: a new one has to read the catalogue of hundreds of
tables before its first statement, which takes more time than most tests. Fixtures say so with `loop_scope="session"`.
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.conformance.house import EMPTY, MOST_CONNECTIONS, House, furnished
from tests.postgres import Databases

from postroom.store.pool import Pool, open_pool

FOLDER = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The loop of the session for tests of this folder."""
    one_loop = pytest.mark.asyncio(loop_scope="session")
    for item in items:
        if item.path.is_relative_to(FOLDER) and pytest_asyncio.is_async_test(item):
            item.add_marker(one_loop, append=False)


@pytest.fixture(scope="package", params=["embedded", "debian"])
def shared_database(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database of each server that the tests of this folder empty and use one after another."""
    databases: Databases = request.getfixturevalue(f"{request.param}_databases")
    dsn = databases.create()
    yield dsn
    databases.drop(dsn)


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def shared_pool(shared_database: str) -> AsyncIterator[Pool]:
    """Connections to it."""
    pool = await open_pool(shared_database, max_size=MOST_CONNECTIONS, application_name="house")
    yield pool
    await pool.close()


@pytest_asyncio.fixture(loop_scope="session")
async def house(shared_database: str, shared_pool: Pool) -> AsyncIterator[House]:
    """A business unit on an empty database, once on each kind of server."""
    await shared_pool.execute(EMPTY)
    async with furnished(shared_database, shared_pool) as opened:
        yield opened
