"""Attacks through HTTPGet: each is refused before a connection, or ends within its limits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from tests.scenarios.fetch.web import moved, ok, web

from postroom.content.ampscript.run import Request
from postroom.delivery.fetch import FetchLimits, GuardedFetcher


async def nothing_is_resolved(host: str, port: int) -> Sequence[str]:
    raise AssertionError(f"{host} must not be resolved")


@pytest.mark.parametrize(
    "url",
    [
        "http://other.example/",
        "http://peer.example:22/",
        "http://peer.example.evil.example/",
        "http://evil.example#@peer.example/",
        "http://user:word@peer.example/",
        "http://peer.example@evil.example/",
        "http://evil.example\\@peer.example/",
        "file:///etc/passwd",
        "gopher://peer.example/",
        "http:///nohost",
        "http://[::1/",
        "http://peer.example:99999/",
        "//peer.example/",
        "http://169.254.169.254/latest/meta-data/",
        "http://xn--\u2603.example/",
    ],
)
async def test_a_host_that_is_not_allowed_is_never_even_resolved(url: str) -> None:
    fetcher = GuardedFetcher(frozenset({"peer.example"}), resolve=nothing_is_resolved)
    response = await fetcher.fetch(Request("GET", url))
    assert response.status == 0
    assert response.problem


async def test_without_allowed_hosts_http_is_off() -> None:
    fetcher = GuardedFetcher(frozenset(), resolve=nothing_is_resolved)
    response = await fetcher.fetch(Request("GET", "http://peer.example/"))
    assert response.problem.startswith("HTTP functions are off")


async def test_ssrf_an_allowed_name_with_a_private_address_is_refused() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["93.184.216.34", "127.0.0.1"]

    fetcher = GuardedFetcher(frozenset({"peer.example"}), resolve=resolve)
    response = await fetcher.fetch(Request("GET", "http://peer.example/"))
    assert response.problem == "peer.example has an address that is not public"


async def test_ssrf_a_private_address_on_the_allow_list_is_refused_all_the_same() -> None:
    fetcher = GuardedFetcher(frozenset({"127.0.0.1"}))
    response = await fetcher.fetch(Request("GET", "http://127.0.0.1/"))
    assert response.problem == "127.0.0.1 has an address that is not public"


async def test_dns_rebinding_the_connection_goes_to_the_address_that_was_checked() -> None:
    async with web(ok(b"checked")) as site:
        answers = [["127.0.0.1"], ["127.0.0.2"]]

        async def resolve(host: str, port: int) -> Sequence[str]:
            return answers.pop(0)

        fetcher = GuardedFetcher(
            frozenset({f"peer.example:{site.port}"}), resolve=resolve, reachable=lambda address: address == "127.0.0.1"
        )
        response = await fetcher.fetch(Request("GET", site.url()))
    assert response.body == b"checked"
    assert answers == [["127.0.0.2"]]


@pytest.mark.parametrize(
    ("location", "problem"),
    [
        ("http://169.254.169.254/", "the host 169.254.169.254:80 is not allowed"),
        ("http://peer.example:25/", "the host peer.example:25 is not allowed"),
        ("file:///etc/passwd", "the address is not one of http or https"),
        ("http://[bad", "the address of a redirect cannot be read"),
    ],
)
async def test_open_redirect_every_step_is_checked_again(location: str, problem: str) -> None:
    async with web(moved(location)) as site:
        response = await site.fetcher().fetch(Request("GET", site.url()))
    assert (response.status, response.problem[: len(problem)]) == (0, problem)
    assert len(site.requests) == 1


async def test_redirect_loop_ends_after_three() -> None:
    async with web(*[moved("/again")] * 4) as site:
        response = await site.fetcher().fetch(Request("GET", site.url()))
    assert response.problem == "more than 3 redirects"
    assert len(site.requests) == 4


async def test_redirect_to_another_host_leaves_the_credentials_behind() -> None:
    async with web(ok(b"taken")) as target, web(moved(f"http://other.example:{target.port}/")) as site:
        fetcher = site.fetcher(f"peer.example:{site.port}", f"other.example:{target.port}")
        response = await fetcher.fetch(Request("GET", site.url(), [("Authorization", "Bearer x"), ("X-Own", "1")]))
    assert response.body == b"taken"
    assert b"Authorization: Bearer x" in site.requests[0]
    assert b"Authorization" not in target.requests[0]
    assert b"X-Own: 1" in target.requests[0]


@pytest.mark.parametrize(
    "header",
    [
        ("X-A", "1\r\nX-B: 2"),
        ("X-A\r\nX-B", "1"),
        ("Host", "internal.example"),
        ("Content-Length", "5"),
        ("Transfer-Encoding", "chunked"),
        ("", "1"),
        ("X-A", "☃"),
    ],
)
async def test_request_smuggling_through_headers_is_refused(header: tuple[str, str]) -> None:
    async with web() as site:
        response = await site.fetcher().fetch(Request("POST", site.url(), [header], b"x"))
    assert response.status == 0
    assert not site.requests


async def test_crlf_injection_in_the_address_stays_one_request_line() -> None:
    async with web(ok(b"")) as site:
        await site.fetcher().fetch(Request("GET", site.url("/x HTTP/1.1\r\nX-Evil: 1\r\n\r\nGET /y")))
    head = site.requests[0].split(b"\r\n")
    assert head[0].count(b" ") == 2
    assert not any(line.startswith(b"X-Evil") for line in head)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n" + b"x" * 900_000, "the answer is larger"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 900_000, "the answer is larger"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 900_000, "the header of the answer is larger"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 20_000, "the answer is larger"),
    ],
    ids=["announced", "endless", "header", "tiny chunks"],
)
async def test_memory_exhaustion_a_huge_answer_is_cut_off(answer: bytes, problem: str) -> None:
    async with web(answer) as site:
        fetcher = site.fetcher(limits=FetchLimits(body=10_000, header=8_000))
        response = await fetcher.fetch(Request("GET", site.url()))
    assert (response.status, response.body, response.problem[: len(problem)]) == (0, b"", problem)


async def test_slow_loris_a_silent_site_is_left_in_time() -> None:
    async with web(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", close=False) as site:
        asked = asyncio.create_task(site.asked.wait())
        response = await site.fetcher(limits=FetchLimits(seconds=0.2)).fetch(Request("GET", site.url()))
        assert await asked
    assert (response.status, response.problem) == (0, "no answer within 0.2 s")
