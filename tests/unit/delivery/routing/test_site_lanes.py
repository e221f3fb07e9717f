"""The lanes of sites, counted together: whatever happens, the tally is what the lanes hold."""

import itertools
from collections import Counter
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.delivery.queue_rows import make_message, make_slice

from postroom.delivery.routing.site_lanes import SiteLanes
from postroom.delivery.slices import LaneKey, Message


@given(
    st.lists(
        st.tuples(st.sampled_from(["offer", "take", "back", "shed", "drain"]), st.integers(0, 1), st.integers(1, 5))
    )
)
def test_the_tally_is_what_the_sites_hold(steps: list[tuple[str, int, int]]) -> None:
    tally: Counter[LaneKey] = Counter()
    sites = [SiteLanes(tally), SiteLanes(tally)]
    positions, inside, outside = itertools.count(), 0, list[Message]()
    for step, number, count in steps:
        site = sites[number]
        if step == "offer":
            slice_ = make_slice(definition=count)
            site.offer(slice_.key, [make_message(slice_, next(positions)) for _ in range(count)])
            inside += count
        elif step == "take" and (taken := site.take()) is not None:
            outside.append(taken)
            inside -= 1
        elif step == "back" and outside:
            message = outside.pop()
            site.put_back(message.slice.key, message)
            inside += 1
        elif step == "shed":
            inside -= len(site.shed(make_slice(definition=count).key, count))
        elif step == "drain":
            inside -= len(site.drain())
        assert sum(map(len, sites)) == inside == tally.total()
        assert all(tally[key] == sum(site.waiting(key) for site in sites) for key in list(tally))
        assert all(tally.values())


def test_those_whose_turn_is_the_furthest_away_are_shed() -> None:
    tally: Counter[LaneKey] = Counter()
    site, slice_ = SiteLanes(tally), make_slice(definition=1)
    messages = [make_message(slice_, number) for number in range(5)]
    site.offer(slice_.key, messages)
    assert site.shed(slice_.key, 2) == [messages[4], messages[3]]
    assert site.shed(LaneKey(100, UUID(int=9), 1), 2) == []
    assert site.drain() == messages[:3]
    assert not site.keys()
