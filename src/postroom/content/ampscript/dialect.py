"""What an account decides about its templates: limits, contested points of the language, and what they may know."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

MissingName = Literal["fail", "empty", "keep"]


def _doc(sentence: str) -> dict[str, str]:
    """The metadata of a field: its line in the reference."""
    return {"doc": sentence}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one rendering may use up; passing one fails that message with the code named at ``count``."""

    source: int = field(default=5_000_000, metadata=_doc("characters of one template"))
    nodes: int = field(default=100_000, metadata=_doc("statements, values and calls of one template"))
    nesting: int = field(
        default=50, metadata=_doc("statements within statements, expressions within expressions; 50 at most")
    )
    loop_nesting: int = field(default=15, metadata=_doc("loops within loops; 15 at most"))
    steps: int = field(default=100_000, metadata=_doc("loop iterations, all loops together"))
    output: int = field(default=10_000_000, metadata=_doc("characters of all parts together"))
    blocks: int = field(default=200, metadata=_doc("content blocks and TreatAsContent calls"))
    block_depth: int = field(default=20, metadata=_doc("content blocks within content blocks"))
    lookups: int = field(default=200, metadata=_doc("reads of data extensions"))
    writes: int = field(default=100, metadata=_doc("writes to data extensions"))
    http: int = field(default=5, metadata=_doc("HTTP requests"))
    attachments: int = field(default=10, metadata=_doc("files attached with AttachFile"))
    attached_bytes: int = field(default=10_000_000, metadata=_doc("bytes of all attachments together"))
    rows: int = field(default=2_000, metadata=_doc("rows of one rowset"))
    text: int = field(default=5_000_000, metadata=_doc("characters of one value"))
    seconds: float = field(
        default=5.0,
        metadata=_doc(
            "seconds by the clock, what it waits for left out; looked at in every loop step and before every block, "
            "lookup and request"
        ),
    )
    pattern_seconds: float = field(default=0.2, metadata=_doc("seconds for one regular expression, XPath or JSONPath"))


@dataclass(frozen=True, slots=True)
class Key:
    """An entry of the account's key store; ``kind`` says what it may be used as."""

    kind: Literal["symmetric", "salt", "iv", "jwt", "rsa"]
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Account:
    """What templates can learn about the business unit they belong to."""

    account_id: int = 0
    name: str = ""
    enterprise_id: int = 0
    time_zone: str = "America/Chicago"  # IANA name, for SystemDateToLocalDate
    keys: Mapping[str, Key] = field(default_factory=dict)  # by folded name
    pages: Mapping[str, str] = field(default_factory=dict)  # CloudPagesURL: page id -> address
    page_secret: bytes = field(default=b"", repr=False)  # encrypts the parameters of page addresses
    public_url: str = ""  # where files of the business unit are served; no slash at its end
    web_analytics: str = ""  # what WAT prints


@dataclass(frozen=True, slots=True)
class Dialect:
    """How contested points are read (ampscript.md §13) and what a rendering may use."""

    missing_name: MissingName = field(
        default="fail",
        metadata=_doc("a %%Name%% or [Name] without a value: fail the message, print nothing (empty) or itself (keep)"),
    )
    null_when_unset: bool = field(default=False, metadata=_doc("IsNull of a variable that was never set"))
    null_default: bool = field(default=False, metadata=_doc("IsNullDefault gives its default outside forms"))
    digits_start_words: bool = field(
        default=False, metadata=_doc("ProperCase: a letter after a digit is a first letter")
    )
    blank_booleans: bool = field(
        default=True, metadata=_doc("a literal true/false in a string function prints nothing")
    )
    and_before_or: bool = field(
        default=False, metadata=_doc("AND binds tighter than OR; else both bind alike, left to right")
    )
    hour_24: bool = field(default=False, metadata=_doc('DatePart(…, "hour") counts to 24'))
    offset_in_round_trip: bool = field(default=False, metadata=_doc('FormatDate "o" ends in the offset'))
    rowset_flag_raises: bool = field(
        default=False, metadata=_doc("BuildRowset…: flag 1 raises, 0 gives an empty rowset")
    )
    lenient_markup: bool = field(
        default=False, metadata=_doc("decode entities and drop tags in blocks, outside strings")
    )
    repair_keywords: bool = field(default=False, metadata=_doc("read ELSEInsertDE( as ELSE InsertDE("))
    escape_html: bool = field(
        default=False, metadata=_doc("HTML-escape what personalization strings and expressions print in HTML parts")
    )
    guide_language: bool = field(default=True, metadata=_doc("read {{…}} tags"))
    limits: Limits = field(default_factory=Limits)
