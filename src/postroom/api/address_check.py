"""The route that says whether an address is valid (the vendor's POST /address/v1/validateEmail)."""

import msgspec
from msgspec import UNSET, UnsetType

from postroom.api.endpoint import Call
from postroom.api.errors import ApiError, Code
from postroom.api.reply import Reply
from postroom.api.shape import Route, Shape
from postroom.api.wire.decoding import decode, refuse_token_in, storable
from postroom.audience.address_check import VALIDATORS, TakesMail, Validator, failed_validator
from postroom.audience.suppression import AddressInvalid, suppressed
from postroom.store.database import Pool

ASKING = frozenset({"email_read", "email_send", "audiences_read", "list_and_subscribers_read"})

_encode = msgspec.json.Encoder().encode


class WireCheck(msgspec.Struct):
    """An address, and what it has to pass, in this order."""

    email: str | None = None
    validators: list[str] | None = None


class CheckedAddress(msgspec.Struct, rename="camel"):
    """Whether it passes; if not, what it did not pass first."""

    email: str
    valid: bool
    failed_validation: Validator | UnsetType = UNSET


_check = msgspec.json.Decoder(WireCheck)

CHECK = Shape(
    WireCheck,
    {200: CheckedAddress},
    (Code.REQUIRED,),
    required=("email", "validators"),
    example={"email": "ann@example.org", "validators": ["SyntaxValidator", "ListDetectiveValidator"]},
    answer={"email": "ann@example.org", "valid": True},
)


class AddressCheck:
    """The handler. ``takes_mail`` asks the DNS about a domain."""

    def __init__(self, pool: Pool, takes_mail: TakesMail) -> None:
        self._pool = pool
        self._takes_mail = takes_mail

    def routes(self) -> list[Route]:
        """The route."""
        return [Route("POST", "/address/v1/validateEmail", ASKING, self.check, CHECK)]

    async def check(self, call: Call) -> Reply:
        """POST /validateEmail: nothing is sent, and nothing kept."""
        body = await call.json_body()
        wire = decode(_check, body)
        refuse_token_in(body)
        storable({"email": wire.email})
        if wire.email is None:
            raise ApiError(Code.REQUIRED, "email is required")
        if not wire.validators:
            raise ApiError(Code.REQUIRED, f"validators is required: one or more of {', '.join(VALIDATORS.values())}")
        validators = [_validator(name) for name in wire.validators]

        async def is_suppressed(address: str) -> bool:
            try:
                return bool(await suppressed(self._pool, call.account_id, [address]))
            except AddressInvalid:
                return False

        failed = await failed_validator(
            wire.email, dict.fromkeys(validators), takes_mail=self._takes_mail, suppressed=is_suppressed
        )
        return Reply(_encode(CheckedAddress(wire.email, failed is None, UNSET if failed is None else failed)))


def _validator(name: str) -> Validator:
    known = VALIDATORS.get(name.lower())
    if known is None:
        raise ApiError(
            Code.INVALID_VALUE, f"validators holds {name[:50]!r}; known are {', '.join(VALIDATORS.values())}"
        )
    return known
