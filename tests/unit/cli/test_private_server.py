"""Ctrl-C never comes between making something and remembering it."""

import signal

import pytest

from postroom.cli.private_server import uninterrupted


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_waits_for_the_end_of_the_block(number: signal.Signals) -> None:
    made = []
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), uninterrupted():  # noqa: PT012
        signal.raise_signal(number)
        made.append("folder")
    assert made == ["folder"]
    assert signal.getsignal(number) is before


def test_without_an_interrupt_nothing_is_raised() -> None:
    with uninterrupted():
        pass


def test_a_failure_in_the_block_stays_what_it_is() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(OSError, match="disk full"), uninterrupted():  # noqa: PT012
        signal.raise_signal(signal.SIGINT)
        raise OSError("disk full")
    assert signal.getsignal(signal.SIGINT) is before
