"""What the order example makes of its attributes, worked out in plain Python for the demo's check.

Its template loops over the order's lines, adds, formats amounts and dates and decides by the kind of shipping. Here
the same is done by other means, with nothing of the code that composes mail, so that a mistake there shows.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple, TypeAlias

Values: TypeAlias = "Mapping[str, str | Sequence[Values]]"
"""Texts by name; a sequence is a section, shown once for each of its members with their own values."""

_SOURCES = frozenset({"OrderDate", "DeliveryDate", "Lines", "ShippingCost", "Culture", "Shipping"})
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_BLANK = "\u00a0"


class _Money(NamedTuple):
    """How a culture writes amounts: what stands before and after, between groups, before the decimals."""

    before: str
    after: str
    group: str = ","
    point: str = "."
    decimals: int = 2


_MONEY: Mapping[str, _Money] = {
    "en-GB": _Money("£", ""),
    "de-DE": _Money("", " €", ".", ","),
    "fr-FR": _Money("", " €", _BLANK, ","),
    "es-ES": _Money("", " €", ".", ","),
    "pl-PL": _Money("", " zł", _BLANK, ","),
    "nb-NO": _Money("", " kr", _BLANK, ","),
    "vi-VN": _Money("", " ₫", ".", ",", 0),
    "tr-TR": _Money("₺", "", ".", ","),
    "el-GR": _Money("", " €", ".", ","),
    "uk-UA": _Money("", " ₴", _BLANK, ","),
    "ar-AE": _Money("", " د.إ."),
    "he-IL": _Money("", " ₪"),
    "ja-JP": _Money("¥", "", decimals=0),
    "zh-CN": _Money("¥", ""),
    "ko-KR": _Money("₩", "", decimals=0),
    "th-TH": _Money("฿", ""),
    "hi-IN": _Money("₹", ""),
}
_LAKHS = frozenset({"hi-IN"})


def order_values(attributes: Mapping[str, str]) -> Values:
    """What follows from the attributes of an order; nothing for attributes of something else.

    Raises ValueError and KeyError for attributes that are no order's.
    """
    if not attributes.keys() >= _SOURCES:
        return {}
    culture = attributes["Culture"]
    shipping = Decimal(attributes["ShippingCost"])
    total = shipping
    lines: list[Values] = []
    for line in json.loads(attributes["Lines"], parse_float=Decimal):
        quantity, price = Decimal(line["quantity"]), Decimal(line["price"])
        total += quantity * price
        lines.append(
            {
                "Item": line["name"],
                "Quantity": str(line["quantity"]),
                "Price": money(price, culture),
                "Amount": money(quantity * price, culture),
                "Several": shown(quantity > 1),
            }
        )
    delivery = date.fromisoformat(attributes["DeliveryDate"])
    pickup = attributes["Shipping"] == "pickup"
    return {
        "OrderDay": _day(date.fromisoformat(attributes["OrderDate"])),
        "DeliveryDay": f"{_DAYS[delivery.weekday()]}, {_day(delivery)}",
        "PickupDay": f"{delivery.day} {_MONTHS[delivery.month - 1]}",
        "Lines": lines,
        "ShippingCharge": money(shipping, culture),
        "Charged": shown(shipping > 0),
        "Free": shown(shipping == 0),
        "Total": money(total, culture),
        "Home": shown(not pickup),
        "Pickup": shown(pickup),
    }


def shown(condition: bool) -> Sequence[Values]:
    """A section that is there once, or not at all."""
    return [{}] if condition else []


def money(amount: Decimal, culture: str) -> str:
    """An amount as the culture writes it."""
    rules = _MONEY[culture]
    rounded = amount.quantize(Decimal(1).scaleb(-rules.decimals), ROUND_HALF_UP)
    whole, _, cents = f"{rounded:f}".partition(".")
    groups: list[str] = []
    size = 3
    while len(whole) > size:
        groups.insert(0, whole[-size:])
        whole = whole[:-size]
        if culture in _LAKHS:
            size = 2
    digits = rules.group.join([whole, *groups])
    return f"{rules.before}{digits}{rules.point + cents if cents else ''}{rules.after}"


def _day(day: date) -> str:
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"
