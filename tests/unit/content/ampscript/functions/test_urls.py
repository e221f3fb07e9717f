"""Addresses."""

import pytest
from tests.unit.content.ampscript.functions.calls import call, make_run

from postroom.content.ampscript.faults import MissingFault, ValueFault
from postroom.content.ampscript.page_parameters import open_parameters
from postroom.content.ampscript.run import Account


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("https://e.com/a b?x=1 2",), "https://e.com/a b?x=1%202"),
        (("spring sale",), "spring sale"),
        (("spring sale", 0, 1), "spring%20sale"),
        (("spring sale", 1), "spring sale"),
        (("spring sale", 1, 1), "spring+sale"),
        (("https://e.com/?a=b&c=De La&d=x@y:z", True), "https://e.com/?a=b&c=De+La&d=x%40y%3az"),
        (("https://e.com?v=12+3 12;3", "true"), "https://e.com?v=12%2b3+12%3b3"),
        (("https://e.com?just this&=", 1), "https://e.com?just+this&="),
        (("Sample Text: サ", 1, 1), "Sample+Text%3a+%e3%82%b5"),
        (("a&b=c", 1, "1"), "a%26b%3dc"),
        (("-_.!*()", 1, 1), "-_.!*()"),
        (("~'\"", 1, 1), "%7e%27%22"),
        (("\ud83d", 1, 1), "%3f"),
        (("%%=v(1)=%%", 0, 1), "%%=v(1)=%%"),
        (("",), ""),
        ((None,), ""),
    ],
)
def test_url_encode(arguments: tuple[object, ...], text: str) -> None:
    assert call("URLEncode", *arguments) == text


def test_redirects_and_long_addresses_stay_as_they_are() -> None:
    assert call("RedirectTo", "https://e.com/?a=b") == call("WrapLongURL", "https://e.com/?a=b") == "https://e.com/?a=b"


SECRET = b"0123456789abcdef"
ACCOUNT = Account(pages={"7": "https://pages.example/p", "8": "https://pages.example/q?x=1"}, page_secret=SECRET)


def test_pages_carry_sealed_parameters() -> None:
    run = make_run(account=ACCOUNT)
    assert call("CloudPagesURL", 7, run=run) == "https://pages.example/p"
    address = str(call("CloudPagesURL", "7", "user", 5, "name", "Zoë", run=run))
    base, _, sealed = address.partition("?qs=")
    assert base == "https://pages.example/p"
    assert open_parameters(SECRET, "7", sealed) == {"user": "5", "name": "Zoë"}
    assert str(call("CloudPagesURL", 8, "a", 1, run=run)).startswith("https://pages.example/q?x=1&qs=")


def test_unknown_pages() -> None:
    run = make_run(account=ACCOUNT)
    with pytest.raises(MissingFault, match="no page '9'"):
        call("CloudPagesURL", 9, run=run)
    assert call("MicrositeURL", 7, run=run) == "https://pages.example/p"
    assert call("MicrositeURL", "a/b", run=run) == "/page/a%2fb"


def test_parameters_need_a_secret() -> None:
    with pytest.raises(ValueFault, match="postroom key create --kind page"):
        call("CloudPagesURL", 7, "a", 1, run=make_run(account=Account(pages={"7": "https://x"})))
