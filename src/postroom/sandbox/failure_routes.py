"""The sandbox's calls for failures: chaos rules, and trying again now what waits for its next attempt."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from litestar import Response, delete, get, post, put
from litestar.handlers import HTTPRouteHandler

from postroom.sandbox.chaos import ChaosRule, RuleRejected
from postroom.sandbox.chaos import read_rules as rules_of
from postroom.sandbox.chaos_rules import NotEverywhere, SetRule, read_rules, set_rules
from postroom.sandbox.query import INVALID_VALUE, NOT_FOUND, RequestRejected
from postroom.sandbox.retry import Retries, WaitingFilter
from postroom.sandbox.routes import LONGEST_WAIT_SECONDS, AnyRequest, json_reply, query_of
from postroom.store.pool import Pool

LONGEST_BODY = 100_000


def failure_routes(pool: Pool, retries: Retries) -> list[HTTPRouteHandler]:
    """`/sandbox/chaos` and `/sandbox/retry`."""

    @put("/sandbox/chaos")
    async def put_rules(request: AnyRequest) -> Response[bytes]:
        """These rules in the place of all, or of those of one business unit; they hold when this is answered."""
        account_id = query_of(request, "accountId").account_id()
        body = await request.body()
        if len(body) > LONGEST_BODY:
            raise _refused(f"the body has {len(body)} bytes; at most {LONGEST_BODY} are taken")
        try:
            rules = rules_of(body, account_id)
        except RuleRejected as problem:
            raise _refused(str(problem)) from None
        await _set(pool, rules, account_id)
        return json_reply(shown_rules(await read_rules(pool, account_id)))

    @get("/sandbox/chaos")
    async def get_rules(request: AnyRequest) -> Response[bytes]:
        """The rules that are set, in their order, and what they have done."""
        account_id = query_of(request, "accountId").account_id()
        return json_reply(shown_rules(await read_rules(pool, account_id)))

    @delete("/sandbox/chaos", status_code=200)
    async def delete_rules(request: AnyRequest) -> Response[bytes]:
        """No rules any more, or none of one business unit."""
        account_id = query_of(request, "accountId").account_id()
        before = await read_rules(pool, account_id)
        await _set(pool, (), account_id)
        return json_reply({"deleted": len(before)})

    @post("/sandbox/retry", status_code=200)
    async def retry(request: AnyRequest) -> Response[bytes]:
        """The next attempt, now, of messages that wait for one; ``last`` makes it the last."""
        query = query_of(request, "accountId", "messageKey", "to", "last", "timeout")
        wanted = WaitingFilter(query.account_id(), query.text("messageKey"), query.address("to"))
        seconds = query.seconds("timeout", default=10.0, most=LONGEST_WAIT_SECONDS)
        retried = await retries.wait(wanted, seconds, last=query.flag("last"))
        if not retried:
            text = f"no message waits for another attempt, or came to that within {seconds:g} seconds"
            raise RequestRejected(404, NOT_FOUND, "ObjectNotFound", text)
        return json_reply({"retried": retried})

    return [put_rules, get_rules, delete_rules, retry]


def shown_rules(rules: Sequence[SetRule]) -> dict[str, object]:
    """Rules as the calls show them."""
    return {
        "rules": [
            {"id": each.rule_id, **msgspec.to_builtins(each.rule), "matched": each.matched, "hits": each.hits}
            for each in rules
        ]
    }


async def _set(pool: Pool, rules: Sequence[ChaosRule], account_id: int | None) -> None:
    try:
        await set_rules(pool, rules, account_id)
    except NotEverywhere:
        text = "the rules are set, but an API process has not said for 5 seconds that it knows them; ask again"
        raise RequestRejected(503, 50300, "NotEverywhere", text) from None


def _refused(text: str) -> RequestRejected:
    return RequestRejected(400, INVALID_VALUE, "InvalidValue", text)
