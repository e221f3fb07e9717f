"""Scopes as text and as bits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.tenancy.scopes import SCOPES, ScopeUnknown, parse_scopes, scope_bits, scopes_of_bits, scopes_text

sets_of_scopes = st.frozensets(st.sampled_from(SCOPES))


@given(sets_of_scopes)
def test_bits_and_text_give_the_scopes_back(scopes: frozenset[str]) -> None:
    assert scopes_of_bits(scope_bits(scopes)) == scopes
    assert parse_scopes(scopes_text(scopes)) == scopes


def test_the_order_that_tokens_rely_on_has_not_changed() -> None:
    assert scope_bits(SCOPES[:3]) == 0b111
    assert SCOPES[:3] == ("email_read", "email_send", "email_write")
    assert SCOPES[20] == "event_notification_subscription_delete"


def test_text_is_read_in_any_case_and_spacing() -> None:
    assert parse_scopes("  Email_Send\temail_read ") == {"email_read", "email_send"}
    assert parse_scopes("") == frozenset()


def test_an_unknown_scope_is_named() -> None:
    with pytest.raises(ScopeUnknown, match="scope 'fly' does not exist; the scopes are email_read"):
        parse_scopes("email_read fly")
