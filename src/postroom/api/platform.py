"""What clients ask about the installation itself (contract §2): the token's context, and where the APIs are."""

import msgspec

from postroom.api.endpoint import Call
from postroom.api.errors import ApiError, Code
from postroom.api.reply import Reply

_encode = msgspec.json.Encoder().encode


class Platform:
    """The handlers. ``base_url`` ends with a slash."""

    def __init__(self, *, base_url: str) -> None:
        self._base_url = base_url

    async def token_context(self, call: Call) -> Reply:
        """GET /platform/v1/tokenContext: enterprise, organization and user are all the business unit."""
        unit = {"id": call.account_id}
        return Reply(_encode({"enterprise": unit, "organization": unit, "user": unit}))

    async def endpoints(self, call: Call) -> Reply:
        """GET /platform/v1/endpoints: REST is all there is."""
        items = [self._rest()]
        return Reply(_encode({"page": 1, "pageSize": 50, "count": len(items), "items": items}))

    async def endpoint(self, call: Call) -> Reply:
        """GET /platform/v1/endpoints/{type}."""
        kind = call.key("type")
        if kind.lower() != "rest":
            raise ApiError(Code.NOT_FOUND, f"there is no endpoint of type {kind[:50]!r}; there is rest")
        return Reply(_encode(self._rest()))

    def _rest(self) -> dict[str, str]:
        return {"type": "rest", "url": self._base_url}
