"""Somebody who is busy with the server while it works: pauses and changes definitions, suppresses, erases, has jobs."""

import asyncio
import random
from collections.abc import Sequence

from tests.soak.client import Client
from tests.soak.ledger import Ledger
from tests.soak.traffic import MESSAGES, Sender

DEFINITIONS = "/messaging/v1/email/definitions"
JOBS = "/postroom/v1/jobs"
SUPPRESSIONS = "/postroom/v1/suppressions"
ERASURES = "/postroom/v1/erasures"
PAUSED = "news"
CHANGED = ("order", "news")
OF_JOBS = "jobs"
_PAUSE = 2.0


class Steward:
    """``senders`` are those whose messages may be erased or sent again."""

    def __init__(self, client: Client, senders: Sequence[Sender], assets: dict[str, int], *, seed: int) -> None:
        self._client = client
        self._senders = senders
        self._assets = assets
        self._rand = random.Random(f"{seed} steward")
        self._ledger: Ledger = client.ledger
        self._number = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Until it is time to stop; what was begun is finished."""
        ways = (self._pause, self._change, self._suppress, self._job, self._resend, self._erase, self._queue)
        while not stop.is_set():
            way = self._rand.choice(ways)
            await way()
            self._ledger.counts[f"steward: {way.__name__.strip('_')}"] += 1
            try:
                async with asyncio.timeout(self._rand.random() * _PAUSE):
                    await stop.wait()
            except TimeoutError:
                pass

    async def finish(self) -> None:
        """Nothing is paused or held any more."""
        await self._client.done("PATCH", f"{DEFINITIONS}/{PAUSED}", {"status": "Active"})
        await self.release()

    async def release(self) -> None:
        """Whatever is held may go."""
        await self._do("release", {"status": "held"})

    async def hasten(self) -> None:
        """Whatever waits for its time is due now."""
        await self._do("retry", {"status": "queued"})

    async def _pause(self) -> None:
        await self._client.done("PATCH", f"{DEFINITIONS}/{PAUSED}", {"status": "Inactive"})
        await asyncio.sleep(self._rand.random() * 3)
        await self._client.done("PATCH", f"{DEFINITIONS}/{PAUSED}", {"status": "Active"})

    async def _change(self) -> None:
        self._number += 1
        key = self._rand.choice(CHANGED)
        views = {
            "text": {"content": f"Your order %%Order%%, text {self._number}"},
            "subjectline": {"content": "Order %%Order%%"},
        }
        await self._client.done("PATCH", f"/asset/v1/content/assets/{self._assets[key]}", {"views": views})
        await self._client.done("PATCH", f"{DEFINITIONS}/{key}", {"content": {"customerKey": key}})

    async def _suppress(self) -> None:
        self._number += 1
        address = f"suppressed-{self._number}@one.test"
        self._ledger.suppressed.add(address)
        await self._client.done("POST", SUPPRESSIONS, {"address": address, "cause": "manual"})
        await self._send(address)
        if self._rand.random() < 0.5:
            await self._client.done("DELETE", f"{SUPPRESSIONS}?address={address}")
            await self._send(address)
        else:
            self._ledger.forbidden.add(address)

    async def _send(self, address: str) -> None:
        self._number += 1
        key = f"M-steward-{self._number}"
        recipient = {"contactKey": f"c-{address}", "to": address, "attributes": {"Order": key}}
        await self._client.done(
            "POST", f"{MESSAGES}/{key}", {"definitionKey": "order", "recipient": recipient}, fine=(400,)
        )
        self._ledger.accept(self._client.account_id, key, address, "order")

    async def _job(self) -> None:
        action = self._rand.choice(("cancel", "hold", "retry", "hold"))
        if action == "cancel":
            self._ledger.cancelled.add(OF_JOBS)
        await self._do(action, {"definitionKey": OF_JOBS, "status": "queued"})
        if action == "hold":
            await asyncio.sleep(self._rand.random() * 2)
            await self._do("release", {"definitionKey": OF_JOBS})

    async def _resend(self) -> None:
        addresses = self._rand.choice(self._senders).recent
        if addresses:
            await self._do("resend", {"recipient": self._rand.choice(addresses)})

    async def _erase(self) -> None:
        addresses = self._rand.choice(self._senders).recent
        if not addresses:
            return
        address = self._rand.choice(addresses)
        self._ledger.erased.add(address)
        await self._client.done("POST", ERASURES, {"address": address})

    async def _queue(self) -> None:
        await self._client.done("GET", "/postroom/v1/queue")

    async def _do(self, action: str, wanted: dict[str, str]) -> None:
        job = await self._client.done("POST", JOBS, {"action": action, "filter": wanted})
        await self._client.done("POST", f"{JOBS}/{job['id']}/confirm")
        while True:
            job = await self._client.done("GET", f"{JOBS}/{job['id']}")
            if job["status"] != "running":
                return
            await asyncio.sleep(0.2)
