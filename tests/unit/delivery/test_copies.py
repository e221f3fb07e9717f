"""Which copies go: the message's own recipient always, and of the others those that are not suppressed."""

from postroom.delivery.copies import told, without


def test_the_own_recipient_stays_whatever_is_left_out() -> None:
    left_out = (("ann@example.com", "manual"), ("cc@example.com", "bounce"))
    assert without(("ann@example.com", "cc@example.com", "bcc@example.com"), left_out) == (
        "ann@example.com",
        "bcc@example.com",
    )


def test_an_erased_address_is_not_written_down_again() -> None:
    assert told((("gone@example.com", "erasure"), ("cc@example.com", "bounce"))) == (
        ("", "erasure"),
        ("cc@example.com", "bounce"),
    )
