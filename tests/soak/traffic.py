"""Clients that send without end: batches of many sizes, single sends, repeats, races, and idempotent requests.

Each client draws from randomness of its own, so that what it asks depends on the seed and not on the others.
"""

import asyncio
import random
from collections import deque
from typing import Any

import httpx
from tests.soak.client import Client
from tests.soak.ledger import Ledger

MESSAGES = "/messaging/v1/email/messages"
DOMAINS = ("one.test", "two.test", "three.test", "four.test", "five.test")
DUPLICATE = 109110
_SIZES = (1, 2, 10, 11, 40, 120, 251, 600)
_SIZE_WEIGHTS = (20, 20, 15, 15, 15, 8, 4, 2)
_BAD_ADDRESS = "not an address"
_REMEMBERED = 200


class Sender:
    """One client at work. ``definitions`` are those of its business unit; ``mails`` a second is its pace."""

    def __init__(
        self, name: str, client: Client, racer: Client, definitions: tuple[str, ...], *, seed: int, mails: float
    ) -> None:
        self.name = name
        self.recent: deque[str] = deque(maxlen=_REMEMBERED)
        """Addresses of messages that were accepted, each used once."""
        self._client = client
        self._racer = racer
        self._definitions = definitions
        self._rand = random.Random(f"{seed} {name}")
        self._mails = mails
        self._number = 0
        self._ledger: Ledger = client.ledger

    async def run(self, stop: asyncio.Event) -> None:
        """Send until it is time to stop; every request that was begun gets its answer."""
        while not stop.is_set():
            (way,) = self._rand.choices((self._batch, self._single, self._once), (5, 4, 2))
            sent = await way()
            try:
                async with asyncio.timeout(sent / self._mails * 2 * self._rand.random()):
                    await stop.wait()
            except TimeoutError:
                pass

    def _recipient(self, *, keyed: bool) -> dict[str, Any]:
        self._number += 1
        token = f"{self.name}-{self._number}"
        address = f"{token}@{self._rand.choice(DOMAINS)}"
        made: dict[str, Any] = {"contactKey": f"c-{token}", "to": address, "attributes": {"Order": token}}
        return made | {"messageKey": f"M-{token}"} if keyed else made

    async def _batch(self) -> int:
        (size,) = self._rand.choices(_SIZES, _SIZE_WEIGHTS)
        definition = self._rand.choice(self._definitions)
        recipients = [self._recipient(keyed=True) for _ in range(size)]
        if size > 2 and self._rand.random() < 0.1:
            recipients[self._rand.randrange(size)]["to"] = _BAD_ADDRESS
        body = {"definitionKey": definition, "recipients": recipients}
        answer, unanswered = await self._client.call("POST", MESSAGES, body)
        self._note_batch(answer, recipients, definition, again=unanswered > 0)
        self._ledger.counts["batches"] += 1
        if self._rand.random() < 0.1:
            # As a client does that crashed before it wrote the answer down.
            answer, _ = await self._client.call("POST", MESSAGES, body)
            self._note_batch(answer, recipients, definition, again=True, repeated=True)
        return size

    def _note_batch(
        self,
        answer: httpx.Response,
        recipients: list[dict[str, Any]],
        definition: str,
        *,
        again: bool,
        repeated: bool = False,
    ) -> None:
        responses = answer.json().get("responses")
        if responses is None or [each.get("messageKey") for each in responses] != [
            each["messageKey"] for each in recipients
        ]:
            self._ledger.faults.append(f"a batch was answered {answer.status_code} {answer.text[:300]}")
            return
        codes = set()
        for recipient, response in zip(recipients, responses, strict=True):
            code = response.get("errorcode", 0)
            if recipient["to"] == _BAD_ADDRESS:
                self._ledger.refuse(self._client.account_id, recipient["messageKey"])
                if code in (0, DUPLICATE):
                    self._ledger.faults.append(f"a bad address was answered {response}")
                continue
            codes.add(code)
            if code in (0, DUPLICATE):
                self._accepted(recipient["messageKey"], recipient["to"], definition)
        fine: list[set[int]] = [{0}] if not again else [{DUPLICATE}] if repeated else [{0}, {DUPLICATE}]
        if codes not in fine:
            self._ledger.faults.append(
                f"a batch was answered {codes}, sent again: {again}, after an answer: {repeated}"
            )

    async def _single(self) -> int:
        recipient = self._recipient(keyed=True)
        key = recipient.pop("messageKey")
        definition = self._rand.choice(self._definitions)
        body = {"definitionKey": definition, "recipient": recipient}
        calls = [self._client.call("POST", f"{MESSAGES}/{key}", body)]
        if self._rand.random() < 0.2:
            calls.append(self._racer.call("POST", f"{MESSAGES}/{key}", body))
        answers = await asyncio.gather(*calls)
        taken = 0
        for answer, _ in answers:
            code = answer.json().get("errorcode", 0)
            taken += answer.status_code == 202
            if answer.status_code != 202 and code != DUPLICATE:
                self._ledger.faults.append(f"a single send was answered {answer.status_code} {answer.text[:300]}")
                return 1
        if taken > 1 or (not taken and not any(unanswered for _, unanswered in answers)):
            self._ledger.faults.append(f"{key}: {taken} of {len(answers)} sends were accepted")
        self._accepted(key, recipient["to"], definition)
        self._ledger.counts["single sends"] += 1
        return 1

    async def _once(self) -> int:
        recipients = [self._recipient(keyed=False) for _ in range(self._rand.choice((1, 3, 12, 30)))]
        definition = self._rand.choice(self._definitions)
        body = {"definitionKey": definition, "recipients": recipients}
        headers = {"Idempotency-Key": f"once-{self.name}-{self._number}"}
        calls = [self._client.call("POST", MESSAGES, body, headers)]
        if self._rand.random() < 0.3:
            calls.append(self._racer.call("POST", MESSAGES, body, headers))
        answers = [answer for answer, _ in await asyncio.gather(*calls)]
        if self._rand.random() < 0.3:
            answers.append((await self._client.call("POST", MESSAGES, body, headers))[0])
        if len({answer.content for answer in answers}) > 1 or {answer.status_code for answer in answers} != {202}:
            self._ledger.faults.append(f"an idempotent request was answered {[each.text[:300] for each in answers]}")
        responses = answers[0].json().get("responses", [])
        for recipient, response in zip(recipients, responses, strict=False):
            self._accepted(response["messageKey"], recipient["to"], definition)
        self._ledger.counts["idempotent requests"] += 1
        return len(recipients)

    def _accepted(self, key: str, address: str, definition: str) -> None:
        self._ledger.accept(self._client.account_id, key, address, definition)
        self.recent.append(address)
