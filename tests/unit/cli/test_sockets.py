"""What a listening address means to the machine itself."""

import pytest

from postroom.cli.sockets import loopback_of
from postroom.settings import parse_address


@pytest.mark.parametrize(
    ("listening", "reached"),
    [
        ("0.0.0.0:8025", "127.0.0.1:8025"),
        ("[::]:8025", "[::1]:8025"),
        ("127.0.0.1:1", "127.0.0.1:1"),
        ("mail.example.com:80", "mail.example.com:80"),
    ],
)
def test_a_wildcard_is_reached_by_its_loopback(listening: str, reached: str) -> None:
    assert str(loopback_of(parse_address(listening))) == reached
