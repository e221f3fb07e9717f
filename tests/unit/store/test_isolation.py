from collections.abc import Callable, Sequence

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.store.isolation import apart
from postroom.store.trouble import Trouble

VALUE = asyncpg.CharacterNotInRepertoireError("0x00")
SETUP = asyncpg.InsufficientPrivilegeError("permission denied")
AWAY = ConnectionResetError("gone")
BUSY = asyncpg.DeadlockDetectedError("deadlock detected")


class Work:
    """Does all or nothing of what it is given."""

    def __init__(self, refuse: Callable[[int], Exception | None]) -> None:
        self._refuse = refuse
        self.done: list[int] = []
        self.calls = 0

    async def __call__(self, part: Sequence[int]) -> None:
        self.calls += 1
        for each in part:
            error = self._refuse(each)
            if error is not None:
                raise error
        self.done += part


@given(poison=st.sets(st.integers(0, 40)), number=st.integers(0, 41))
async def test_everything_is_done_in_its_order_but_what_is_refused(poison: set[int], number: int) -> None:
    work = Work(lambda each: VALUE if each in poison else None)
    refused = await apart(range(number), work)
    assert work.done == [each for each in range(number) if each not in poison]
    assert [each.place for each in refused] == sorted(each for each in poison if each < number)


async def test_one_among_a_thousand_costs_a_few_tries() -> None:
    work = Work(lambda each: VALUE if each == 700 else None)
    assert [each.place for each in await apart(range(1_000), work)] == [700]
    assert work.calls <= 21


@pytest.mark.parametrize("passing", [AWAY, BUSY])
async def test_what_passes_is_nobodys_fault(passing: Exception) -> None:
    work = Work(lambda each: passing if each == 5 else VALUE if each == 2 else None)
    with pytest.raises(type(passing)):
        await apart(range(8), work)
    assert work.done == [0, 1, 3]


async def test_who_has_waited_long_enough_isolates_what_is_busy() -> None:
    work = Work(lambda each: BUSY if each == 5 else None)
    refused = await apart(range(8), work, raised=frozenset({Trouble.AWAY}))
    assert [each.error for each in refused] == [BUSY]


async def test_a_statement_that_is_wrong_for_all_ends_none() -> None:
    work = Work(lambda _: SETUP)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await apart(range(100_000), work)
    assert work.calls < 30
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await apart([1], Work(lambda _: SETUP))


async def test_a_statement_that_is_wrong_for_one_is_about_that_one() -> None:
    work = Work(lambda each: SETUP if each == 0 else None)
    assert [each.place for each in await apart(range(9), work)] == [0]
    assert [each.place for each in await apart([0], work, suspected=True)] == [0]
