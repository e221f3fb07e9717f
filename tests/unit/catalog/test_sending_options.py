"""Sending options of a definition: what is stored of them, and what each bad value is told."""

from datetime import timedelta

import pytest

from postroom.catalog.sending_options import DEFAULT, SendingOptions, decode_options, encode_options, problem_of


def test_nothing_set_is_nothing_stored() -> None:
    assert encode_options(SendingOptions()) is None
    assert encode_options(SendingOptions(list_unsubscribe=False)) is None
    assert decode_options(None) == DEFAULT


def test_what_is_set_comes_back_by_its_wire_names() -> None:
    options = SendingOptions(deliver_before=300, on_unknown="hold", retry_schedule="1s 2s")
    assert encode_options(options) == '{"deliverBefore":300,"onUnknown":"hold","retrySchedule":"1s 2s"}'
    assert decode_options(encode_options(options)) == options


def test_what_it_means() -> None:
    options = SendingOptions(deliver_before=300, on_unknown="hold", retry_schedule="1s 2m")
    assert options.deliver_within == timedelta(minutes=5)
    assert options.holds_unknown
    assert options.waits == (timedelta(seconds=1), timedelta(minutes=2))
    assert (DEFAULT.deliver_within, DEFAULT.holds_unknown, DEFAULT.waits) == (None, False, None)
    assert not SendingOptions(on_unknown="resend").holds_unknown


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (
            SendingOptions(deliver_before=0),
            ("deliver_before", "0 is out of range; give whole seconds from 1 to 2592000"),
        ),
        (
            SendingOptions(deliver_before=2_592_001),
            ("deliver_before", "2592001 is out of range; give whole seconds from 1 to 2592000"),
        ),
        (SendingOptions(on_unknown="Hold"), ("on_unknown", "'Hold' is unknown; it must be resend or hold")),
        (
            SendingOptions(route="a b"),
            (
                "route",
                "'a b' is no name of a route; it has up to 64 letters, digits, dots, dashes and underscores, "
                "and begins with a letter or digit",
            ),
        ),
        (
            SendingOptions(retry_schedule="soon"),
            ("retry_schedule", "'soon' is no wait; write a number and s, m, h or d, such as 1m 5m 15m 1h"),
        ),
        (SendingOptions(deliver_before=1, on_unknown="hold", route="fast-1", retry_schedule="1m"), None),
    ],
)
def test_a_bad_value_is_told_by_field(options: SendingOptions, problem: tuple[str, str] | None) -> None:
    assert problem_of(options) == problem
