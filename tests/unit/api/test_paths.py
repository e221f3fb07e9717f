"""Paths and queries as clients write them."""

import contextlib
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.api.errors import ApiError, Code
from postroom.api.paths import Match, RouteTable, key_text, query_fields, raw_path_of

TABLE = RouteTable(
    ["/messaging/v1/email/messages", "/messaging/v1/email/messages/{key}", "/d/{key}/queue", "/d/all/queue"],
    any_prefix=["/v2/token"],
)


@pytest.mark.parametrize(
    ("path", "canonical", "keys"),
    [
        (b"/messaging/v1/email/messages", "/messaging/v1/email/messages", ()),
        (b"/messaging/v1/email/messages/", "/messaging/v1/email/messages", ()),
        (b"//Messaging//V1/EMAIL/messages//", "/messaging/v1/email/messages", ()),
        (b"/messaging/v1/email/messages/K%2Fk", "/messaging/v1/email/messages/-", (b"K%2Fk",)),
        (b"/messaging/v1/email/m%65ssages/a%252Fb", "/messaging/v1/email/messages/-", (b"a%252Fb",)),
        (b"/d/x/queue", "/d/-/queue", (b"x",)),
        (b"/D/ALL/Queue", "/d/all/queue", ()),
        (b"/v2/token", "/v2/token", ()),
        (b"/https://x.auth.marketingcloudapis.com/v2/token", "/v2/token", ()),
    ],
)
def test_known_paths(path: bytes, canonical: str, keys: tuple[bytes, ...]) -> None:
    assert TABLE.match(path) == Match(canonical, keys)


@pytest.mark.parametrize("path", [b"", b"/", b"/messaging", b"/messaging/v1/email%2Fmessages", b"/v2", b"/v2/token/x"])
def test_other_paths_are_left_alone(path: bytes) -> None:
    assert TABLE.match(path) is None


@given(st.text(min_size=1).filter(lambda text: "\0" not in text))
def test_any_key_survives_its_way_through_the_path(key: str) -> None:
    match = TABLE.match(b"/messaging/v1/email/messages/" + quote(key, safe="").encode())
    assert match is not None
    assert key_text(match.keys[0], "messageKey") == key


@pytest.mark.parametrize("raw", [b"%00", b"a\0", b"%ff", b"%ed%a0%80"])
def test_a_key_that_is_no_storable_text_is_10005(raw: bytes) -> None:
    with pytest.raises(ApiError, match="messageKey") as raised:
        key_text(raw, "messageKey")
    assert raised.value.code is Code.INVALID_VALUE


def test_the_raw_path_is_made_where_a_server_gives_none() -> None:
    assert raw_path_of({"path": "/a b", "raw_path": b"/x"}) == b"/x"
    assert raw_path_of({"path": "/ä b"}) == b"/%C3%A4%20b"


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        (b"", {}),
        (b"$page=1&%24pageSize=2", {"page": "1", "pagesize": "2"}),
        (b"PAGE=1&page=2", {"page": "2"}),
        (b"$filter=status+neq%20deleted", {"filter": "status neq deleted"}),
        (b"a=&b", {"a": "", "b": ""}),
        (b"x=1%2B1", {"x": "1+1"}),
    ],
)
def test_queries(query: bytes, fields: dict[str, str]) -> None:
    assert query_fields(query) == fields


@pytest.mark.parametrize("query", [b"a=%ff", b"\xff=1", b"&".join(b"a%d=1" % n for n in range(101))])
def test_a_query_that_cannot_be_read_is_10003(query: bytes) -> None:
    with pytest.raises(ApiError) as raised:
        query_fields(query)
    assert raised.value.code is Code.BAD_FORMAT


@given(st.binary())
def test_no_bytes_make_matching_or_reading_fail_otherwise(raw: bytes) -> None:
    TABLE.match(raw)
    with contextlib.suppress(ApiError):
        query_fields(raw)
    with contextlib.suppress(ApiError):
        key_text(raw, "key")
