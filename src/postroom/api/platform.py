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
        """GET /platform/v1/endpoints."""
        items = [{"type": kind, "url": url} for kind, url in self._urls().items()]
        return Reply(_encode({"page": 1, "pageSize": 50, "count": len(items), "items": items}))

    async def endpoint(self, call: Call) -> Reply:
        """GET /platform/v1/endpoints/{type}; of the vendor's three, FTP is not offered."""
        kind = call.key("type")
        urls = self._urls()
        url = urls.get(kind.lower())
        if url is None:
            offered = " and ".join(urls)
            raise ApiError(Code.NOT_FOUND, f"there is no endpoint of type {kind[:50]!r}; there are {offered}")
        return Reply(_encode({"type": kind.lower(), "url": url}))

    def _urls(self) -> dict[str, str]:
        # Older clients ask for the SOAP address when they start and can't without it; calls to it are 404.
        return {"rest": self._base_url, "soap": self._base_url + "Service.asmx"}
