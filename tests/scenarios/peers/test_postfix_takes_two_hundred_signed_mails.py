"""Two hundred signed mails go over TLS through a real Postfix into a Maildir: each once, whole, and still verified."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.parser import BytesParser
from email.policy import compat32
from pathlib import Path

from tests.conformance.house import ACCOUNT, House, people
from tests.scenarios.delivery.workers import all_final, until
from tests.scenarios.dkim.domains import make_domain, published, signatures, verified

from postroom.assembly.delivery import worker_options
from postroom.cli.demo_postfix import PrivatePostfix
from postroom.delivery.worker import Worker
from postroom.settings import load_settings

MAILS = 200
# What goes wrong in transit: dots and "From " at the start of a line, blanks at its end, empty lines at the end.
TEXT = (
    "Hello %%_subscriberkey%%,\n.\n..\n.dot\nFrom here on  \n\tindented, wide \t\nÄpfel 蓮 👟\n" + "x" * 900 + "\n\n\n"
)


@asynccontextmanager
async def working_through(house: House, postfix: PrivatePostfix) -> AsyncIterator[Worker]:
    settings = {
        "POSTROOM_DATABASE_URL": house.dsn,
        "POSTROOM_DELIVERY": "relay",
        "POSTROOM_RELAY": postfix.relay,
        "POSTROOM_RELAY_CONNECTIONS": "4",
        "POSTROOM_PUBLIC_URL": "http://mail.example.com",
    }
    worker = Worker(house.pool, worker_options(load_settings(settings), owner="here", replaces=None), rand=lambda: 0.5)
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    try:
        yield worker
    finally:
        stop.set()
        await running


async def test_each_arrives_whole_and_verified(house: House, reachable_tmp_path: Path) -> None:
    await house.define("awkward", text=TEXT)
    await make_domain(house, "example.com", "rsa", "ed25519")
    keys = house.keys(MAILS)
    postfix = PrivatePostfix(reachable_tmp_path)
    await asyncio.to_thread(postfix.start)
    try:
        async with working_through(house, postfix) as worker:
            await house.accept(people(keys, {}), "awkward")
            worker.announce(ACCOUNT)
            final = await all_final(house, MAILS)

        async def delivered() -> bool:
            return postfix.queued() == 0

        await until(delivered)
        mails = list(postfix.mails())
    finally:
        await asyncio.to_thread(postfix.stop)
    assert set(final.values()) == {("sent", None)}
    assert len({mail.recipients for mail in mails}) == len(mails) == MAILS
    dns = await published(house)
    read = set()
    for mail in mails:
        assert signatures(mail.raw) == 2
        assert verified(mail.raw, dns, 0)
        assert verified(mail.raw, dns, 1)
        received = BytesParser(policy=compat32).parsebytes(mail.raw)
        assert "using TLSv1.3" in str(received["Received"])
        (text,) = [part for part in received.walk() if part.get_content_type() == "text/plain"]
        payload = text.get_payload(decode=True)
        assert isinstance(payload, bytes)
        read.add(payload.decode().replace("\r\n", "\n"))
    assert read == {TEXT.replace("%%_subscriberkey%%", f"c-{key}") for key in keys}
