"""Tokens of links: what goes in comes out, and nothing that was not made here is believed."""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom.content.link_tokens import (
    KINDS,
    LONGEST_NAME,
    LONGEST_TARGET,
    LONGEST_TOKEN,
    Kind,
    LinkMessage,
    LinkTokens,
    Token,
    TokenKeyUnknown,
    link_part,
    varint,
)

KEY = bytes(range(32))
TOKENS = LinkTokens({1: KEY})
MESSAGE = LinkMessage(100001, 7, 3, 42, UUID("01890f3e-0000-7000-8000-0123456789ab"))
SHOP = "https://shop.example/orders?id=7&x=ä#top"

number = st.integers(0, 2**63 - 1)
messages = st.builds(LinkMessage, number, number, number, number, st.uuids())
paths = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp")), max_size=200).map(
    lambda text: text.replace(" ", "").replace("\xa0", "")
)
names = st.text(max_size=30)


def click(message: LinkMessage = MESSAGE, target: str = SHOP, tokens: LinkTokens = TOKENS) -> str:
    link = link_part(5, target, "Track order", "footer")
    assert link is not None
    return tokens.head(message).click(link)


def unpacked(token: str) -> bytearray:
    return bytearray(urlsafe_b64decode(token + "=" * (-len(token) % 4)))


def packed(data: bytes | bytearray) -> str:
    return urlsafe_b64encode(bytes(data)).rstrip(b"=").decode()


@settings(deadline=None)
@given(messages, st.sampled_from([kind for kind in KINDS if kind != "click"]))
def test_a_token_tells_its_message(message: LinkMessage, kind: Kind) -> None:
    assert TOKENS.read(kind, TOKENS.head(message).token(kind)) == Token(kind, message)


@settings(deadline=None)
@given(messages, st.integers(0, 10_000), paths, names, names)
def test_a_click_tells_its_link(message: LinkMessage, at: int, path: str, name: str, region: str) -> None:
    link = link_part(at, f"https://shop.example/{path}", name, region)
    assert link is not None
    token = TOKENS.head(message).click(link)
    found = TOKENS.read("click", token)
    assert found is not None
    assert (found.message, found.number, found.target) == (message, at, f"https://shop.example/{path}")
    assert name.encode("utf-8", "replace").decode().startswith(found.name)
    assert region.encode("utf-8", "replace").decode().startswith(found.region)


@settings(deadline=None)
@given(messages)
def test_tokens_are_text_that_no_mail_program_breaks(message: LinkMessage) -> None:
    token = click(message)
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_tokens_are_short() -> None:
    assert len(TOKENS.head(MESSAGE).token("unsubscribe")) == 48
    link = link_part(1, "https://shop.example/orders/4711")
    assert link is not None
    assert len(TOKENS.head(MESSAGE).click(link)) == 95


@settings(deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_read_or_refused_and_nothing_raises(text: str) -> None:
    for kind in KINDS:
        assert TOKENS.read(kind, text) is None


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data: bytes) -> None:
    for kind in KINDS:
        assert TOKENS.read(kind, packed(b"\1" + data)) is None


def test_the_mac_is_hmac_sha_256_of_rfc_2104() -> None:
    token = TOKENS.head(MESSAGE).token("view")
    data = bytes(unpacked(token))
    key = hmac.digest(KEY, b"postroom link view", hashlib.sha256)
    assert data[-12:] == hmac.digest(key, data[:-12], hashlib.sha256)[:12]


def test_attack_forged_token() -> None:
    """Made with a key of the attacker's own."""
    forged = LinkTokens({1: b"another secret of 32 bytes......"})
    assert TOKENS.read("open", forged.head(MESSAGE).token("open")) is None
    assert TOKENS.read("click", click(tokens=forged)) is None


def test_attack_token_of_another_kind() -> None:
    """An open's token is in every mail's pixel; it must not unsubscribe anybody."""
    for made in KINDS:
        token = click() if made == "click" else TOKENS.head(MESSAGE).token(made)
        for read in KINDS:
            assert (TOKENS.read(read, token) is not None) == (made == read)


@settings(deadline=None)
@given(messages)
def test_attack_token_of_another_business_unit(message: LinkMessage) -> None:
    """The account is exchanged for another of the same length, the signature kept."""
    token = TOKENS.head(message).token("profile")
    data = unpacked(token)
    data[1] ^= 1
    assert TOKENS.read("profile", packed(data)) is None


