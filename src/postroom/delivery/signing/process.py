"""A signing process: keys and digests come in over a socket, signatures go out, until the other end is closed.

    python -m postroom.delivery.signing.process DESCRIPTOR [LIBRARY]

With ``LIBRARY``, crypto_mb, it makes RSA signatures eight at a time where that can be done (see ``multibuffer``).

It imports little, for there may be one for each core. It sees no mail, keeps nothing but the keys it is given, and
ends with its delivery process, however that ends: the kernel closes the socket then.
"""

import contextlib
import signal
import socket
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from postroom.delivery.dkim.key import SigningKey
from postroom.delivery.signing.frames import (
    DIGESTS,
    KEY,
    FrameBroken,
    Frames,
    digests_of,
    how_frame,
    key_of,
    signatures_frame,
)
from postroom.delivery.signing.multibuffer import (
    AT_A_TIME,
    LEAST,
    Multibuffer,
    MultibufferKey,
    MultibufferUnusable,
)

_READ = 65536


class Hand:
    """Answers frames; no I/O."""

    def __init__(self, multibuffer: Multibuffer | None = None) -> None:
        self._multibuffer = multibuffer
        self._keys: dict[int, SigningKey] = {}
        self._together: dict[int, MultibufferKey] = {}

    def answer(self, kind: int, content: bytes) -> bytes | None:
        """The frame to send back, if any. Raises FrameBroken, and KeyUnusable for a key that can't sign."""
        if kind == KEY:
            self._learn(*key_of(content))
            return None
        if kind == DIGESTS:
            return signatures_frame(self._signatures(list(digests_of(content))))
        raise FrameBroken(f"a frame of kind {kind} is not for a signing process")

    def _learn(self, place: int, private: bytes) -> None:
        key = self._keys[place] = SigningKey("", private, checked=True)
        self._together.pop(place, None)
        if self._multibuffer is not None and key.rsa_numbers is not None:
            with contextlib.suppress(MultibufferUnusable):
                self._together[place] = MultibufferKey(key.rsa_numbers)

    def _signatures(self, wanted: list[tuple[int, bytes]]) -> Iterable[bytes]:
        found = [b""] * len(wanted)
        if self._multibuffer is not None and len(wanted) >= LEAST:
            for several in self._several(wanted):
                signed = self._multibuffer.sign([(self._together[wanted[at][0]], wanted[at][1]) for at in several])
                for at, signature in zip(several, signed, strict=True):
                    found[at] = signature
        return [signature or self._signature(*each) for signature, each in zip(found, wanted, strict=True)]

    def _several(self, wanted: list[tuple[int, bytes]]) -> Iterable[list[int]]:
        """Which are to be made together, as places in ``wanted``."""
        by_length: defaultdict[int, list[int]] = defaultdict(list)
        for at, (place, _) in enumerate(wanted):
            if key := self._together.get(place):
                by_length[key.bits].append(at)
        for places in by_length.values():
            for begin in range(0, len(places), AT_A_TIME):
                several = places[begin : begin + AT_A_TIME]
                if len(several) >= LEAST:
                    yield several

    def _signature(self, place: int, digest: bytes) -> bytes:
        try:
            return self._keys[place].sign(digest)
        except Exception:  # whatever is wrong with one signature ends that mail only
            return b""


def hand(library: Path | None) -> tuple[Hand, bytes]:
    """One that signs as quickly as can be done here, and the frame that says how."""
    if library is None:
        return Hand(), how_frame(1, "one at a time")
    try:
        return Hand(Multibuffer(library)), how_frame(AT_A_TIME, "eight at a time")
    except MultibufferUnusable as why:
        return Hand(), how_frame(1, f"one at a time: {why}")


def serve(channel: socket.socket, library: Path | None) -> None:
    """Answer until the other end is closed. Raises what `Hand.answer` raises."""
    frames = Frames()
    with contextlib.suppress(ConnectionError):
        answering, how = hand(library)
        channel.sendall(how)
        while data := channel.recv(_READ):
            for kind, content in frames.read(data):
                answer = answering.answer(kind, content)
                if answer is not None:
                    channel.sendall(answer)


def main() -> None:
    """The program."""
    # Told to stop, the delivery process finishes what is on the wire first, and needs its signatures until then.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        channel.setblocking(True)
        serve(channel, Path(sys.argv[2]) if len(sys.argv) > 2 else None)


if __name__ == "__main__":
    main()
