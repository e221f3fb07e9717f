"""Pages elsewhere cannot talk to the sandbox."""

from __future__ import annotations

import pytest

from postroom.sandbox.guard import host_is_ours, origin_is_ours


@pytest.mark.parametrize(
    "host",
    [
        "localhost:8025", "LOCALHOST", "127.0.0.1:8025", "[::1]:8025", "192.168.1.5", "postroom:8025",
        "mail.localhost", "host.docker.internal:8025", "mail.example.com",
    ],
)  # fmt: skip
def test_own_names_pass(host: str) -> None:
    assert host_is_ours(host, {"mail.example.com"})


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example:8025",
        "127.0.0.1.nip.io",
        "",
        ":8025",
        "[::1",
        "evil.example.",
        "1.2.3.4.5",
    ],
)
def test_dns_rebinding_names_do_not_pass(host: str) -> None:
    assert not host_is_ours(host, {"mail.example.com"})


@pytest.mark.parametrize(
    ("origin", "fetch_site", "ours"),
    [
        (None, None, True),
        ("http://localhost:8025", None, True),
        ("http://LOCALHOST:8025", "same-origin", True),
        ("http://localhost:8026", None, False),
        ("http://evil.example", None, False),
        ("http://localhost:8025.evil.example", None, False),
        ("null", None, False),
        ("http://[", None, False),
        (None, "cross-site", False),
        (None, "same-site", False),
        (None, "none", True),
    ],
)
def test_csrf_origins_are_told_apart(origin: str | None, fetch_site: str | None, ours: bool) -> None:
    assert origin_is_ours("localhost:8025", origin, fetch_site) is ours
