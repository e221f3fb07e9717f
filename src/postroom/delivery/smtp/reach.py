"""In which order the addresses of a host are tried. Pure: the clock is an argument of its maker, in seconds.

The families take turns, as RFC 8305 §4 has it, so that a machine whose IPv6 leads nowhere waits for one address and not
for all. An address that could not be reached is tried last for a while: the next connections do not wait for it.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, zip_longest

UNREACHED_SECONDS = 600.0
MOST_REMEMBERED = 10_000


class Reach:
    """Which addresses were out of reach lately; may be shared by any number of hosts."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until: OrderedDict[str, float] = OrderedDict()

    def order(self, addresses: Iterable[str]) -> list[str]:
        """All of them, in the order in which to try them; otherwise as given."""
        now = self._clock()
        near: list[str] = []
        far: list[str] = []
        for address in addresses:
            (far if self._until.get(address, now) > now else near).append(address)
        return [*_in_turn(near), *_in_turn(far)]

    def failed(self, address: str) -> None:
        """It could not be reached."""
        self._until[address] = self._clock() + UNREACHED_SECONDS
        self._until.move_to_end(address)
        if len(self._until) > MOST_REMEMBERED:
            self._until.popitem(last=False)

    def reached(self, address: str) -> None:
        """It took a connection."""
        self._until.pop(address, None)


def _in_turn(addresses: Sequence[str]) -> Iterable[str]:
    if not addresses:
        return ()
    first = ":" in addresses[0]
    own = [address for address in addresses if (":" in address) is first]
    other = [address for address in addresses if (":" in address) is not first]
    return (address for address in chain.from_iterable(zip_longest(own, other)) if address is not None)
