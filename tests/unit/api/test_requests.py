"""Reading requests: media types and bodies."""

from collections.abc import Iterator

import pytest
from litestar.types import Receive

from postroom.api.errors import ApiError, Code
from postroom.api.requests import ClientGone, Head, read_body, read_head


@pytest.mark.parametrize(
    ("content_type", "is_json"),
    [
        (b"", True),
        (b"application/json", True),
        (b"Application/JSON", True),
        (b"application/json; charset=utf-8", True),
        (b'application/json;charset="UTF-8"', True),
        (b"application/json; charset=us-ascii", True),
        (b"application/json; version=1", True),
        (b"application/json; charset=latin-1", False),
        (b"application/jsonp", False),
        (b"text/json", False),
        (b"application/x-www-form-urlencoded", False),
        (b"multipart/form-data; boundary=application/json", False),
    ],
)
def test_media_types(content_type: bytes, is_json: bool) -> None:
    assert read_head([(b"content-type", content_type)]).is_json is is_json


def test_the_headers_that_matter() -> None:
    head = read_head([(b"host", b"x"), (b"authorization", b"Bearer t"), (b"content-length", b"12")])
    assert (head.authorization, head.content_length, head.content_type) == (b"Bearer t", 12, b"")
    assert read_head([]).content_length == -1


def receiving(*parts: bytes, gone: bool = False) -> Receive:
    def messages() -> Iterator[dict[str, object]]:
        for place, part in enumerate(parts):
            more = gone or place < len(parts) - 1
            yield {"type": "http.request", "body": part, "more_body": more}
        yield {"type": "http.disconnect"}

    left = messages()

    async def receive() -> dict[str, object]:
        return next(left)

    return receive  # type: ignore[return-value]


async def test_a_body_is_joined_and_loses_its_byte_order_mark() -> None:
    assert await read_body(receiving(b"\xef\xbb\xbf{", b"", b"}"), Head(), 10) == b"{}"
    assert await read_body(receiving(b""), Head(), 10) == b""


async def test_an_oversized_body_is_refused_by_its_announcement_and_by_its_bytes() -> None:
    for receive, head in (
        (receiving(), read_head([(b"content-length", b"11")])),
        (receiving(b"123456", b"123456"), Head()),
    ):
        with pytest.raises(ApiError) as raised:
            await read_body(receive, head, 10)
        assert raised.value.code is Code.BODY_TOO_LARGE
    assert await read_body(receiving(b"1234567890"), Head(), 10) == b"1234567890"


async def test_a_client_that_leaves_is_noticed() -> None:
    with pytest.raises(ClientGone):
        await read_body(receiving(b"{", gone=True), Head(), 10)
