"""The business unit of a token, read and changed over HTTP."""

from collections.abc import Callable

import pytest
from tests.wire.live import Unit

OWN = "/postroom/v1/account"


def test_it_is_shown_and_changed_in_part(unit: Unit, new_unit: Callable[..., Unit]) -> None:
    shown = unit.call("GET", OWN).json()
    assert (shown["accountId"], shown["language"], shown["trackingPrivacy"]) == (unit.account_id, "en", "server")
    asked = {"trackingPrivacy": "Private", "timeZone": "Europe/Berlin", "pages": {"7": "https://shop.example/p"}}
    changed = unit.call("PATCH", OWN, json=asked)
    assert changed.status_code == 200
    expected = shown | asked | {"trackingPrivacy": "private"}
    assert changed.json() == expected
    assert unit.call("PATCH", OWN, json={"pages": {"7": None}, "name": None}).json() == expected | {"pages": {}}
    assert new_unit().call("GET", OWN).json()["trackingPrivacy"] == "server"


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        ({"trackingPrivacy": "none"}, 10005, "'none'; it must be one of server, full, private"),
        ({"timeZone": "Mars/Olympus"}, 10005, "write an IANA name"),
        ({"trackingPrivacy": True}, 10001, "trackingPrivacy must be string, not boolean"),
        ({"trackingprivaci": "full"}, 10005, "the body has no member 'trackingprivaci'; leave it out"),
    ],
)
def test_mistakes_are_named(unit: Unit, body: dict[str, object], code: int, words: str) -> None:
    reply = unit.call("PATCH", OWN, json=body)
    assert (reply.status_code, reply.json()["errorcode"]) == (400, code)
    assert words in reply.json()["message"]
