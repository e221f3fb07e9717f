"""A limit on the work of one query (XPath, JSONPath) over data a template brought along."""

from collections.abc import Callable
from typing import Final

from .faults import LimitFault

_NODES: Final = 1_000_000
_LOOK_EVERY: Final = 512


class Budget:
    """A number of nodes that may be looked at and, with a clock, a time; ``spend`` is called before each look."""

    __slots__ = ("_clock", "_left", "_seconds", "_started", "_until_look")

    def __init__(self, clock: Callable[[], float] | None, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._started = 0.0 if clock is None else clock()
        self._left = _NODES
        self._until_look = _LOOK_EVERY

    def spend(self, amount: int = 1) -> None:
        """Raises LimitFault QueryLimit when all is used up."""
        self._until_look -= amount
        if self._until_look > 0:
            return
        self._left -= _LOOK_EVERY - self._until_look
        self._until_look = _LOOK_EVERY
        if self._left < 0 or (self._clock is not None and self._clock() - self._started > self._seconds):
            raise LimitFault(
                f"the query looks at more than {_NODES:,} nodes or takes over {self._seconds:g} s; make it simpler",
                code="QueryLimit",
            )
