"""Parameters are read strictly and errors name them."""

from __future__ import annotations

import pytest

from postroom.sandbox.mailbox import MailFilter
from postroom.sandbox.query import INVALID_VALUE, WRONG_TYPE, Query, RequestRejected

KNOWN = ("to", "messageKey", "subject", "q", "after", "before", "limit", "timeout", "accountId", "last")


def test_a_filter_is_read_whatever_the_case_of_its_names() -> None:
    query = Query([("TO", "a@example.com"), ("messagekey", "K1"), ("q", "two words"), ("After", "5")], KNOWN)
    assert query.mail_filter() == MailFilter(
        to="a@example.com", message_key="K1", words=("two", "words"), after=5
    )  # fmt: skip


def test_a_plus_sign_that_was_not_encoded_is_put_back() -> None:
    assert Query([("to", "anna shop@example.com")], KNOWN).mail_filter().to == "anna+shop@example.com"
    assert Query([("to", '"anna shop"@example.com')], KNOWN).mail_filter().to == '"anna shop"@example.com'


def test_absent_and_empty_parameters_do_not_restrict() -> None:
    assert Query([("to", ""), ("q", " ")], KNOWN).mail_filter() == MailFilter()
    assert Query([], KNOWN).seconds("timeout", default=10, most=60) == 10


@pytest.mark.parametrize(
    ("name", "value", "errorcode", "text"),
    [
        ("after", "x", WRONG_TYPE, "after=x: a whole number is wanted"),
        ("after", "", WRONG_TYPE, "after="),
        ("after", "٣", WRONG_TYPE, "after=٣"),
        ("accountId", "", WRONG_TYPE, "accountId="),
        ("accountId", "shop", WRONG_TYPE, "accountId=shop: a whole number is wanted"),
        ("before", "-1", INVALID_VALUE, "before=-1: 0 to"),
        ("before", "9" * 30, INVALID_VALUE, "before=999"),
        ("to", "x" * 1001, INVALID_VALUE, "to has 1001 characters"),
    ],
)
def test_a_bad_filter_is_named(name: str, value: str, errorcode: int, text: str) -> None:
    with pytest.raises(RequestRejected) as caught:
        Query([(name, value)], KNOWN).mail_filter()
    assert caught.value.status == 400
    assert caught.value.body["errorcode"] == errorcode
    assert text in str(caught.value.body["message"])


@pytest.mark.parametrize(
    ("value", "errorcode"),
    [("soon", WRONG_TYPE), ("nan", WRONG_TYPE), ("-1", INVALID_VALUE), ("60.5", INVALID_VALUE), ("inf", INVALID_VALUE)],
)
def test_a_bad_timeout_is_named(value: str, errorcode: int) -> None:
    with pytest.raises(RequestRejected, match=f"timeout={value}") as caught:
        Query([("timeout", value)], KNOWN).seconds("timeout", default=10, most=60)
    assert caught.value.body["errorcode"] == errorcode


def test_a_misspelt_parameter_is_not_ignored() -> None:
    with pytest.raises(RequestRejected, match=r"did you mean messageKey\?"):
        Query([("mesageKey", "x")], KNOWN)
    with pytest.raises(RequestRejected, match="this call takes none"):
        Query([("to", "x")], ())
    with pytest.raises(RequestRejected, match="to is given twice"):
        Query([("to", "x"), ("To", "y")], KNOWN)


def test_a_business_unit_and_a_flag_are_read() -> None:
    query = Query([("accountid", "7"), ("LAST", "True")], KNOWN)
    assert query.mail_filter() == MailFilter(account_id=7)
    assert query.flag("last")
    assert not Query([], KNOWN).flag("last")
    with pytest.raises(RequestRejected, match="last=1: true or false is taken"):
        Query([("last", "1")], KNOWN).flag("last")
