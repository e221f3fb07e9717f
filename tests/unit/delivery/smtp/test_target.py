"""Reading the relay option."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.delivery.smtp.target import (
    Credentials,
    LoginMethod,
    RelayUrlError,
    SmtpTarget,
    TlsMode,
    masked,
    parse_relay_url,
)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("smtp://relay.example.com", SmtpTarget("relay.example.com", 25)),
        ("smtp://relay.example.com:2525/", SmtpTarget("relay.example.com", 2525)),
        ("smtp://[::1]:2525", SmtpTarget("::1", 2525)),
        ("smtp://my_relay:25?tls=off", SmtpTarget("my_relay", 25, TlsMode.OFF)),
        ("smtps://relay.example.com", SmtpTarget("relay.example.com", 465, implicit_tls=True)),
        ("smtp://h?tls=required", SmtpTarget("h", 25, TlsMode.REQUIRED)),
        ("smtp://h?tls=verify", SmtpTarget("h", 25, TlsMode.VERIFY)),
    ],
)
def test_urls_without_login(url: str, target: SmtpTarget) -> None:
    assert parse_relay_url(url) == target


@pytest.mark.parametrize(
    ("url", "tls", "cleartext"),
    [
        ("smtp://u:p@relay.example.com", TlsMode.VERIFY, False),
        ("smtps://u:p@relay.example.com", TlsMode.VERIFY, False),
        ("smtp://u:p@relay.example.com?tls=required", TlsMode.REQUIRED, False),
        ("smtp://u:p@relay.example.com?tls=opportunistic", TlsMode.OPPORTUNISTIC, False),
        ("smtp://u:p@relay.example.com?tls=off", TlsMode.OFF, True),
        ("smtp://u:p@127.0.0.1", TlsMode.OPPORTUNISTIC, True),
        ("smtp://u:p@localhost", TlsMode.OPPORTUNISTIC, True),
        ("smtp://u:p@[::1]", TlsMode.OPPORTUNISTIC, True),
        ("smtp://u:p@127.evil.example", TlsMode.VERIFY, False),
    ],
)
def test_a_password_leaves_this_machine_only_over_verified_tls_unless_told(
    url: str, tls: TlsMode, cleartext: bool
) -> None:
    target = parse_relay_url(url)
    assert (target.tls, target.cleartext_auth) == (tls, cleartext)
    assert target.credentials == Credentials("u", "p")


def test_the_login_method_can_be_named() -> None:
    target = parse_relay_url("smtp://u:p@h?tls=required&auth=xoauth2")
    assert target.tls is TlsMode.REQUIRED
    assert target.credentials == Credentials("u", "p", LoginMethod.XOAUTH2)
    assert str(target) == "smtp://u:***@h:25?tls=required&auth=xoauth2"
    assert parse_relay_url("smtp://u:p@h?auth=cram-md5").tls is TlsMode.VERIFY


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_user_and_password_are_percent_decoded(user: str, password: str) -> None:
    if "\0" in user + password:
        return
    try:
        url = f"smtp://{quote(user, safe='')}:{quote(password, safe='')}@h"
    except UnicodeEncodeError:
        return
    assert parse_relay_url(url).credentials == Credentials(user, password)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("relay.example.com:25", "begin with smtp://"),
        ("http://relay.example.com", "begin with smtp://"),
        ("", "begin with smtp://"),
        ("smtp://", "host is missing"),
        ("smtp://:25", "host is missing"),
        ("smtp://ho st", "no host name"),
        ("smtp://h:0", "port"),
        ("smtp://h:65536", "port"),
        ("smtp://h:smtp", "port"),
        ("smtp://[::1", "host and port"),
        ("smtp://h/path", "nothing may follow"),
        ("smtp://h#x", "nothing may follow"),
        ("smtp://u:hidden#word@h", "percent-encode"),
        ("smtp://u:hidden?tls=hidden@h", "percent-encode"),
        ("smtp://u:hidden/word@h", "percent-encode"),
        ("smtp://u@h", "both a user and a password"),
        ("smtp://:hidden@h", "both a user and a password"),
        ("smtp://u:hidden%ff@h", "percent-encoded UTF-8"),
        ("smtp://u:hidden%00@h", "NUL"),
        ("smtp://h?tls=maybe", "tls=maybe is not one of off, opportunistic, required, verify"),
        ("smtp://h?verify", "not tls="),
        ("smtp://h?timeout=3", "one tls="),
        ("smtp://u:hidden@h?auth=ntlm", "auth=ntlm is not one of plain, login, cram-md5, xoauth2"),
        ("smtp://u:hidden@h?auth=plain&auth=login", "one auth="),
        ("smtp://h?auth=plain", "without a login"),
        ("smtp://h?tls=off&tls=verify", "one tls="),
        ("smtps://h?tls=off", "contradicts"),
        ("smtp://u:hidden@h:99999", "port"),
    ],
)
def test_an_unusable_url_names_option_value_and_fix_without_the_password(url: str, problem: str) -> None:
    with pytest.raises(RelayUrlError) as caught:
        parse_relay_url(url)
    message = str(caught.value)
    assert message.startswith("POSTROOM_RELAY=")
    assert problem in message
    assert "smtp://user:password@relay.example.com:587" in message
    assert "hidden" not in message


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    for url in (text, "smtp://" + text):
        try:
            target = parse_relay_url(url)
        except RelayUrlError:
            continue
        assert 1 <= target.port <= 65535


def test_the_printed_target_hides_the_password() -> None:
    target = parse_relay_url("smtp://u:secret@[2001:db8::1]:587")
    assert str(target) == "smtp://u:***@[2001:db8::1]:587?tls=verify"
    assert "secret" not in repr(target)
    assert masked("u:secret@h") == "u:***@h"
    assert masked("smtp://h") == "smtp://h"
