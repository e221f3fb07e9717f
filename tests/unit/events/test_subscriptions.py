"""What a subscription wants."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from postroom.events.subscriptions import (
    EMAIL_BOUNCED,
    EMAIL_NOT_SENT,
    EMAIL_SENT,
    FilterWrong,
    Subscription,
    check_filters,
    read_filter,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
VALUES = {"definitionKey": "Order", "statusCode": "24"}


def made(
    *filters: str, pauses: tuple[tuple[datetime | None, datetime | None], ...] = (), types: tuple[str, ...] = ()
) -> Subscription:
    types = types or (EMAIL_NOT_SENT,)
    return Subscription(UUID(int=1), UUID(int=2), "S", types, filters, "active", "none", NOW - 3 * HOUR, pauses)


def test_all_filters_must_hold_and_keys_match_in_any_case() -> None:
    assert made().wants(EMAIL_NOT_SENT, NOW, VALUES)
    assert made("definitionKey=order", "statusCode=24").wants(EMAIL_NOT_SENT, NOW, VALUES)
    assert not made("definitionKey=order", "statusCode=25").wants(EMAIL_NOT_SENT, NOW, VALUES)
    assert not made("definitionKey=other").wants(EMAIL_NOT_SENT, NOW, VALUES)
    assert not made().wants(EMAIL_SENT, NOW, VALUES)


def test_nothing_older_than_the_subscription_and_nothing_of_a_pause() -> None:
    assert not made().wants(EMAIL_NOT_SENT, NOW - 4 * HOUR, VALUES)
    paused = made(pauses=((NOW - 2 * HOUR, NOW - HOUR), (NOW, None)))
    moments = [NOW - 2.5 * HOUR, NOW - 2 * HOUR, NOW - 1.5 * HOUR, NOW - HOUR, NOW - 0.5 * HOUR, NOW, NOW + HOUR]
    assert [paused.wants(EMAIL_NOT_SENT, moment, VALUES) for moment in moments] == [
        True,
        False,
        False,
        True,
        True,
        False,
        False,
    ]


def test_a_filter_is_name_equals_value() -> None:
    assert read_filter(" definitionKey = a=b ") == ("definitionKey", "a=b")
    for text in ("definitionKey", "=x", "definitionKey=", ""):
        with pytest.raises(FilterWrong, match="must be of the form name=value"):
            read_filter(text)


def test_a_filter_must_be_known_to_every_type() -> None:
    check_filters([EMAIL_SENT, EMAIL_NOT_SENT, EMAIL_BOUNCED], ["definitionKey=a"])
    check_filters([EMAIL_BOUNCED], ["bounceCode=HARD", "smtpReason=5.1.1"])
    with pytest.raises(FilterWrong, match="EmailSent has no such filter; use definitionKey"):
        check_filters([EMAIL_NOT_SENT, EMAIL_SENT], ["statusCode=1"])
    with pytest.raises(FilterWrong, match="EmailOpen has no such filter; leave it out"):
        check_filters(["EngagementEvents.EmailOpen"], ["definitionKey=a"])
