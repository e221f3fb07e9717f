"""What is composed before a connection is free for it, because a signature takes longer than everything else.

A bounded number of mails of each target is with the signing processes meanwhile, or is done and waits for its
connection; so the event loop never waits for a signature. The mails of one target leave in the order in which they
are done. Bounded is also how many bytes they have together, for each target and for all of them, so that large
attachments do not fill the memory; one mail of each target is always let in.
"""

from collections import deque
from collections.abc import Hashable, Sequence
from typing import Protocol

from postroom.content.model import MESSAGE_BUILD_ERROR, Mail, NotComposed
from postroom.delivery.dkim.signer import Part, Signer, Unsignable, field
from postroom.delivery.signing.batches import Wanted
from postroom.delivery.slices import Message

AHEAD_PER_PROCESS = 48
TARGET_BYTES = 8 << 20
ALL_BYTES = 64 << 20


class Signatures(Protocol):
    """Who makes the signatures of all targets."""

    processes: int
    """How many are made at a time."""
    bytes_ahead: int
    """Bytes of the mails that are composed ahead; the targets keep count."""

    def put(self, target: Hashable, wanted: Wanted) -> None:
        """Have one made."""

    def withdraw(self, target: Hashable) -> None:
        """Forget what is wanted for a target; all of it is ``withdrawn``."""


class Ahead:
    """The mails of one target that are composed before a connection is free for them."""

    def __init__(self, signing: Signatures) -> None:
        self._signing = signing
        self._most = signing.processes * AHEAD_PER_PROCESS
        self._done: deque[tuple[Message, Mail | NotComposed, int]] = deque()
        # In the order in which they were given.
        self._given: dict[_Given, None] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._done) + len(self._given)

    @property
    def ready(self) -> bool:
        """Whether ``take`` has one."""
        return bool(self._done)

    @property
    def room(self) -> bool:
        """Whether another mail may be composed ahead."""
        inside = len(self)
        return not inside or (
            inside < self._most and self._bytes < TARGET_BYTES and self._signing.bytes_ahead < ALL_BYTES
        )

    def give(self, message: Message, mail: Mail, signer: Signer) -> Mail | NotComposed | None:
        """Have a mail signed. None when it comes out of ``take`` later; otherwise it is done, being quick, or can't
        be signed."""
        try:
            parts = signer.parts(mail.data, int(message.slice.accepted_at.timestamp()), mail.body_form)
            if all(part.key.quick for part in parts):
                return _signed(mail, [field(part, part.key.sign(part.digest)) for part in parts])
        except Unsignable as wrong:
            return NotComposed(MESSAGE_BUILD_ERROR, f"the mail could not be signed: {wrong}")
        except Exception as wrong:  # whatever is wrong with one mail ends that mail only
            return NotComposed(MESSAGE_BUILD_ERROR, f"the mail could not be signed: {wrong!r}")
        given = _Given(self, message, mail, parts)
        self._given[given] = None
        self._add(given.size)
        for place, part in enumerate(parts):
            self._signing.put(self, Wanted(given, place, part.key, part.digest))
        return None

    def pass_by(self, message: Message, mail: Mail | NotComposed) -> None:
        """Put one that is not to be signed behind what is signed already."""
        size = _size(mail)
        self._add(size)
        self._done.append((message, mail, size))

    def take(self) -> tuple[Message, Mail | NotComposed] | None:
        """A message with its mail, or why there is none; None when nothing is done yet."""
        if not self._done:
            return None
        message, mail, size = self._done.popleft()
        self._add(-size)
        return message, mail

    def withdraw(self) -> list[Message]:
        """Take back everything, in the order of its turn; signatures that are being made are thrown away."""
        messages = [message for message, _, _ in self._done]
        for given in self._given:
            given.withdrawn = True
            messages.append(given.message)
        self._done.clear()
        self._given.clear()
        self._signing.withdraw(self)
        self._add(-self._bytes)
        return messages

    def _add(self, size: int) -> None:
        self._bytes += size
        self._signing.bytes_ahead += size

    def done(self, given: "_Given", mail: Mail | NotComposed) -> None:
        """Called when the last signature of a mail is there."""
        del self._given[given]
        self._done.append((given.message, mail, given.size))


class _Given:
    """A mail whose signatures are being made."""

    __slots__ = ("_ahead", "_fields", "_left", "_mail", "_parts", "message", "size", "withdrawn")

    def __init__(self, ahead: Ahead, message: Message, mail: Mail, parts: Sequence[Part]) -> None:
        self.message = message
        self.size = _size(mail)
        self.withdrawn = False
        self._ahead = ahead
        self._mail = mail
        self._parts = parts
        self._fields = [b""] * len(parts)
        self._left = len(parts)

    def signed(self, place: int, signature: bytes) -> None:
        """See ``Waiting``."""
        if signature:
            self._fields[place] = field(self._parts[place], signature)
        self._left -= 1
        if self._left:
            return
        if all(self._fields):
            self._ahead.done(self, _signed(self._mail, self._fields))
        else:
            why = "the mail could not be signed: a signing process could not use its key"
            self._ahead.done(self, NotComposed(MESSAGE_BUILD_ERROR, why))


def _signed(mail: Mail, fields: Sequence[bytes]) -> Mail:
    # Another one: what a message was composed to may be composed, and signed, again.
    return Mail(mail.sender, mail.recipients, b"".join((*fields, mail.data)), mail.smtputf8, mail.subject)


def _size(mail: Mail | NotComposed) -> int:
    if isinstance(mail, NotComposed):
        return 0
    return len(mail.data) if mail.body_form is None else len(mail.data) + len(mail.body_form)
