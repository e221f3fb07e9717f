"""Opens and clicks as they are answered: from the token alone, and to nowhere else than it says."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom.api.tracking import Tracking, location
from postroom.content.link_tokens import LinkMessage, LinkTokens, link_part
from postroom.events.engagement import Engagement, Hit

TOKENS = LinkTokens({1: bytes(32)})
MESSAGE = LinkMessage(100001, 7, 3, 42, UUID("01890f3e-0000-7000-8000-0123456789ab"))


class Gathering(Engagement):
    """Keeps hits, and writes nothing."""

    def __init__(self) -> None:
        self.hits: list[Hit] = []

    @property
    def hint_names(self) -> frozenset[bytes]:
        return frozenset({b"purpose"})

    def take(self, hit: Hit) -> None:
        self.hits.append(hit)


def click_token(target: str = "https://shop.example/") -> str:
    link = link_part(1, target)
    assert link is not None
    return TOKENS.head(MESSAGE).click(link)


async def ask(
    path: str, method: str = "GET", headers: tuple[tuple[bytes, bytes], ...] = ()
) -> tuple[int, dict[bytes, bytes], bytes, list[Hit]]:
    gathering = Gathering()
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("the body is of no interest")

    scope: Any = {
        "type": "http",
        "method": method,
        "raw_path": path.encode("latin-1"),
        "headers": list(headers),
        "client": ("192.0.2.7", 1),
    }
    await Tracking(TOKENS, gathering, clock=lambda: 17.0)(scope, receive, send)
    start, body = sent
    return start["status"], dict(start["headers"]), body["body"], gathering.hits


async def test_a_click_is_sent_on_and_kept() -> None:
    status, headers, body, hits = await ask(
        f"/t/c/{click_token()}", headers=((b"user-agent", b"Chrome"), (b"purpose", b"Prefetch"), (b"x", b"y"))
    )
    assert (status, headers[b"location"], body) == (302, b"https://shop.example/", b"")
    (hit,) = hits
    assert (hit.token.message, hit.at, hit.method) == (MESSAGE, 17.0, "GET")
    assert (hit.address, hit.user_agent, hit.hints) == ("192.0.2.7", "Chrome", ("purpose: prefetch",))


async def test_an_open_is_an_image_that_nobody_keeps() -> None:
    status, headers, body, hits = await ask(f"/t/o/{TOKENS.head(MESSAGE).token('open')}")
    assert (status, headers[b"content-type"], headers[b"cache-control"]) == (200, b"image/gif", b"no-store, private")
    assert len(body) == int(headers[b"content-length"]) == 43
    assert [hit.token.kind for hit in hits] == ["open"]


@pytest.mark.parametrize("kind", ["c", "o"])
async def test_head_is_answered_without_a_body(kind: str) -> None:
    token = click_token() if kind == "c" else TOKENS.head(MESSAGE).token("open")
    status, _, body, hits = await ask(f"/t/{kind}/{token}", "HEAD")
    assert (status, body) == (302 if kind == "c" else 200, b"")
    assert [hit.method for hit in hits] == ["HEAD"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
async def test_other_methods_do_nothing(method: str) -> None:
    status, headers, _, hits = await ask(f"/t/c/{click_token()}", method)
    assert (status, headers[b"allow"], hits) == (405, b"GET, HEAD", [])


@pytest.mark.parametrize(
    "path",
    [
        "/t/c/",
        "/t/c/nonsense",
        "/t/c/https://evil.example/",
        "/t/c/" + click_token()[:-1],
        "/t/c/" + click_token() + "/",
        "/t/o/" + click_token(),
        "/t/c/" + TOKENS.head(MESSAGE).token("open"),
        "/t/c/" + TOKENS.head(MESSAGE).token("unsubscribe"),
        "/t/c/" + "A" * 100_000,
        "/t/c/\xff",
    ],
)
async def test_attack_link_that_the_server_did_not_make(path: str) -> None:
    status, headers, body, hits = await ask(path)
    assert (status, hits) == (404, [])
    assert b"location" not in headers
    assert len(body) == int(headers[b"content-length"])


async def test_the_probe_of_the_tracking_domain_is_not_recorded() -> None:
    nobody = LinkMessage(0, 0, 0, 0, UUID(int=0))
    status, _, _, hits = await ask(f"/t/o/{TOKENS.head(nobody).token('open')}")
    assert (status, hits) == (200, [])


@settings(deadline=None)
@given(st.text(max_size=100))
def test_attack_header_injection_by_a_target(text: str) -> None:
    """Whatever a target holds, Location is one line of printable ASCII."""
    assert set(location(f"https://a.example/{text}")) <= set(range(33, 127))


@pytest.mark.parametrize(
    ("target", "value"),
    [
        ("https://a.example/x?y=%20&z=1#f", b"https://a.example/x?y=%20&z=1#f"),
        ("https://a.example/ä?ö=ü", b"https://a.example/%C3%A4?%C3%B6=%C3%BC"),
        ("https://bücher.example:8443/ä", b"https://xn--bcher-kva.example:8443/%C3%A4"),
        ('https://a.example/"<x>|^`{}\\', b"https://a.example/%22%3Cx%3E%7C%5E%60%7B%7D%5C"),
    ],
)
def test_an_address_is_sent_as_it_was_meant(target: str, value: bytes) -> None:
    assert location(target) == value
