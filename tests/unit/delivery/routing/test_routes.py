"""What is kept of the DNS: how long, how much, and how often it is asked."""

import asyncio
from collections import Counter

import pytest

from postroom.delivery.routing.mx import MxHost, NoRoute, Route, RouteAnswer
from postroom.delivery.routing.routes import LONGEST_SECONDS, SHORTEST_SECONDS, TROUBLE_SECONDS, Routes


class Finder:
    """Answers as told, counts, and can be made to wait."""

    def __init__(self, answer: RouteAnswer) -> None:
        self.answer = answer
        self.asked: Counter[str] = Counter()
        self.now = 0.0
        self.gate = asyncio.Event()
        self.gate.set()

    async def find(self, domain: str) -> RouteAnswer:
        self.asked[domain] += 1
        await self.gate.wait()
        return self.answer

    def routes(self, most: int = 100) -> Routes:
        return Routes(self.find, clock=lambda: self.now, most=most)


def route(ttl: float) -> Route:
    return Route((MxHost("mx.example.com", ("8.8.8.8",)),), ttl)


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (route(600), 600),
        (route(0), SHORTEST_SECONDS),
        (route(1e9), LONGEST_SECONDS),
        (NoRoute(True, "5.1.2", "gone", 300), 300),
        (NoRoute(False, "4.4.3", "silent"), TROUBLE_SECONDS),
    ],
)
async def test_an_answer_is_kept_for_its_time_within_bounds(answer: RouteAnswer, seconds: float) -> None:
    finder = Finder(answer)
    routes = finder.routes()
    assert await routes.route("example.com") == answer
    finder.now = seconds - 1
    assert routes.known("example.com") == answer
    finder.now = seconds
    assert routes.known("example.com") is None
    await routes.route("example.com")
    assert finder.asked["example.com"] == 2


async def test_those_who_ask_together_ask_once_and_none_can_end_it_for_the_others() -> None:
    finder = Finder(route(600))
    finder.gate.clear()
    routes = finder.routes()
    asking = [asyncio.create_task(routes.route("example.com")) for _ in range(5)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asking[0].cancel()
    finder.gate.set()
    assert await asyncio.gather(*asking[1:]) == [finder.answer] * 4
    assert finder.asked["example.com"] == 1


async def test_the_longest_unused_domain_is_forgotten_first() -> None:
    finder = Finder(route(600))
    routes = finder.routes(most=2)
    for domain in ("a.example", "b.example"):
        await routes.route(domain)
    routes.known("a.example")
    await routes.route("c.example")
    assert len(routes) == 2
    assert routes.known("b.example") is None
    assert routes.known("a.example") is not None


async def test_closing_ends_what_is_still_being_asked() -> None:
    finder = Finder(route(600))
    finder.gate.clear()
    routes = finder.routes()
    asking = asyncio.create_task(routes.route("example.com"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await routes.close()
    with pytest.raises(asyncio.CancelledError):
        await asking
