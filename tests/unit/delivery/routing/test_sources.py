"""Which address a connection comes from."""

from collections import Counter

import pytest

from postroom.delivery.routing.sources import (
    FIRST_REFUSED_SECONDS,
    LOOK_SECONDS,
    SiteSources,
    SourceTurns,
    SourceUnusable,
    check_source,
    has_address,
)
from postroom.delivery.routing.table import SourceAddress, SourcePool
from postroom.delivery.smtp.local_address import LocalAddress

MIXED = (
    SourceAddress("192.0.2.1", "one.example.com", 3),
    SourceAddress("2001:db8::1", None, 5),
    SourceAddress("192.0.2.2"),
)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def turns_of(addresses: tuple[SourceAddress, ...], helo: str = "x", overflow: str | None = None) -> SourceTurns:
    return SourceTurns(SourcePool("pool", addresses, None, overflow), helo=helo, has=lambda _: True, clock=lambda: 0.0)


def test_addresses_take_turns_by_weight_within_the_family_of_the_host() -> None:
    turns = turns_of(MIXED, helo="mail.example.com")
    assert Counter(turns.next("198.51.100.1") for _ in range(40)) == {
        LocalAddress("192.0.2.1", "one.example.com"): 30,
        LocalAddress("192.0.2.2", "mail.example.com"): 10,
    }
    assert {turns.next("2001:db8::99") for _ in range(5)} == {LocalAddress("2001:db8::1", "mail.example.com")}
    assert turns.next("fe80::1%eth0") == LocalAddress("2001:db8::1", "mail.example.com")


def test_a_host_of_another_family_can_not_be_reached() -> None:
    assert turns_of(MIXED[:1]).next("2001:db8::99") is None


def test_each_address_gets_its_share_also_when_hosts_of_both_families_alternate() -> None:
    turns = turns_of(MIXED)
    chosen = Counter(turns.next(host) for _ in range(40) for host in ("198.51.100.1", "2001:db8::99"))
    assert {local.ip: times for local, times in chosen.items() if local} == {
        "192.0.2.1": 30,
        "192.0.2.2": 10,
        "2001:db8::1": 40,
    }


HOST, HOST6 = "198.51.100.1", "2001:db8::99"


def at_site(turns: SourceTurns, clock: Clock) -> SiteSources:
    return SiteSources(turns, "mx.one.test", clock=clock, rand=lambda: 0.5)


def chosen(sources: SiteSources, times: int) -> dict[str, int]:
    return Counter(local.ip for local in (sources.next(HOST) for _ in range(times)) if local is not None)


def test_an_address_that_a_site_refuses_is_left_out_there_and_nowhere_else() -> None:
    clock, turns = Clock(), turns_of(MIXED)
    here, there = at_site(turns, clock), at_site(turns, clock)
    assert here.refused("192.0.2.1", "554 no", [HOST])
    picked = [(here.next(HOST), there.next(HOST)) for _ in range(40)]
    assert Counter(local.ip for local, _ in picked if local) == {"192.0.2.2": 40}
    assert Counter(local.ip for _, local in picked if local) == {"192.0.2.1": 30, "192.0.2.2": 10}


def test_it_is_probed_by_one_connection_and_left_alone_for_longer_each_time() -> None:
    clock = Clock()
    sources = at_site(turns_of(MIXED), clock)
    assert sources.refused("192.0.2.1", "554 no", [HOST])
    assert sources.refused("192.0.2.1", "554 no", [HOST]), "begun together, refused together: counted once"
    for wait in (FIRST_REFUSED_SECONDS, 2 * FIRST_REFUSED_SECONDS, 4 * FIRST_REFUSED_SECONDS):
        clock.now += wait - 1
        assert chosen(sources, 5) == {"192.0.2.2": 5}
        clock.now += 1
        assert chosen(sources, 5) == {"192.0.2.1": 1, "192.0.2.2": 4}
        assert sources.refused("192.0.2.1", "554 no", [HOST])
    clock.now += 8 * FIRST_REFUSED_SECONDS
    assert chosen(sources, 1) == {"192.0.2.1": 1}
    sources.taken("192.0.2.1")
    assert chosen(sources, 8) == {"192.0.2.1": 6, "192.0.2.2": 2}


def test_when_none_is_left_all_are_used_again() -> None:
    sources = at_site(turns_of(MIXED), Clock())
    assert sources.refused("192.0.2.1", "554 no", [HOST])
    assert not sources.refused("192.0.2.2", "554 no", [HOST]), "the other family is of no use to this host"
    assert chosen(sources, 8) == {"192.0.2.1": 6, "192.0.2.2": 2}
    assert sources.refused("2001:db8::1", "421 no", [HOST6, HOST])
    assert sources.next(HOST6) is None
    assert sources.next(HOST) is not None


def test_a_probe_under_way_does_not_keep_the_last_address_from_use() -> None:
    clock = Clock()
    sources = at_site(turns_of(MIXED), clock)
    assert sources.refused("192.0.2.1", "554 no", [HOST])
    clock.now += FIRST_REFUSED_SECONDS
    assert chosen(sources, 1) == {"192.0.2.1": 1}
    assert sources.refused("192.0.2.2", "554 no", [HOST])
    assert chosen(sources, 3) == {"192.0.2.1": 3}


