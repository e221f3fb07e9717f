"""Names and certificates of endpoints: one that is somebody else, or moves inside, is told nothing, and says why."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
from tests.conformance.house import ACCOUNT, House
from tests.scenarios.authority import DAY, Authority
from tests.scenarios.ens.receiver import Hook, events_worker, receiving, send, subscribe, telling

from postroom.events.callbacks import find_callback
from postroom.events.poster import Posted, Poster
from postroom.events.reach import read_url

HOST = "hooks.example"


async def here(_host: str, _port: int) -> Sequence[str]:
    """Every name is on this machine."""
    return ["127.0.0.1"]


@pytest.mark.parametrize(
    ("names", "valid", "known", "reason"),
    [
        ([HOST], (-DAY, DAY), False, "unable to get local issuer certificate"),
        ([HOST], (-2 * DAY, -DAY), True, "certificate has expired"),
        ([HOST], (timedelta(hours=1), DAY), True, "certificate is not yet valid"),
        (["other.example"], (-DAY, DAY), True, "Hostname mismatch, certificate is not valid for 'hooks.example'"),
        (["127.0.0.1"], (-DAY, DAY), True, "Hostname mismatch, certificate is not valid for 'hooks.example'"),
    ],
)
async def test_endpoint_with_a_bad_certificate_is_told_nothing_and_the_reason_is_seen(
    house: House, names: list[str], valid: tuple[timedelta, timedelta], known: bool, reason: str
) -> None:
    authority = Authority()
    trusted = authority if known else Authority("Another Authority")
    async with receiving(tls=authority.issue(*names, valid=valid).server(), host=HOST) as receiver:
        callback_id = await subscribe(house, receiver.url)
        async with telling(events_worker(house, tls=trusted.trusting(), resolve=here)):
            await send(house, ["k1"])
            async with asyncio.timeout(30):
                while True:
                    callback = await find_callback(house.pool, ACCOUNT, callback_id)
                    assert callback is not None
                    if callback.failing_since is not None:
                        break
                    await asyncio.sleep(0.02)
    assert callback.last_error == f"the certificate is not accepted: {reason}"
    assert receiver.hooks == []


async def test_endpoint_with_a_good_certificate_is_told(house: House) -> None:
    authority = Authority()
    async with receiving(tls=authority.issue(HOST).server(), host=HOST) as receiver:
        await subscribe(house, receiver.url)
        async with telling(events_worker(house, tls=authority.trusting(), resolve=here)):
            await send(house, ["k1"])
            assert await receiver.told(1) == ["k1"]
    assert receiver.hooks[0].headers["host"] == receiver.url.split("/")[2]


async def test_dns_rebinding_the_name_is_asked_once_a_connection_and_a_private_answer_ends_it() -> None:
    """The name is public when it is registered and first used, and then leads inside."""
    authority = Authority()
    # 127.0.0.1 plays the public address, 127.0.0.2 the private one, which would reach the same server.
    answers = [["127.0.0.1"], ["127.0.0.2"], ["127.0.0.1", "127.0.0.2"]]

    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return answers.pop(0)

    async def close_after_it(_hook: Hook, _writer: asyncio.StreamWriter) -> bytes:
        return b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

    async with receiving(close_after_it, tls=authority.issue(HOST).server(), host=HOST) as receiver:
        endpoint = read_url(receiver.url, private=True)
        poster = Poster(
            private=False, tls=authority.trusting(), resolve=resolve, public=lambda address: address == "127.0.0.1"
        )
        posted = [await poster.post(endpoint, b"[]", [], seconds=5) for _ in range(3)]
    refused = Posted(0, "hooks.example has an address that is not public")
    assert posted == [Posted(200), refused, refused]
    assert answers == []
    assert (receiver.connections, len(receiver.hooks)) == (1, 1)


async def test_dns_rebinding_while_connected_changes_nothing() -> None:
    asked = []

    async def resolve(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    async with receiving(host=HOST) as receiver:
        receiver.url = receiver.url.replace("127.0.0.1", HOST)
        poster = Poster(private=False, resolve=resolve, public=lambda address: address == "127.0.0.1")
        posted = [await poster.post(read_url(receiver.url, private=True), b"[]", [], seconds=5) for _ in range(2)]
        poster.close()
    assert posted == [Posted(200), Posted(200)]
    assert (asked, receiver.connections) == ([HOST], 1)
