"""A mixed bulk, signed with RSA and Ed25519, passes a real Exim; OpenDKIM and dkimpy verify every signature in it."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from tests.conformance.house import ACCOUNT, House, Person
from tests.scenarios.authority import Authority
from tests.scenarios.delivery.relay import Relay
from tests.scenarios.delivery.workers import all_final, environ, until
from tests.scenarios.dkim.domains import make_domain, published, signatures, verified
from tests.scenarios.dkim.opendkim import opendkim
from tests.scenarios.peers.exim import HOST, PrivateExim, envelope, exim
from tests.scenarios.peers.mixed_bulk import DEFINITIONS, NAMES

from postroom.assembly.delivery import worker_options
from postroom.delivery.mail_links import MailLinks
from postroom.delivery.worker import Worker
from postroom.settings import load_settings
from postroom.tenancy.link_keys import load_link_tokens


@pytest.fixture(scope="module")
def host() -> Iterator[PrivateExim]:
    with exim(Authority().issue(HOST)) as started:
        yield started


async def send_all(house: House, host: PrivateExim) -> list[str]:
    """Each definition to each name; the addresses."""
    relay = f"smtp://{host.address}:{host.port}?tls=required"
    settings = load_settings(environ(house, Relay(), relay=relay, tracking_url="https://links.exim.test"))
    links = MailLinks(
        await load_link_tokens(house.pool),
        tracking_url=settings.tracking_url,
        public_url=settings.public_url,
        always=True,
    )
    options = replace(worker_options(settings, owner="here", replaces=None), links=links)
    worker = Worker(house.pool, options, rand=lambda: 0.5)
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    addresses = []
    for key, (content, sending) in DEFINITIONS.items():
        await house.define(key, content=content, sending=sending, track_links=True)
        people = []
        for number, name in enumerate(NAMES):
            domain = "bücher.exim.test" if number % 2 else "exim.test"
            local = f"größe-{key}" if number == 2 else f"{key}-{number}"
            (message_key,) = house.keys(1)
            attributes = msgspec.Raw(msgspec.json.encode({"Name": name}))
            people.append(Person(f"c-{message_key}", f"{local}@{domain}", message_key, attributes))
        await house.accept(people, key)
        worker.announce(ACCOUNT)
        addresses += [str(person.to) for person in people]
    final = await all_final(house, len(addresses))
    stop.set()
    await running
    assert set(final.values()) == {("sent", None)}
    return addresses


_SIGNATURE = re.compile(rb"^DKIM-Signature:(?:[^\r\n]|\r\n[ \t])*\r\n", re.MULTILINE)


def signed_by(algorithm: bytes, mail: bytes) -> bytes:
    """The mail with the signatures of this algorithm alone."""
    return _SIGNATURE.sub(lambda found: found[0] if b" a=" + algorithm + b"-" in found[0] else b"", mail)


async def test_every_signature(house: House, host: PrivateExim, tmp_path: Path) -> None:
    await make_domain(house, "exim.test", "rsa", "ed25519")
    addresses = await send_all(house, host)
    assert len(addresses) > 100

    async def delivered() -> bool:
        return host.delivered() == len(addresses)

    await until(delivered)
    dns = await published(house)
    mails = {envelope(raw)[0]: raw for raw in host.every_mail()}
    assert len(mails) == len(addresses)
    assert sum(b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in mail for mail in mails.values()) >= 40
    for recipient, mail in mails.items():
        assert signatures(mail) == 2
        assert verified(mail, dns, 0), recipient
        assert verified(mail, dns, 1), recipient
        assert not verified(mail.replace(b"\r\nSubject:", b"\r\nSubject: x"), dns, 0), recipient
        assert not verified(mail + b"more\r\n", dns, 1), recipient
    for algorithm, bits in ((b"rsa", "2048-bit"), (b"ed25519", "0-bit")):
        once_signed = {name: signed_by(algorithm, mail) for name, mail in mails.items()}
        said = await asyncio.to_thread(opendkim, tmp_path, once_signed, dns)
        assert [name for name, told in said.items() if f"{bits} key) succeeded" not in told] == []
