"""Attacks that would turn webhooks against the network they are sent from."""

import pytest

from postroom.events.reach import AddressRefused, Endpoint, UrlRefused, is_public, reachable_address, read_url


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://hooks.example.com/x", "must be https without a port"),
        ("https://hooks.example.com:8443/x", "must be https without a port"),
        ("https://user:word@hooks.example.com/", "must not hold a user"),
        ("https://hooks.example.com/x?a=1", "a query or a fragment"),
        ("https://hooks.example.com/x#a", "a query or a fragment"),
        ("file:///etc/passwd", "of the form https://host/path"),
        ("gopher://hooks.example.com/", "of the form https://host/path"),
        ("https://", "of the form https://host/path"),
        ("https://hooks.example.com/a b", "no spaces"),
        ("https://hooks.example.com/\r\nX-Evil: 1", "no spaces"),
        ("https://hooks.example.com\\@evil.example.org/", "backslashes"),
        ("https://[::1", "can't be read"),
        ("https://ho st/", "no spaces"),
        ("https://hooks.example.com/" + "a" * 2000, "at most 2000"),
        ("https://h%0aooks.example.com/", "no name of a host"),
    ],
)
def test_a_url_that_is_not_plain_https_is_refused(url: str, words: str) -> None:
    with pytest.raises(UrlRefused, match=words):
        read_url(url, private=False)


def test_what_the_sandbox_allows() -> None:
    assert read_url("http://127.0.0.1:9000", private=True) == Endpoint(False, "127.0.0.1", 9000, "/")
    assert read_url("http://[::1]:9000/a", private=True).authority == "[::1]:9000"
    assert read_url("https://Hooks.Example.com./a%20ü", private=False) == Endpoint(
        True, "hooks.example.com", 443, "/a%20%C3%BC"
    )
    assert read_url("https://bücher.example/", private=False).authority == "xn--bcher-kva.example"
    with pytest.raises(UrlRefused, match="port 0"):
        read_url("http://localhost:0/", private=True)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001:0:7f00:1::",
        "not an address",
    ],
)
async def test_an_address_that_is_not_public_is_not_connected_to(address: str) -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        return ["93.184.215.14", address]

    assert not is_public(address)
    with pytest.raises(AddressRefused, match="has an address that is not public"):
        await reachable_address(read_url("https://hooks.example.com/", private=False), private=False, resolve=resolve)


async def test_a_public_name_leads_to_its_first_address() -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        return ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"]

    endpoint = read_url("https://hooks.example.com/", private=False)
    assert await reachable_address(endpoint, private=False, resolve=resolve) == "93.184.215.14"


async def test_a_name_without_addresses_is_refused() -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        return []

    with pytest.raises(AddressRefused, match="has no address"):
        await reachable_address(read_url("https://hooks.example.com/", private=True), private=True, resolve=resolve)
