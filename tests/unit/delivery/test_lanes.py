from collections import defaultdict, deque
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.delivery.queue_rows import make_message, make_slice

from postroom.delivery.lanes import Lanes
from postroom.delivery.slices import LaneKey, Message


def key_of(definition: int) -> LaneKey:
    return LaneKey(100, UUID(int=definition), 1)


def batch(definition: int, first: int, count: int) -> list[Message]:
    slice_ = make_slice(definition, definition=definition)
    return [make_message(slice_, first + number) for number in range(count)]


steps = st.lists(
    st.one_of(
        st.tuples(st.just("offer"), st.integers(1, 4), st.integers(0, 9)),
        st.tuples(st.just("take"), st.integers(1, 6), st.just(0)),
        st.tuples(st.just("take and put back"), st.just(0), st.just(0)),
        st.tuples(st.just("drain"), st.just(0), st.just(0)),
    ),
    max_size=40,
)


@given(steps)
def test_nothing_is_lost_doubled_or_out_of_order(script: list[tuple[str, int, int]]) -> None:
    lanes = Lanes()
    model: dict[LaneKey, deque[Message]] = defaultdict(deque)
    made = 0
    for step, number, count in script:
        if step == "offer":
            messages = batch(number, made, count)
            made += count
            model[key_of(number)].extend(messages)
            lanes.offer(key_of(number), iter(messages))
        elif step == "take":
            for _ in range(number):
                message = lanes.take()
                if message is None:
                    assert not any(model.values())
                    break
                assert model[message.slice.key].popleft() is message
        elif step == "take and put back":
            message = lanes.take()
            if message is not None:
                lanes.put_back(message.slice.key, message)
        else:
            assert {id(each) for each in lanes.drain()} == {id(each) for lane in model.values() for each in lane}
            model.clear()
        assert len(lanes) == sum(map(len, model.values()))
        assert all(lanes.waiting(key) == len(lane) for key, lane in model.items())


@given(st.dictionaries(st.integers(1, 5), st.integers(1, 30), min_size=1))
def test_between_two_messages_of_a_lane_comes_at_most_one_of_each_other(sizes: dict[int, int]) -> None:
    lanes = Lanes()
    for definition, count in sizes.items():
        lanes.offer(key_of(definition), batch(definition, 0, count))
    order = []
    while (message := lanes.take()) is not None:
        order.append(message.slice.key)
    left = {key_of(definition): count for definition, count in sizes.items()}
    since: dict[LaneKey, set[LaneKey]] = {key: set() for key in left}
    for key in order:
        for other, seen in since.items():
            if other != key and left[other]:
                assert key not in seen, "it had two turns while another lane waited"
                seen.add(key)
        since[key].clear()
        left[key] -= 1


def test_a_lane_that_comes_late_waits_for_one_turn_of_the_others() -> None:
    lanes = Lanes()
    lanes.offer(key_of(1), batch(1, 0, 1_000))
    for _ in range(10):
        lanes.take()
    lanes.offer(key_of(2), batch(2, 0, 1))
    turns = [lanes.take() for _ in range(2)]
    assert key_of(2) in [message.slice.key for message in turns if message is not None]


def test_messages_put_back_are_first_again_in_the_order_they_had() -> None:
    lanes = Lanes()
    messages = batch(1, 0, 3)
    lanes.offer(key_of(1), messages)
    taken = [lanes.take(), lanes.take()]
    for message in reversed(taken):
        assert message is not None
        lanes.put_back(key_of(1), message)
    assert lanes.drain() == messages


def test_an_offer_of_nothing_makes_no_lane() -> None:
    lanes = Lanes()
    lanes.offer(key_of(1), [])
    assert lanes.take() is None
    assert len(lanes) == 0
