"""Shapes of the routes of a token's business unit."""

from postroom.api.errors import Code
from postroom.api.shape import Shape
from postroom.api.wire.account import ShownAccount, WireAccount

_SHOWN = {
    "accountId": 100001,
    "name": "Shop",
    "language": "de",
    "timeZone": "Europe/Berlin",
    "street": "Hauptstr. 1",
    "city": "Berlin",
    "state": "",
    "postalCode": "10115",
    "country": "Germany",
    "webAnalytics": "",
    "trackingPrivacy": "private",
    "pages": {},
}

GET = Shape(replies={200: ShownAccount}, answer=_SHOWN)
CHANGE = Shape(
    WireAccount,
    {200: ShownAccount},
    (Code.INVALID_VALUE,),
    example={"trackingPrivacy": "private"},
    answer=_SHOWN,
)
