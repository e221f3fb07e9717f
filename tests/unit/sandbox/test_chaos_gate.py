"""The gate: what goes through, what is answered in its place, what is cut."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest

from postroom.sandbox.chaos import ChaosRule
from postroom.sandbox.chaos_gate import CUT, ChaosGate
from postroom.sandbox.chaos_rules import KnownRules, SetRule

Message = dict[str, Any]


class Rules:
    """Knows rules without a database."""

    def __init__(self, *rules: ChaosRule) -> None:
        self.current: Sequence[SetRule] = tuple(SetRule(place, rule) for place, rule in enumerate(rules, 1))
        self.left = {each.rule_id: each.rule.times or 1000 for each in self.current}
        self.asked: list[int] = []

    async def take(self, known: SetRule) -> bool:
        self.asked.append(known.rule_id)
        self.left[known.rule_id] -= 1
        return self.left[known.rule_id] >= 0


class Server:
    """One request to an API behind a gate, as an ASGI server makes it."""

    def __init__(self, rules: Rules, *, path: str = "/a", kind: str = "http") -> None:
        self.carried_out: list[bytes] = []
        self.said: list[Message] = []
        self.gone = asyncio.Event()
        self.body = [b"one", b"two"]
        self.scope: Message = {
            "type": kind,
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "headers": [(b"host", b"x"), (b"authorization", b"BEARER  seven ")],
            CUT: self.gone.set,
        }
        self.gate = ChaosGate(
            cast("Any", self.app),
            cast("KnownRules", rules),
            account_of=lambda token: 7 if token == "seven" else None,
            refusal=lambda path, status, retry_after: cast("Any", self.refusal(path, status, retry_after)),
        )

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            for _ in self.body[:]:
                self.carried_out.append((await receive())["body"])
        await send({"type": "http.response.start", "status": 202, "headers": []})

    def refusal(self, path: str, status: int, retry_after: int) -> Any:
        async def refuse(scope: Any, receive: Any, send: Any) -> None:
            headers = [(b"x", f"{path} {retry_after}".encode())]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": b"{}"})

        return refuse

    async def receive(self) -> Message:
        if self.body:
            return {"type": "http.request", "body": self.body.pop(0), "more_body": bool(self.body)}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        assert not self.gone.is_set()
        self.said.append(message)

    async def run(self) -> list[Message]:
        async with asyncio.timeout(5):
            await self.gate(cast("Any", self.scope), cast("Any", self.receive), cast("Any", self.send))
        return self.said


async def test_without_a_rule_about_it_a_call_goes_through() -> None:
    for rules in (Rules(), Rules(ChaosRule(path="/b", status=500)), Rules(ChaosRule(account_id=8, status=500))):
        server = Server(rules)
        assert [each["status"] for each in await server.run()] == [202]
        assert server.carried_out == [b"one", b"two"]
        assert rules.asked == []


async def test_what_is_no_call_and_the_sandbox_s_own_go_through() -> None:
    rule = ChaosRule(status=500, share=1.0)
    for server in (Server(Rules(rule), kind="lifespan"), Server(Rules(rule), path="/sandbox/chaos")):
        assert [each["status"] for each in await server.run()] == [202]


async def test_an_error_is_answered_and_nothing_carried_out() -> None:
    server = Server(Rules(ChaosRule(account_id=7, status=429, retry_after=9)))
    start, body = await server.run()
    assert (start["status"], start["headers"]) == (429, [(b"x", b"/a 9"), (b"postroom-chaos-rule", b"1")])
    assert body["body"] == b"{}"
    assert server.carried_out == []
    assert server.body == []  # read, or it would be taken for the next request


async def test_the_first_rule_that_is_not_used_up_happens() -> None:
    rules = Rules(ChaosRule(status=500, times=1), ChaosRule(status=503, times=1))
    statuses = [(await Server(rules).run())[0]["status"] for _ in range(3)]
    assert statuses == [500, 503, 202]


@pytest.mark.parametrize(("cut", "carried_out"), [("after", [b"one", b"two"]), ("before", [])])
async def test_a_call_is_cut_without_an_answer(cut: Any, carried_out: list[bytes]) -> None:
    server = Server(Rules(ChaosRule(cut=cut)))
    assert await server.run() == []
    assert server.gone.is_set()
    assert server.carried_out == carried_out


async def test_a_delay_comes_before_the_ordinary_answer() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert [each["status"] for each in await Server(Rules(ChaosRule(delay_ms=50))).run()] == [202]
    assert loop.time() - began >= 0.05
