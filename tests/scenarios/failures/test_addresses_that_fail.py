"""Every row of the table of docs/sandbox.md, sent on one server: what a client sees for each address."""

import re
from pathlib import Path
from typing import NamedTuple

from tests.scenarios.failures.conftest import Failing
from tests.scenarios.tracking.shop import until

from postroom.sandbox.simulator import BEHAVIOURS

PAGE = Path(__file__).parents[3] / "docs" / "sandbox.md"
FIRST, LAST = "EmailQueued, then ", "EmailQueued, in the end "


class Row(NamedTuple):
    name: str
    said: str
    status: str
    webhooks: str
    suppressed: str

    @property
    def key(self) -> str:
        return f"row-{self.name}"

    @property
    def address(self) -> str:
        return f"{self.name.upper()}+Row@Simulator.test"

    @property
    def at_first(self) -> str:
        return "EmailQueued" if self.status.startswith("EmailQueued") else self.status

    @property
    def in_the_end(self) -> str:
        return self.status.removeprefix(FIRST).removeprefix(LAST)


def rows() -> list[Row]:
    text = PAGE.read_text(encoding="utf-8")
    found = re.findall(r"(?m)^\| `([a-z-]+)` \| (.+) \| (Email.+) \| (Email.+) \| (no|bounce|complaint) \|$", text)
    return [Row(*each) for each in found]


def test_the_page_lists_every_address() -> None:
    assert {row.name for row in rows()} == set(BEHAVIOURS)
    for row in rows():
        behaviour = BEHAVIOURS[row.name]
        reply = behaviour.rcpt or behaviour.final or "250"
        assert all(code in row.said for code in re.findall(r"^\d{3}|\b\d\.\d\.\d\b", reply)), row


def test_a_client_sees_what_the_page_says(failing: Failing) -> None:
    page = rows()
    for row in page:
        failing.send(row.key, row.address)
    retried = [row for row in page if row.status.startswith("EmailQueued")]
    assert len(retried) == 4
    for row in retried:
        reply = failing.sandbox("POST", "retry", params={"messageKey": row.key, "to": row.address})
        assert reply.json() == {"retried": 1}, row
    for row in retried:
        if row.status.startswith(FIRST):
            until(lambda row=row: failing.status(row.key) == row.in_the_end)  # type: ignore[misc]
            continue
        assert failing.status(row.key) == "EmailQueued"
        query = {"messageKey": row.key, "last": "true", "accountId": str(failing.account_id)}
        assert failing.sandbox("POST", "retry", params=query).json() == {"retried": 1}, row
    for row in page:
        until(lambda row=row: failing.status(row.key) == row.in_the_end)  # type: ignore[misc]
        until(lambda row=row: failing.told(row.key) == set(row.webhooks.split(", ")))  # type: ignore[misc]
    until(lambda: "complaint" in failing.suppressed().values())
    suppressed = failing.suppressed()
    assert {row.name: suppressed.get(row.address.lower(), "no") for row in page} == {
        row.name: row.suppressed for row in page
    }
    taken = {row.name: len(failing.mails(to=row.address)) for row in page}
    expected = {row.name: int(not row.in_the_end.startswith("EmailNotSent")) for row in page}
    assert taken == expected | {"cut": 2}
    one, other = (each["id"] for each in failing.mails(to="CUT+row@simulator.test"))
    first, second = (failing.sandbox("GET", f"messages/{each}/raw").content for each in (one, other))
    assert first == second

    # What is suppressed stays so for the next message.
    for row in page:
        if row.suppressed != "no":
            failing.send(f"again-{row.name}", row.address)
            until(lambda row=row: failing.status(f"again-{row.name}") == "EmailNotSent 2")  # type: ignore[misc]


def test_other_addresses_of_the_domain_are_refused_and_lead_to_the_page(failing: Failing) -> None:
    failing.send("typo", "unknow-user@simulator.test")
    until(lambda: failing.status("typo") == "EmailNotSent 101")
    assert failing.suppressed()["unknow-user@simulator.test"] == "bounce"
    until(lambda: failing.told("typo") == {"EmailNotSent 101"})


def test_nothing_to_try_again_is_said(failing: Failing) -> None:
    reply = failing.sandbox("POST", "retry", params={"messageKey": "nobody", "timeout": "0"})
    assert reply.status_code == 404
    assert "no message waits for another attempt" in reply.json()["message"]
    reply = failing.sandbox("POST", "retry", params={"last": "maybe"})
    assert reply.json()["message"] == "Sandbox_InvalidValue: last=maybe: true or false is taken"
