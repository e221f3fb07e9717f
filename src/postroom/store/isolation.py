"""Finding the rows that the database refuses among many, so that they hold up no others."""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, TypeVar

from postroom.store.trouble import Trouble, trouble_of

_T = TypeVar("_T")

PASSING = frozenset({Trouble.AWAY, Trouble.BUSY})

# When so many were refused one by one for something that is no row's fault, and nothing went through, it is all.
_ENOUGH = 4


class Refused(NamedTuple):
    """One thing that could not be done, and why."""

    place: int
    """Among those that were to be done."""
    error: Exception


async def apart(
    things: Sequence[_T],
    work: Callable[[Sequence[_T]], Awaitable[None]],
    *,
    raised: frozenset[Trouble] = PASSING,
    suspected: bool = False,
) -> list[Refused]:
    """Do ``work`` on all things together, or on halves of what was refused, down to single ones; in their order.

    ``work`` does all or nothing of what it is given. Answers what was refused alone. Raises troubles that are
    ``raised``; and a SETUP when nothing went through, for then it is not about these things, unless they are
    ``suspected``: others have gone through. What was done before it raised stays done: ``work`` has to know.
    """
    refused: list[Refused] = []
    went_through = suspected
    waiting = [range(len(things))] if things else []
    while waiting:
        part = waiting.pop()
        try:
            await work(things[part.start : part.stop])
        except Exception as error:
            trouble = trouble_of(error)
            if trouble in raised:
                raise
            if len(part) > 1:
                middle = len(part) // 2
                waiting += [part[middle:], part[:middle]]
                continue
            refused.append(Refused(part.start, error))
            if trouble is Trouble.SETUP and not went_through and len(refused) >= _ENOUGH:
                raise
        else:
            went_through = True
    if not went_through:
        for each in refused:
            if trouble_of(each.error) is Trouble.SETUP:
                raise each.error
    return refused
