"""Signing ahead of the connections: threads sign what is composed, connections take what is signed.

A signature takes ten times as long as everything else about a mail, and lets go of the interpreter meanwhile. So
a bounded number of mails is given to threads before a connection is free for them, and the event loop never waits.
The mails of one target leave in the order in which they are done.
"""

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import NamedTuple

from postroom.content.model import MESSAGE_BUILD_ERROR, Mail, NotComposed
from postroom.delivery.dkim.signer import Signer, Unsignable
from postroom.delivery.slices import Message

AHEAD_PER_THREAD = 16


class Ahead:
    """The mails of one target that are composed before a connection is free for them."""

    def __init__(self, signing: "Signing") -> None:
        self._signing = signing
        self._most = signing.threads * AHEAD_PER_THREAD
        self._done: deque[tuple[Message, Mail | NotComposed]] = deque()
        self._inside = 0

    @property
    def room(self) -> bool:
        """Whether another mail may be composed ahead."""
        return self._inside < self._most

    def give(self, message: Message, mail: Mail, signer: Signer) -> None:
        """Have a mail signed."""
        self._inside += 1
        self._signing.give(_Given(self, message, mail, signer))

    def pass_by(self, message: Message, mail: Mail | NotComposed) -> None:
        """Put one that is not to be signed behind what is signed already."""
        self._inside += 1
        self._done.append((message, mail))

    def take(self) -> tuple[Message, Mail | NotComposed] | None:
        """A message with its mail, or why there is none; None when nothing is done yet."""
        if not self._done:
            return None
        self._inside -= 1
        return self._done.popleft()

    def withdraw(self) -> list[Message]:
        """Take back what is not being signed at this moment, in the order of its turn."""
        messages = []
        while self._done:
            messages.append(self._done.popleft()[0])
        messages.extend(self._signing.withdraw(self))
        self._inside -= len(messages)
        return messages

    def done(self, message: Message, mail: Mail | NotComposed) -> None:
        """Called by the thread that signed it."""
        self._done.append((message, mail))


class _Given(NamedTuple):
    ahead: Ahead
    message: Message
    mail: Mail
    signer: Signer


class Signing:
    """The threads. ``ready`` is called on the event loop, by way of ``call_soon_threadsafe``, when one of the targets
    has something to take."""

    def __init__(
        self, *, threads: int, call_soon_threadsafe: Callable[[Callable[[], None]], object], ready: Callable[[], None]
    ) -> None:
        self.threads = threads
        self._running: list[threading.Thread] = []
        self._call_soon_threadsafe = call_soon_threadsafe
        self._ready = ready
        self._waiting: SimpleQueue[_Given | None] = SimpleQueue()
        self._told = False
        self._ended = False

    def give(self, given: _Given) -> None:
        """Have a mail signed when a thread is free."""
        if not self._running:
            # Whoever signs nothing has no threads.
            for number in range(self.threads):
                thread = threading.Thread(target=self._run, name=f"sign-{number}", daemon=True)
                self._running.append(thread)
                thread.start()
        self._waiting.put(given)

    def withdraw(self, ahead: Ahead) -> list[Message]:
        """Take back what no thread has begun of one target."""
        waiting = self._drain()
        for given in waiting:
            if given.ahead is not ahead:
                self._waiting.put(given)
        return [given.message for given in waiting if given.ahead is ahead]

    def close(self) -> None:
        """Forget everything given; returns when no thread runs any more, within one signature's time."""
        if self._ended:
            return
        self._ended = True
        self._drain()
        for _ in self._running:
            self._waiting.put(None)
        for thread in self._running:
            thread.join()

    def _drain(self) -> list[_Given]:
        found = []
        with suppress(Empty):
            while (given := self._waiting.get_nowait()) is not None:
                found.append(given)
        return found

    def _run(self) -> None:
        while (given := self._waiting.get()) is not None:
            given.ahead.done(given.message, _signed(given.message, given.mail, given.signer))
            if not self._told and not self._ended:
                self._told = True
                self._call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        # Before the call: what is done from here on is told anew.
        self._told = False
        self._ready()


def _signed(message: Message, mail: Mail, signer: Signer) -> Mail | NotComposed:
    try:
        mail.data = signer.sign(mail.data, int(message.slice.accepted_at.timestamp()), mail.body_form)
        mail.body_form = None
    except Unsignable as wrong:
        return NotComposed(MESSAGE_BUILD_ERROR, f"the mail could not be signed: {wrong}")
    except Exception as wrong:  # whatever is wrong with one mail ends that mail only
        return NotComposed(MESSAGE_BUILD_ERROR, f"the mail could not be signed: {wrong!r}")
    return mail
