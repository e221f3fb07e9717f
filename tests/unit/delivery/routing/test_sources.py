"""Which address a connection comes from."""

from collections import Counter

import pytest

from postroom.delivery.routing.sources import SourceTurns, SourceUnusable, has_address, of_this_machine
from postroom.delivery.routing.table import SourceAddress, SourcePool
from postroom.delivery.smtp.local_address import LocalAddress

MIXED = (
    SourceAddress("192.0.2.1", "one.example.com", 3),
    SourceAddress("2001:db8::1", None, 5),
    SourceAddress("192.0.2.2"),
)


def test_addresses_take_turns_by_weight_within_the_family_of_the_host() -> None:
    turns = SourceTurns(MIXED, helo="mail.example.com")
    assert Counter(turns.next("198.51.100.1") for _ in range(40)) == {
        LocalAddress("192.0.2.1", "one.example.com"): 30,
        LocalAddress("192.0.2.2", "mail.example.com"): 10,
    }
    assert {turns.next("2001:db8::99") for _ in range(5)} == {LocalAddress("2001:db8::1", "mail.example.com")}
    assert turns.next("fe80::1%eth0") == LocalAddress("2001:db8::1", "mail.example.com")


def test_a_host_of_another_family_can_not_be_reached() -> None:
    assert SourceTurns(MIXED[:1], helo="x").next("2001:db8::99") is None


def test_addresses_of_other_machines_are_left_out() -> None:
    pool = SourcePool("new", MIXED)
    assert of_this_machine(pool, lambda ip: ip == "192.0.2.2").addresses == MIXED[2:]
    with pytest.raises(SourceUnusable) as caught:
        of_this_machine(pool, lambda _: False)
    assert str(caught.value) == (
        "source new: none of 192.0.2.1, 2001:db8::1, 192.0.2.2 is an address of this machine; name one that is"
    )


def test_what_this_machine_has_is_found_by_binding() -> None:
    assert has_address("127.0.0.1")
    assert not has_address("192.0.2.1")
    assert not has_address("2001:db8::1")
