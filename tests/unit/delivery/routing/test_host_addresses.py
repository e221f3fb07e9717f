"""The hosts that many domains have in common are asked for once, and no longer believed than the DNS says."""

import asyncio
from collections import Counter

import pytest

from postroom.delivery.routing.host_addresses import LONGEST_SECONDS, HostAddresses
from postroom.delivery.routing.records import AddressAnswer, AddressesFound, MxAnswer, MxFound, Nothing, Trouble

FOUND = AddressesFound(("8.8.8.8",), 60.0, True, "mx.example.com")


class Dns:
    """Answers as told, counts, and can be made to wait."""

    def __init__(self, answer: AddressAnswer = FOUND) -> None:
        self.answer = answer
        self.asked: Counter[str] = Counter()
        self.now = 0.0
        self.gate = asyncio.Event()
        self.gate.set()

    async def mx(self, name: str) -> MxAnswer:
        self.asked[f"MX {name}"] += 1
        return MxFound((), 60.0)

    async def ipv4(self, name: str) -> AddressAnswer:
        self.asked[f"A {name}"] += 1
        await self.gate.wait()
        return self.answer

    async def ipv6(self, name: str) -> AddressAnswer:
        self.asked[f"AAAA {name}"] += 1
        return self.answer

    def shared(self, most: int = 100) -> HostAddresses:
        return HostAddresses(self, clock=lambda: self.now, most=most)


async def test_those_who_ask_together_ask_once() -> None:
    dns = Dns()
    dns.gate.clear()
    shared = dns.shared()
    asking = [asyncio.create_task(shared.ipv4("mx")) for _ in range(10)]
    await asyncio.sleep(0)
    asking[0].cancel()
    dns.gate.set()
    assert await asyncio.gather(*asking[1:]) == [FOUND] * 9
    assert dns.asked == {"A mx": 1}


async def test_an_answer_is_kept_for_the_rest_of_its_time() -> None:
    dns = Dns()
    shared = dns.shared()
    assert await shared.ipv4("mx") == FOUND
    dns.now = 45.0
    kept = await shared.ipv4("mx")
    assert isinstance(kept, AddressesFound)
    assert (kept.addresses, kept.secure, kept.ttl) == (FOUND.addresses, True, 15.0)
    dns.now = 60.0
    assert await shared.ipv4("mx") == FOUND
    assert dns.asked == {"A mx": 2}


async def test_families_and_mx_records_are_not_mixed_up() -> None:
    dns = Dns()
    shared = dns.shared()
    for _ in range(2):
        await shared.ipv4("mx")
        await shared.ipv6("mx")
        await shared.mx("mx")
    assert dns.asked == {"A mx": 1, "AAAA mx": 1, "MX mx": 2}


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (AddressesFound((), 1e9, False, "mx"), LONGEST_SECONDS),
        (Nothing(exists=True, ttl=300.0), 300.0),
    ],
)
async def test_it_is_kept_within_bounds(answer: AddressAnswer, seconds: float) -> None:
    dns = Dns(answer)
    shared = dns.shared()
    await shared.ipv4("mx")
    dns.now = seconds - 1
    await shared.ipv4("mx")
    assert dns.asked["A mx"] == 1
    dns.now = seconds
    await shared.ipv4("mx")
    assert dns.asked["A mx"] == 2


@pytest.mark.parametrize("answer", [Trouble("silent"), AddressesFound(("8.8.8.8",), 0.0, False, "mx")])
async def test_trouble_and_what_must_not_be_kept_are_asked_again(answer: AddressAnswer) -> None:
    dns = Dns(answer)
    shared = dns.shared()
    assert await shared.ipv4("mx") == await shared.ipv4("mx") == answer
    assert dns.asked["A mx"] == 2
    assert len(shared) == 0


async def test_only_so_many_are_kept_the_latest_used() -> None:
    dns = Dns()
    shared = dns.shared(most=2)
    for name in ("a", "b", "a", "c"):
        await shared.ipv4(name)
    assert len(shared) == 2
    await shared.ipv4("a")
    assert dns.asked["A a"] == 1
