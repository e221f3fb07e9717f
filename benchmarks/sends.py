"""What the benchmarks send: the order mail of `benchmarks.compose` as an asset and a definition, and send requests
as a real client writes them: own message keys, an address, and 12 personal values for each recipient."""

import json
from collections.abc import Sequence

import msgspec
from benchmarks.compose import NAMES, content, contexts
from benchmarks.http_load import call, request

MANY = "/messaging/v1/email/messages"
BATCH = 2000
DEFINITION_KEY = "bench-order"


class SetupRefused(Exception):
    """The server did not take the asset, the definition or the token request."""


class Recipients:
    """People with their 12 values; the same person has the same values in every run.

    With `domains` their addresses are there, one after the other and round again.
    """

    def __init__(self, count: int, domains: Sequence[str] = ()) -> None:
        encode = msgspec.json.Encoder().encode
        self._people = [
            (
                f"{context.address.partition('@')[0]}@{domains[place % len(domains)]}" if domains else context.address,
                encode(dict(zip(NAMES, context.attributes.values(), strict=True))),
            )
            for place, context in enumerate(contexts(count))
        ]

    def body(self, run: str, first: int, count: int, *, new_contacts: bool) -> bytes:
        """The body of one request for people `first` and following. Message keys are the run's own.

        With `new_contacts` so are the contact keys: the server has never seen these people.
        """
        who = run if new_contacts else "c"
        recipients = b",".join(
            b'{"contactKey":"%b-%d","to":"%b","messageKey":"%b-%d","attributes":%b}'
            % (who.encode(), place, address.encode(), run.encode(), place, attributes)
            for place, (address, attributes) in enumerate(self._people[first : first + count], first)
        )
        return b'{"definitionKey":"%b","recipients":[%b]}' % (DEFINITION_KEY.encode(), recipients)

    def requests(
        self, run: str, count: int, *, batch: int, host: str, token: str, new_contacts: bool = False
    ) -> list[bytes]:
        """HTTP requests for `count` messages, `batch` recipients each."""
        return [
            request(
                "POST",
                MANY,
                self.body(run, first, min(batch, count - first), new_contacts=new_contacts),
                host=host,
                token=token,
            )
            for first in range(0, count, batch)
        ]


def single_template(placeholder: str) -> bytes:
    """The body of a single send, with a placeholder where the person's number belongs."""
    order = ("Anna", "Meyer", f"A-{placeholder}", "11/23/2026", "49.95", "EUR")
    parcel = ("DHL", f"JD0146{placeholder}", "Lindenstr. 12", "Hamburg", "20095", "Germany")
    body = {
        "definitionKey": DEFINITION_KEY,
        "recipient": {
            "contactKey": f"s-{placeholder}",
            "to": f"person.{placeholder}@mail.example.com",
            "attributes": dict(zip(NAMES, (*order, *parcel), strict=True)),
        },
    }
    return json.dumps(body, separators=(",", ":")).encode()


async def fetch_token(address: tuple[str, int], client_id: str, client_secret: str) -> str:
    """An access token for these credentials."""
    wanted = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
    status, body = await call(address, "POST", "/v2/token", json.dumps(wanted).encode())
    _expect("POST /v2/token", status, (200,), body)
    return str(json.loads(body)["access_token"])


async def create_definition(address: tuple[str, int], token: str) -> None:
    """The asset and the active definition, made by HTTP as a client does."""
    mail = content()
    asset = {
        "name": "Order on its way",
        "customerKey": "bench-order-mail",
        "assetType": {"id": 208, "name": "htmlemail"},
        "views": {
            "html": {"content": mail.html},
            "text": {"content": mail.text},
            "subjectline": {"content": mail.subject},
            "preheader": {"content": mail.preheader},
        },
    }
    definition = {
        "definitionKey": DEFINITION_KEY,
        "name": "Order on its way",
        "status": "Active",
        "content": {"customerKey": "bench-order-mail"},
        "subscriptions": {"list": "All Subscribers", "autoAddSubscriber": True, "updateSubscriber": True},
    }
    for path, wanted in (("/asset/v1/content/assets", asset), ("/messaging/v1/email/definitions", definition)):
        status, body = await call(address, "POST", path, json.dumps(wanted).encode(), token=token)
        _expect(f"POST {path}", status, (200, 201), body)


def _expect(what: str, status: int, wanted: Sequence[int], body: bytes) -> None:
    if status not in wanted:
        raise SetupRefused(f"{what} was answered with {status}: {body[:500].decode(errors='replace')}")
