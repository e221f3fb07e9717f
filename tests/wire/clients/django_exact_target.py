"""django-exact-target, a program of its own: what came back is printed as JSON. Only its two addresses are others."""

import json
import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(sys.prefix) / "clients"))

from django.conf import settings


def main(given: dict[str, Any]) -> dict[str, Any]:
    settings.configure(EXACT_TARGET_CLIENT_ID=given["client_id"], EXACT_TARGET_CLIENT_SECRET=given["client_secret"])
    from exacttarget.exceptions import TriggeredSendException
    from exacttarget.messages import TriggeredSend
    from exacttarget.token import TokenGenerator

    TokenGenerator.url = given["url"] + "/v1/requestToken"
    TriggeredSend.url_base = given["url"] + "/messaging/v1/messageDefinitionSends"
    send = TriggeredSend("order")
    seen: dict[str, Any] = {"sent": send.dispatch("ann@example.org", {"FirstName": "Ann"})}
    try:
        send.dispatch("", {})
    except TriggeredSendException as error:
        seen["refused"] = str(error)
    return seen


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
