"""The two business units of a run: clients, a signed domain, definitions, callbacks."""

import json
from dataclasses import dataclass

from tests.soak.client import Client
from tests.soak.steward import OF_JOBS
from tests.soak.world import SENDER_DOMAIN, World

FIRST, SECOND = 100001, 100002
CODE_SECONDS = 20
"""After these the messages of `code` are given up."""

DEFINITIONS: dict[int, dict[str, dict[str, object]]] = {
    FIRST: {
        "order": {},
        "news": {},
        "code": {"postroom": {"onUnknown": "hold", "deliverBefore": CODE_SECONDS, "retrySchedule": "1s 2s"}},
        OF_JOBS: {},
    },
    SECOND: {"plain": {}},
}
_EVENTS = ["TransactionalSendEvents.EmailSent", "TransactionalSendEvents.EmailNotSent"]


@dataclass(frozen=True, slots=True)
class Unit:
    """A business unit: what its clients log in with, and the ids of its assets by key."""

    account_id: int
    credentials: dict[str, object]
    assets: dict[str, int]

    def client(self, world: World, *, direct: bool = False) -> Client:
        """A new client, over the wire that may be cut or not."""
        url = world.direct if direct else f"http://127.0.0.1:{world.api.port}"
        return Client(url, self.account_id, self.credentials, world.ledger)


async def set_up(world: World, account_id: int) -> Unit:
    """Make everything of a business unit; nothing is cut yet. The first one's mail is signed with RSA."""
    made = json.loads(await world.office.command("client", "create", "--name", "soak", "--mid", str(account_id)))
    if account_id == FIRST:
        await world.office.command("domain", "create", SENDER_DOMAIN, "--json")
    unit = Unit(account_id, {name: made[name] for name in ("client_id", "client_secret")}, {})
    client = unit.client(world, direct=True)
    for key, more in DEFINITIONS[account_id].items():
        views = {"text": {"content": "Your order %%Order%%"}, "subjectline": {"content": "Order %%Order%%"}}
        asset = {"name": key, "customerKey": key, "assetType": {"id": 209}, "views": views}
        unit.assets[key] = (await client.done("POST", "/asset/v1/content/assets", asset))["id"]
        definition = {
            "definitionKey": key,
            "name": key,
            "status": "Active",
            "content": {"customerKey": key},
            "subscriptions": {"list": "All Subscribers"},
            **more,
        }
        await client.done("POST", "/messaging/v1/email/definitions", definition)
    await _subscribe(world, client)
    await client.close()
    assert not world.ledger.faults, world.ledger.faults
    return unit


async def _subscribe(world: World, client: Client) -> None:
    path = f"/hooks/{client.account_id}"
    callback = {"callbackName": "soak", "url": f"http://127.0.0.1:{world.hooks.port}{path}", "maxBatchSize": 200}
    (made,) = await client.done("POST", "/platform/v1/ens-callbacks", [callback])
    world.receiver.keys[path] = made["signatureKey"]
    await client.done("POST", "/platform/v1/ens-verify", world.receiver.verifications[path])
    wanted = {"callbackId": made["callbackId"], "subscriptionName": "all", "eventCategoryTypes": _EVENTS}
    await client.done("POST", "/platform/v1/ens-subscriptions", [wanted])
