"""One server for all stories of this folder."""

from collections.abc import Iterator

import pytest
from tests.scenarios.tracking.shop import Shop

from postroom.cli.private_server import PrivateServer


@pytest.fixture(scope="package")
def shop() -> Iterator[Shop]:
    """A shop on a server of its own."""
    with PrivateServer() as access:
        shop = Shop(access)
        yield shop
        shop.http.close()