def test_addresses_of_other_machines_are_left_out_until_they_are_here() -> None:
    clock, here = Clock(), {"192.0.2.2"}
    turns = SourceTurns(SourcePool("new", MIXED), helo="x", has=here.__contains__, clock=clock)
    assert chosen(at_site(turns, clock), 8) == {"192.0.2.2": 8}
    here |= {"192.0.2.1"}
    clock.now = LOOK_SECONDS - 1
    assert chosen(at_site(turns, clock), 8) == {"192.0.2.2": 8}
    clock.now = LOOK_SECONDS
    assert chosen(at_site(turns, clock), 8) == {"192.0.2.1": 6, "192.0.2.2": 2}
    here -= {"192.0.2.2"}
    clock.now = 2 * LOOK_SECONDS
    assert chosen(at_site(turns, clock), 8) == {"192.0.2.1": 8}


def test_a_pool_without_an_address_of_this_machine_is_no_use() -> None:
    pool = SourcePool("new", MIXED)
    check_source(pool, lambda ip: ip == "192.0.2.2")
    with pytest.raises(SourceUnusable) as caught:
        check_source(pool, lambda _: False)
    assert str(caught.value) == (
        "source new: none of 192.0.2.1, 2001:db8::1, 192.0.2.2 is an address of this machine; name one that is"
    )


def test_what_this_machine_has_is_found_by_binding() -> None:
    assert has_address("127.0.0.1")
    assert not has_address("192.0.2.1")
    assert not has_address("2001:db8::1")


def test_an_address_of_which_mail_is_refused_is_welcome_again_when_mail_is_taken_and_not_before() -> None:
    clock = Clock()
    sources = at_site(turns_of(MIXED), clock)
    assert sources.refused_mail("192.0.2.1", "554 listed", [HOST])
    sources.taken("192.0.2.1")
    sources.took_mail("192.0.2.1")
    assert chosen(sources, 5) == {"192.0.2.2": 5}, "what was under way proves nothing"
    clock.now += FIRST_REFUSED_SECONDS
    assert chosen(sources, 5) == {"192.0.2.1": 1, "192.0.2.2": 4}
    sources.taken("192.0.2.1")
    assert sources.refused_mail("192.0.2.1", "554 listed", [HOST])
    clock.now += 2 * FIRST_REFUSED_SECONDS - 1
    assert chosen(sources, 5) == {"192.0.2.2": 5}, "that it takes connections does not make the wait short again"
    clock.now += 1
    assert chosen(sources, 1) == {"192.0.2.1": 1}
    sources.took_mail("192.0.2.1")
    assert chosen(sources, 8) == {"192.0.2.1": 6, "192.0.2.2": 2}


def test_where_all_are_refused_each_mail_is_not_taken_round_them_again() -> None:
    clock = Clock()
    sources = at_site(turns_of(MIXED), clock)
    assert sources.refused_mail("192.0.2.1", "554 listed", [HOST])
    assert not sources.refused_mail("192.0.2.2", "554 listed", [HOST])
    sources.taken("192.0.2.1")
    assert not sources.refused_mail("192.0.2.1", "554 listed", [HOST])
    assert chosen(sources, 8) == {"192.0.2.1": 6, "192.0.2.2": 2}, "they are used, since there is nothing better"
    clock.now += FIRST_REFUSED_SECONDS
    assert sources.refused_mail("192.0.2.1", "554 listed", [HOST]), "after a while it is found out anew"
    sources.took_mail("192.0.2.2")
    clock.now += FIRST_REFUSED_SECONDS
    assert sources.refused_mail("192.0.2.2", "554 listed", [HOST])


@pytest.mark.parametrize("mails", [True, False])
def test_a_pool_of_which_nothing_is_taken_overflows_but_for_a_mail_now_and_then(mails: bool) -> None:
    clock = Clock()
    sources = at_site(turns_of(MIXED[:1], overflow="old"), clock)
    refused = sources.refused_mail if mails else sources.refused
    assert (sources.overflows, sources.admits()) == (False, True)
    for wait in (FIRST_REFUSED_SECONDS, 2 * FIRST_REFUSED_SECONDS):
        assert not refused("192.0.2.1", "554 no", [HOST])
        assert (sources.overflows, sources.admits()) == (True, False)
        clock.now += wait - 1
        assert not sources.admits()
        clock.now += 1
        assert [sources.admits() for _ in range(3)] == [True, False, False]
    assert sources.overflows
    sources.took_mail("192.0.2.1") if mails else sources.taken("192.0.2.1")
    assert (sources.overflows, sources.admits()) == (False, True)


def test_without_an_overflow_all_mail_goes_on_trying() -> None:
    sources = at_site(turns_of(MIXED[:1]), Clock())
    assert not sources.refused_mail("192.0.2.1", "554 no", [HOST])
    assert (sources.overflows, sources.admits()) == (False, True)


def test_a_pool_without_an_address_for_a_host_overflows() -> None:
    sources = at_site(turns_of(MIXED[:1], overflow="old"), Clock())
    sources.unreached([])
    sources.unreached([HOST6, HOST])
    assert not sources.overflows, "it was the host"
    sources.unreached([HOST6])
    assert sources.overflows
