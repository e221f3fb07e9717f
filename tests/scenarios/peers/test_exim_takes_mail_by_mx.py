"""A real Exim is the MX host: what it takes arrives as it was, and what it says instead becomes the right event."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from email.parser import BytesParser
from email.policy import compat32
from typing import Any

import msgspec
import pytest
from tests.conformance.house import House
from tests.scenarios.authority import Authority
from tests.scenarios.delivery.workers import SOON, all_final
from tests.scenarios.mx.internet import Office, working
from tests.scenarios.mx.internet import internet as empty_internet
from tests.scenarios.mx.test_tls_to_hosts import options
from tests.scenarios.peers.exim import HOST, LARGEST, PrivateExim, envelope, exim
from tests.scenarios.smtp.mailroom import Parcel, mailroom

from postroom.bounces.verdict import Reply, read_rules
from postroom.delivery.outcome import Attempt, Deferred, Refused, Sent
from postroom.delivery.routing.tls_rule import RuleKind
from postroom.delivery.smtp.target import SmtpTarget, TlsMode

# What goes wrong in transit: dots and "From " at the start of a line, blanks at its end, empty lines at the end.
TEXT = (
    "Hello %%_subscriberkey%%,\n.\n..\n.dot\nFrom here on  \n\tindented, wide \t\nÄpfel 蓮 👟\n" + "x" * 3000 + "\n\n\n"
)
HEADER = b"From: shop@shop.exim.test\r\nSubject: Your order\r\n\r\n"

_DETAILS = """
select m.address, e.kind, e.detail
from message m join event e on e.account_id = m.account_id and e.request_id = m.request_id and e.position = m.position
order by e.event_id
"""


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def host(authority: Authority) -> Iterator[PrivateExim]:
    with exim(authority.issue(HOST)) as started:
        yield started


@asynccontextmanager
async def delivering(house: House, host: PrivateExim, authority: Authority, *names: str) -> AsyncIterator[Office]:
    """A worker for which these domains (exim.test without any) have Exim as their host."""
    async with empty_internet() as net:
        net.port = host.port
        net.dns.zone[HOST, "A"] = [host.address]
        for name in names or ("exim.test",):
            net.domain(name, HOST)
        chosen = replace(options(net, authority, RuleKind.VERIFY), sts=False)
        async with working(house, net, schedule=SOON, options=chosen, from_address="shop@exim.test") as office:
            yield office


async def details(house: House) -> list[tuple[str, str, dict[str, Any]]]:
    """Address, kind and detail of each event."""
    rows = await house.pool.fetch(_DETAILS)
    return [(row["address"], row["kind"], msgspec.json.decode(row["detail"])) for row in rows]


async def test_mails_arrive_whole_over_tls(house: House, host: PrivateExim, authority: Authority) -> None:
    await house.define("awkward", text=TEXT, from_address="shop@exim.test")
    async with delivering(house, host, authority) as office:
        keys = await office.send([f"whole{number}@exim.test" for number in range(20)], "awkward")
        assert await all_final(house, 20) == dict.fromkeys(keys, ("sent", None))
    for number, key in enumerate(keys):
        (raw,) = host.mails(f"whole{number}@exim.test")
        mail = BytesParser(policy=compat32).parsebytes(raw)
        (text,) = [part for part in mail.walk() if part.get_content_type() == "text/plain"]
        payload = text.get_payload(decode=True)
        assert isinstance(payload, bytes)
        assert payload.decode().replace("\r\n", "\n") == TEXT.replace("%%_subscriberkey%%", f"c-{key}")
        (line,) = host.arrivals(f"whole{number}@exim.test")
        assert " P=esmtps L. X=TLS1.3:" in line, "pipelined, and over TLS"
    for _, _, detail in await details(house):
        assert detail["host"] == HOST
        assert detail["certificate"]["verified"] == "webpki"
        assert detail["reply"].startswith("250 OK id=")


async def test_copies_travel_in_one_transaction_and_one_that_is_refused_is_recorded(
    house: House, host: PrivateExim, authority: Authority
) -> None:
    await house.define(
        "copied", from_address="shop@exim.test", cc=("nobody@exim.test", "cc@exim.test"), bcc=("bcc@exim.test",)
    )
    async with delivering(house, host, authority) as office:
        (key,) = await office.send(["copied@exim.test"], "copied")
        assert await all_final(house, 1) == {key: ("sent", None)}
    ((_, _, detail),) = await details(house)
    refused = dict(detail["refused"])
    assert refused.keys() == {"nobody@exim.test"}
    assert refused["nobody@exim.test"].startswith("550 5.1.1 <nobody@exim.test>: there is nobody")
    (raw,) = host.mails("copied@exim.test")
    assert envelope(raw) == ["copied@exim.test", "cc@exim.test", "bcc@exim.test"]
    assert raw.count(b"bcc@exim.test") == 1, "it stands in what Exim wrote of the envelope, and nowhere else"
    assert b"\r\nCc: nobody@exim.test,\r\n cc@exim.test\r\n" in raw


async def test_what_is_greylisted_comes_again_and_what_is_refused_does_not(
    house: House, host: PrivateExim, authority: Authority
) -> None:
    await house.define("order", from_address="shop@exim.test")
    async with delivering(house, host, authority) as office:
        await office.send([f"{name}@exim.test" for name in ("later", "nobody", "full", "after")], "order")
        await all_final(house, 4)
    found = [(address.partition("@")[0], kind, detail) for address, kind, detail in await details(house)]
    assert [kind for name, kind, _ in found if name == "later"] == ["deferred", "sent"]
    deferred = next(detail for name, kind, detail in found if (name, kind) == ("later", "deferred"))
    assert (deferred["code"], deferred["enhanced"]) == (451, "4.7.1")
    ended = {name: (kind, detail.get("verdict", {}).get("category")) for name, kind, detail in found}
    assert ended == {
        "later": ("sent", None),
        "after": ("sent", None),
        "nobody": ("not_sent", "no-such-user"),
        "full": ("not_sent", "full"),
    }
    suppressed = await house.pool.fetch("select address from suppression")
    assert [row["address"] for row in suppressed] == ["nobody@exim.test"]


def exim_target(host: PrivateExim) -> SmtpTarget:
    return SmtpTarget(host.address, host.port, TlsMode.REQUIRED)


async def test_bytes_arrive_unchanged(host: PrivateExim) -> None:
    dots = b".\r\n..\r\n.hidden\r\n" + b"x" * 998 + b"\r\nblanks  \t\r\nFrom here\r\n\r\n\r\n"
    eight = b"".join(bytes(range(start, 256)) + b"\r\n" for start in range(128, 256, 7))
    bodies = {"dots": dots, "first": b"." + dots, "eight": eight, "large": (b"." * 70 + b"\r\n") * 4_000, "empty": b""}
    parcels = [Parcel((f"{name}@exim.test",), HEADER + body) for name, body in bodies.items()]
    foreign = Parcel(("jürgen@exim.test",), HEADER.replace(b"order", "Bücher".encode()) + dots)
    foreign.smtputf8 = True
    before = host.log().count("SMTP connection from [127.0.0.1] (TCP/IP")
    async with mailroom(exim_target(host)) as room:
        for outcome in await room.deliver(*parcels, foreign):
            assert isinstance(outcome, Sent), outcome
    assert host.log().count("SMTP connection from [127.0.0.1] (TCP/IP") == before + 1, "one connection took them all"
    for name, body in bodies.items():
        (raw,) = host.mails(f"{name}@exim.test")
        assert raw.partition(b"Subject: Your order\r\n\r\n")[2] == body
    assert " M8S=0 " in host.arrivals("first@exim.test")[0]
    assert " M8S=8 " in host.arrivals("eight@exim.test")[0]
    (raw,) = host.mails("jürgen@exim.test")
    assert raw.partition("Subject: Your Bücher\r\n\r\n".encode())[2] == dots
    (line,) = host.arrivals("jürgen@exim.test")
    assert " P=utf8esmtps " in line


SAID = {
    # (sender, recipient, content): what Exim says, kind of outcome, stage, fault permanence category
    ("", "unrouteable", b""): ("550 Unrouteable address", Refused, "rcpt", "recipient hard no-such-user"),
    ("", "unknown", b""): ("550 Unknown user", Refused, "rcpt", "recipient hard no-such-user"),
    ("", "nobody", b""): ("550 5.1.1 <nobody@exim.test>", Refused, "rcpt", "recipient hard no-such-user"),
    ("", "full", b""): ("550 5.2.2 mailbox is full", Refused, "rcpt", "recipient soft full"),
    ("", "prohibited", b""): ("550 Administrative prohibition", Refused, "rcpt", "sender block prohibited"),
    ("", "busy", b""): ("451 Temporary local problem", Deferred, "rcpt", "infrastructure soft busy"),
    ("", "listed", b""): ("550 127.0.0.1 is listed at", Refused, "rcpt", "sender block reputation"),
    ("sender-unknown", "ann", b""): (
        "550 Verification failed for <sender-unknown@exim.test> Unknown user Sender verify failed",
        Refused,
        "mail",
        "sender block sender-address",
    ),
    ("", "ann", b"x" * 999): ("550 maximum allowed line length", Refused, "final", "sender technical malformed"),
    ("", "ann", b"x\r\n" * (LARGEST // 3)): (
        "not sent: ",
        Refused,
        "mail",
        "sender soft too-large",
    ),
    ("", "ann", b"CONTENT THAT NOBODY WANTS"): ("550 5.7.1 This message scored", Refused, "final", "sender block spam"),
}


async def test_what_it_says_is_understood_and_the_connection_stays(host: PrivateExim) -> None:
    rules = read_rules()
    before = host.log().count("SMTP connection from [127.0.0.1] (TCP/IP")
    misread: list[object] = []
    async with mailroom(exim_target(host)) as room:
        for (sender, name, content), (said, kind, stage, meaning) in SAID.items():
            parcel = Parcel((f"{name}@exim.test", "also@exim.test"), HEADER + content + b"\r\n")
            parcel.sender = f"{sender}@exim.test" if sender else ""
            (outcome,) = await room.deliver(parcel)
            assert isinstance(outcome, Attempt)
            verdict = rules.judge(Reply(outcome.text, outcome.enhanced, outcome.code, stage=outcome.stage))
            told = f"{verdict.fault} {verdict.permanence} {verdict.category}"
            if not (outcome.text.startswith(said) and (type(outcome), outcome.stage, told) == (kind, stage, meaning)):
                misread.append((sender, name, outcome, told))
        # After each refusal the same connection takes the next mail.
        (outcome,) = await room.deliver(Parcel(("survivor@exim.test",), HEADER))
        assert isinstance(outcome, Sent)
    assert misread == []
    assert host.log().count("SMTP connection from [127.0.0.1] (TCP/IP") == before + 1
    assert host.mails("survivor@exim.test")


async def test_too_many_recipients_get_their_mail_in_further_transactions(host: PrivateExim) -> None:
    many = [f"many{number}@exim.test" for number in range(13)]
    async with mailroom(exim_target(host)) as room:
        (outcome,) = await room.deliver(Parcel(many, HEADER))
    assert isinstance(outcome, Sent)
    assert outcome.refused_recipients == ()
    for first in (0, 5, 10):
        (raw,) = host.mails(many[first])
        assert envelope(raw) == many[first : first + 5]
