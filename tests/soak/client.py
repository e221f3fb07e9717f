"""A careful client: what gets an error or no answer is sent again as it was, until there is an answer."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
from tests.soak.ledger import Ledger

_SECONDS = 12.0
_PAUSE = 0.3
_IN_FLIGHT = 40902


class Client:
    """One client of a business unit, with one connection. ``url`` leads over the wire that may be cut."""

    def __init__(self, url: str, account_id: int, credentials: Mapping[str, object], ledger: Ledger) -> None:
        self.account_id = account_id
        self.ledger = ledger
        self._credentials = credentials
        self._http = httpx.AsyncClient(base_url=url, timeout=_SECONDS, limits=httpx.Limits(max_connections=2))
        self._token = ""

    async def call(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> tuple[httpx.Response, int]:
        """The answer, and how many tries of it got none that says what happened."""
        unanswered = 0
        while True:
            try:
                if not self._token:
                    await self._log_in()
                    continue
                own = {"Authorization": f"Bearer {self._token}", **(headers or {})}
                answer = await self._http.request(method, path, json=body, headers=own)
            except httpx.TransportError:
                unanswered += 1
            else:
                if answer.status_code == 401:
                    self._token = ""
                    continue
                in_flight = answer.status_code == 409 and answer.json().get("errorcode") == _IN_FLIGHT
                if answer.status_code < 500 and answer.status_code != 429 and not in_flight:
                    return answer, unanswered
                unanswered += 1
                self.ledger.counts[f"requests answered {answer.status_code}"] += 1
            self.ledger.counts["requests sent again"] += 1
            await asyncio.sleep(_PAUSE)

    async def done(self, method: str, path: str, body: object = None, *, fine: tuple[int, ...] = ()) -> Any:
        """The reply of a request that must succeed, or be refused in one of these ways."""
        answer, _ = await self.call(method, path, body)
        if not answer.is_success and answer.status_code not in fine:
            self.ledger.faults.append(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer.json()

    async def _log_in(self) -> None:
        answer = await self._http.post("/v2/token", json={"grant_type": "client_credentials", **self._credentials})
        if answer.is_success:
            self._token = answer.json()["access_token"]
        elif answer.status_code < 500:
            raise AssertionError(answer.text)
        else:
            await asyncio.sleep(_PAUSE)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()
