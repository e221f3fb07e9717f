"""Contacts are deleted as the vendor's clients ask for it: many in a call, and a number to ask how far that is."""

from collections.abc import Callable
from typing import Any

from tests.wire.live import Unit

DELETE = "/contacts/v1/contacts/actions/delete"
CONTACTS = "/postroom/v1/contacts"


def status(unit: Unit, number: int) -> Any:
    """How far a deletion is."""
    reply = unit.call("GET", f"{DELETE}/status?operationID={number}")
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_contacts_are_erased_and_the_status_tells_when_all_are(sender: Unit, new_unit: Callable[..., Unit]) -> None:
    recipients = [{"contactKey": key, "to": f"{key}@example.org", "messageKey": key} for key in ("ann", "bob", "cid")]
    body = {"definitionKey": "order", "recipients": recipients}
    assert sender.call("POST", "/messaging/v1/email/messages", json=body).status_code == 202
    values = [{"name": "Email Address", "value": "x@example.org"}]
    for key in ("ann", "bob", "cid"):
        contact = {"contactKey": key, "attributeSets": [{"name": "Email Addresses", "items": [{"values": values}]}]}
        assert sender.call("POST", "/contacts/v1/contacts", json=contact).status_code == 201
    asked = {"values": ["ANN", "ann", "bob", "nobody"], "DeleteOperationType": "ContactAndAttributes"}
    reply = sender.call("POST", DELETE + "?type=keys", json=asked)
    begun = reply.json()
    assert (reply.status_code, begun["operationInitiated"], begun["resultMessages"]) == (200, True, [])
    number = begun["operationID"]
    shown = status(sender, number)
    assert (shown["operation"]["operationID"], shown["operation"]["expectedListCount"]) == (number, 3)
    # Whoever asks for the same contact carries out what was begun.
    for key in ("ann", "bob"):
        assert sender.call("POST", "/postroom/v1/erasures", json={"contactKey": key}).is_success
    assert sender.call("GET", f"{CONTACTS}/ann").status_code == 404
    assert sender.call("GET", f"{CONTACTS}/cid").status_code == 200
    assert sender.call("POST", "/postroom/v1/erasures", json={"contactKey": "nobody"}).is_success
    shown = status(sender, number)
    assert shown["operation"]["status"] == "Completed"
    (background,) = shown["backgroundOperationsSummary"]
    assert background["backgroundOperationStatusID"] == "Completed"
    assert new_unit().call("GET", f"{DELETE}/status?operationID={number}").status_code == 404
