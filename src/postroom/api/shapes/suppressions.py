"""Shapes of the suppression routes."""

from postroom.api.errors import Code
from postroom.api.shape import Shape, TextOf
from postroom.api.wire.suppressions import (
    Imported,
    Removed,
    ShownSuppression,
    SuppressionPage,
    WireImport,
    WireSuppression,
)

_TIME = "2026-01-05T09:00:00Z"
_SUPPRESSION = {
    "id": 7,
    "address": "ann@example.org",
    "cause": "manual",
    "evidence": "asked by phone",
    "created": _TIME,
    "changed": _TIME,
    "expires": None,
}
_ASKED = {"address": "ann@example.org", "evidence": "asked by phone"}
_CSV = "address,cause,evidence,expires\r\nann@example.org,manual,asked by phone,\r\nben@example.org,,,2027-01-05\r\n"
_NDJSON = '{"address":"ann@example.org","cause":"manual"}\n{"address":"ben@example.org","expires":"2027-01-05"}\n'

LIST = Shape(
    replies={200: SuppressionPage},
    query=("$pageSize", "after", "address", "containing", "cause", "expired"),
    answer={"items": [_SUPPRESSION], "count": 1, "pageSize": 50, "next": None},
)
ADD = Shape(
    WireSuppression,
    {201: ShownSuppression, 200: ShownSuppression},
    (Code.REQUIRED,),
    required=("address",),
    example=_ASKED,
    answer=_SUPPRESSION,
)
REMOVE_ADDRESS = Shape(
    replies={200: Removed}, errors=(Code.REQUIRED,), query=("address", "cause"), answer={"removed": 1}
)
IMPORT = Shape(
    WireImport,
    {200: Imported},
    (Code.REQUIRED,),
    required=("items",),
    query=("cause",),
    example={"items": [_ASKED, {"address": "ben@example.org", "expires": "2027-01-05"}]},
    answer={
        "added": 1,
        "known": 0,
        "rejected": 1,
        "problems": [{"line": 2, "problem": "'ben' is not an email address"}],
    },
    texts={"text/csv": _CSV, "application/x-ndjson": _NDJSON},
)
EXPORT = Shape(
    replies={200: TextOf({"text/csv": _CSV, "application/x-ndjson": _NDJSON})},
    query=("format", "cause"),
)
ONE = Shape(replies={200: ShownSuppression}, errors=(Code.NOT_FOUND,), answer=_SUPPRESSION)
