"""The time a rendering takes itself, apart from what it waits for, which depends on others and has its own limits."""

from collections.abc import Callable, Coroutine, Generator
from types import coroutine
from typing import Any, TypeVar

_Result = TypeVar("_Result")


class OwnTime:
    """A clock that stands still while the work it measures waits; ``clock`` gives monotonic seconds."""

    __slots__ = ("_clock", "_ran", "_since")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._ran = 0.0
        self._since: float | None = None

    def __call__(self) -> float:
        """Seconds run so far."""
        return self._ran if self._since is None else self._ran + self._clock() - self._since

    @coroutine
    def measure(self, work: Coroutine[Any, Any, _Result]) -> Generator[Any, Any, _Result]:
        """Await ``work``, and run while it runs."""
        step: Callable[[Any], Any] = work.send
        given: Any = None
        while True:
            self._since = self._clock()
            try:
                awaited = step(given)
            except StopIteration as done:
                result: _Result = done.value
                return result
            finally:
                self._ran += self._clock() - self._since
                self._since = None
            try:
                step, given = work.send, (yield awaited)
            except BaseException as error:
                step, given = work.throw, error
