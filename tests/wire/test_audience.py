"""Contacts (contract §7.3), and Postroom's own routes for lists, profile attributes and classifications."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.wire.live import Unit, definition_body

CONTACTS = "/contacts/v1/contacts"
SEARCH = "/contacts/v1/addresses/email/search"
OWN = "/postroom/v1"


def contact(key: str = "ada", address: str | None = "ada@example.com", **attributes: Any) -> dict[str, Any]:
    """The body of a contact call."""
    sets = []
    if address is not None:
        values = [{"name": "Email Address", "value": address}, {"name": "HTML Enabled", "value": True}]
        sets.append({"name": "Email Addresses", "items": [{"values": values}]})
    if attributes:
        values = [{"name": name, "value": value} for name, value in attributes.items()]
        sets.append({"name": "Email Demographics", "items": [{"values": values}]})
    return {"contactKey": key, "attributeSets": sets}


@pytest.fixture
def ada(unit: Unit) -> Unit:
    """A business unit with the contact `ada`."""
    reply = unit.call("POST", CONTACTS, json=contact(firstname="Ada"))
    assert reply.status_code == 201, reply.text
    return unit


def shown(unit: Unit, key: str = "ada") -> dict[str, Any]:
    body: dict[str, Any] = unit.call("GET", f"{OWN}/contacts/{key}").json()
    return {name: body[name] for name in ("contactKey", "address", "status", "attributes")}


def test_a_contact_is_created_changed_and_found(ada: Unit) -> None:
    assert shown(ada) == {
        "contactKey": "ada",
        "address": "ada@example.com",
        "status": "Active",
        "attributes": {"FirstName": "Ada"},
    }
    changed = ada.call("PATCH", CONTACTS, json=contact("ADA", "ada@new.example.com", LastName="Byron", FirstName=None))
    assert changed.status_code == 200
    assert (changed.json()["contactKey"], changed.json()["hasErrors"]) == ("ada", False)
    assert shown(ada)["attributes"] == {"LastName": "Byron"}
    ada.call("PATCH", CONTACTS, json=contact("ada", None, FirstName="Ada"))
    assert shown(ada)["address"] == "ada@new.example.com"
    found = ada.call("POST", SEARCH, json={"ChannelAddressList": ["ADA@new.example.com", "x@example.com"]}).json()
    entities = found["channelAddressResponseEntities"]
    assert [entity["channelAddress"] for entity in entities] == ["ADA@new.example.com", "x@example.com"]
    assert [details["contactKey"] for details in entities[0]["contactKeyDetails"]] == ["ada"]
    assert entities[1]["contactKeyDetails"] == []


def test_a_search_shows_so_many_contacts_of_an_address(ada: Unit) -> None:
    ada.call("POST", CONTACTS, json=contact("twin"))
    for most, keys in ((None, ["ada"]), (2, ["ada", "twin"])):
        body = {"ChannelAddressList": ["ada@example.com"], "MaximumCount": most}
        (entity,) = ada.call("POST", SEARCH, json=body).json()["channelAddressResponseEntities"]
        assert [details["contactKey"] for details in entity["contactKeyDetails"]] == keys


def test_a_key_is_taken_once_until_its_contact_is_deleted(ada: Unit) -> None:
    taken = ada.call("POST", CONTACTS, json=contact("Ada", "other@example.com"))
    assert (taken.status_code, taken.json()["errorcode"]) == (409, 30004)
    assert ada.call("DELETE", OWN + "/contacts/ada").json()["status"] == "Deleted"
    assert ada.call("PATCH", CONTACTS, json=contact()).status_code == 404
    found = ada.call("POST", SEARCH, json={"ChannelAddressList": ["ada@example.com"]}).json()
    assert found["channelAddressResponseEntities"][0]["contactKeyDetails"] == []
    assert ada.call("POST", CONTACTS, json=contact("ADA", "other@example.com")).status_code == 201
    assert shown(ada) == {"contactKey": "ada", "address": "other@example.com", "status": "Active", "attributes": {}}


@pytest.mark.parametrize(
    ("method", "path", "body", "errorcode", "words"),
    [
        ("POST", CONTACTS, contact(""), 10002, "contactKey"),
        ("POST", CONTACTS, contact("k" * 255), 10005, "contactKey"),
        ("POST", CONTACTS, contact("a\0"), 10005, "contactKey"),
        ("POST", CONTACTS, contact(5), 10001, "contactKey"),  # type: ignore[arg-type]
        ("POST", CONTACTS, contact("x", None), 10002, "Email Address"),
        ("POST", CONTACTS, contact("x", "nobody"), 10005, "'nobody'"),
        ("POST", CONTACTS, contact("x", Shoe=43), 10005, "'Shoe'"),
        ("POST", CONTACTS, contact("x", FirstName="a\0"), 10005, "FirstName"),
        ("POST", CONTACTS, contact("x", FirstName="a" * 4001), 10005, "FirstName"),
        ("POST", CONTACTS, {"contactKey": "x", "attributeSets": {}}, 10001, "attributeSets"),
        ("POST", CONTACTS, {"contactKey": "x", "attributeSets": [{"items": [{"values": [{}]}]}]}, 10002, "name"),
        ("PATCH", CONTACTS, contact("ada", Shoe=43), 10005, "'Shoe'"),
        ("POST", SEARCH, {}, 10002, "ChannelAddressList"),
        ("POST", SEARCH, {"ChannelAddressList": []}, 10002, "ChannelAddressList"),
        ("POST", SEARCH, {"ChannelAddressList": ["a"] * 101}, 10005, "ChannelAddressList"),
        ("POST", SEARCH, {"ChannelAddressList": ["a\0"]}, 10005, "ChannelAddressList"),
        ("POST", SEARCH, {"ChannelAddressList": ["a"], "MaximumCount": 0}, 10005, "MaximumCount"),
        ("PATCH", OWN + "/contacts/ada", {"status": "Gone"}, 10005, "status"),
        ("PATCH", OWN + "/contacts/ada", {"address": "x"}, 10005, "address"),
        ("PATCH", OWN + "/contacts/ada", {"attributes": {"Shoe": 43}}, 10005, "'Shoe'"),
        ("PATCH", OWN + "/contacts/ada", {"attributes": {"FirstName": []}}, 10001, "attributes"),
        ("POST", OWN + "/lists", {}, 10002, "name"),
        ("POST", OWN + "/lists", {"name": "n" * 101}, 10005, "name"),
        ("PUT", OWN + "/profile-attributes/%20", {}, 10002, "name"),
        ("PUT", OWN + "/classifications/" + "k" * 37, {}, 10005, "key"),
        ("PUT", OWN + "/classifications/k", {"type": "spam"}, 10001, "type"),
        ("PUT", OWN + "/classifications/k", {"senderProfile": {"fromAddress": "x"}}, 10005, "fromAddress"),
        ("PUT", OWN + "/classifications/k", {"senderProfile": {"fromName": "a\r\nb"}}, 10005, "fromName"),
    ],
)
def test_bad_input(ada: Unit, method: str, path: str, body: Any, errorcode: int, words: str) -> None:
    before = ada.stored()
    reply = ada.call(method, path, json=body)
    assert (reply.status_code, reply.json()["errorcode"]) == (400, errorcode), reply.text
    assert words in reply.json()["message"]
    assert ada.stored() == before
    assert shown(ada)["attributes"] == {"FirstName": "Ada"}


def new_list(unit: Unit, name: str = "News") -> dict[str, Any]:
    made: dict[str, Any] = unit.call("POST", OWN + "/lists", json={"name": name}).json()
    return made


def test_lists_and_their_members(ada: Unit) -> None:
    news = new_list(ada)
    assert news["key"] == f"News - {news['id']}"
    assert [each["name"] for each in ada.call("GET", OWN + "/lists").json()["items"]] == ["All Subscribers", "News"]
    assert ada.call("POST", OWN + "/lists", json={"name": "NEWS"}).json()["errorcode"] == 30004
    members = f"{OWN}/lists/{news['id']}/members"
    assert ada.call("GET", members).json()["items"] == []
    assert ada.call("PUT", members + "/ADA", json={"status": "unsubscribed"}).status_code == 200
    entry = {"contactKey": "ada", "address": "ada@example.com", "status": "Unsubscribed"}
    assert ada.call("GET", members).json()["items"] == [entry]
    assert shown(ada)["status"] == "Active"
    ada.call("PUT", members + "/ada", json={})
    assert ada.call("GET", members).json()["items"][0]["status"] == "Active"
    assert ada.call("DELETE", members + "/ada").status_code == 200
    assert ada.call("DELETE", members + "/ada").json()["errorcode"] == 30003
    assert ada.call("PUT", members + "/nobody", json={}).json()["errorcode"] == 30003
    assert ada.call("PUT", members + "/ada", json={"status": "x"}).json()["errorcode"] == 10005
    assert ada.call("DELETE", f"{OWN}/lists/{news['id']}").status_code == 200
    assert ada.call("GET", members).status_code == 404


def test_on_all_subscribers_the_status_is_the_contacts_own(ada: Unit) -> None:
    everyone = ada.call("GET", OWN + "/lists").json()["items"][0]["id"]
    members = f"{OWN}/lists/{everyone}/members"
    assert [member["contactKey"] for member in ada.call("GET", members).json()["items"]] == ["ada"]
    ada.call("PUT", members + "/ada", json={"status": "Held"})
    assert shown(ada)["status"] == "Held"
    assert ada.call("DELETE", members + "/ada").json()["errorcode"] == 30001
    assert ada.call("DELETE", f"{OWN}/lists/{everyone}").json()["errorcode"] == 30001


def test_a_list_that_a_definition_names_stays(ada: Unit) -> None:
    news = new_list(ada)
    ada.make_asset()
    ada.make_definition(subscriptions={"list": news["key"]})
    refused = ada.call("DELETE", f"{OWN}/lists/{news['id']}")
    assert (refused.status_code, refused.json()["errorcode"]) == (400, 30001)


def test_a_declared_attribute_is_kept(ada: Unit) -> None:
    for _ in range(2):
        assert ada.call("PUT", OWN + "/profile-attributes/Shoe%20Size", json={}).json() == {"name": "Shoe Size"}
    ada.call("PUT", OWN + "/profile-attributes/SHOE%20SIZE", json={})
    names = [item["name"] for item in ada.call("GET", OWN + "/profile-attributes").json()["items"]]
    assert names == ["FirstName", "FullName", "LastName", "Shoe Size"]
    ada.call("PATCH", OWN + "/contacts/ada", json={"attributes": {"shoe size": 43}})
    assert shown(ada)["attributes"] == {"FirstName": "Ada", "Shoe Size": 43}


def test_a_classification_says_whom_mail_is_from(ada: Unit) -> None:
    sender = {"fromName": "%%FirstName%%'s shop", "fromAddress": "shop@example.org", "replyTo": "help@example.org"}
    body = {"name": "Shop", "senderProfile": sender, "deliveryProfile": {"blockUnsubscribed": True}}
    path = OWN + "/classifications/Shop"
    made = ada.call("PUT", path, json=body)
    assert made.status_code == 201
    assert made.json() == {"key": "Shop", "type": "transactional"} | body
    assert ada.call("GET", OWN + "/classifications/SHOP").json() == made.json()
    ada.make_asset()
    ada.make_definition(classification="shop")
    (version,) = ada.api.rows(
        "select content::jsonb ->> 'from_address' as sender, block_unsubscribed from definition_version "
        "where account_id = $1",
        ada.account_id,
    )
    assert dict(version) == {"sender": "shop@example.org", "block_unsubscribed": True}
    assert ada.call("PUT", OWN + "/classifications/SHOP", json={"type": "commercial"}).json()["key"] == "Shop"
    keys = [item["key"] for item in ada.call("GET", OWN + "/classifications").json()["items"]]
    assert keys == ["Default Transactional", "Shop"]
    refused = ada.call(
        "POST", "/messaging/v1/email/definitions", json=definition_body("other") | {"classification": "Shop"}
    )
    assert refused.json()["errorcode"] == 109123
    assert ada.call("GET", OWN + "/classifications/nowhere").json()["errorcode"] == 30003


def test_another_business_unit_sees_nothing_of_it(ada: Unit, new_unit: Callable[..., Unit]) -> None:
    news = new_list(ada)
    ada.call("PUT", OWN + "/classifications/Shop", json={})
    ada.call("PUT", OWN + "/profile-attributes/Shoe", json={})
    other = new_unit()
    for method, path, body in [
        ("GET", OWN + "/contacts/ada", None),
        ("PATCH", OWN + "/contacts/ada", {"status": "Held"}),
        ("DELETE", OWN + "/contacts/ada", None),
        ("PATCH", CONTACTS, contact()),
        ("DELETE", f"{OWN}/lists/{news['id']}", None),
        ("GET", f"{OWN}/lists/{news['id']}/members", None),
        ("PUT", f"{OWN}/lists/{news['id']}/members/ada", {}),
        ("DELETE", f"{OWN}/lists/{news['id']}/members/ada", None),
        ("GET", OWN + "/classifications/Shop", None),
    ]:
        reply = other.call(method, path, json=body) if body is not None else other.call(method, path)
        assert reply.status_code == 404, (method, path)
    found = other.call("POST", SEARCH, json={"ChannelAddressList": ["ada@example.com"]}).json()
    assert found["channelAddressResponseEntities"][0]["contactKeyDetails"] == []
    assert len(other.call("GET", OWN + "/lists").json()["items"]) == 1
    assert other.call("GET", OWN + "/classifications").json()["count"] == 1
    assert other.call("GET", OWN + "/profile-attributes").json()["count"] == 3
    assert shown(ada)["status"] == "Active"


def test_reading_and_writing_are_different_rights(new_unit: Callable[..., Unit]) -> None:
    reader, writer = new_unit(frozenset({"audiences_read"})), new_unit(frozenset({"audiences_write"}))
    assert reader.call("POST", CONTACTS, json=contact()).json()["errorcode"] == 20002
    assert writer.call("POST", CONTACTS, json=contact()).status_code == 201
    assert writer.call("GET", OWN + "/contacts/ada").json()["errorcode"] == 20002
    assert reader.call("PUT", OWN + "/classifications/k", json={}).json()["errorcode"] == 20002
