"""What a personalization string ``%%Name%%`` stands for (ampscript.md §10).

A name is looked up among the attributes, then the profile, then what delivery says about the send
(``Context.system``), then here. Dates are the vendor's system time, UTC-06:00 all year.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone

from .attributes import value_text
from .link_tokens import Kind
from .model import Context

SYSTEM_TIME = timezone(timedelta(hours=-6))

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def _now(context: Context) -> datetime:
    return context.accepted_at.astimezone(SYSTEM_TIME)


def _short_date(context: Context) -> str:
    now = _now(context)
    return f"{now.month}/{now.day}/{now.year}"


def _long_date(context: Context) -> str:
    now = _now(context)
    return f"{_DAYS[now.weekday()]}, {_MONTHS[now.month - 1]} {now.day}, {now.year}"


def _full_name(context: Context) -> str | None:
    found: list[str] = []
    known = False
    for name in ("firstname", "lastname"):
        for values in (context.attributes, context.profile):
            if name in values:
                known = True
                found.append(value_text(values[name]))
                break
    return " ".join(part for part in found if part) if known else None


def _page(context: Context, kind: Kind) -> str:
    """Without links, as in a preview, there is no message that a page could be of."""
    return "" if context.links is None else context.links.page(kind)


PAGES = frozenset({"view_email_url", "unsub_center_url", "profile_center_url", "subscription_center_url"})
"""Names that print the address of a page behind a signed link."""

COMPUTED: Mapping[str, Callable[[Context], str | None]] = {
    "emailaddr": lambda context: context.address,
    # the two columns every send data extension has (contract §4.3)
    "emailaddress": lambda context: context.address,
    "subscriberkey": lambda context: context.contact_key,
    "_subscriberkey": lambda context: context.contact_key,
    "fullname": _full_name,
    "_messagecontext": lambda context: "SEND",
    "_istestsend": lambda context: "False",
    "view_email_url": lambda context: _page(context, "view"),
    "unsub_center_url": lambda context: _page(context, "unsubscribe"),
    "profile_center_url": lambda context: _page(context, "profile"),
    "subscription_center_url": lambda context: _page(context, "subscriptions"),
    "xtmonth": lambda context: _MONTHS[_now(context).month - 1],
    "xtmonthnumeric": lambda context: str(_now(context).month),
    "xtday": lambda context: str(_now(context).day),
    "xtdayofweek": lambda context: _DAYS[_now(context).weekday()],
    "xtyear": lambda context: str(_now(context).year),
    "xtshortdate": _short_date,
    "xtlongdate": _long_date,
}
"""Names that follow from the context; None means that the context does not know it either."""

WITHOUT_SOURCE = frozenset(
    {
        "subscriberid",
        "listid", "_listname", "list_", "listsubid",
        "jobid", "_jobsubscriberbatchid", "emailname_", "_emailid",
        "_datasourcename", "_sourcede",
        "memberid", "member_busname", "member_addr", "member_city", "member_state", "member_postalcode",
        "member_country",
        "ftaf_url", "double_opt_in_url",
        "linkname", "_impressionregionid", "pageurl",
    }
)  # fmt: skip
"""System names that print nothing unless ``Context.system`` has them."""

LINK_NAME = "linkname"
"""In the address of a counted link with an alias it prints that; elsewhere nothing."""

REGION_NAME = "_impressionregionname"
"""The impression region that is open where it stands; nothing outside of one."""

DERIVED = frozenset({"_preheader", "replyname", "replyemailaddress", "_messagetypepreference", REGION_NAME})
"""System names that follow from the content itself; the compiler resolves them."""


SYSTEM_NAMES = frozenset(COMPUTED) | WITHOUT_SOURCE | DERIVED
"""Every name that has a value, or prints nothing, whatever a send carries."""


def mobile_only(name: str) -> bool:
    """Whether the folded ``name`` belongs to mobile messages. MOBILE_NUMBER and SHORT_CODE are not among them:
    both are also ordinary attribute names."""
    return name == "_carrierid"


def names_of(
    context: Context, derived: Callable[[str], tuple[bool, object]] | None = None
) -> Callable[[str], tuple[bool, object]]:
    """Finds the value of a folded name for one message, in the order of this module; ``derived`` answers for the
    names of DERIVED."""
    attributes, profile, system = context.attributes, context.profile, context.system

    def find(name: str) -> tuple[bool, object]:
        if name in attributes:
            return True, attributes[name]
        if name in profile:
            return True, profile[name]
        if name in system:
            return True, system[name]
        computed = COMPUTED.get(name)
        if computed is not None:
            value = computed(context)
            return value is not None, value
        if name in WITHOUT_SOURCE:
            return True, ""
        return derived(name) if derived is not None and name in DERIVED else (False, None)

    return find
