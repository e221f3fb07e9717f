"""pysfmc, a program of its own: what came back is printed as JSON. Only its token URL is another."""

import json
import sys
from typing import Any

import httpx
from pydantic import SecretStr
from pysfmc.auth import SFMCSettings
from pysfmc.client import SFMCClient
from pysfmc.exceptions import SFMCAuthenticationError, SFMCError


class LocalSettings(SFMCSettings):
    """The settings, with a base URL of our own."""

    base_url: str

    @property
    def auth_base_url(self) -> SecretStr:
        return SecretStr(self.base_url)


def main(given: dict[str, Any]) -> dict[str, Any]:
    settings = LocalSettings(
        client_id=SecretStr(given["client_id"]),
        client_secret=SecretStr(given["client_secret"]),
        account_id=SecretStr(str(given["account_id"])),
        subdomain=SecretStr("none"),
        base_url=given["url"],
    )
    seen: dict[str, Any] = {}
    with httpx.Client() as http:
        client = SFMCClient(settings, http)
        views = given["asset"]["views"]
        asset = client.assets.content.create_asset(
            "order-email", "htmlemail", 208, customer_key="order-email", views=views
        )
        seen["asset"] = [asset.id, asset.customer_key, asset.asset_type.name if asset.asset_type else None]
        seen["read"] = client.assets.query.get_asset_by_id(asset.id or 0).name
        found = client.assets.query.get_assets(filter_expr="name like 'order'", order_by="name desc", page_size=5)
        seen["found"] = [found.count, [item.name for item in found.items]]
        root = client.assets.categories.get_categories(order_by="name asc").items[0]
        folder = client.assets.categories.create_category("Mails", root.id)
        seen["folder"] = [folder.name, client.assets.categories.delete_category_by_id(folder.id)]
        seen["categories"] = [category.name for category in client.assets.categories.get_categories().items]
        seen["definition"] = client.post("/messaging/v1/email/definitions", json=given["definition"])
        seen["send"] = client.post("/messaging/v1/email/messages", json=given["send"])
        seen["status"] = client.get(f"/messaging/v1/email/messages/{given['messageKey']}")
        for name, work in (
            ("unknown", lambda: client.get("/messaging/v1/email/definitions/nothing")),
            ("invalid", lambda: client.post("/messaging/v1/email/definitions", json={})),
        ):
            try:
                work()
            except SFMCError as error:
                seen[name] = [type(error).__name__, str(error)]
        seen["removed"] = client.assets.content.delete_asset(asset.id or 0)
        wrong = settings.model_copy(update={"client_secret": SecretStr("wrong")})
        try:
            SFMCClient(wrong, http).get("/platform/v1/tokenContext")
        except SFMCAuthenticationError as error:
            seen["refused"] = type(error).__name__
    return seen


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
