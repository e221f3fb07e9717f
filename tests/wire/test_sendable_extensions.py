"""Definitions that name a data extension (contract §3): which may be named, and what that means for it."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.wire.live import Unit, definition_body

DEFINITIONS = "/messaging/v1/email/definitions"
FIELDS = [
    {"name": "SubscriberKey", "type": "Text", "length": 100},
    {"name": "OrderId", "type": "Text", "length": 20, "isNullable": False},
]


def make(unit: Unit, key: str, **more: Any) -> None:
    """A data extension."""
    reply = unit.call("POST", "/data/v1/customobjects", json={"name": key, "key": key, "fields": FIELDS} | more)
    assert reply.status_code == 201, reply.text


def body(key: str, extension: str) -> dict[str, Any]:
    """A create that names it."""
    return definition_body(key) | {"subscriptions": {"list": "All Subscribers", "dataExtension": extension}}


def test_a_definition_shows_its_extension_with_the_key_as_it_was_made(unit: Unit) -> None:
    unit.make_asset()
    make(unit, "Orders", isSendable=True)
    made = unit.call("POST", DEFINITIONS, json=body("order", "ORDERS"))
    assert made.status_code == 201, made.text
    assert made.json()["subscriptions"]["dataExtension"] == "Orders"
    make(unit, "Other", isSendable=True)
    changed = unit.call("PATCH", DEFINITIONS + "/order", json={"subscriptions": {"dataExtension": "Other"}})
    assert changed.json()["subscriptions"]["dataExtension"] == "Other"
    untouched = unit.call("PATCH", DEFINITIONS + "/order", json={"description": "x"})
    assert untouched.json()["subscriptions"]["dataExtension"] == "Other"
    cleared = unit.call("PATCH", DEFINITIONS + "/order", json={"subscriptions": {"dataExtension": ""}})
    assert "dataExtension" not in cleared.json()["subscriptions"]
    versions = unit.api.rows(
        "select v.data_extension_id, e.name from definition_version v left join data_extension e "
        "on e.account_id = v.account_id and e.extension_id = v.data_extension_id "
        "where v.account_id = $1 order by v.version_id",
        unit.account_id,
    )
    assert [row["name"] for row in versions] == ["Orders", "Other", None]


@pytest.mark.parametrize("extension", ["nowhere", "plain", "theirs"])
def test_an_extension_that_is_unknown_or_not_sendable_is_10005(
    unit: Unit, new_unit: Callable[..., Unit], extension: str
) -> None:
    unit.make_asset()
    make(unit, "plain")
    make(new_unit(), "theirs", isSendable=True)
    before = unit.stored()
    reply = unit.call("POST", DEFINITIONS, json=body("order", extension))
    assert (reply.status_code, reply.json()["errorcode"]) == (400, 10005)
    assert "subscriptions.dataExtension" in reply.json()["message"]
    assert unit.stored() == before
    unit.make_definition()
    changed = unit.call("PATCH", DEFINITIONS + "/order", json={"subscriptions": {"dataExtension": extension}})
    assert (changed.status_code, changed.json()["errorcode"]) == (400, 10005)


def test_an_extension_in_use_is_not_deleted(unit: Unit) -> None:
    unit.make_asset()
    make(unit, "orders", isSendable=True)
    unit.call("POST", DEFINITIONS, json=body("order", "orders"))
    own = "/postroom/v1/data-extensions/orders"
    refused = unit.call("DELETE", own)
    assert (refused.status_code, refused.json()["errorcode"]) == (400, 30001)
    assert "'order'" in refused.json()["message"]
    unit.call("DELETE", DEFINITIONS + "/order")
    assert unit.call("DELETE", own).status_code == 200
