"""FuelSDK for Python (its maintained successor), a program of its own: what came back is printed as JSON.

It makes a SOAP client before its first call, from a WSDL file; REST is all that is called here.
"""

import json
import sys
from pathlib import Path
from typing import Any

import ET_Client
from FuelSDK.rest import ET_DeleteRest, ET_GetRest, ET_PatchRest, ET_PostRest

WSDL = Path(__file__).with_name("soap.wsdl")


def main(given: dict[str, Any]) -> dict[str, tuple[int, Any]]:
    legacy = given["legacy"]
    client = ET_Client.ET_Client(
        False,
        False,
        {
            "clientid": given["client_id"],
            "clientsecret": given["client_secret"],
            "authenticationurl": given["url"] + ("/v1/requestToken" if legacy else ""),
            "useOAuth2Authentication": str(not legacy),
            "accountId": str(given["account_id"]),
            "baseapiurl": given["url"],
            "wsdl_file_local_loc": str(WSDL),
        },
    )
    seen: dict[str, tuple[int, Any]] = {}
    base = client.base_api_url + "/"

    def keep(name: str, reply: Any) -> None:
        seen[name] = (reply.code, reply.results)

    keep("asset", ET_PostRest(client, base + "asset/v1/content/assets", given["asset"]))
    keep("definition", ET_PostRest(client, base + "messaging/v1/email/definitions", given["definition"]))
    keep("list", ET_GetRest(client, base + "messaging/v1/email/definitions", {"$page": 1, "$pageSize": 10}))
    keep("send", ET_PostRest(client, base + "messaging/v1/email/messages", given["send"]))
    keep("status", ET_GetRest(client, base + "messaging/v1/email/messages/" + given["messageKey"], {}))
    keep("patch", ET_PatchRest(client, base + "messaging/v1/email/definitions/order", {"description": "x"}))
    keep("unknown", ET_GetRest(client, base + "messaging/v1/email/definitions/nothing", {}))
    keep("deleted", ET_DeleteRest(client, base + "messaging/v1/email/definitions/order"))
    return seen


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
