"""What processes that are gone have given back: called a little at a time, until a site shows that it has no room."""

from typing import cast

from postroom.delivery.claim import Queue
from postroom.delivery.left_behind import LeftBehind

UNIT = 7


class Waiting:
    """A queue that only counts slices by site."""

    def __init__(self, slices: dict[str, int]) -> None:
        self.slices = slices
        self.asked: list[tuple[str, int]] = []

    async def accounts_with_work(self) -> list[int]:
        return [UNIT]

    async def sites_waited_for(self, account_id: int) -> list[str]:
        return list(self.slices) if account_id == UNIT else []

    async def call_back(self, account_id: int, site: str, slices: int) -> int:
        self.asked.append((site, slices))
        called = min(slices, self.slices[site])
        self.slices[site] -= called
        return called


def left_behind(queue: Waiting, announced: list[int]) -> LeftBehind:
    return LeftBehind(cast(Queue, queue), announce=announced.append)


async def test_more_each_time_until_nothing_waits() -> None:
    queue, announced = Waiting({"a": 80}), list[int]()
    left = left_behind(queue, announced)
    await left.look()
    for _ in range(10):
        await left.call_back(lambda account_id, site: False)
    assert [slices for _, slices in queue.asked] == [1, 2, 4, 8, 16, 32, 32, 32]
    assert queue.slices == {"a": 0}
    assert announced == [UNIT] * 7


async def test_a_site_that_has_no_room_here_either_is_left_to_itself() -> None:
    queue = Waiting({"slow": 80, "quick": 2})
    left = left_behind(queue, [])
    await left.look()
    await left.call_back(lambda account_id, site: False)
    for _ in range(3):
        await left.call_back(lambda account_id, site: (account_id, site) == (UNIT, "slow"))
    assert queue.slices == {"slow": 79, "quick": 0}


async def test_without_a_look_nothing_is_called() -> None:
    queue = Waiting({"a": 1})
    await left_behind(queue, []).call_back(lambda account_id, site: False)
    assert queue.asked == []
