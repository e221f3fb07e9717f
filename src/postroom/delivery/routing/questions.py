"""Messages that wait for an answer: of the DNS where their domain leads, or of the database how warm a source pool is.

Each question is asked once, whoever waits for it. What waits is counted as in hand, and as not routed yet.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Set
from typing import TypeAlias

import structlog

from postroom.delivery.outcome import Deferred, Outcome
from postroom.delivery.routing.destinations import COME_AGAIN_SECONDS, Later
from postroom.delivery.routing.in_hand import InHand
from postroom.delivery.routing.ramps import Ramp
from postroom.delivery.slices import LaneKey, Message
from postroom.events.put_offs import PutOff
from postroom.store.trouble import DATABASE_TROUBLE, tell_trouble

DNS_PATIENCE_SECONDS = 2.0
"""What waits for a look-up that takes longer may be given back, for as long as it has taken so far."""

Whom: TypeAlias = str | Ramp
"""A domain of which the route is asked, or a warm-up that counts more messages."""


class Questions:
    """``look_up`` asks for a domain's route, ``again`` routes a message when its answer is there, ``later`` gives it
    back, ``away`` settles it as not reached, ``changed`` is told that messages went on."""

    def __init__(
        self,
        in_hand: InHand,
        *,
        look_up: Callable[[str], Awaitable[object]],
        again: Callable[[Message], None],
        later: Callable[[Message, Later], None],
        away: Callable[[Message, Outcome], None],
        changed: Callable[[], None],
        in_background: Callable[[Coroutine[object, None, None]], None],
    ) -> None:
        self._in_hand = in_hand
        self._look_up = look_up
        self._again = again
        self._later = later
        self._away = away
        self._changed = changed
        self._in_background = in_background
        self._clock = asyncio.get_running_loop().time
        self._open: dict[Whom, tuple[float, list[Message]]] = {}
        self._log = structlog.get_logger("delivery")

    def ask(self, whom: Whom, message: Message) -> None:
        """Keep a message until a domain's route is known (its own or that of a copy), or a warm-up has counted more."""
        self._in_hand.tally[message.slice.key] += 1
        self._in_hand.unrouted[message.slice.key] += 1
        entry = self._open.get(whom)
        if entry is not None:
            entry[1].append(message)
            return
        self._open[whom] = (self._clock(), [message])
        self._in_background(self._answer(whom))

    def drain(self) -> list[Message]:
        """Take everything; the counts are the caller's."""
        drained = [message for _, messages in self._open.values() for message in messages]
        self._open.clear()
        return drained

    def relieve(self, now: float, full: Set[LaneKey]) -> None:
        """Give back what has waited long, where it fills a lane of which nothing more is claimed."""
        for whom, (since, messages) in list(self._open.items()):
            age = now - since
            if age > DNS_PATIENCE_SECONDS and any(message.slice.key in full for message in messages):
                # The look-up goes on. Who comes again before its end waits for twice as long.
                why = PutOff("database") if isinstance(whom, Ramp) else PutOff("dns", whom)
                given_back = messages.copy()
                messages.clear()
                for message in self._counted_out(given_back):
                    self._later(message, Later(age, why))

    async def _answer(self, whom: Whom) -> None:
        try:
            await (whom.reserve() if isinstance(whom, Ramp) else self._look_up(whom))
        except DATABASE_TROUBLE as error:
            tell_trouble(self._log, "warm_up_waits_for_database", error)
            for message in self._take(whom):
                self._later(message, Later(COME_AGAIN_SECONDS, PutOff("database")))
            return
        except Exception:
            # One domain that nobody foresaw must not end delivery to the others.
            self._log.exception("route_not_found", domain=str(whom))
            for message in self._take(whom):
                self._away(message, Deferred(text="the route could not be looked up", stage="connect"))
            return
        for message in self._take(whom):
            self._again(message)
        self._changed()

    def _take(self, whom: Whom) -> list[Message]:
        _, messages = self._open.pop(whom, (0.0, []))
        return self._counted_out(messages)

    def _counted_out(self, messages: list[Message]) -> list[Message]:
        keys = [message.slice.key for message in messages]
        for counter in (self._in_hand.tally, self._in_hand.unrouted):
            counter.subtract(keys)
            for key in set(keys):
                if not counter[key]:
                    del counter[key]
        return messages
