"""A signing process: keys and digests come in over a socket, signatures go out, until the other end is closed.

    python -m postroom.delivery.signing.process DESCRIPTOR

It imports little, for there may be one for each core. It sees no mail, keeps nothing but the keys it is given, and
ends with its delivery process, however that ends: the kernel closes the socket then.
"""

import contextlib
import signal
import socket
import sys

from postroom.delivery.dkim.key import SigningKey
from postroom.delivery.signing.frames import DIGESTS, KEY, FrameBroken, Frames, digests_of, key_of, signatures_frame

_READ = 65536


class Hand:
    """Answers frames; no I/O."""

    def __init__(self) -> None:
        self._keys: dict[int, SigningKey] = {}

    def answer(self, kind: int, content: bytes) -> bytes | None:
        """The frame to send back, if any. Raises FrameBroken, and KeyUnusable for a key that can't sign."""
        if kind == KEY:
            place, private = key_of(content)
            self._keys[place] = SigningKey("", private, checked=True)
            return None
        if kind == DIGESTS:
            return signatures_frame([self._signature(place, digest) for place, digest in digests_of(content)])
        raise FrameBroken(f"a frame of kind {kind} is not for a signing process")

    def _signature(self, place: int, digest: bytes) -> bytes:
        try:
            return self._keys[place].sign(digest)
        except Exception:  # whatever is wrong with one signature ends that mail only
            return b""


def serve(channel: socket.socket) -> None:
    """Answer until the other end is closed. Raises what `Hand.answer` raises."""
    frames, hand = Frames(), Hand()
    with contextlib.suppress(ConnectionError):
        while data := channel.recv(_READ):
            for kind, content in frames.read(data):
                answer = hand.answer(kind, content)
                if answer is not None:
                    channel.sendall(answer)


def main() -> None:
    """The program."""
    # Told to stop, the delivery process finishes what is on the wire first, and needs its signatures until then.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        channel.setblocking(True)
        serve(channel)


if __name__ == "__main__":
    main()
