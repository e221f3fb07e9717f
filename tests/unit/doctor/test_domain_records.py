"""What a domain needs in the DNS, and what is wrong with what is there."""

from base64 import b64encode
from datetime import UTC, datetime

import pytest
from tests.unit.doctor.zone import TROUBLE, Table, Zone

from postroom.doctor.domain_records import Record, ReturnDomain, State, check_records, records_of
from postroom.tenancy.sender_domains import DomainKey, SenderDomain

NOW = datetime(2026, 11, 23, tzinfo=UTC)
PUBLIC = b64encode(bytes(32)).decode()
DOMAIN = SenderDomain("example.com", NOW, (DomainKey("s1", "ed25519", PUBLIC, NOW, NOW, None),))
RETURNS = ReturnDomain("bounces.example.com", "mail.example.com")
KEY = f"v=DKIM1; k=ed25519; p={PUBLIC}"
NAMES: Table = {
    ("mail.example.com", "A"): ["93.184.215.14"],
    ("spf.example.net", "TXT"): ["v=spf1 ip4:93.184.215.0/24 -all"],
}


def test_records_of_a_domain() -> None:
    assert [each.line() for each in records_of(DOMAIN, "mail.example.com", RETURNS)] == [
        f's1._domainkey.example.com. IN TXT "{KEY}"',
        'example.com. IN TXT "v=spf1 a:mail.example.com ~all"',
        "bounces.example.com. IN MX 10 mail.example.com.",
        'bounces.example.com. IN TXT "v=spf1 a:mail.example.com ~all"',
        '_dmarc.example.com. IN TXT "v=DMARC1; p=none"',
    ]
    assert [each.value for each in records_of(DOMAIN, "") if each.purpose == "spf"] == ["v=spf1 mx ~all"]


def test_long_texts_are_cut() -> None:
    line = Record("dkim", "s1._domainkey.example.com", "x" * 300).line()
    assert line == f's1._domainkey.example.com. IN TXT "{"x" * 255}" "{"x" * 45}"'


DKIM = ("s1._domainkey.example.com", "TXT")
SPF = ("example.com", "TXT")
DMARC = ("_dmarc.example.com", "TXT")
MX = ("bounces.example.com", "MX")


@pytest.mark.parametrize(
    ("at", "values", "state", "part"),
    [
        (DKIM, [KEY], "ok", "the one that signs"),
        (DKIM, [], "missing", "is not published; until it is"),
        (DKIM, [KEY, KEY], "wrong", "nothing beside it"),
        (DKIM, ["v=DKIM1; k=ed25519; p="], "wrong", "revoked"),
        (DKIM, [f"{KEY}; h=sha1"], "wrong", "h=sha1"),
        (DKIM, TROUBLE, "unknown", "try again"),
        (SPF, ["other", "v=spf1 a:mail.example.com -all"], "ok", "lets a:mail.example.com send"),
        (SPF, ["v=spf1 include:spf.example.net -all"], "ok", "by include:spf.example.net"),
        (SPF, ["v=spf1 ip4:93.184.215.15 -all"], "wrong", "does not let a:mail.example.com send; add it"),
        (SPF, ["v=spf1 -all", "v=spf1 ~all"], "wrong", "there are 2 SPF records"),
        (SPF, ["other"], "missing", "there is no SPF record"),
        (DMARC, ["v=DMARC1; p=Reject"], "ok", "p=reject"),
        (DMARC, ["v=DMARC1; p=all"], "wrong", "p=all is none of"),
        (DMARC, ["v=DMARC1; p=none"] * 2, "wrong", "there are 2 DMARC records"),
        (DMARC, [], "missing", "there is no DMARC record"),
        (MX, ["10 mail.example.com"], "ok", "bounces come to mail.example.com"),
        (MX, ["10 other.example"], "wrong", "bounces go to 10 other.example"),
        (MX, [], "missing", "there is no MX record"),
        (MX, TROUBLE, "unknown", "try again"),
    ],
)
async def test_what_is_published(at: tuple[str, str], values: list[str] | str, state: State, part: str) -> None:
    (record,) = [each for each in records_of(DOMAIN, "mail.example.com", RETURNS) if (each.name, each.type) == at]
    (found,) = await check_records(DOMAIN, [record], Zone(NAMES | {at: values}))
    assert found.state == state
    assert part in found.explanation


async def test_a_host_without_address_is_not_let_send() -> None:
    (record,) = [each for each in records_of(DOMAIN, "mail.example.com") if each.purpose == "spf"]
    (found,) = await check_records(DOMAIN, [record], Zone({SPF: ["v=spf1 +all"]}))
    assert found.state == "wrong"