@settings(deadline=None)
@given(st.integers(0, 1 << 20))
def test_attack_bit_flipped(place: int) -> None:
    data = unpacked(click())
    bit = place % (len(data) * 8)
    data[bit // 8] ^= 1 << bit % 8
    assert TOKENS.read("click", packed(data)) is None


def test_attack_truncated() -> None:
    token = click()
    assert all(TOKENS.read("click", token[:end]) is None for end in range(len(token)))


def test_attack_lengthened() -> None:
    token = click()
    assert all(TOKENS.read("click", token + more) is None for more in ("A", "AA", ".", "=", "====", "\n", "%00"))


def test_attack_swapped_target() -> None:
    """The link's part of one token behind the message's part of another."""
    mine, theirs = click(), click(target="https://evil.example/orders?id=7&x=ä#top")
    assert len(mine) == len(theirs)
    head = 48
    assert TOKENS.read("click", mine[:head] + theirs[head:]) is None
    assert TOKENS.read("click", theirs[:head] + mine[head:]) is None


def test_attack_target_of_another_message() -> None:
    other = LinkMessage(100001, 7, 4, 43, MESSAGE.request_id)
    assert TOKENS.read("click", click()[:32] + click(other)[32:]) is None


def test_attack_same_bytes_in_another_spelling() -> None:
    """Base64 readers pass over foreign characters and unread bits; one token has one spelling."""
    token = click()
    assert len(token) % 4 != 0
    twin = token[:-1] + chr(ord(token[-1]) + 1)
    for spelling in (twin, token[:10] + "!" + token[10:], token + "=" * (-len(token) % 4), token.replace("-", "+")):
        assert spelling == token or TOKENS.read("click", spelling) is None


def test_attack_oversized_token() -> None:
    assert TOKENS.read("click", "A" * (LONGEST_TOKEN + 1)) is None
    longest = link_part(1, "https://e.example/".ljust(LONGEST_TARGET, "x"), "n" * 200, "r" * 200)
    assert longest is not None
    token = TOKENS.head(LinkMessage(*(2**63 - 1,) * 4, MESSAGE.request_id)).click(longest)
    found = TOKENS.read("click", token)
    assert found is not None
    assert len(found.name) == len(found.region) == LONGEST_NAME


@pytest.mark.parametrize(
    "target",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "mailto:a@x.org",
        "tel:+1",
        "//evil.example/",
        "/relative",
        "#top",
        "",
        "https://",
        "https:///evil.example",
        "http://?x",
        "https://shop.example/\r\nSet-Cookie: a=b",
        "https://shop.example/a\0b",
        "https://shop.example/a b",
        "https://shop.example/a\x85b",
        " https://shop.example/",
        "https://shop.example/".ljust(LONGEST_TARGET + 1, "x"),
    ],
)
def test_what_is_no_web_address_gets_no_token(target: str) -> None:
    assert link_part(1, target) is None


def test_old_keys_are_accepted_and_the_newest_signs() -> None:
    rotated = LinkTokens({1: KEY, 2: bytes(32)})
    assert rotated.read("click", click()) == TOKENS.read("click", click())
    assert TOKENS.read("click", click(tokens=rotated)) is None
    assert unpacked(click(tokens=rotated))[0] == 2


def test_attack_key_id_exchanged() -> None:
    """A key of the same server, but not the one that signed."""
    rotated = LinkTokens({1: KEY, 2: bytes(32)})
    data = unpacked(click())
    data[0] = 2
    assert rotated.read("click", packed(data)) is None


def test_without_a_key_nothing_is_signed() -> None:
    with pytest.raises(TokenKeyUnknown):
        LinkTokens({})
    with pytest.raises(ValueError, match="at least 16 bytes"):
        LinkTokens({1: b"short"})


@settings(deadline=None)
@given(number)
def test_varints_are_seven_bits_a_byte(value: int) -> None:
    encoded = varint(value)
    assert sum((octet & 127) << 7 * at for at, octet in enumerate(encoded)) == value
    assert all(octet > 127 for octet in encoded[:-1])
    assert encoded[-1] < 128
