"""Whether an address is worth keeping, asked before anything is sent to it: what sign-up forms ask."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Literal, TypeAlias

from postroom.content.address import Address, parse_address

Validator: TypeAlias = Literal["SyntaxValidator", "MXValidator", "ListDetectiveValidator", "GlobalUnsubValidator"]
TakesMail: TypeAlias = Callable[[str], Awaitable[bool]]

VALIDATORS: Mapping[str, Validator] = {
    "syntaxvalidator": "SyntaxValidator",
    "mxvalidator": "MXValidator",
    "listdetectivevalidator": "ListDetectiveValidator",
    "globalunsubvalidator": "GlobalUnsubValidator",
}
"""By the lower-case name a client may write."""

# Mailboxes of a function (RFC 2142), of programs, and what people type who don't want to be written to.
_NOBODY = frozenset(
    {
        "abuse", "devnull", "donotreply", "hostmaster", "invalid", "junk", "junkemail", "junkmail", "listserv",
        "mailerdaemon", "majordomo", "nobody", "noc", "noemail", "none", "noreply", "null", "postmaster", "privacy",
        "remove", "root", "spam", "subscribe", "unsubscribe", "usenet", "uucp", "webmaster", "www",
    }
)  # fmt: skip


async def failed_validator(
    text: str,
    validators: Iterable[Validator],
    *,
    takes_mail: TakesMail,
    suppressed: TakesMail,
) -> Validator | None:
    """The first of ``validators`` that the address does not pass, None when it passes all of them.

    ``takes_mail`` says of a domain whether its mail has somewhere to go, ``suppressed`` of an address whether it gets
    no mail. What is no address passes none of them.
    """
    address = parse_address(text)
    for validator in validators:
        if address is None or not await _passes(address, validator, takes_mail, suppressed):
            return validator
    return None


async def _passes(address: Address, validator: Validator, takes_mail: TakesMail, suppressed: TakesMail) -> bool:
    match validator:
        case "SyntaxValidator":
            return True
        case "MXValidator":
            return await takes_mail(address.domain)
        case "ListDetectiveValidator":
            local = address.local.lower().partition("+")[0]
            return "".join(each for each in local if each.isalnum()) not in _NOBODY
        case "GlobalUnsubValidator":
            return not await suppressed(address.wire)
