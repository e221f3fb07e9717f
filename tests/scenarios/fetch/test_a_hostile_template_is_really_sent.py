"""Attacks through the templates of a send: each message ends with its reason, and nothing private is asked."""

from collections.abc import Sequence

import pytest
from tests.conformance.house import House
from tests.scenarios.delivery.relay import TAKEN, relay
from tests.scenarios.delivery.workers import all_final, working
from tests.scenarios.fetch.sending import rendered
from tests.scenarios.fetch.web import moved, ok, web

from postroom.delivery.fetch import FetchLimits, GuardedFetcher


def get(url: str) -> str:
    return f"[%%=HTTPGet('{url}')=%%]"


async def reason(house: House) -> str:
    """Why the one message that was not sent was not."""
    found = await house.pool.fetchval("select detail::json ->> 'reason' from event where kind = 'not_sent'")
    assert isinstance(found, str)
    return found


async def test_without_the_setting_a_request_fails_and_names_it(house: House) -> None:
    await house.define("story", text=get("https://api.example.com/"))
    async with relay(lambda _key, _attempt: TAKEN) as peer, working(house, peer) as office:
        await office.send(["one"], "story")
        assert await all_final(house, 1) == {"one": ("not_sent", 103)}
    assert "HTTP functions are off; name the host in the setting template_http_hosts" in await reason(house)


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "10.0.0.1"])
async def test_ssrf_a_private_or_link_local_address_is_not_reached_by_a_send(house: House, address: str) -> None:
    await house.define("story", text=get(f"http://{address}/latest/meta-data/"))
    async with (
        relay(lambda _key, _attempt: TAKEN) as peer,
        working(house, peer, template_http_hosts=address) as office,
    ):
        await office.send(["one"], "story")
        assert await all_final(house, 1) == {"one": ("not_sent", 103)}
    assert f"{address} has an address that is not public" in await reason(house)


async def test_private_addresses_are_reached_where_the_setting_says_so_and_only_named_hosts(house: House) -> None:
    async with web(ok(b"<offers>"), moved("http://169.254.169.254/latest/")) as site:
        here = f"127.0.0.1:{site.port}"
        await house.define("offers", text=get(f"http://{here}/offers"))
        await house.define("stolen", text=get(f"http://{here}/moved"))
        async with (
            relay(lambda _key, _attempt: TAKEN) as peer,
            working(house, peer, template_http_hosts=f"api.example.com, {here}", template_http_private="yes") as office,
        ):
            await office.send(["offers"], "offers")
            await all_final(house, 1)
            await office.send(["stolen"], "stolen")
            assert await all_final(house, 2) == {"offers": ("sent", None), "stolen": ("not_sent", 103)}
        assert b"[<offers>]" in peer.bodies["offers"][0]
        assert "the host 169.254.169.254:80 is not allowed" in await reason(house)
        assert len(site.requests) == 2


async def test_open_redirect_to_a_private_address_ends_there(house: House) -> None:
    async with web(moved("http://inner.example/")) as site:

        async def resolve(host: str, port: int) -> Sequence[str]:
            return ["127.0.0.1" if host == "peer.example" else "192.168.0.1"]

        hosts = frozenset({f"peer.example:{site.port}", "inner.example"})
        fetcher = GuardedFetcher(hosts, resolve=resolve, reachable=lambda address: address == "127.0.0.1")
        said = await rendered(house, fetcher, get(site.url()))
    assert "inner.example has an address that is not public" in said


async def test_dns_rebinding_a_send_asks_the_address_that_was_checked(house: House) -> None:
    async with web(ok(b"checked")) as site:
        answers = [["127.0.0.1"], ["127.0.0.2"]]

        async def resolve(host: str, port: int) -> Sequence[str]:
            return answers.pop(0)

        fetcher = GuardedFetcher(
            frozenset({f"peer.example:{site.port}"}), resolve=resolve, reachable=lambda address: address == "127.0.0.1"
        )
        said = await rendered(house, fetcher, get(site.url()))
    assert "[checked]" in said
    assert answers == [["127.0.0.2"]]


async def test_memory_exhaustion_a_huge_answer_fails_its_message(house: House) -> None:
    async with web(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 900_000) as site:
        said = await rendered(house, site.fetcher(limits=FetchLimits(body=10_000)), get(site.url()))
    assert "the answer is larger than 10,000 bytes" in said


async def test_slow_loris_a_silent_site_fails_its_message_in_time(house: House) -> None:
    async with web(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", close=False) as site:
        said = await rendered(house, site.fetcher(limits=FetchLimits(seconds=0.2)), get(site.url()))
    assert "no answer within 0.2 s" in said


@pytest.mark.parametrize(
    ("answers", "template", "printed"),
    [
        ((b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n",), "%%=HTTPGet('{}', 1, 0, @s)=%%/%%=v(@s)=%%", "/-1"),
        ((b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",), "%%=HTTPGet('{}', true, 0, @s)=%%/%%=v(@s)=%%", "/-2"),
        ((ok(b""),), "%%=HTTPGet('{}', 0, 0, @s)=%%/%%=v(@s)=%%", "/-3"),
        ((ok(b"hi"),), "%%=HTTPPost('{}', 'text/plain', 'x', @b)=%%/%%=v(@b)=%%", "200/hi"),
        (
            (b"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno",),
            "%%=HTTPPost2('{}', 'text/plain', 'x', 0, @b, @h)=%%/%%=v(@b)=%%/%%=RowCount(@h)=%%",
            "503/no/1",
        ),
        (
            (b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", ok(b"there")),
            "%%=HTTPPostWithRetry('{}', 'text/plain', 'x', 1, 0, 1, @b)=%%/%%=v(@b)=%%",
            "200/there",
        ),
    ],
)
async def test_a_template_goes_on_with_what_the_site_said(
    house: House, answers: tuple[bytes, ...], template: str, printed: str
) -> None:
    async with web(*answers) as site:
        assert await rendered(house, site.fetcher(), template.format(site.url())) == printed
