"""Identifiers and addresses: GUID, tests of mail addresses and phone numbers, LongSFID (ampscript.md §14)."""

import re
from typing import Final

from postroom.content.ampscript.functions.registry import function
from postroom.content.ampscript.run import Run
from postroom.content.ampscript.values import to_text

_LOCAL = r"[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*"
_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_EMAIL = re.compile(rf"{_LOCAL}@(?:{_LABEL}\.)+[^\W\d_](?:[\w-]{{0,61}}[^\W_])")
_NANP = re.compile(r"[2-9][0-9]{2}[2-9][0-9]{6}")
_SEPARATORS: Final = str.maketrans("", "", "-. ()")
_CHECK: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


@function("GUID", maximum=0, doc="A new random UUID of version 4 at every call, in small letters.", category="Utility")
def guid(run: Run) -> str:
    return run.new_guid()


@function(
    "IsEmailAddress",
    minimum=1,
    maximum=1,
    params="text",
    doc="Whether the text is written like a mail address with a dotted domain; blanks are not cut off.",
    kind="Boolean",
    category="Utility",
)
def is_email_address(run: Run, text: object) -> bool:
    address = to_text(text)
    return len(address) <= 320 and _EMAIL.fullmatch(address) is not None


@function(
    "IsPhoneNumber",
    minimum=1,
    maximum=1,
    params="text",
    doc="Whether the text is a North American phone number of ten digits.",
    kind="Boolean",
    category="Utility",
)
def is_phone_number(run: Run, text: object) -> bool:
    return _NANP.fullmatch(to_text(text).translate(_SEPARATORS)) is not None


@function(
    "Domain",
    minimum=1,
    maximum=1,
    params="email",
    doc="Everything behind the first @, as it is written; nothing without one.",
    category="Utility",
)
def domain(run: Run, email: object) -> str:
    return to_text(email).partition("@")[2]


@function(
    "LongSFID",
    minimum=1,
    maximum=1,
    params="id15",
    doc="The 18-character form of a 15-character Salesforce id; anything else as it is.",
    category="Salesforce CRM",
)
def long_sfid(run: Run, short: object) -> str:
    text = to_text(short)
    if len(text) != 15 or not (text.isascii() and text.isalnum()):
        return text
    check = ""
    for start in (0, 5, 10):
        bits = sum(1 << place for place, letter in enumerate(text[start : start + 5]) if letter.isupper())
        check += _CHECK[bits]
    return text + check
