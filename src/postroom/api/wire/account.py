"""The token's business unit on the wire (Postroom's own)."""

import msgspec

from postroom.api.errors import ApiError, Code
from postroom.api.wire.decoding import decode, refuse_token_in
from postroom.tenancy.accounts import Account, AccountChange, AccountRejected, checked_change


class WireAccount(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """What of the business unit is to be otherwise; what is left out stays. A page whose address is null goes."""

    name: str | None = None
    language: str | None = None
    time_zone: str | None = None
    street: str | None = None
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None
    country: str | None = None
    web_analytics: str | None = None
    tracking_privacy: str | None = None
    pages: dict[str, str | None] = {}


class ShownAccount(msgspec.Struct, rename="camel"):
    """The business unit. ``trackingPrivacy`` is full, private, or server: as ``POSTROOM_TRACKING_PRIVACY`` says."""

    account_id: int
    name: str
    language: str
    time_zone: str
    street: str
    city: str
    state: str
    postal_code: str
    country: str
    web_analytics: str
    tracking_privacy: str
    pages: dict[str, str]


_CODES = {"": Code.INVALID_VALUE}
_account = msgspec.json.Decoder(WireAccount)


def read_account(body: bytes) -> AccountChange:
    """What a PATCH changes. Raises ApiError."""
    wire = decode(_account, body, _CODES)
    refuse_token_in(body)
    try:
        return checked_change(AccountChange(**msgspec.structs.asdict(wire)))
    except AccountRejected as rejected:
        raise ApiError(Code.INVALID_VALUE, str(rejected)) from None


def shown_account(account: Account) -> ShownAccount:
    """The business unit as replies show it."""
    return msgspec.convert(account, ShownAccount, from_attributes=True)
