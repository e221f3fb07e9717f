"""Lists are newest first, paged by cursor, and a filter means the same in SQL and to a waiter."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tests.scenarios.sandbox.conftest import Sandbox

from postroom.inbound.smtp_grammar import Arrival
from postroom.sandbox.mailbox import Incoming, Mailbox, MailFilter
from postroom.store.pool import Pool

MAILS = [
    (("Anna+Shop@Example.com",), "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= aus BERLIN\r\nFrom: Shop <orders@shop.example>"),
    (("bob@example.com", "carol@example.com"), "Subject: 100% off_er\r\nFrom: =?utf-8?q?Zo=C3=AB?= <zoe@example.org>"),
    (("jürgen@müller.example",), "Subject: invoice\r\nTo: undisclosed-recipients:;"),
    (("anna@example.com",), "Subject: your code is 123456\r\nTo: Anna <anna@example.com>"),
]
FILTERS = [
    (MailFilter(), [3, 2, 1, 0]),
    (MailFilter(to="anna+shop@example.com"), [0]),
    (MailFilter(to="ANNA@example.com"), [3]),
    (MailFilter(to="carol@example.com"), [1]),
    (MailFilter(to="example.com"), []),
    (MailFilter(to="JÜRGEN@MÜLLER.example"), [2]),
    (MailFilter(subject="GRÜSSE"), [0]),
    (MailFilter(subject="shop"), []),
    (MailFilter(subject="100% off_"), [1]),
    (MailFilter(subject="%"), [1]),
    (MailFilter(words=("zoë",)), [1]),
    (MailFilter(words=("ANNA", "code")), [3]),
    (MailFilter(words=("anna",)), [3, 0]),
    (MailFilter(words=("'; drop table captured_mail; --",)), []),
    (MailFilter(words=("a\0b",)), []),
    (MailFilter(to="a\ud800"), []),
    (MailFilter(message_key="k\0"), []),
]


@pytest.mark.parametrize(("wanted", "places"), FILTERS)
async def test_a_filter_means_the_same_in_sql_and_to_a_waiter(
    mailbox: Mailbox, wanted: MailFilter, places: list[int]
) -> None:
    now = datetime.now(UTC)
    ids = await mailbox.store(
        [Incoming(Arrival("s@example.com", to, f"{head}\r\n\r\n".encode()), now) for to, head in MAILS]
    )
    found = [entry.capture_id for entry in await mailbox.find(wanted, limit=10)]
    assert found == [ids[place] for place in places]
    matched = [mail.capture_id for mail in await mailbox.arrived_after(0, limit=10) if wanted.matches(mail)]
    assert matched == sorted(found)


async def test_pages_follow_each_other_without_gap_or_repeat(sandbox: Sandbox, mailbox: Mailbox) -> None:
    now = datetime.now(UTC)
    ids = await mailbox.store([Incoming(Arrival("", (f"r{n}@example.com",), b"x"), now) for n in range(23)])
    seen: list[int] = []
    before = ""
    while True:
        page = (await sandbox.http.get(f"/sandbox/messages?limit=5{before}")).json()
        seen += [item["id"] for item in page["items"]]
        assert page["total"] == 23
        assert page["totalBytes"] == 23
        if page["next"] is None:
            break
        before = f"&before={page['next']}"
    assert seen == ids[::-1]


async def test_a_plus_sign_in_an_address_works_unencoded(sandbox: Sandbox) -> None:
    number = await sandbox.send("anna+shop@example.com")
    for query in ("to=anna+shop@example.com", "to=anna%2Bshop%40example.com", "TO=anna+SHOP@example.com"):
        listed = (await sandbox.http.get(f"/sandbox/messages?{query}")).json()
        assert [item["id"] for item in listed["items"]] == [number]


async def test_the_search_uses_indexes_where_it_must(pool: Pool, mailbox: Mailbox) -> None:
    now = datetime.now(UTC)
    await mailbox.store([Incoming(Arrival("", (f"r{n}@example.com",), b"x"), now) for n in range(900)])
    await pool.execute("analyze captured_mail")
    for wanted, index in (
        (MailFilter(to="r5@example.com"), "captured_mail_by_recipient"),
        (MailFilter(message_key="k"), "captured_mail_by_key"),
        (MailFilter(after=100), "captured_mail_pkey"),
    ):
        where, values = wanted.where()
        plan = await pool.fetch(f"explain select * from captured_mail{where} order by capture_id desc limit 1", *values)
        assert any(index in row[0] for row in plan), plan
