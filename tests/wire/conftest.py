"""One API process and one database for all wire tests; every test has a business unit of its own."""

import itertools
from collections.abc import Callable, Iterator

import pytest
from tests.postgres import Databases, LoopThread
from tests.wire.live import LiveApi, Unit, running_api


@pytest.fixture(scope="session")
def live_api(embedded_databases: Databases, server_loop: LoopThread) -> Iterator[LiveApi]:
    """The API process."""
    dsn = embedded_databases.create()
    with running_api(dsn, server_loop, max_request_bytes="1MiB") as api:
        yield api
    embedded_databases.drop(dsn)


@pytest.fixture(scope="session")
def account_ids() -> Iterator[int]:
    """MIDs that no other test uses."""
    return itertools.count(7_000_001)


@pytest.fixture
def new_unit(live_api: LiveApi, account_ids: Iterator[int]) -> Callable[..., Unit]:
    """Makes business units; the argument limits their client's scopes."""
    return lambda *scopes: live_api.unit(next(account_ids), *scopes)


@pytest.fixture
def unit(new_unit: Callable[..., Unit]) -> Unit:
    """A business unit with all scopes."""
    return new_unit()


@pytest.fixture
def sender(unit: Unit) -> Unit:
    """A business unit with an asset and the active definition `order`."""
    unit.make_asset()
    unit.make_definition()
    return unit


@pytest.fixture
def embedded_server(embedded_databases: Databases) -> str:
    """The dsn of the server itself, for what is done to its databases."""
    return embedded_databases.server_dsn
