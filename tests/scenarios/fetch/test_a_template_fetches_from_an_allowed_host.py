"""What a fetch asks for, what it understands, and what it keeps."""

from __future__ import annotations

import asyncio

import pytest
from tests.scenarios.fetch.web import moved, ok, web

from postroom.content.ampscript.run import Request
from postroom.delivery.fetch import FetchLimits, GuardedFetcher


async def test_the_body_comes_back_with_its_charset() -> None:
    async with web(ok("grüß".encode("latin-1"), b"Content-Type: text/plain; charset=ISO-8859-1\r\n")) as site:
        response = await site.fetcher().fetch(Request("GET", site.url("/a b?c=d é")))
    assert (response.status, response.body.decode(response.charset)) == (200, "grüß")
    assert site.requests[0].startswith(b"GET /a%20b?c=d%20%C3%A9 HTTP/1.1\r\nHost: peer.example:")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nabcde",
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde",
    ],
    ids=["chunks", "until the end of the connection", "after a 103"],
)
async def test_every_way_of_framing_is_read(answer: bytes) -> None:
    async with web(answer) as site:
        response = await site.fetcher().fetch(Request("GET", site.url()))
    assert (response.status, response.body, response.problem) == (200, b"abcde", "")


async def test_a_post_sends_its_body_and_headers() -> None:
    async with web(ok(b"fine")) as site:
        request = Request("POST", site.url("/in"), [("Content-Type", "application/json"), ("X-Key", "1")], b"{}")
        response = await site.fetcher().fetch(request)
    assert response.body == b"fine"
    head, _, body = site.requests[0].partition(b"\r\n\r\n")
    assert body == b"{}"
    assert b"Content-Type: application/json\r\nX-Key: 1" in head


async def test_a_good_answer_is_asked_for_once_in_a_while() -> None:
    async with web(ok(b"one"), ok(b"two")) as site:
        fetcher = site.fetcher()
        answers = [(await fetcher.fetch(Request("GET", site.url()))).body for _ in range(3)]
    assert answers == [b"one"] * 3
    assert len(site.requests) == 1


async def test_messages_that_ask_for_the_same_share_one_request() -> None:
    async with web(ok(b"one")) as site:
        fetcher = site.fetcher()
        answers = await asyncio.gather(*(fetcher.fetch(Request("GET", site.url())) for _ in range(50)))
    assert {answer.body for answer in answers} == {b"one"}
    assert len(site.requests) == 1


async def test_a_redirect_is_followed_and_a_post_becomes_a_get() -> None:
    async with web(lambda base: moved(f"{base}/there"), ok(b"here")) as site:
        request = Request("POST", site.url("/from"), [("Content-Type", "text/plain")], b"x")
        response = await site.fetcher().fetch(request)
    assert response.body == b"here"
    assert site.requests[1].startswith(b"GET /there ")
    assert b"Content-Type" not in site.requests[1]
    assert site.resolved == ["peer.example", "peer.example"]


async def test_an_answer_cut_short_is_no_answer() -> None:
    async with web(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc") as site:
        response = await site.fetcher().fetch(Request("GET", site.url()))
    assert (response.status, response.problem) == (0, "the answer was cut short")


async def test_a_peer_that_speaks_no_http_is_a_failed_connection() -> None:
    async with web(b"220 smtp ready\r\n") as site:
        response = await site.fetcher().fetch(Request("GET", site.url()))
    assert response.status == 0
    assert response.problem.startswith("the connection failed")


async def test_nobody_listening_is_a_failed_connection() -> None:
    async with web() as site:
        pass
    response = await site.fetcher().fetch(Request("GET", site.url()))
    assert (response.status, response.problem[:21]) == (0, "the connection failed")


async def test_waiting_for_a_turn_is_no_time_of_the_request() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.3)
        writer.write(ok(b"one"))
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        limits = FetchLimits(seconds=1, together=1)
        fetcher = GuardedFetcher(frozenset({f"127.0.0.1:{port}"}), limits=limits, reachable=lambda _address: True)
        urls = [f"http://127.0.0.1:{port}/{number}" for number in range(4)]
        found = await asyncio.gather(*(fetcher.fetch(Request("GET", url)) for url in urls))
    assert [response.body for response in found] == [b"one"] * 4
